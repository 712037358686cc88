/* Writes orders of many users as JSON lines to standard output, for the benchmark's part with many keys: each user orders once an hour, in the same order, one row
 * behind the other. So however many users there are, nearly each of them has exactly one order within the last 61 minutes. usage: many_keys USERS ROWS */
#include <stdio.h>
#include <stdlib.h>

#define BEGIN_MS 1767225600000LL
#define HOUR_MS 3600000LL

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: many_keys USERS ROWS\n");
        return 2;
    }
    long long users = atoll(argv[1]), rows = atoll(argv[2]);
    static char room[1 << 20];
    setvbuf(stdout, room, _IOFBF, sizeof room);
    for (long long i = 0; i < rows; i++) {
        long long user = i % users * 7919 % users; /* 7919 is prime: each user once, neighbours far apart */
        if (printf("{\"id\":%lld,\"user_id\":%lld,\"amount\":%lld,\"ts\":%lld}\n", i, user, i * 2654435761 / 128 % 1000,
                   BEGIN_MS + i / users * HOUR_MS + i % users * HOUR_MS / users) < 0)
            return 1;
    }
    return fflush(stdout) != 0;
}
