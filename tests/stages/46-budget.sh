#!/usr/bin/env bash
# Instructions per event of the release build, counted by callgrind, against tests/budget/budget.json.
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
exec python3 "$root/tests/budget/run.py"
