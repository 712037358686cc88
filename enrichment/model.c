#include "enrichment/model.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "enrichment/watch.h"

#define NAME_BYTES 128
#define PATH_BYTES 4352
#define FEATURES_MOST ((CEP_FUNC_ARGS_MAX - 1) / 2)

/* What is used of XGBoost's C API (1.6 and later); 0 is success everywhere. */
struct library {
    void *handle;
    int (*create)(void *const *matrices, uint64_t count, void **ret);
    int (*destroy)(void *booster);
    int (*load)(void *booster, const char *path);
    int (*set)(void *booster, const char *name, const char *value);
    int (*info)(void *booster, const char *field, uint64_t *ret_count, const char ***ret);
    int (*features)(void *booster, uint64_t *ret);
    int (*predict)(void *booster, const char *values, const char *config, void *proxy, const uint64_t **ret_shape, uint64_t *ret_dim, const float **ret);
    const char *(*error)(void);
};
/* Models are never dropped before the close: rules hold pointers to them. */
struct model {
    char name[NAME_BYTES + 1];
    struct enrichment_watch watch;
    void *booster;
    uint32_t count;
    char **features;       /* names; "f0", "f1", … where the file has none */
};
/* What a call site knows. */
struct site {
    struct model *model;
    uint32_t count;
    uint32_t column[FEATURES_MOST]; /* of the model, for each pair of arguments */
};
static struct {
    pthread_rwlock_t lock;   /* the boosters: held while one is asked; a writer goes first, or many readers would keep it waiting */
    pthread_mutex_t writing; /* the set of models, the library; taken before lock */
    char folder[4096];
    struct library library;
    struct model *at[ENRICHMENT_MODELS_MOST];
    uint32_t count;
} models = { .lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP, .writing = PTHREAD_MUTEX_INITIALIZER };

/* ---- the library ---- */

static int open_library(struct base_buf *why)
{
    struct library *l = &models.library;
    static const char *const names[] = { "libxgboost.so.0", "libxgboost.so" };
    const struct { const char *name; void *at; } symbols[] = {
        { "XGBoosterCreate", &l->create }, { "XGBoosterFree", &l->destroy }, { "XGBoosterLoadModel", &l->load }, { "XGBoosterSetParam", &l->set },
        { "XGBoosterGetStrFeatureInfo", &l->info }, { "XGBoosterGetNumFeature", &l->features }, { "XGBoosterPredictFromDense", &l->predict },
        { "XGBGetLastError", &l->error },
    };
    for (size_t i = 0; i < 2 && !l->handle; i++)
        l->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!l->handle) {
        base_buf_printf(why, "XGBoost's library cannot be loaded: %s; install Debian's package libxgboost0", dlerror());
        return BASE_E_CONFIG;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *at = dlsym(l->handle, symbols[i].name);
        if (!at) {
            base_buf_printf(why, "XGBoost's library has no %s; version 1.6 or later is needed", symbols[i].name);
            dlclose(l->handle);
            *l = (struct library){ 0 };
            return BASE_E_CONFIG;
        }
        memcpy(symbols[i].at, &at, sizeof at);
    }
    return 0;
}

static int refuse(struct base_buf *why, const char *path)
{
    const char *text = models.library.error(), *place = strstr(text, ".cc:"), *behind = place ? strstr(place, ": ") : NULL;
    text = behind ? behind + 2 : text; /* without the place in XGBoost's own source */
    size_t len = strcspn(text, "\n");
    base_buf_printf(why, "%s: %.*s", path, (int)(len < 300 ? len : 300), text);
    return BASE_E_CONFIG;
}

