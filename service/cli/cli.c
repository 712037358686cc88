#include "service/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "enrichment/geoip.h"
#include "enrichment/lists.h"
#include "enrichment/model.h"
#include "enrichment/regex.h"

int cli_usage(const struct cli_command *command, const char *message, const char *detail)
{
    if (!message) {
        printf("usage: cepheid %s%s%s\n", command->name, *command->usage == '\n' ? "" : " ", command->usage);
        return CLI_OK;
    }
    fprintf(stderr, "cepheid %s: %s%s%s\n", command->name, message, detail ? ": " : "", detail ? detail : "");
    fprintf(stderr, "Try 'cepheid %s --help'.\n", command->name);
    return CLI_USAGE;
}

struct cep_funcs *cli_funcs(const struct service_config *config)
{
    struct base_buf why = { 0 };
    struct cep_funcs *funcs = cep_funcs_create();
    int e = funcs ? enrichment_regex_register(funcs) : BASE_E_NOMEM;
    if (e == 0)
        e = enrichment_geoip_register(funcs, config ? config->text[SERVICE_GEOIP_DATABASE] : getenv("CEPHEID_GEOIP_DATABASE"),
                                      config ? config->text[SERVICE_GEOIP_ASN] : getenv("CEPHEID_GEOIP_ASN"), &why);
    if (e == 0)
        e = enrichment_lists_register(funcs, config ? config->text[SERVICE_LISTS_DIR] : getenv("CEPHEID_LISTS_DIR"));
    if (e == 0)
        e = enrichment_models_register(funcs, config ? config->text[SERVICE_MODELS_DIR] : getenv("CEPHEID_MODELS_DIR"));
    if (e < 0) {
        fprintf(stderr, "cepheid: the functions of rules are not to be had: %s\n", why.len ? why.ptr : base_error_text(e));
        cli_funcs_destroy(funcs);
        funcs = NULL;
    }
    base_buf_finish(&why);
    return funcs;
}

void cli_funcs_destroy(struct cep_funcs *funcs)
{
    cep_funcs_destroy(funcs);
    enrichment_geoip_close();
    enrichment_lists_close();
    enrichment_models_close();
}

bool cli_define(const char *text)
{
    const char *equals = strchr(text, '=');
    char name[128];
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof name)
        return false;
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    return setenv(name, equals + 1, 1) == 0;
}

static void show_diags(const struct cli_compile *compile, struct service_ruleset *set)
{
    struct base_buf out = { 0 };
    if (compile->json) {
        base_diags_render_json(&set->diags, &out);
        base_buf_putc(&out, '\n');
        fwrite(out.ptr, 1, out.len, stdout);
    } else if (set->diags.errors || !compile->quiet) {
        base_diags_render(&set->diags, &out);
        fwrite(out.ptr ? out.ptr : "", 1, out.len, stderr);
    }
    base_buf_finish(&out);
}

struct service_ruleset *cli_compile(const struct cli_compile *compile, int *ret_status)
{
    struct service_ruleset *set = service_ruleset_create();
    struct base_buf error = { 0 };
    int e = set ? 0 : BASE_E_NOMEM;
    for (int i = 0; e == 0 && i < compile->path_count; i++)
        e = service_rulefiles_add(&set->files, compile->paths[i], &error);
    struct service_ruleset_config config = { .config = compile->config, .funcs = compile->funcs, .query_mode = compile->query_mode, .emit = compile->emit,
                                             .optimise = true };
    if (e == 0) {
        e = service_ruleset_compile(set, &config, &error);
        show_diags(compile, set);
    }
    if (e < 0) {
        if (e != BASE_E_SYNTAX)
            fprintf(stderr, "cepheid: %s\n", error.len ? error.ptr : base_error_text(e));
        service_ruleset_unref(set);
        set = NULL;
        *ret_status = CLI_FAILED;
    }
    base_buf_finish(&error);
    return set;
}
