#include "patterns/lex.h"

#include <string.h>
#include "base/error.h"
#include "patterns/ast.h"
#include "patterns/source.h"

#define KEYWORD_MAX_BYTES 32

struct fixed {
    const char *text;
    const char *hint;
    uint8_t len;
    uint8_t kind;
};
/* In the order of token.def: the first that fits is taken. */
static const struct fixed fixed_tokens[] = {
#define PUNCT(name, text) { text, NULL, sizeof(text) - 1, PATTERNS_TOKEN_##name },
#define FOREIGN(name, text, hint) { text, hint, sizeof(text) - 1, PATTERNS_TOKEN_##name },
#include "patterns/token.def"
};
#define FIXED_COUNT (sizeof fixed_tokens / sizeof fixed_tokens[0])

static const char *const word_texts[] = {
    "",
#define WORD(name, class) #name,
#include "patterns/token.def"
};
static const uint8_t word_classes[] = {
    PATTERNS_WORD_FREE,
#define WORD(name, class) PATTERNS_WORD_##class,
#include "patterns/token.def"
};

const char *patterns_token_text(enum patterns_token_kind kind)
{
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        if (fixed_tokens[i].kind == kind)
            return fixed_tokens[i].text;
    }
    return "";
}

const char *patterns_token_hint(enum patterns_token_kind kind)
{
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        if (fixed_tokens[i].kind == kind)
            return fixed_tokens[i].hint;
    }
    return NULL;
}

const char *patterns_word_text(enum patterns_word word)
{
    return (unsigned)word < PATTERNS_WORD_COUNT ? word_texts[word] : "";
}

enum patterns_word_class patterns_word_class(enum patterns_word word)
{
    return (unsigned)word < PATTERNS_WORD_COUNT ? (enum patterns_word_class)word_classes[word] : PATTERNS_WORD_FREE;
}

enum patterns_word patterns_word_of(struct base_str text)
{
    char upper[KEYWORD_MAX_BYTES];
    if (text.len == 0 || text.len >= sizeof upper)
        return PATTERNS_WORD_NONE;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    upper[text.len] = 0;
    int low = 1;
    int high = PATTERNS_WORD_COUNT - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        int order = strcmp(upper, word_texts[middle]);
        if (order == 0)
            return (enum patterns_word)middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return PATTERNS_WORD_NONE;
}

struct lexer {
    const struct base_source *source;
    struct base_diags *diags;
    struct patterns_tokens *tokens;
    const char *text;
    uint32_t at, len;
    bool no_memory;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of UTF-8 sequences count as letters, so names may be written in any script. */
static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c);
}

static char peek(const struct lexer *l, uint32_t ahead)
{
    return l->len - l->at > ahead ? l->text[l->at + ahead] : 0;
}

static void push(struct lexer *l, enum patterns_token_kind kind, uint32_t begin, unsigned number, unsigned word)
{
    struct patterns_token token = {
        .kind = (uint8_t)kind, .number = (uint8_t)number, .word = (uint16_t)word, .begin = begin, .end = l->at
    };
    if (!BASE_VEC_PUSH(l->tokens, token))
        l->no_memory = true;
}

/* One ERROR token for a run of errors, so that a binary file does not give a million diagnostics. */
static void push_error(struct lexer *l, uint32_t begin, const char *code, const char *hint, const char *message)
{
    if (l->tokens->len > 0) {
        struct patterns_token *last = &l->tokens->at[l->tokens->len - 1];
        if (last->kind == PATTERNS_TOKEN_ERROR && last->end == begin) {
            last->end = l->at;
            return;
        }
    }
    base_diag_add(l->diags, BASE_SEVERITY_ERROR, code, l->source, begin, l->at, hint, "%s", message);
    push(l, PATTERNS_TOKEN_ERROR, begin, 0, 0);
}

/* At "/" "*"; nested comments are not SQL, the first end closes. */
static void skip_block_comment(struct lexer *l)
{
    uint32_t begin = l->at;
    bool is_hint = peek(l, 2) == '+';
    for (l->at += 2; l->at < l->len; l->at++) {
        if (l->text[l->at] == '*' && peek(l, 1) == '/') {
            l->at += 2;
            if (is_hint)
                base_diag_add(l->diags, BASE_SEVERITY_WARNING, "hint-ignored", l->source, begin, l->at,
                              "state it as an option of the table or rule", "query hints are not read");
            return;
        }
    }
    uint32_t end = l->at;
    l->at = begin + 2;
    push_error(l, begin, "unterminated-comment", "close it with */", "this comment is never closed");
    l->at = end;
}

