#!/usr/bin/env bash
# Windows, OVER and groups on random queries: against a naive evaluation, and against the stored answers of Flink SQL; the worked cases of docs/windows.md.
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
python3 "$root/tests/relational/windows.py" property ${PROPERTY_SEED:+--seed "$PROPERTY_SEED"} --cases 1200 >"$log" || status=1
python3 "$root/tests/relational/times.py" ${PROPERTY_SEED:+--seed "$PROPERTY_SEED"} --cases 150 >>"$log" || status=1
python3 "$root/tests/relational/sql.py" property ${PROPERTY_SEED:+--seed "$PROPERTY_SEED"} --cases 200 >>"$log" || status=1
python3 "$root/tests/relational/sql.py" judge "$root/tests/relational/sql.jsonl.zst" >>"$log" || status=1
python3 "$root/tests/relational/windows.py" judge "$root/tests/relational/windows.jsonl.zst" >>"$log" || status=1
python3 "$root/tests/relational/worked.py" judge "$root/tests/relational/worked.jsonl" >>"$log" || status=1
grep -v '^tests: ' "$log" || true
awk '/^tests: /{p += $2; f += $4; s += $6} END {printf "tests: %d passed, %d failed, %d skipped\n", p, f, s}' "$log"
exit "$status"
