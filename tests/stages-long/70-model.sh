#!/usr/bin/env bash
# The epoch protocol (docs/epoch.pml) under the model checker: no error as it is, and an error as soon as any of its fences is left out.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
command -v spin >/dev/null || { echo "spin is missing: ./dev setup long"; echo "tests: 0 passed, 1 failed, 0 skipped"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# check NAME WANTED SWITCHES...: WANTED is 0 or 1 errors. A search that was not finished is a failed test.
check() {
    local name=$1 wanted=$2 dir=$work/$1 got
    shift 2
    mkdir "$dir"
    cp docs/epoch.pml "$dir"
    (cd "$dir" && spin "$@" -a epoch.pml >spin.log && cc -w -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=8000 -o pan pan.c &&
        timeout 1800 ./pan -E -m2000000 >out 2>&1) || true
    got=$(grep -oE 'errors: [0-9]+' "$dir/out" 2>/dev/null | tail -n 1 | cut -d' ' -f2 || true)
    grep -qE 'Search not completed|max search depth too small|out of memory' "$dir/out" 2>/dev/null && [ "$wanted" = 0 ] && got=unfinished
    if [ "$got" = "$wanted" ]; then
        passed=$((passed + 1))
        echo "ok - $name: errors $got,$(grep 'states, stored' "$dir/out" | head -n 1)"
    else
        failed=$((failed + 1))
        echo "not ok - $name: wanted $wanted errors, got ${got:-no result}"
        tail -n 20 "$dir/out" 2>/dev/null || true
    fi
}

check whole 0
for fence in $(grep -oE '^#ifdef NO_[A-Z_]+|^#ifndef NO_[A-Z_]+' docs/epoch.pml | awk '{ print $2 }' | sort -u); do
    check "$fence" 1 "-D$fence"
done
echo "tests: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 1 ]
