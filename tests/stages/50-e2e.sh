#!/usr/bin/env bash
# The service from end to end: rule files in, alerts out, against a real broker that this script starts and stops.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
exec python3 tests/e2e/run.py "$@"
