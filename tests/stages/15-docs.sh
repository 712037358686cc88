#!/usr/bin/env bash
# Every SQL text in the documentation, the README and the rules compiles; every rule case passes; every shipped rule is stable.
#   ```sql            whole statements: compiled by `cepheid check`
#                     rows that it tells of in comments (-- {...}) must be what `cepheid query` gives
#   ```sql fragment   no statement of its own: shown as it is, counted as skipped
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
export CEPHEID=${CEPHEID:-$PWD/build/cepheid}
exec python3 tests/stages/docs.py
