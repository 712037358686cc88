#!/usr/bin/env bash
# The epoch protocol (docs/epoch.pml) and its journals (docs/journal.pml) under the model checker: no error as they are, and an error as soon as any fence is left out.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
command -v spin >/dev/null || { echo "spin is missing: ./dev setup long"; echo "tests: 0 passed, 1 failed, 0 skipped"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# check MODEL NAME WANTED SWITCHES...: WANTED is 0 or 1 errors. A search that was not finished is a failed test.
check() {
    local model=$1 name=$2 wanted=$3 dir=$work/$1-$2 got
    shift 3
    mkdir "$dir"
    cp "docs/$model.pml" "$dir"
    (cd "$dir" && spin "$@" -a "$model.pml" >spin.log && cc -w -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=8000 -o pan pan.c &&
        timeout 1800 ./pan -E -m2000000 >out 2>&1) || true
    got=$(grep -oE 'errors: [0-9]+' "$dir/out" 2>/dev/null | tail -n 1 | cut -d' ' -f2 || true)
    grep -qE 'Search not completed|max search depth too small|out of memory' "$dir/out" 2>/dev/null && [ "$wanted" = 0 ] && got=unfinished
    if [ "$got" = "$wanted" ]; then
        passed=$((passed + 1))
        echo "ok - $model, $name: errors $got,$(grep 'states, stored' "$dir/out" | head -n 1)"
    else
        failed=$((failed + 1))
        echo "not ok - $model, $name: wanted $wanted errors, got ${got:-no result}"
        tail -n 20 "$dir/out" 2>/dev/null || true
    fi
}

for model in journal epoch; do
    check "$model" whole 0
    for fence in $(grep -oE '^#ifdef NO_[A-Z_]+|^#ifndef NO_[A-Z_]+' "docs/$model.pml" | awk '{ print $2 }' | sort -u); do
        check "$model" "$fence" 1 "-D$fence"
    done
done
echo "tests: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 1 ]
