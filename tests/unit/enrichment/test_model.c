/* Scores against those of XGBoost's own Python package (make_model.py); what is refused; models that are replaced while they are asked. */
#include "enrichment/model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "tests/unit/enrichment/model_cases.h"
#include "tests/unit/tap.h"

static struct cep_funcs *funcs;

struct site {
    const struct cep_func *func;
    struct cep_call call;
    struct cep_type types[9];
    struct base_arena arena;
};

/* Links a call with these features; 0 or the error, told. */
static int link_site(struct site *site, const char *model, const char *const *names, uint32_t count)
{
    struct cep_value constants[9] = { { .null = true } };
    bool constant[9] = { true };
    struct cep_type given[9] = { CEP_TYPE(STRING) }, ret;
    const char *error = NULL;
    *site = (struct site){ .func = cep_funcs_find(funcs, BASE_STR("ml_predict"), NULL) };
    constants[0] = cep_string(model, strlen(model));
    for (uint32_t i = 0; i < count; i++) {
        constants[1 + 2 * i] = cep_string(names[i], strlen(names[i]));
        constant[1 + 2 * i] = true;
        given[1 + 2 * i] = CEP_TYPE(STRING);
        given[2 + 2 * i] = i == 2 ? CEP_TYPE(BOOLEAN) : CEP_TYPE(INT);
    }
    site->call = (struct cep_call){ .arena = &site->arena, .arg_types = site->types, .args = 1 + 2 * count };
    if (!site->func->resolve(given, 1 + 2 * count, site->types, &ret) || ret.kind != CEP_KIND_DOUBLE)
        return BASE_E_INVALID;
    int e = site->func->prepare(constants, constant, 1 + 2 * count, &site->arena, &error, &site->call.prepared);
    if (e < 0)
        printf("# %s\n", error ? error : "no text");
    return e;
}

static void unlink_site(struct site *site)
{
    site->func->unprepare(site->call.prepared);
    base_arena_finish(&site->arena);
}

static struct cep_value number(double d)
{
    return isnan(d) ? cep_null() : cep_double(d);
}

/* Arguments in the order: distance, amount, new_device, hour. */
static double score(const struct site *site, const struct model_case *c)
{
    struct cep_value args[9] = { [2] = number(c->distance), [4] = number(c->amount), [6] = isnan(c->new_device) ? cep_null() : cep_int(c->new_device != 0), [8] = number(c->hour) };
    struct cep_value got = cep_null();
    return site->func->run(&site->call, args, &got) == 0 ? got.d : NAN;
}

static const char *const NAMES[] = { "distance", "amount", "new_device", "hour" };
enum { CASES = sizeof model_cases / sizeof model_cases[0] };

static void test_scores(void)
{
    struct site site;
    int good = 0;
    IS_INT(link_site(&site, "fraud.json", NAMES, 4), 0, "a model links, its features in any order");
    for (int i = 0; i < CASES; i++)
        good += fabs(score(&site, &model_cases[i]) - model_cases[i].fraud) < 1e-6;
    IS_INT(good, CASES, "scores are those of XGBoost, missing values too");
    int64_t begin = base_clock_mono_us();
    double sum = 0;
    for (int i = 0; i < 2000; i++)
        sum += score(&site, &model_cases[i % CASES]);
    printf("# %.2f us a score (%.3f)\n", (double)(base_clock_mono_us() - begin) / 2000, sum);
    unlink_site(&site);
}

static void test_refusals(void)
{
    static const char *const few[] = { "distance", "amount", "new_device" }, *const wrong[] = { "distance", "amounts", "new_device", "hour" },
                             *const twice[] = { "distance", "amount", "new_device", "amount" };
    static const struct { const char *model; const char *const *names; uint32_t count; const char *what; } cases[] = {
        { "fraud.json", few, 3, "a feature that is not given" }, { "fraud.json", wrong, 4, "a feature that the model has not" }, { "fraud.json", twice, 4, "one given twice" },
        { "none.json", NAMES, 4, "no such file" }, { "../fraud.json", NAMES, 4, "a file elsewhere" }, { "classes.json", NAMES, 4, "a model of several scores" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct site site;
        OK(link_site(&site, cases[i].model, cases[i].names, cases[i].count) < 0, cases[i].what);
        unlink_site(&site);
    }
    struct cep_type odd[2] = { CEP_TYPE(STRING), CEP_TYPE(STRING) }, want[2], ret;
    OK(!cep_funcs_find(funcs, BASE_STR("ML_PREDICT"), NULL)->resolve(odd, 2, want, &ret), "a feature without value");
}

/* ---- replaced while it is asked ---- */

static char folder[] = "/tmp/cepheid-models-XXXXXX";

static bool copy_model(const char *name)
{
    char command[600];
    snprintf(command, sizeof command, "cp '%s/%s' '%s/m.new' && mv '%s/m.new' '%s/m.json'", getenv("MODELS_FOLDER"), name, folder, folder, folder);
    return system(command) == 0;
}

struct asker { const struct site *site; uint64_t fraud, other, neither; };
static _Atomic bool stop;

static void *ask(void *ctx)
{
    struct asker *asker = ctx;
    for (int i = 0; !atomic_load(&stop); i = (i + 1) % CASES) {
        double got = score(asker->site, &model_cases[i]);
        bool fraud = fabs(got - model_cases[i].fraud) < 1e-6, other = fabs(got - model_cases[i].other) < 1e-6;
        asker->fraud += fraud;
        asker->other += other;
        asker->neither += !fraud && !other;
    }
    return NULL;
}

static void test_replacement(void)
{
    struct site site;
    struct asker askers[2] = { { .site = &site }, { .site = &site } };
    pthread_t threads[2];
    bool copied = copy_model("fraud.json");
    IS_INT(link_site(&site, "m.json", NAMES, 4), 0, "a model of another folder");
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, ask, &askers[i]);
    for (int i = 0; i < 4; i++) {
        copied = copied && copy_model(i % 2 ? "fraud.json" : "other.json");
        enrichment_models_refresh();
        enrichment_models_refresh();
    }
    copied = copied && copy_model("other.json");
    enrichment_models_refresh();
    enrichment_models_refresh();
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    OK(copied && askers[0].neither + askers[1].neither == 0 && askers[0].fraud && askers[1].other, "each score is of one model or the other");
    OK(fabs(score(&site, &model_cases[0]) - model_cases[0].other) < 1e-6, "the last model counts");
    copied = copy_model("classes.json");
    enrichment_models_refresh();
    enrichment_models_refresh();
    OK(copied && fabs(score(&site, &model_cases[0]) - model_cases[0].other) < 1e-6, "a model that is no good leaves the one in use");
    unlink_site(&site);
}

int main(void)
{
    const char *models = getenv("MODELS_FOLDER");
    if (!models || !mkdtemp(folder))
        return 1;
    funcs = cep_funcs_create();
    IS_INT(enrichment_models_register(funcs, models), 0, "registered");
    test_scores();
    test_refusals();
    enrichment_models_close();
    cep_funcs_destroy(funcs);
    funcs = cep_funcs_create();
    IS_INT(enrichment_models_register(funcs, folder), 0, "registered for another folder");
    test_replacement();
    enrichment_models_close();
    cep_funcs_destroy(funcs);
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    OK(system(command) == 0, "cleaned up");
    return tap_done();
}
