/* The table of keys and its wheel of wake-ups, against plain arrays: what was put in is found, what was taken out is not, each wake-up comes once, in time. */
#include "tests/unit/rnd.h"
#include "tests/unit/tap.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/keyed.h"

static struct cep_tuple *tuple_of(int64_t n)
{
    static uint64_t bytes[4];
    struct cep_type type = CEP_TYPE(BIGINT);
    struct cep_value value = cep_int(n);
    cep_tuple_write(&type, &value, 1, (struct cep_tuple *)(void *)bytes);
    return (struct cep_tuple *)(void *)bytes;
}

#define KEYS 5000

static void table(void)
{
    static bool there[KEYS];
    struct cep_keyed keyed;
    bool right = true;
    uint64_t count = 0;
    cep_keyed_init(&keyed, 16);
    for (int turn = 0; turn < 200000; turn++) {
        int64_t n = (int64_t)rnd_wide(KEYS);
        struct cep_tuple *tuple = tuple_of(n);
        struct cep_key *found = cep_keyed_find(&keyed, tuple), *key;
        bool added = false;
        right = right && (found != NULL) == there[n];
        if (found && rnd_wide(2)) {
            cep_keyed_remove(&keyed, found);
            there[n] = false;
            count--;
        } else {
            right = right && cep_keyed_get(&keyed, tuple, &key, &added) == 0 && added == !there[n];
            count += added;
            there[n] = true;
        }
    }
    OK(right, "keys are found while they are there");
    IS_INT(keyed.count, count, "and counted");
    uint64_t at = 0, seen = 0;
    while (cep_keyed_each(&keyed, &at))
        seen++;
    IS_INT(seen, count, "a walk sees each of them");
    uint64_t bytes = keyed.bytes;
    OK(bytes >= count * 16, "their memory is counted");
    cep_keyed_finish(&keyed);
}

/* Blocks are apart, keep what is written into them, and all of their memory comes back. */
static void blocks(void)
{
    static struct { uint64_t *at; size_t units; uint64_t value; } taken[20000];
    struct cep_blocks blocks = { 0 };
    uint64_t before = base_alloc_live_blocks(), used = 0;
    bool right = true;
    size_t count = 0, failed = 0;
    for (int turn = 0; turn < 400000; turn++) {
        bool grows = turn / 50000 % 2 == 0; /* by turns more come than go, and more go than come */
        if (count < 20000 && rnd_wide(4) < (grows ? 3 : 1)) {
            size_t units = rnd_wide(8) ? 8 : 1 + rnd_wide(CEP_BLOCKS_MOST);
            base_alloc_fail_at(rnd_wide(3) == 0, false);
            uint64_t *at = cep_blocks_take(&blocks, units);
            base_alloc_fail_at(0, false);
            failed += !at;
            if (!at)
                continue;
            right = right && (uintptr_t)at % (units % 4 ? 16 : 64) == 0;
            taken[count].at = at;
            taken[count].units = units;
            taken[count].value = at[0] = at[units * 2 - 1] = rnd_wide(UINT64_MAX);
            memset(at + 1, 0xa5, (units * 2 - 2) * 8);
            used += units * 16;
            count++;
        } else if (count) {
            size_t i = rnd_wide(count);
            right = right && taken[i].at[0] == taken[i].value && taken[i].at[taken[i].units * 2 - 1] == taken[i].value;
            cep_blocks_give(&blocks, taken[i].at);
            used -= taken[i].units * 16;
            taken[i] = taken[--count];
        }
        right = right && blocks.used == used && blocks.held >= used;
    }
    OK(right && failed, "blocks are apart, with memory or without");
    while (count)
        cep_blocks_give(&blocks, taken[--count].at);
    IS_INT(base_alloc_live_blocks(), before, "their memory is back when all of them are");
    IS_INT(blocks.held + blocks.used, 0, "and counted as such");
    OK(cep_blocks_take(&blocks, 3) != NULL, "one more");
    cep_blocks_finish(&blocks);
    IS_INT(base_alloc_live_blocks(), before, "goes with the others");
}

/* Keys that have changed are found, the last one first, each once; one that there is no memory to note is not changed. */
static void changed(void)
{
    struct cep_keyed keyed;
    struct cep_key *key;
    bool right = true, added;
    int64_t failed = 0, seen = 0;
    cep_keyed_init(&keyed, 0);
    for (int64_t n = 0; n < KEYS; n++) {
        right = right && cep_keyed_get(&keyed, tuple_of(n), &key, &added) == 0 && added;
        base_alloc_fail_at(1, true);
        int rc = cep_keyed_mark(&keyed, key);
        base_alloc_fail_at(0, false);
        right = right && key->dirty == (rc == 0) && (rc == 0 || rc == BASE_E_NOMEM);
        failed += rc != 0;
        right = right && cep_keyed_mark(&keyed, key) == 0 && key->dirty && cep_keyed_dirty(&keyed) == key;
    }
    OK(right && failed > 5 && failed < 20, "changed keys are noted, but where memory ends");
    for (; (key = cep_keyed_dirty(&keyed)) != NULL; seen++) {
        right = right && cep_tuple_slot(&key->tuple, 0) == (uint64_t)(KEYS - 1 - seen);
        cep_keyed_clean(&keyed, key);
        if (seen % 3)
            cep_keyed_remove(&keyed, key);
    }
    OK(right, "the last one first");
    IS_INT(seen, KEYS, "each once");
    cep_keyed_finish(&keyed);
}

