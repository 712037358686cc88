#!/usr/bin/env bash
# The sweep of the unit tests - the nth allocation fails, the nth call of the store fails - at a thousand calls of each kind.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
SWEEP_POINTS=${SWEEP_POINTS:-1000} "${CEPHEID_BUILD:-build/gcc}/tests/unit/service/test_service_sweep" >"$log" 2>&1 || true
grep -v '^ok' "$log" || true
passed=$(grep -c '^ok' "$log" || true)
failed=$(grep -c '^not ok' "$log" || true)
grep -q '^1\.\.' "$log" || failed=$((failed + 1)) # it died
echo "tests: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