/* Blanks and comments. */
static void skip_blank(struct lexer *l)
{
    while (l->at < l->len) {
        char c = l->text[l->at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
            l->at++;
        } else if (c == '-' && peek(l, 1) == '-') {
            while (l->at < l->len && l->text[l->at] != '\n')
                l->at++;
        } else if (c == '/' && peek(l, 1) == '*') {
            skip_block_comment(l);
        } else {
            return;
        }
    }
}

/* Text between two equal quotes; a doubled quote stands for one. */
static void lex_quoted(struct lexer *l, char quote)
{
    uint32_t begin = l->at;
    for (l->at++; l->at < l->len; l->at++) {
        if (l->text[l->at] != quote)
            continue;
        if (peek(l, 1) == quote) {
            l->at++;
            continue;
        }
        l->at++;
        if (quote == '\'') {
            push(l, PATTERNS_TOKEN_STRING, begin, 0, 0);
        } else if (l->at - begin == 2) {
            push_error(l, begin, "syntax", "a string is written in single quotes", "a quoted name cannot be empty");
        } else if (l->at - begin > PATTERNS_MAX_IDENT_BYTES + 2) {
            push_error(l, begin, "limit", NULL, "this name is longer than 255 bytes");
        } else {
            push(l, PATTERNS_TOKEN_QUOTED, begin, 0, 0);
        }
        return;
    }
    l->at = begin + 1; /* the place is the opening quote */
    push_error(l, begin, quote == '\'' ? "unterminated-string" : "unterminated-name",
               quote == '\'' ? "a quote inside a string is doubled: 'it''s'; look for an odd quote from here on" : NULL,
               quote == '\'' ? "this string is never closed" : "this quoted name is never closed");
    l->at = l->len;
}

static void lex_number(struct lexer *l)
{
    uint32_t begin = l->at;
    enum patterns_number_kind number = PATTERNS_NUMBER_INTEGER;
    while (is_digit(peek(l, 0)))
        l->at++;
    if (peek(l, 0) == '.' && (is_digit(peek(l, 1)) || !is_name_start(peek(l, 1)))) {
        number = PATTERNS_NUMBER_DECIMAL;
        l->at++;
        while (is_digit(peek(l, 0)))
            l->at++;
    }
    char e = peek(l, 0);
    uint32_t sign = peek(l, 1) == '+' || peek(l, 1) == '-' ? 2 : 1;
    if ((e == 'e' || e == 'E') && is_digit(peek(l, sign))) {
        number = PATTERNS_NUMBER_DOUBLE;
        l->at += sign;
        while (is_digit(peek(l, 0)))
            l->at++;
    }
    if (!is_name_part(peek(l, 0))) {
        push(l, PATTERNS_TOKEN_NUMBER, begin, number, 0);
        return;
    }
    while (is_name_part(peek(l, 0)))
        l->at++;
    push_error(l, begin, "bad-number", "put a blank behind the number, or quote the name: `1st`",
               "a number runs into a name");
}

static void lex_word(struct lexer *l)
{
    uint32_t begin = l->at;
    while (l->at < l->len && is_name_part(l->text[l->at]))
        l->at++;
    if (l->at - begin > PATTERNS_MAX_IDENT_BYTES) {
        push_error(l, begin, "limit", NULL, "this name is longer than 255 bytes");
        return;
    }
    struct base_str text = { l->text + begin, l->at - begin };
    push(l, PATTERNS_TOKEN_WORD, begin, 0, patterns_word_of(text));
}

static void lex_fixed(struct lexer *l)
{
    uint32_t begin = l->at;
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        const struct fixed *fixed = &fixed_tokens[i];
        if (l->len - l->at >= fixed->len && memcmp(l->text + l->at, fixed->text, fixed->len) == 0) {
            l->at += fixed->len;
            push(l, (enum patterns_token_kind)fixed->kind, begin, 0, 0);
            return;
        }
    }
    l->at++;
    push_error(l, begin, "bad-character", NULL, "this character has no meaning in a rule");
}

int patterns_lex(const struct base_source *source, struct base_diags *diags, struct patterns_tokens *ret)
{
    if (!patterns_source_check(source, diags))
        return BASE_E_SYNTAX;
    struct lexer l = { .source = source,
                       .diags = diags,
                       .tokens = ret,
                       .text = source->text,
                       .at = (uint32_t)patterns_source_start(source),
                       .len = (uint32_t)source->len };
    while (!l.no_memory) {
        skip_blank(&l);
        if (l.at >= l.len)
            break;
        char c = l.text[l.at];
        if (c == '\'' || c == '"' || c == '`')
            lex_quoted(&l, c);
        else if (is_digit(c) || (c == '.' && is_digit(peek(&l, 1))))
            lex_number(&l);
        else if (is_name_start(c))
            lex_word(&l);
        else
            lex_fixed(&l);
    }
    push(&l, PATTERNS_TOKEN_EOF, l.at, 0, 0);
    return l.no_memory ? BASE_E_NOMEM : 0;
}
