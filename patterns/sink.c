#include "patterns/sink.h"

static bool setting_is(const struct patterns_table_info *table, const char *key, const char *value)
{
    return base_str_equal(patterns_table_setting(table, key), base_str_of(value));
}

bool patterns_sink_takes_changes(const struct patterns_table_info *table)
{
    static const char *const keyed[] = { "upsert-kafka", "redis", "postgresql", "jdbc", "clickhouse", "elasticsearch", "elasticsearch-7", "opensearch", "http" };
    if (setting_is(table, "changelog", "op"))
        return true;
    if (setting_is(table, "connector", "redis") && setting_is(table, "mode", "sorted-set-increment"))
        return true;
    for (size_t i = 0; i < sizeof keyed / sizeof keyed[0]; i++) {
        if (setting_is(table, "connector", keyed[i]))
            return i == 0 || table->key_count > 0;
    }
    return false;
}
