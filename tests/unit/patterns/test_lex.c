/* Tokens, keywords, and errors of the text itself. */
#include "patterns/lex.h"
#include "base/error.h"
#include "patterns/ast.h"
#include "tests/unit/tap.h"

static struct base_arena arena;
static struct base_diags diags;
static struct base_source source;
static struct patterns_tokens tokens;

static int lex_bytes(const char *text, size_t len)
{
    BASE_VEC_FINISH(&tokens);
    base_diags_finish(&diags);
    base_arena_reset(&arena);
    base_diags_init(&diags, &arena);
    source = (struct base_source){ "x.sql", text, len };
    return patterns_lex(&source, &diags, &tokens);
}

static int lex(const char *text)
{
    return lex_bytes(text, strlen(text));
}

/* Are the tokens' texts, joined by one blank, as given? */
static bool texts_are(const char *want)
{
    char got[1024] = "";
    size_t used = 0;
    for (size_t i = 0; i + 1 < tokens.len; i++) {
        const struct patterns_token *token = &tokens.at[i];
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%.*s", i ? " " : "",
                                 (int)(token->end - token->begin), source.text + token->begin);
    }
    if (strcmp(got, want) != 0)
        printf("#  got %s\n# want %s\n", got, want);
    return strcmp(got, want) == 0;
}

static void test_words(void)
{
    bool sorted = true;
    bool found = true;
    for (int i = 1; i < PATTERNS_WORD_COUNT; i++) {
        const char *text = patterns_word_text((enum patterns_word)i);
        if (i > 1 && strcmp(patterns_word_text((enum patterns_word)(i - 1)), text) >= 0)
            sorted = false;
        if (patterns_word_of(base_str_of(text)) != (enum patterns_word)i)
            found = false;
    }
    OK(sorted, "keywords stand in alphabetical order");
    OK(found, "every keyword is found by its text");
    IS_INT(patterns_word_of(BASE_STR("Match_Recognize")), PATTERNS_WORD_MATCH_RECOGNIZE, "keywords in any case");
    IS_INT(patterns_word_of(BASE_STR("selec")), PATTERNS_WORD_NONE, "a prefix is no keyword");
    IS_INT(patterns_word_of(BASE_STR("a_name_longer_than_every_keyword_there_is")), PATTERNS_WORD_NONE, "a long name");
}

static void test_tokens(void)
{
    OK(lex("a->>b->c-d{-e-}<= >=<>!=||1.5.x=>") == 0 && texts_are("a ->> b -> c - d {- e -} <= >= <> != || 1.5 . x =>"),
       "the longest token is taken");
    OK(lex("A$ ^B|C??{2,}+") == 0 && texts_are("A $ ^ B | C ? ? { 2 , } +"), "tokens of patterns");
    OK(lex("1 1.5 .5 5. 1e3 1.5E-3 12.30") == 0 && texts_are("1 1.5 .5 5. 1e3 1.5E-3 12.30"), "numbers");
    IS_INT(tokens.at[0].number, PATTERNS_NUMBER_INTEGER, "1 is an integer");
    IS_INT(tokens.at[2].number, PATTERNS_NUMBER_DECIMAL, ".5 is exact");
    IS_INT(tokens.at[4].number, PATTERNS_NUMBER_DOUBLE, "1e3 is not");
    OK(lex("'it''s' \"a\"\"b\" `c``d` 'x' --'\n'--'") == 0 && texts_are("'it''s' \"a\"\"b\" `c``d` 'x' '--'"),
       "quotes are doubled inside quotes");
    OK(lex("a/* b; ' */c-- d\n--e") == 0 && texts_are("a c"), "comments");
    OK(lex("größe 名前") == 0 && texts_are("größe 名前"), "names in any script");
    OK(lex("\xEF\xBB\xBF"
           "a") == 0 &&
           texts_are("a"),
       "a byte order mark is skipped");
    OK(lex("") == 0 && tokens.len == 1, "the empty text has its end only");
    OK(diags.errors == 0, "nothing to complain about");
    OK(lex("SELECT /*+ OPTIONS('a'='b') */ 1") == 0 && diags.errors == 0 && diags.warnings == 1,
       "an ignored query hint is a warning");
}

static void error_is(const char *text, const char *code, size_t begin)
{
    bool good = lex(text) == 0 && diags.errors == 1 && diags.len == 1 && strcmp(diags.at[0].code, code) == 0 &&
                diags.at[0].begin == begin;
    if (!OK(good, code))
        printf("# %s: %zu errors, %s at %zu\n", text, diags.errors, diags.len ? diags.at[0].code : "",
               diags.len ? diags.at[0].begin : 0);
}

static void test_errors(void)
{
    error_is("a 'b''c", "unterminated-string", 2);
    error_is("a \"b", "unterminated-name", 2);
    error_is("a `b", "unterminated-name", 2);
    error_is("ab /* c * d", "unterminated-comment", 3);
    error_is("a \"\"", "syntax", 2);
    error_is("a 12ab", "bad-number", 2);
    error_is("a \x01\x02\x03", "bad-character", 2);
    char name[400];
    memset(name, 'n', sizeof name);
    OK(lex_bytes(name, PATTERNS_MAX_IDENT_BYTES) == 0 && diags.errors == 0, "the longest name");
    OK(lex_bytes(name, PATTERNS_MAX_IDENT_BYTES + 1) == 0 && diags.errors == 1 && !strcmp(diags.at[0].code, "limit"),
       "a longer name");
    IS_INT(lex("a \xff b"), BASE_E_SYNTAX, "broken UTF-8 is refused");
    OK(diags.errors == 1 && strcmp(diags.at[0].code, "encoding") == 0 && diags.at[0].begin == 2, "and located");
    IS_INT(lex_bytes("a\0b", 3), BASE_E_SYNTAX, "a NUL byte is refused");
    char *big = base_alloc(PATTERNS_MAX_TEXT_BYTES + 1);
    memset(big, ' ', PATTERNS_MAX_TEXT_BYTES + 1);
    IS_INT(lex_bytes(big, PATTERNS_MAX_TEXT_BYTES), 0, "the longest text");
    IS_INT(lex_bytes(big, PATTERNS_MAX_TEXT_BYTES + 1), BASE_E_SYNTAX, "a longer text");
    OK(diags.errors == 1 && strstr(diags.at[0].message, "1048576") != NULL, "the limit is named");
    memset(big, 1, PATTERNS_MAX_TEXT_BYTES);
    OK(lex_bytes(big, PATTERNS_MAX_TEXT_BYTES) == 0 && diags.errors == 1 && tokens.len == 2,
       "a run of bad characters is one error");
    base_free(big);
}

int main(void)
{
    test_words();
    test_tokens();
    test_errors();
    BASE_VEC_FINISH(&tokens);
    base_diags_finish(&diags);
    base_arena_finish(&arena);
    return tap_done();
}
