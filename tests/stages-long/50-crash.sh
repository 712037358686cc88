#!/usr/bin/env bash
# SIGKILL at random and at every numbered point of the epoch protocol, 80 times a seed: nothing lost, nothing repeated. CEPHEID_SEEDS lists the seeds.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 status=0
for seed in ${CEPHEID_SEEDS:-1 2 3 4 5}; do
    echo "== seed $seed"
    CEPHEID_SEED=$seed CEPHEID_KILLS=40 CEPHEID_ROUNDS=2 CEPHEID_RUNS=20 python3 tests/e2e/run.py killed_at restart_in disk_ clock_jumps coordinator taken_over same_what \
        >"$log" 2>&1 || status=1
    cat "$log"
    counts=$(sed -nE 's/^tests: ([0-9]+) passed, ([0-9]+) failed, 0 skipped$/\1 \2/p' "$log" | tail -n 1)
    read -r good bad <<<"${counts:-0 1}"
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "tests: $passed passed, $failed failed, 0 skipped"
exit "$status"
