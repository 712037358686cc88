#!/usr/bin/env bash
# Three orders from three countries over 200,000 generated orders: ours, a brute-force program's and Flink's rows.
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
exec python3 "$root/tests/orders/run.py"
