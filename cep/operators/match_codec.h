/* What the two writers of a key's stored form agree on. Private to the row pattern operator. */
#ifndef CEP_OPERATORS_MATCH_CODEC_H
#define CEP_OPERATORS_MATCH_CODEC_H

#define MATCH_STATE_VERSION 2 /* 1: no lean keys; read as well */
/* Flags of a head. */
#define MATCH_STATE_BASE 1
#define MATCH_STATE_ENDED 2
#define MATCH_STATE_LIMITED 4
#define MATCH_STATE_LEAN 8 /* rows and no-start bits alone: match_lean_codec.c */

#endif
