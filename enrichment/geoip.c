#include "enrichment/geoip.h"

#include <maxminddb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "enrichment/watch.h"

/* The open files. Functions get no context of their own, so these are process-wide: set once before the first program is linked, exchanged under the lock. */
static struct file { MMDB_s db; bool open; char path[4096]; struct enrichment_watch watch; } place_file, asn_file;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

enum want { WANT_COUNTRY, WANT_CITY, WANT_LATITUDE, WANT_LONGITUDE, WANT_ASN };

/* The entry of an address; *ret_found false: it is no address, or the file does not know it. */
static int look_up(const struct file *file, struct cep_value address, MMDB_lookup_result_s *ret, bool *ret_found)
{
    char text[64];
    *ret_found = false;
    if (address.s.len == 0 || address.s.len >= sizeof text)
        return 0;
    memcpy(text, address.s.ptr, address.s.len);
    text[address.s.len] = '\0';
    int bad_text = 0, bad_file = 0;
    *ret = MMDB_lookup_string(&file->db, text, &bad_text, &bad_file);
    if (bad_text || bad_file == MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR)
        return 0;
    if (bad_file != MMDB_SUCCESS)
        return BASE_E_CORRUPT;
    *ret_found = ret->found_entry;
    return 0;
}

/* Value at a path; NULL value: the entry has none. */
static int get(const struct cep_call *call, const MMDB_lookup_result_s *found, const char *const *path, struct cep_value *ret)
{
    MMDB_entry_data_s data;
    MMDB_entry_s entry = found->entry;
    int status = MMDB_aget_value(&entry, &data, path);
    *ret = cep_null();
    if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || (status == MMDB_SUCCESS && !data.has_data))
        return 0;
    if (status != MMDB_SUCCESS)
        return BASE_E_CORRUPT;
    char *copy;
    switch (data.type) {
    case MMDB_DATA_TYPE_UTF8_STRING:
        copy = base_arena_strndup(call->arena, data.utf8_string, data.data_size);
        if (!copy)
            return BASE_E_NOMEM;
        *ret = cep_string(copy, data.data_size);
        break;
    case MMDB_DATA_TYPE_DOUBLE:
        *ret = cep_double(data.double_value);
        break;
    case MMDB_DATA_TYPE_UINT32:
        *ret = cep_int(data.uint32);
        break;
    default: /* a number, not an enum: other types are not what these columns hold */
        return BASE_E_CORRUPT;
    }
    return 0;
}

static int run(const struct cep_call *call, const struct cep_value *args, enum want want, struct cep_value *ret)
{
    static const char *const paths[][4] = {
        [WANT_COUNTRY] = { "country", "iso_code", NULL }, [WANT_CITY] = { "city", "names", "en", NULL }, [WANT_LATITUDE] = { "location", "latitude", NULL },
        [WANT_LONGITUDE] = { "location", "longitude", NULL }, [WANT_ASN] = { "autonomous_system_number", NULL },
    };
    const struct file *file = want == WANT_ASN ? &asn_file : &place_file;
    MMDB_lookup_result_s found;
    bool known = false;
    *ret = cep_null();
    pthread_rwlock_rdlock(&lock); /* to the end: what is found points into the file */
    int e = file->open ? look_up(file, args[0], &found, &known) : BASE_E_CONFIG;
    if (e == 0 && known)
        e = get(call, &found, paths[want], ret);
    pthread_rwlock_unlock(&lock);
    return e;
}

static int run_country(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return run(call, args, WANT_COUNTRY, ret);
}

static int run_city(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return run(call, args, WANT_CITY, ret);
}

static int run_latitude(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return run(call, args, WANT_LATITUDE, ret);
}

static int run_longitude(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return run(call, args, WANT_LONGITUDE, ret);
}

static int run_asn(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return run(call, args, WANT_ASN, ret);
}

static bool resolve(const struct cep_type *args, struct cep_type result, struct cep_type *want, struct cep_type *ret)
{
    if (args[0].kind != CEP_KIND_STRING && args[0].kind != CEP_KIND_NULL)
        return false;
    want[0] = CEP_TYPE(STRING);
    *ret = result;
    return true;
}

static bool resolve_text(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    return resolve(args, CEP_TYPE(STRING), want, ret);
}

static bool resolve_double(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    return resolve(args, CEP_TYPE(DOUBLE), want, ret);
}

