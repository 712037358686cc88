#!/usr/bin/env bash
# Random rules and rows: first the naive matcher is proved on the conformance cases, then the engine is compared with it, and with what the compiler says of stability. PROPERTY_SEED, PROPERTY_SECONDS, PROPERTY_CASES.
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
python3 "$root/tests/oracle/prove.py" >"$log" || status=1
python3 "$root/tests/oracle/property.py" --finds >>"$log" || status=1
python3 "$root/tests/oracle/disorder.py" >>"$log" || status=1
python3 "$root/tests/oracle/together.py" >>"$log" || status=1
python3 "$root/tests/oracle/property.py" ${PROPERTY_SEED:+--seed "$PROPERTY_SEED"} --seconds "${PROPERTY_SECONDS:-70}" --cases "${PROPERTY_CASES:-2000}" >>"$log" || status=1
python3 "$root/tests/oracle/stability.py" ${PROPERTY_SEED:+--seed "$PROPERTY_SEED"} --seconds "$((${PROPERTY_SECONDS:-70} / 5))" >>"$log" || status=1
grep -v '^tests: ' "$log" || true
awk '/^tests: /{p += $2; f += $4; s += $6} END {printf "tests: %d passed, %d failed, %d skipped\n", p, f, s}' "$log"
exit "$status"
