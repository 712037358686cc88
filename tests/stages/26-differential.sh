#!/usr/bin/env bash
# Our engine on random rules and rows, held against the stored answers of Trino, Flink SQL and Flink CEP. tests/differential/README.md says how they were made.
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
exec python3 "$root/tests/differential/judge.py" judge "$root"/tests/differential/*.jsonl.zst
