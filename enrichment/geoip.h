/* What an address tells: GEOIP_COUNTRY, GEOIP_CITY, GEOIP_LATITUDE, GEOIP_LONGITUDE, GEOIP_ASN over MaxMind's database files. The host opens the files once,
 * before any rule is compiled, and adds the functions to the registry; a rule that asks for a file that is not configured does not link. A file that is replaced is
 * opened anew. Any thread. */
#ifndef ENRICHMENT_GEOIP_H
#define ENRICHMENT_GEOIP_H

#include "base/attr.h"
#include "base/str.h"
#include "cep/func.h"

/* Opens the files (NULL or "": none) and adds the functions. place: a City or Country database; asn: an ASN database. BASE_E_CONFIG with the reason appended:
 * a file that cannot be opened or is damaged. Once per process; the files stay open until enrichment_geoip_close. */
int enrichment_geoip_register(struct cep_funcs *funcs, const char *place, const char *asn, struct base_buf *reterr) BASE_MUST_CHECK;
void enrichment_geoip_close(void);
/* Opens files that have changed; one that cannot be opened is told in the log, and the one in use stays. Replace files by rename: a mapped file must not be written to. */
void enrichment_geoip_refresh(void);

#endif
