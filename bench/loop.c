/* The hand-written loop for two shapes of the row pattern benchmark: A B with v = 0, then v = 1, over a CSV file; `scan` has the columns i,v in one
 * partition, `partitions` p,i,v with the rows of a partition together. Maps the file, reads the integers, counts. Prints rows, matches, seconds. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static const char *read_int(const char *p, long *ret)
{
    long v = 0;
    while (*p >= '0')
        v = v * 10 + (*p++ - '0');
    *ret = v;
    return p + 1;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: loop scan|partitions FILE\n");
        return 2;
    }
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    int fd = open(argv[2], O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(argv[2]);
        return 1;
    }
    const char *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (text == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    int partitioned = strcmp(argv[1], "partitions") == 0;
    const char *p = memchr(text, '\n', (size_t)st.st_size), *stop = text + st.st_size;
    long rows = 0, matches = 0, before = -1, waits = 0;
    for (p = p ? p + 1 : stop; p < stop; rows++) {
        long partition = 0, i, v;
        if (partitioned)
            p = read_int(p, &partition);
        p = read_int(p, &i);
        p = read_int(p, &v);
        if (partition != before)
            waits = 0;
        before = partition;
        matches += waits && v == 1;
        waits = v == 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("{\"rows\": %ld, \"matches\": %ld, \"seconds\": %.6f}\n", rows, matches,
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    return 0;
}
