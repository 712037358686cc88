#!/usr/bin/env bash
# Avro, Protobuf and change records against a real schema registry and a real broker that this script starts and stops.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
export CEPHEID=${CEPHEID:-$PWD/build/cepheid}
python=$(python3 tests/registry/registry.py python)
exec "$python" tests/registry/run.py "$@"
