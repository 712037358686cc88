#include "patterns/hints.h"

#include "base/str.h"

#define LISTED_MAX 8 /* names in a list of what there is */

static bool already(const struct patterns_relation *relation, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (!relation->columns[k].hidden && base_str_equal_fold(relation->columns[k].name, relation->columns[i].name))
            return true;
    }
    return false;
}

static const char *list_columns(struct base_arena *arena, const struct patterns_relation *relation)
{
    struct base_buf buf = { 0 };
    uint32_t shown = 0, more = 0;
    for (uint32_t i = 0; i < relation->count; i++) {
        const struct patterns_column *column = &relation->columns[i];
        if (column->hidden || !column->name.len || already(relation, i))
            continue;
        if (shown == LISTED_MAX) {
            more++;
            continue;
        }
        base_buf_printf(&buf, "%s%.*s", shown++ ? ", " : "the columns are ", (int)column->name.len, column->name.ptr);
    }
    if (more)
        base_buf_printf(&buf, " and %u more", more);
    const char *text = shown && !buf.failed && buf.ptr ? base_arena_strndup(arena, buf.ptr, buf.len) : NULL;
    base_buf_finish(&buf);
    return text;
}

const char *patterns_hint_column(struct base_arena *arena, const struct patterns_relation *relation, const struct patterns_ident *part)
{
    struct base_str near = patterns_relation_nearest(relation, part->text);
    bool same = near.len && base_str_equal_fold(near, part->text);
    if (part->quoted && !same)
        return base_arena_printf(arena, "a text literal stands in single quotes: '%.*s'", (int)part->text.len, part->text.ptr);
    if (near.len && !same && part->text.len <= 2)
        return base_arena_printf(arena, "did you mean \"%.*s\", or the text '%.*s'?", (int)near.len, near.ptr, (int)part->text.len, part->text.ptr);
    if (near.len)
        return base_arena_printf(arena, "did you mean \"%.*s\"?", (int)near.len, near.ptr);
    return list_columns(arena, relation);
}

const char *patterns_hint_function(struct base_str name)
{
    static const struct {
        const char *name, *hint;
    } known[] = {
        { "PREVIOUS", "the row before is read by PREV(x), inside MATCH_RECOGNIZE" },
        { "LAG", "inside MATCH_RECOGNIZE the row before is read by PREV(x)" },
        { "LEAD", "inside MATCH_RECOGNIZE the row behind is read by NEXT(x)" },
        { "CONTAINS", "write ARRAY_CONTAINS(array, x)" },
        { "ELEMENT_AT", "write array[n], counted from 1" },
        { "APPROX_DISTINCT", "write APPROX_COUNT_DISTINCT(x)" },
        { "DATEDIFF", "write TIMESTAMPDIFF(SECOND, from, to)" },
        { "DATE_DIFF", "write TIMESTAMPDIFF(SECOND, from, to)" },
        { "DATEADD", "write ts + INTERVAL '1' DAY" },
        { "DATE_ADD", "write ts + INTERVAL '1' DAY" },
        { "DATE_TRUNC", "write FLOOR(ts TO HOUR)" },
        { "TO_CHAR", "write DATE_FORMAT(ts, 'yyyy-MM-dd'), or CAST(x AS STRING)" },
        { "TUMBLE", "windows stand in FROM: TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTE), with GROUP BY window_start, window_end" },
        { "HOP", "windows stand in FROM: HOP(TABLE t, DESCRIPTOR(ts), slide, size), with GROUP BY window_start, window_end" },
        { "SESSION", "windows stand in FROM: SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), gap), with GROUP BY window_start, window_end" },
        { "TUMBLE_START", "group by window_start of FROM TUMBLE(TABLE t, DESCRIPTOR(ts), size)" },
        { "TUMBLE_END", "group by window_end of FROM TUMBLE(TABLE t, DESCRIPTOR(ts), size)" },
        { "NVL", "write COALESCE(x, y)" },
        { "ISNULL", "write x IS NULL, or COALESCE(x, y)" },
        { "DECODE", "write CASE x WHEN ... THEN ... END" },
        { "IIF", "write IF(condition, x, y)" },
        { "LEN", "write CHAR_LENGTH(x)" },
        { "STRPOS", "write POSITION('part' IN text)" },
        { "CHARINDEX", "write POSITION('part' IN text)" },
        { "GETDATE", "write CURRENT_TIMESTAMP; in a pattern prefer the event time of the rows" },
        { "SYSDATE", "write CURRENT_TIMESTAMP; in a pattern prefer the event time of the rows" },
        { "ARRAY_LENGTH", "write CARDINALITY(array)" },
        { "SIZE", "write CARDINALITY(array)" },
        { "DISTINCT", "write COUNT(DISTINCT x)" },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (base_str_equal_fold(name, base_str_of(known[i].name)))
            return known[i].hint;
    }
    return NULL;
}
