#!/usr/bin/env bash
# Fuzzes each target for a bounded time (FUZZ_SECONDS each, 600), from the kept inputs on. A find is a failed test; its input stays in build/fuzz/finds.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
./dev fuzz "" "${FUZZ_SECONDS:-600}" | tee "$log" || true
passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^not ok ' "$log" || true)
echo "tests: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
