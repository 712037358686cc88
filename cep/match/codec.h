/* What the two writers of a key's stored form agree on. Private to the row pattern operator. */
#ifndef CEP_MATCH_CODEC_H
#define CEP_MATCH_CODEC_H

#include "base/str.h"
#include "cep/match/match.h"

#define MATCH_STATE_VERSION 3 /* 1: no lean keys; 2: they have told nothing that is not settled; both are read as well */
/* Flags of a head. */
#define MATCH_STATE_BASE 1
#define MATCH_STATE_ENDED 2
#define MATCH_STATE_LIMITED 4
#define MATCH_STATE_LEAN 8 /* rows and no-start bits alone: lean_codec.c */
#define MATCH_STATE_TOLD 16 /* with LEAN: behind them what was told and is not settled */

void cep_match_put_told(const struct match_told *told, struct base_buf *buf);

#endif