/* One row's score. values: features floats. */
static int score(void *booster, const float *values, uint32_t count, double *ret)
{
    static const char config[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false,\"missing\":NaN,\"cache_id\":0}";
    char array[192];
    const uint64_t *shape = NULL;
    uint64_t dim = 0;
    const float *out = NULL;
    snprintf(array, sizeof array, "{\"data\":[%" PRIuPTR ",true],\"shape\":[1,%u],\"typestr\":\"<f4\",\"version\":3}", (uintptr_t)values, count);
    if (models.library.predict(booster, array, config, NULL, &shape, &dim, &out) != 0 || dim == 0)
        return BASE_E_INVALID;
    uint64_t total = 1;
    for (uint64_t d = 0; d < dim; d++)
        total *= shape[d];
    if (total != 1)
        return BASE_E_UNSUPPORTED;
    *ret = (double)out[0];
    return 0;
}

/* ---- models ---- */

static void features_finish(char **features, uint32_t count)
{
    for (uint32_t i = 0; features && i < count; i++)
        base_free(features[i]);
    base_free(features);
}

static int read_features(void *booster, const char *path, char ***ret, uint32_t *ret_count, struct base_buf *why)
{
    uint64_t count = 0, named = 0;
    const char **names = NULL;
    if (models.library.features(booster, &count) != 0 || models.library.info(booster, "feature_name", &named, &names) != 0)
        return refuse(why, path);
    if (count == 0 || count > FEATURES_MOST) {
        base_buf_printf(why, "%s: it has %" PRIu64 " features; one call can give 1 to %d", path, count, FEATURES_MOST);
        return BASE_E_CONFIG;
    }
    char **features = base_calloc(count, sizeof *features);
    bool good = features != NULL;
    for (uint64_t i = 0; good && i < count; i++) {
        char own[24];
        snprintf(own, sizeof own, "f%" PRIu64, i);
        const char *name = named == count ? names[i] : own;
        features[i] = base_strndup(name, strlen(name));
        good = features[i] != NULL;
    }
    if (!good) {
        features_finish(features, (uint32_t)count);
        return BASE_E_NOMEM;
    }
    *ret = features;
    *ret_count = (uint32_t)count;
    return 0;
}

/* A booster of the file, asked once: what it makes ready at its first question it makes before several threads ask. */
static int load_booster(const char *path, void **ret, char ***ret_features, uint32_t *ret_count, struct base_buf *why)
{
    float nothing[FEATURES_MOST];
    double result;
    void *booster = NULL;
    if (models.library.create(NULL, 0, &booster) != 0)
        return refuse(why, path);
    int e = models.library.load(booster, path) == 0 && models.library.set(booster, "nthread", "1") == 0 ? 0 : refuse(why, path);
    if (e == 0)
        e = read_features(booster, path, ret_features, ret_count, why);
    if (e < 0) {
        models.library.destroy(booster);
        return e;
    }
    for (uint32_t i = 0; i < FEATURES_MOST; i++)
        nothing[i] = NAN;
    e = score(booster, nothing, *ret_count, &result);
    if (e < 0) {
        base_buf_printf(why, "%s: %s", path, e == BASE_E_UNSUPPORTED ? "it gives several numbers for a row; a model of one score is needed" : models.library.error());
        features_finish(*ret_features, *ret_count);
        models.library.destroy(booster);
        return BASE_E_CONFIG;
    }
    *ret = booster;
    return 0;
}

static bool same_features(const struct model *model, char *const *features, uint32_t count)
{
    bool same = model->count == count;
    for (uint32_t i = 0; same && i < count; i++)
        same = strcmp(model->features[i], features[i]) == 0;
    return same;
}

/* The file into the model. Under writing. */
static int load(struct model *model, struct base_buf *why)
{
    char path[PATH_BYTES];
    char **features = NULL;
    uint32_t count = 0;
    void *booster = NULL;
    snprintf(path, sizeof path, "%s/%s", models.folder, model->name);
    model->watch.used = model->watch.seen = enrichment_watch_mark(path);
    int e = load_booster(path, &booster, &features, &count, why);
    if (e < 0)
        return e;
    if (!model->booster) {
        model->booster = booster;
        model->features = features;
        model->count = count;
        return 0;
    }
    bool same = same_features(model, features, count);
    features_finish(features, count);
    if (same) {
        pthread_rwlock_wrlock(&models.lock);
        void *old = model->booster;
        model->booster = booster;
        pthread_rwlock_unlock(&models.lock);
        booster = old;
    } else {
        base_buf_printf(why, "%s: its features are not those of the model in use; reload the rules' service, or give it another name", path);
    }
    models.library.destroy(booster);
    return same ? 0 : BASE_E_CONFIG;
}

static int find(const char *name, struct model **ret, struct base_buf *why)
{
    for (uint32_t i = 0; i < models.count; i++) {
        if (strcmp(models.at[i]->name, name) == 0) {
            *ret = models.at[i];
            return 0;
        }
    }
    if (strlen(name) > NAME_BYTES || !*name || *name == '.' || strchr(name, '/')) {
        base_buf_printf(why, "\"%s\" is no name of a file in %s", name, models.folder);
        return BASE_E_CONFIG;
    }
    if (models.count == ENRICHMENT_MODELS_MOST) {
        base_buf_printf(why, "there are %d models already", ENRICHMENT_MODELS_MOST);
        return BASE_E_LIMIT;
    }
    int e = models.library.handle ? 0 : open_library(why);
    struct model *model = e == 0 ? base_calloc(1, sizeof *model) : NULL;
    if (!model)
        return e < 0 ? e : BASE_E_NOMEM;
    snprintf(model->name, sizeof model->name, "%s", name);
    e = load(model, why);
    if (e < 0) {
        base_free(model);
        return e;
    }
    models.at[models.count++] = model;
    *ret = model;
    return 0;
}

void enrichment_models_refresh(void)
{
    pthread_mutex_lock(&models.writing);
    for (uint32_t i = 0; i < models.count; i++) {
        char path[PATH_BYTES];
        struct base_buf why = { .limit = 4096 };
        snprintf(path, sizeof path, "%s/%s", models.folder, models.at[i]->name);
        if (!enrichment_watch_look(&models.at[i]->watch, path))
            continue;
        int e = load(models.at[i], &why);
        if (e < 0)
            base_logf(BASE_LOG_WARN, "models", "the model in use stays", "%s", why.len ? why.ptr : base_error_text(e));
        else
            base_logf(BASE_LOG_INFO, "models", "read anew", "%s", path);
        base_buf_finish(&why);
    }
    pthread_mutex_unlock(&models.writing);
}

/* ---- the function ---- */

static bool resolve(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    bool good = n % 2 == 1;
    for (uint32_t i = 0; good && i < n; i++) {
        bool value = i > 0 && i % 2 == 0;
        want[i] = !value ? CEP_TYPE(STRING) : args[i].kind == CEP_KIND_BOOLEAN ? CEP_TYPE(BOOLEAN) : CEP_TYPE(DOUBLE);
        good = cep_cast_exists(args[i], want[i], true);
    }
    *ret = CEP_TYPE(DOUBLE);
    return good;
}

/* Which of the model's columns each named value is. */
static int match(struct site *site, const struct cep_value *constants, const bool *constant, uint32_t n, struct base_buf *why)
{
    const struct model *model = site->model;
    bool given[FEATURES_MOST] = { false };
    for (uint32_t i = 1; i < n; i += 2) {
        struct base_str name = { constants[i].s.ptr, constants[i].s.len };
        uint32_t f = 0;
        if (!constant[i] || constants[i].null) {
            base_buf_puts(why, "names of features must be constants: ML_PREDICT('model.json', 'amount', amount, 'hour', HOUR(ts))");
            return BASE_E_INVALID;
        }
        while (f < model->count && !base_str_equal(name, base_str_of(model->features[f])))
            f++;
        if (f == model->count || given[f]) {
            base_buf_printf(why, "%s \"%.*s\"", f < model->count ? "it is given twice: feature" : "the model has no feature", (int)name.len, name.ptr);
            return BASE_E_CONFIG;
        }
        given[f] = true;
        site->column[site->count++] = f;
    }
    for (uint32_t f = 0; f < model->count; f++) {
        if (!given[f]) {
            base_buf_printf(why, "the model wants a value for feature \"%s\"; write '%s', NULL if it is never known", model->features[f], model->features[f]);
            return BASE_E_CONFIG;
        }
    }
    return 0;
}

static int prepare(const struct cep_value *constants, const bool *constant, uint32_t n, struct base_arena *arena, const char **ret_error, void **ret)
{
    struct base_buf why = { .limit = 4096 };
    struct site *site = base_calloc(1, sizeof *site);
    *ret = NULL;
    if (!site)
        return BASE_E_NOMEM;
    int e = 0;
    if (!constant[0] || constants[0].null) {
        base_buf_puts(&why, "the name of the model must be a constant");
        e = BASE_E_INVALID;
    }
    const char *name = e == 0 ? base_arena_strndup(arena, constants[0].s.ptr, constants[0].s.len) : NULL;
    if (e == 0 && !name)
        e = BASE_E_NOMEM;
    if (e == 0) {
        pthread_mutex_lock(&models.writing);
        e = find(name, &site->model, &why);
        pthread_mutex_unlock(&models.writing);
    }
    if (e == 0)
        e = match(site, constants, constant, n, &why);
    if (e < 0) {
        *ret_error = why.len ? base_arena_strndup(arena, why.ptr, why.len) : NULL;
        base_free(site);
        site = NULL;
    }
    base_buf_finish(&why);
    *ret = site;
    return e;
}

static int run(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    const struct site *site = call->prepared;
    float values[FEATURES_MOST];
    double result = 0;
    if (!site)
        return BASE_E_CONFIG;
    for (uint32_t i = 0; i < site->count; i++) {
        struct cep_value v = args[2 + 2 * i];
        values[site->column[i]] = v.null ? NAN : call->arg_types[2 + 2 * i].kind == CEP_KIND_BOOLEAN ? (float)(v.i != 0) : (float)v.d;
    }
    pthread_rwlock_rdlock(&models.lock);
    int e = score(site->model->booster, values, site->model->count, &result);
    pthread_rwlock_unlock(&models.lock);
    *ret = cep_double(result);
    return e;
}

static void unprepare(void *prepared)
{
    base_free(prepared);
}

static const struct cep_func TABLE[] = {
    { "ML_PREDICT", 3, CEP_FUNC_ARGS_MAX, CEP_FUNC_VOLATILE | CEP_FUNC_SEES_NULL, resolve, run, prepare, unprepare, "ML_PREDICT('model', 'feature', value, ...)",
      "Score of an XGBoost model, a file of the models folder, its features named; NULL is a missing value." },
};

int enrichment_models_register(struct cep_funcs *funcs, const char *folder)
{
    snprintf(models.folder, sizeof models.folder, "%s", folder && *folder ? folder : "models");
    return cep_funcs_add(funcs, TABLE, sizeof TABLE / sizeof TABLE[0]);
}

void enrichment_models_close(void)
{
    for (uint32_t i = 0; i < models.count; i++) {
        models.library.destroy(models.at[i]->booster);
        features_finish(models.at[i]->features, models.at[i]->count);
        base_free(models.at[i]);
    }
    models.count = 0; /* the library stays loaded: its threads and static data do not like to be taken away */
}
