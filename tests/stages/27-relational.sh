#!/usr/bin/env bash
# Joins and top-N on random queries, over rows and over change records: against a naive evaluation, and against the stored answers of Flink SQL. tests/relational/README.md says how they were made.
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
python3 "$root/tests/relational/joins.py" property ${PROPERTY_SEED:+--seed "$PROPERTY_SEED"} --cases 800 >"$log" || status=1
python3 "$root/tests/relational/joins.py" judge "$root"/tests/relational/joins.jsonl.zst >>"$log" || status=1
python3 "$root/tests/relational/changes.py" property ${PROPERTY_SEED:+--seed "$PROPERTY_SEED"} --cases 200 >>"$log" || status=1
python3 "$root/tests/relational/changes.py" judge "$root"/tests/relational/changes.jsonl.zst >>"$log" || status=1
grep -v '^tests: ' "$log" || true
awk '/^tests: /{p += $2; f += $4; s += $6} END {printf "tests: %d passed, %d failed, %d skipped\n", p, f, s}' "$log"
exit "$status"
