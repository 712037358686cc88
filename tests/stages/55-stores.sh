#!/usr/bin/env bash
# Rows into real stores, which this script starts and stops: Redis, PostgreSQL, ClickHouse; absent, slow, killed, with wrong passwords and tables.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
exec python3 tests/stores/run.py "$@"
