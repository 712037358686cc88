#!/usr/bin/env bash
# Our answers against the stored ones of Trino 435 and Flink SQL 2.3.0 for thousands of random rules and rows (tests/differential/README.md).
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
exec python3 "$root/tests/differential/compare.py"
