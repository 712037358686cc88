#!/usr/bin/env bash
# The conformance cases: rules with the answers of other engines, each also saved and restored after every row, eager, and unoptimised.
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
exec python3 "$root/tests/conformance/run.py"
