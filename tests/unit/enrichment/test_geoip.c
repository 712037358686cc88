/* GeoIP functions without a file: what they say then. With the bundled test files (GEOIP_FOLDER): known addresses, unknown ones, texts that are none, damage. */
#include "enrichment/geoip.h"

#include <stdlib.h>

#include "base/error.h"
#include "tests/unit/tap.h"

static struct base_arena arena;

static int call(const struct cep_funcs *funcs, const char *name, const char *address, struct cep_value *ret)
{
    uint32_t index;
    const struct cep_func *func = cep_funcs_find(funcs, base_str_of(name), &index);
    struct cep_call site = { .arena = &arena, .args = 1 };
    struct cep_value arg = cep_string(address, strlen(address));
    return func->run(&site, &arg, ret);
}

static void test_none(void)
{
    struct cep_funcs *funcs = cep_funcs_create();
    struct base_buf why = { 0 };
    uint32_t index;
    void *prepared;
    const char *error = NULL;
    IS_INT(enrichment_geoip_register(funcs, NULL, "", &why), 0, "registered without files");
    const struct cep_func *func = cep_funcs_find(funcs, BASE_STR("geoip_country"), &index);
    OK(func && (func->flags & CEP_FUNC_VOLATILE), "its answer hangs on more than its argument");
    IS_INT(func->prepare(NULL, NULL, 0, &arena, &error, &prepared), BASE_E_CONFIG, "a rule that uses it does not link");
    OK(error && strstr(error, "geoip.database"), "and is told which setting is missing");
    IS_INT(enrichment_geoip_register(funcs, "/no/such/file.mmdb", NULL, &why), BASE_E_CONFIG, "a file that is not there");
    OK(why.ptr && strstr(why.ptr, "/no/such/file.mmdb"), "is named");
    base_buf_finish(&why);
    cep_funcs_destroy(funcs);
}

static void test_files(const char *folder)
{
    char place[512], asn[512];
    snprintf(place, sizeof place, "%s/GeoIP2-City-Test.mmdb", folder);
    snprintf(asn, sizeof asn, "%s/GeoLite2-ASN-Test.mmdb", folder);
    struct cep_funcs *funcs = cep_funcs_create();
    struct base_buf why = { 0 };
    struct cep_value v;
    IS_INT(enrichment_geoip_register(funcs, place, asn, &why), 0, "opened");
    IS_INT(call(funcs, "GEOIP_COUNTRY", "81.2.69.142", &v), 0, "a known address");
    OK(!v.null && v.s.len == 2 && memcmp(v.s.ptr, "GB", 2) == 0, "is in Great Britain");
    IS_INT(call(funcs, "GEOIP_CITY", "81.2.69.142", &v), 0, "its city");
    OK(!v.null && v.s.len == 6 && memcmp(v.s.ptr, "London", 6) == 0, "is London");
    IS_INT(call(funcs, "GEOIP_LATITUDE", "81.2.69.142", &v), 0, "its latitude");
    OK(!v.null && v.d > 51 && v.d < 52, "fits");
    IS_INT(call(funcs, "GEOIP_COUNTRY", "10.0.0.1", &v), 0, "a private address");
    OK(v.null, "is nowhere");
    IS_INT(call(funcs, "GEOIP_COUNTRY", "no address", &v), 0, "a text that is no address");
    OK(v.null, "is nowhere either");
    IS_INT(call(funcs, "GEOIP_ASN", "1.128.0.1", &v), 0, "the other file");
    IS_INT(v.null ? -1 : v.i, 1221, "knows the network");
    IS_INT(call(funcs, "GEOIP_COUNTRY", "2001:218::1", &v), 0, "an address of the other family");
    OK(!v.null && memcmp(v.s.ptr, "JP", 2) == 0, "is in Japan");
    enrichment_geoip_close();
    base_buf_finish(&why);
    cep_funcs_destroy(funcs);
}

static void test_damaged(const char *folder)
{
    char path[512];
    struct cep_funcs *funcs = cep_funcs_create();
    struct base_buf why = { 0 };
    struct cep_value v;
    snprintf(path, sizeof path, "%s/GeoIP2-City-Test-Broken-Double-Format.mmdb", folder);
    IS_INT(enrichment_geoip_register(funcs, path, NULL, &why), 0, "a file with broken numbers opens");
    IS_INT(call(funcs, "GEOIP_LATITUDE", "2001:220::1", &v), BASE_E_CORRUPT, "and the broken number is an error of that row");
    enrichment_geoip_close();
    base_buf_finish(&why);
    cep_funcs_destroy(funcs);
}

int main(void)
{
    const char *folder = getenv("GEOIP_FOLDER");
    test_none();
    if (folder) {
        test_files(folder);
        test_damaged(folder);
    } else {
        printf("ok %d - files # SKIP GEOIP_FOLDER names no folder with test databases\n", ++tap_run);
    }
    base_arena_finish(&arena);
    return tap_done();
}
