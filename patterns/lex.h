/* Rule text to tokens. Called by parse.c; knows no grammar, copies no text. Single-threaded. */
#ifndef PATTERNS_LEX_H
#define PATTERNS_LEX_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/diag.h"
#include "base/str.h"
#include "base/vec.h"

enum patterns_token_kind {
    PATTERNS_TOKEN_EOF,
    PATTERNS_TOKEN_WORD,   /* name without quotes; word says which keyword it is, if any */
    PATTERNS_TOKEN_QUOTED, /* "name" or `name` */
    PATTERNS_TOKEN_STRING, /* 'text' */
    PATTERNS_TOKEN_NUMBER, /* number says which */
    PATTERNS_TOKEN_ERROR,  /* already reported */
#define PUNCT(name, text) PATTERNS_TOKEN_##name,
#define FOREIGN(name, text, hint) PATTERNS_TOKEN_##name,
#include "patterns/token.def"
    PATTERNS_TOKEN_COUNT
};
enum patterns_word {
    PATTERNS_WORD_NONE,
#define WORD(name, class) PATTERNS_WORD_##name,
#include "patterns/token.def"
    PATTERNS_WORD_COUNT
};
enum patterns_word_class { PATTERNS_WORD_FREE, PATTERNS_WORD_CLAUSE, PATTERNS_WORD_RESERVED };
struct patterns_token {
    uint8_t kind;   /* enum patterns_token_kind */
    uint8_t number; /* NUMBER: enum patterns_number_kind */
    uint16_t word;  /* WORD: enum patterns_word */
    uint32_t begin, end;
};
struct patterns_tokens BASE_VEC(struct patterns_token);

/* All tokens of the source and an EOF behind them. Errors of the text become ERROR tokens and diagnostics; hints
 * inside comments ("+" behind the opening of a comment) become warnings. 0, BASE_E_SYNTAX (the text cannot be read at
 * all, diagnosed), BASE_E_NOMEM. The caller frees the vector in each case. */
int patterns_lex(const struct base_source *source, struct base_diags *diags,
                 struct patterns_tokens *ret) BASE_MUST_CHECK;

/* Text of punctuation, "" for other kinds. */
const char *patterns_token_text(enum patterns_token_kind kind);
/* What to write instead of a foreign token; NULL for others. */
const char *patterns_token_hint(enum patterns_token_kind kind);
const char *patterns_word_text(enum patterns_word word);
enum patterns_word_class patterns_word_class(enum patterns_word word);
/* NONE: no keyword. Any case. */
enum patterns_word patterns_word_of(struct base_str text);

#endif