static bool resolve_number(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    return resolve(args, CEP_TYPE(BIGINT), want, ret);
}

static int prepare_place(const struct cep_value *constants BASE_UNUSED, const bool *constant BASE_UNUSED, uint32_t n BASE_UNUSED,
                         struct base_arena *arena BASE_UNUSED, const char **ret_error, void **ret)
{
    *ret = NULL;
    if (place_file.open)
        return 0;
    *ret_error = "GEOIP functions need a database; name a City or Country file in the setting geoip.database (CEPHEID_GEOIP_DATABASE)";
    return BASE_E_CONFIG;
}

static int prepare_asn(const struct cep_value *constants BASE_UNUSED, const bool *constant BASE_UNUSED, uint32_t n BASE_UNUSED,
                       struct base_arena *arena BASE_UNUSED, const char **ret_error, void **ret)
{
    *ret = NULL;
    if (asn_file.open)
        return 0;
    *ret_error = "GEOIP_ASN needs a database; name an ASN file in the setting geoip.asn (CEPHEID_GEOIP_ASN)";
    return BASE_E_CONFIG;
}

static void unprepare(void *prepared BASE_UNUSED)
{
}

static const struct cep_func TABLE[] = {
    { "GEOIP_COUNTRY", 1, 1, CEP_FUNC_VOLATILE, resolve_text, run_country, prepare_place, unprepare, "GEOIP_COUNTRY(ip)",
      "ISO code of the country of an address; NULL if it is not known" },
    { "GEOIP_CITY", 1, 1, CEP_FUNC_VOLATILE, resolve_text, run_city, prepare_place, unprepare, "GEOIP_CITY(ip)", "English name of its city" },
    { "GEOIP_LATITUDE", 1, 1, CEP_FUNC_VOLATILE, resolve_double, run_latitude, prepare_place, unprepare, "GEOIP_LATITUDE(ip)", "its latitude in degrees" },
    { "GEOIP_LONGITUDE", 1, 1, CEP_FUNC_VOLATILE, resolve_double, run_longitude, prepare_place, unprepare, "GEOIP_LONGITUDE(ip)",
      "its longitude in degrees" },
    { "GEOIP_ASN", 1, 1, CEP_FUNC_VOLATILE, resolve_number, run_asn, prepare_asn, unprepare, "GEOIP_ASN(ip)", "number of its autonomous system" },
};

static int open_file(struct file *file, const char *path, struct base_buf *reterr)
{
    if (!path || !*path || file->open)
        return 0;
    snprintf(file->path, sizeof file->path, "%s", path);
    file->watch.used = file->watch.seen = enrichment_watch_mark(path);
    int status = MMDB_open(path, MMDB_MODE_MMAP, &file->db);
    if (status != MMDB_SUCCESS) {
        base_buf_printf(reterr, "the GeoIP database %s cannot be opened: %s", path, MMDB_strerror(status));
        return BASE_E_CONFIG;
    }
    file->open = true;
    return 0;
}

int enrichment_geoip_register(struct cep_funcs *funcs, const char *place, const char *asn, struct base_buf *reterr)
{
    int e = open_file(&place_file, place, reterr);
    if (e == 0)
        e = open_file(&asn_file, asn, reterr);
    return e == 0 ? cep_funcs_add(funcs, TABLE, sizeof TABLE / sizeof TABLE[0]) : e;
}

static void refresh_file(struct file *file)
{
    MMDB_s fresh;
    if (!file->open || !enrichment_watch_look(&file->watch, file->path))
        return;
    int status = MMDB_open(file->path, MMDB_MODE_MMAP, &fresh);
    if (status != MMDB_SUCCESS) {
        base_logf(BASE_LOG_WARN, "geoip", "the database in use stays", "%s cannot be opened: %s", file->path, MMDB_strerror(status));
        return;
    }
    pthread_rwlock_wrlock(&lock);
    MMDB_s old = file->db;
    file->db = fresh;
    pthread_rwlock_unlock(&lock);
    MMDB_close(&old);
    base_logf(BASE_LOG_INFO, "geoip", "opened anew", "%s", file->path);
}

void enrichment_geoip_refresh(void)
{
    refresh_file(&place_file);
    refresh_file(&asn_file);
}

void enrichment_geoip_close(void)
{
    if (place_file.open)
        MMDB_close(&place_file.db);
    if (asn_file.open)
        MMDB_close(&asn_file.db);
    place_file.open = asn_file.open = false;
}
