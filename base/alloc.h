/* The only door to the heap: malloc and free stand nowhere else, so that tests can fail the Nth call and libraries
 * that take allocators can be routed here. Any thread. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL on failure (also when the fault hook fires); size 0 gives a valid pointer. */
void *base_alloc(size_t bytes);
/* count * size zeroed bytes; NULL on overflow or failure. */
void *base_calloc(size_t count, size_t bytes);
/* As realloc; the old block stays valid on failure. */
void *base_realloc(void *block, size_t bytes);
/* The block, of so many bytes, will be gone through from end to end: the system may back it by large pages. A hint; small blocks are left as they are. */
void base_alloc_whole(void *block, size_t bytes);
/* As base_alloc, for a block that will be gone through so: a large one begins where a large page does. */
void *base_alloc_walked(size_t bytes);
/* NULL is allowed. */
void base_free(void *block);
/* Copy of text[0..len) with a NUL behind it; NULL on failure. */
char *base_strndup(const char *text, size_t len);
char *base_strdup(const char *text);

/* Test hook, calling thread only: the nth allocation from now fails (1 = the next), once; 0 switches it off.
 * With repeat all later ones fail too. */
void base_alloc_fail_at(uint64_t nth, bool repeat);
/* Test hook, all threads: the nth allocation from now fails, whoever asks for it; 0 switches it off. What is left until then; not above 0: it has fired, or is off. */
void base_alloc_fail_anywhere(uint64_t nth);
int64_t base_alloc_anywhere_left(void);
/* Did the hook fire since it was set? */
bool base_alloc_fault_fired(void);
/* Bytes and blocks now allocated by the whole process through this door (approximate under threads, never torn). */
uint64_t base_alloc_live_blocks(void);

/* For a process that runs for long: large blocks go back to the system when they are freed, and few threads' heaps are kept apart. At the start of main. */
void base_alloc_setup(void);
/* Gives pages that hold nothing back to the system; takes milliseconds. */
void base_alloc_trim(void);

/* *ret = a * b or a + b; false on overflow. */
bool base_size_mul(size_t a, size_t b, size_t *ret);
bool base_size_add(size_t a, size_t b, size_t *ret);

#endif
