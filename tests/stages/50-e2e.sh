#!/usr/bin/env bash
# The service from end to end: rule files in, alerts out, against real brokers that this script starts and stops; in CEPHEID_LANES runs side by side
# that share the cases, since most of the time is waiting.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
lanes=${CEPHEID_LANES:-4}
logs=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$logs"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

mkdir "$logs/share"
for ((lane = 0; lane < lanes; lane++)); do
    python3 tests/e2e/run.py --share="$logs/share" "$@" >"$logs/$lane" 2>&1 &
    pids+=($!)
done
passed=0 failed=0 names=()
for ((lane = 0; lane < lanes; lane++)); do
    status=0
    wait "${pids[lane]}" || status=$?
    echo "== lane $((lane + 1))"
    cat "$logs/$lane"
    counts=$(sed -nE 's/^tests: ([0-9]+) passed, ([0-9]+) failed, 0 skipped$/\1 \2/p' "$logs/$lane" | tail -n 1)
    read -r good bad <<<"${counts:-0 1}"
    [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
done
pids=()
# A lane that died has run fewer: every case must have told its end.
wanted=$(python3 tests/e2e/run.py --list "$@" | wc -l)
[ $((passed + failed)) -ge "$wanted" ] || failed=$((wanted - passed))
# Failures once more, where the end of a log shows them.
for told in "$logs/share"/*.failed; do
    if [ -f "$told" ]; then names+=("$(basename "$told" .failed)"); fi
done
for name in ${names[@]+"${names[@]}"}; do
    echo "== failed: $name"
    head -n $((50 / ${#names[@]} + 4)) "$logs/share/$name.failed"
done
echo "tests: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
