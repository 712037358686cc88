/* Scores of models: ML_PREDICT('model.json', 'feature', value, ...) over XGBoost's model files in one folder, through XGBoost's C library, which is loaded when the first rule
 * names a model. A file that is replaced is read anew. The host sets the folder once, before any rule is linked. Functions get no context of their own, so the models are
 * process-wide. Any thread; scores are computed by the calling thread alone. */
#ifndef ENRICHMENT_MODEL_H
#define ENRICHMENT_MODEL_H

#include "base/attr.h"
#include "cep/func.h"

#define ENRICHMENT_MODELS_MOST 64

/* Adds the function. folder is copied. BASE_E_EXISTS, BASE_E_NOMEM. */
int enrichment_models_register(struct cep_funcs *funcs, const char *folder) BASE_MUST_CHECK;
/* Reads models anew whose files have changed; one that cannot be read, or has other features, is told in the log, and the model in use stays. */
void enrichment_models_refresh(void);
/* No rule is linked any more. */
void enrichment_models_close(void);

#endif
