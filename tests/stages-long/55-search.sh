#!/usr/bin/env bash
# Documents into a real OpenSearch node, whose jars Maven fetches once; killed in between.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
exec python3 tests/stores/run.py opensearch "$@"
