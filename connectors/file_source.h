/* Files as a source: one file, a directory whose files in name order are one log, or standard input; plain, .zst or .gz; lines, or CSV records whose quoted
 * cells may hold line ends. One partition, number 0; offsets count records (blank lines left out, a CSV header counted). A record longer than
 * 'max-record-bytes' is handed out as its beginning with BASE_E_LIMIT.
 * Options: 'path', 'source.follow' = 'true' (goes on as the last file grows and new ones appear; also by Flink's 'source.monitor-interval'), 'format' (csv:
 * 'csv.quote-character', 'csv.field-delimiter'). Called by source.c only. */
#ifndef CONNECTORS_FILE_SOURCE_H
#define CONNECTORS_FILE_SOURCE_H

#include "connectors/source.h"

int connectors_file_source_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;
int connectors_stdin_source_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;

#endif
