#include "connectors/pacing.h"

#include "base/time.h"

#define DELAY_MS_MAX 3600000.0 /* one wait; a longer gap is asked for again */

bool connectors_pacing_parse(struct base_str text, double *ret_speed)
{
    text = base_str_trim(text);
    if (text.len && (text.ptr[text.len - 1] == 'x' || text.ptr[text.len - 1] == 'X'))
        text.len--;
    double speed;
    if (!base_str_to_double(text, &speed) || !(speed >= 0) || speed > 1e9)
        return false;
    *ret_speed = speed;
    return true;
}

int64_t connectors_pacing_delay_ms(struct connectors_pacing *pacing, int64_t event_ms, int64_t now_us)
{
    if (pacing->speed <= 0 || event_ms == BASE_TIME_MIN_MS)
        return 0;
    if (!pacing->started) {
        pacing->started = true;
        pacing->first_ms = event_ms;
        pacing->started_us = now_us;
        return 0;
    }
    double due_ms = ((double)event_ms - (double)pacing->first_ms) / pacing->speed;
    double passed_ms = (double)(now_us - pacing->started_us) / 1000.0;
    double delay_ms = due_ms - passed_ms;
    if (!(delay_ms > 0))
        return 0;
    return delay_ms > DELAY_MS_MAX ? (int64_t)DELAY_MS_MAX : (int64_t)(delay_ms + 0.999);
}
