#!/usr/bin/env bash
# The shipped rules on a real Kafka broker, from five topics to an alert topic.
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
export CEPHEID=${CEPHEID:-$PWD/build/cepheid}
exec python3 tests/stages/rules_kafka.py
