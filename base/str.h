/* UTF-8 slices and growing text buffers. A slice borrows; a buffer owns. Single-threaded. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct base_str {
    const char *ptr; /* not NUL-terminated; may be NULL if len is 0 */
    size_t len;
};
#define BASE_STR(literal) ((struct base_str){ (literal), sizeof(literal) - 1 })
struct base_str base_str_of(const char *text); /* NULL gives the empty slice */
bool base_str_equal(struct base_str a, struct base_str b);
/* ASCII case folded. */
bool base_str_equal_fold(struct base_str a, struct base_str b);
/* memcmp order, shorter first on a tie. */
int base_str_compare(struct base_str a, struct base_str b);
bool base_str_starts(struct base_str text, struct base_str prefix);
bool base_str_ends(struct base_str text, struct base_str suffix);
struct base_str base_str_trim(struct base_str text); /* ASCII blanks off both ends */
/* Whole slice must be a decimal integer that fits. */
bool base_str_to_i64(struct base_str text, int64_t *ret);
/* Locale-independent; whole slice. */
bool base_str_to_double(struct base_str text, double *ret);
/* Levenshtein distance of short names, ASCII folded; for "did you mean". Names over 64 bytes give their longer length.
 */
size_t base_str_distance(struct base_str a, struct base_str b);

/* Offset of the first byte that is no valid UTF-8 (RFC 3629: no surrogates, no overlong forms), or len if all is valid.
 */
size_t base_utf8_check(const char *text, size_t len);
/* Number of code points of valid UTF-8. */
size_t base_utf8_length(const char *text, size_t len);
/* Bytes that the first n code points take (at most len). */
size_t base_utf8_prefix(const char *text, size_t len, size_t code_points);
/* Decodes one code point at text (len > 0, valid); returns its bytes. */
size_t base_utf8_next(const char *text, size_t len, uint32_t *ret_code_point);
/* Encodes; returns bytes written (1..4), 0 if not a code point. */
size_t base_utf8_put(uint32_t code_point, char ret[4]);

/* A growing buffer; zero-initialise. Errors are sticky: after a failed growth all appends do nothing and `failed` stays
 * set, so a writer checks once at its end. ptr is NUL-terminated whenever it is not NULL. */
struct base_buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t limit; /* 0: none; otherwise growth beyond it fails */
    bool failed;
};
void base_buf_finish(struct base_buf *buf);
void base_buf_clear(struct base_buf *buf); /* len = 0, failed = false, keeps memory */
bool base_buf_reserve(struct base_buf *buf, size_t more);
void base_buf_put(struct base_buf *buf, const void *bytes, size_t len);
void base_buf_put_str(struct base_buf *buf, struct base_str text);
static inline void base_buf_puts(struct base_buf *buf, const char *text) { base_buf_put(buf, text, strlen(text)); }
void base_buf_putc(struct base_buf *buf, char c);
void base_buf_printf(struct base_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void base_buf_vprintf(struct base_buf *buf, const char *format, va_list args);
void base_buf_put_i64(struct base_buf *buf, int64_t value);
/* text as a JSON string with quotes; bytes that are no UTF-8 become U+FFFD. */
void base_buf_put_json(struct base_buf *buf, struct base_str text);
/* Little-endian integers and length-prefixed bytes, for the codecs of stored values. */
void base_buf_put_u8(struct base_buf *buf, uint8_t value);
void base_buf_put_u16(struct base_buf *buf, uint16_t value);
void base_buf_put_u32(struct base_buf *buf, uint32_t value);
void base_buf_put_u64(struct base_buf *buf, uint64_t value);
void base_buf_put_varint(struct base_buf *buf, uint64_t value);               /* LEB128 */
void base_buf_put_bytes(struct base_buf *buf, const void *bytes, size_t len); /* varint length, bytes */

/* Reader over stored bytes; sticky failure, total: reads behind the end give 0 and set failed. */
struct base_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};
/* Over nothing, too: NULL with length 0. */
static inline struct base_reader base_reader_of(const void *bytes, size_t len)
{
    const uint8_t *at = (const uint8_t *)bytes;
    return (struct base_reader){ at, len ? at + len : at, false };
}
uint8_t base_read_u8(struct base_reader *reader);
uint16_t base_read_u16(struct base_reader *reader);
uint32_t base_read_u32(struct base_reader *reader);
uint64_t base_read_u64(struct base_reader *reader);
uint64_t base_read_varint(struct base_reader *reader);
/* Borrowed slice of the input. */
struct base_str base_read_bytes(struct base_reader *reader);
const void *base_read_raw(struct base_reader *reader, size_t len); /* NULL on failure */

#endif
