#include "base/log.h"
#include <unistd.h>
#include "base/alloc.h"
#include "base/str.h"
#include "tests/unit/tap.h"

/* What was logged since the last call. */
static const char *take(int fd)
{
    static char text[32768];
    ssize_t len = read(fd, text, sizeof text - 1);
    text[len > 0 ? len : 0] = 0;
    return text;
}

static const char *behind_time(const char *record)
{
    const char *at = strstr(record, "level");
    return at ? at : record;
}

int main(void)
{
    int ends[2];
    if (!OK(pipe(ends) == 0, "a pipe to log into"))
        return tap_done();
    base_log_setup(BASE_LOG_INFO, false, ends[1]);
    base_log(BASE_LOG_DEBUG, "test", "hidden", NULL);
    base_log(BASE_LOG_WARN, "kafka", "broker away", "broker", "10.0.0.1:9092", "reason", "a \"b\"\nc\\", "empty", "",
             NULL);
    const char *text = take(ends[0]);
    OK(strncmp(text, "ts=20", 5) == 0 && strchr(text, 'Z'),
       "a record starts with its time; one below the level is not written");
    IS_STR(behind_time(text),
           "level=warn source=kafka event=\"broker away\" broker=10.0.0.1:9092 reason=\"a \\\"b\\\"\\nc\\\\\" "
           "empty=\"\"\n",
           "logfmt");
    base_log_setup(BASE_LOG_DEBUG, true, ends[1]);
    base_logf(BASE_LOG_DEBUG, "test", "n", "%d\t\xff|%s", 5, "x");
    IS_STR(behind_time(take(ends[0])),
           "level\":\"debug\",\"source\":\"test\",\"event\":\"n\",\"detail\":\"5\\u0009\xef\xbf\xbd|x\"}\n", "JSON");
    char longer[20000];
    memset(longer, '\x01', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    base_alloc_fail_at(1, true);
    base_log(BASE_LOG_ERROR, "test", "long", "a", longer, "b", longer, "c", longer, "d", longer, NULL);
    OK(!base_alloc_fault_fired(), "logging takes no memory from the heap");
    base_alloc_fail_at(0, false);
    text = take(ends[0]);
    size_t len = strlen(text);
    OK(len > 2000 && len <= 8192 && strcmp(text + len - 3, "\"}\n") == 0, "a long record is cut and closed");
    OK(strstr(text, "\xe2\x80\xa6\"") && base_utf8_check(text, len) == len, "the cut is marked");
    base_log(BASE_LOG_ERROR, "test", "null", "key", NULL, NULL);
    OK(strstr(take(ends[0]), "\"key\":\"\"}") != NULL, "a NULL value is empty and ends the record");
    close(ends[0]);
    close(ends[1]);
    return tap_done();
}
