#!/usr/bin/env bash
# Rows into real stores, which this script starts and stops: Redis, PostgreSQL, ClickHouse; absent, slow, killed, with wrong passwords and tables. OpenSearch, which takes a
# minute to start, is among the long stages.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
exec python3 tests/stores/run.py --without=opensearch "$@"
