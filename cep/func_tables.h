/* The built-in scalar functions: one table per subject, and the type rules that they share. Internal to cep/. */
#ifndef CEP_FUNC_TABLES_H
#define CEP_FUNC_TABLES_H

#include "cep/func.h"

struct cep_func_table {
    const struct cep_func *at;
    uint32_t count;
};
struct cep_func_table cep_func_table_string(void);
struct cep_func_table cep_func_table_search(void);
struct cep_func_table cep_func_table_number(void);
struct cep_func_table cep_func_table_time(void);
struct cep_func_table cep_func_table_format(void);
struct cep_func_table cep_func_table_array(void);
struct cep_func_table cep_func_table_fraud(void);
struct cep_func_table cep_func_table_json(void);

#endif
