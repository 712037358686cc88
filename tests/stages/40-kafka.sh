#!/usr/bin/env bash
# The Kafka connectors against a real broker that this script starts and stops: round trips, start positions, transactions, fencing, passwords over TLS,
# a broker that is killed in mid-produce and in mid-commit.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
build=${CEPHEID_BUILD:-build/gcc}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

ninja -C "$build" tests/broker/test_connectors >"$log" 2>&1 || { cat "$log"; echo "tests: 0 passed, 1 failed, 0 skipped"; exit 1; }
status=0
tests/broker/kafka.sh run --sasl -- "$build/tests/broker/test_connectors" >"$log" 2>&1 || status=$?
grep -v '^ok' "$log" || true
passed=$(grep -c '^ok' "$log" || true)
failed=$(grep -c '^not ok' "$log" || true)
skipped=$(grep -c '^ok.*# SKIP' "$log" || true)
# A program that died has no plan line: that is a failure of its own.
if ! grep -q '^1\.\.' "$log" || { [ "$status" != 0 ] && [ "$failed" = 0 ]; }; then
    failed=$((failed + 1))
fi
echo "tests: $((passed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
