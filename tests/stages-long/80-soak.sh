#!/usr/bin/env bash
# Many keys in little memory: 10,000,000 events over 5,000,000 keys that all have a partial match, below 512 MiB and flat; and a smaller one against a run
# whose memory is not bounded.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0
for options in "--events 10000000 --keys 5000000" "--events 1000000 --keys 500000 --memory 32MiB --limit 250 --twin"; do
    echo "== $options"
    # shellcheck disable=SC2086
    python3 tests/e2e/soak.py $options >"$log" 2>&1 || true
    cat "$log"
    counts=$(sed -nE 's/^tests: ([0-9]+) passed, ([0-9]+) failed, 0 skipped$/\1 \2/p' "$log" | tail -n 1)
    read -r good bad <<<"${counts:-0 1}"
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "tests: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