/* Keys that ask for wake-ups near and far, before and behind, while time goes on in small and large steps. */
static void wheel(uint64_t keys, int64_t span_ms, int64_t step_ms, bool rests, const char *what)
{
    static int64_t wants[KEYS];
    struct cep_keyed keyed;
    struct cep_key *key;
    int64_t now = (int64_t)rnd_wide(1000000000), woken = 0, asked = 0;
    bool right = true, added = false;
    cep_keyed_init(&keyed, 0);
    for (int i = 0; i < KEYS; i++)
        wants[i] = BASE_TIME_MAX_MS;
    for (int turn = 0; turn < 20000; turn++) {
        int64_t n = (int64_t)rnd_wide(keys), at = now + 1 + (int64_t)rnd_wide((uint64_t)span_ms);
        struct cep_tuple *tuple = tuple_of(n);
        right = right && cep_keyed_get(&keyed, tuple, &key, &added) == 0;
        if (rnd_wide(10) == 0) {
            cep_keyed_remove(&keyed, key);
            asked -= wants[n] != BASE_TIME_MAX_MS;
            wants[n] = BASE_TIME_MAX_MS;
            continue;
        }
        right = right && cep_keyed_arm(&keyed, key, at) == 0;
        asked += wants[n] == BASE_TIME_MAX_MS;
        wants[n] = at < wants[n] ? at : wants[n];
        if (rnd_wide(4))
            continue;
        now += (int64_t)rnd_wide((uint64_t)step_ms);
        int64_t last = BASE_TIME_MIN_MS, until = cep_wheel_quiet_until(&keyed.wheel);
        for (int i = 0; i < KEYS; i++)
            right = right && wants[i] > until;
        if (rests && now <= until)
            continue; /* nobody is woken: the wheel stays behind */
        while (cep_keyed_due(&keyed, now, &key) == 0 && key) {
            int64_t due = wants[cep_tuple_slot(&key->tuple, 0)];
            right = right && due <= now && due >= last;
            last = due;
            wants[cep_tuple_slot(&key->tuple, 0)] = BASE_TIME_MAX_MS;
            woken++;
        }
        for (int i = 0; i < KEYS; i += 97)
            right = right && wants[i] > now;
    }
    while (cep_keyed_due(&keyed, BASE_TIME_MAX_MS - 1, &key) == 0 && key)
        woken++;
    OK(right, what);
    IS_INT(woken, asked, "each wake-up came once");
    cep_keyed_finish(&keyed);
}

/* A few wake-ups in a long time: a wheel that is asked only when there may be some is asked a few times for each. */
static void rarely(void)
{
    struct cep_keyed keyed;
    struct cep_key *key;
    bool added, right = true;
    int64_t now = 5000000, asked = 0, woken = 0;
    cep_keyed_init(&keyed, 0);
    for (int64_t i = 0; i < 50; i++) {
        right = right && cep_keyed_get(&keyed, tuple_of(i), &key, &added) == 0;
        right = right && cep_keyed_arm(&keyed, key, now + i * 500000 + (int64_t)rnd_wide(400000)) == 0;
    }
    for (; now < 5000000 + 50 * 500000; now += 250) {
        if (now <= cep_wheel_quiet_until(&keyed.wheel))
            continue;
        asked++;
        while (cep_keyed_due(&keyed, now, &key) == 0 && key)
            woken++;
    }
    OK(right, "armed");
    IS_INT(woken, 50, "a wheel that rests wakes all");
    OK(asked < 50 * 12, "and is asked rarely");
    OK(cep_wheel_quiet_until(&keyed.wheel) == BASE_TIME_MAX_MS - 1, "an empty one rests to the end");
    cep_keyed_finish(&keyed);
}

/* A few wake-ups become many where memory ends: none is lost. */
static void few(void)
{
    int64_t failed = 0, woken = 0;
    bool right = true, added;
    struct cep_keyed keyed;
    struct cep_key *key;
    cep_keyed_init(&keyed, 0);
    for (int64_t i = 0; i < 200; i++) {
        int64_t at = 1000000 + (int64_t)rnd_wide(600000) + (i % 50 == 7 ? 900000000 : 0);
        right = right && cep_keyed_get(&keyed, tuple_of(i), &key, &added) == 0;
        for (int64_t nth = 1;; nth++) {
            base_alloc_fail_at((uint64_t)nth, true);
            int rc = cep_keyed_arm(&keyed, key, at);
            base_alloc_fail_at(0, false);
            if (!rc)
                break;
            right = right && rc == BASE_E_NOMEM && key->armed_ms == BASE_TIME_MAX_MS;
            failed++;
        }
    }
    while (cep_keyed_due(&keyed, BASE_TIME_MAX_MS - 1, &key) == 0 && key) {
        right = right && key->armed_ms == BASE_TIME_MAX_MS;
        woken++;
    }
    OK(right && failed > 20, "few become many where memory ends");
    IS_INT(woken, 200, "all of them come");
    cep_keyed_finish(&keyed);
}

int main(void)
{
    table();
    blocks();
    changed();
    for (int rests = 0; rests < 2; rests++) {
        wheel(KEYS, 5000, 100, rests, rests ? "wake-ups within seconds, asked for when there may be some" : "wake-ups within seconds");
        wheel(KEYS, 200000, 3000, rests, rests ? "within minutes, asked for when there may be some" : "wake-ups within minutes");
        wheel(KEYS, 400000000, 5000000, rests, rests ? "within days, asked for when there may be some" : "wake-ups within days");
        wheel(KEYS, 100000, 1000000000, rests, rests ? "leaps, asked for when there may be some" : "time goes on in leaps");
        wheel(5, 200000, 30000, rests, rests ? "a few keys, asked for when there may be some" : "a few keys");
        wheel(60, 200000, 30000, rests, rests ? "few or not, asked for when there may be some" : "few keys, or no longer few");
    }
    rarely();
    few();
    IS_INT(base_alloc_live_blocks(), 0, "all memory is back");
    return tap_done();
}
