#!/usr/bin/env bash
# The property test of the short stages with the date as seed, for twenty minutes.
set -euo pipefail
root=${CEPHEID_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
PROPERTY_SEED=${PROPERTY_SEED:-day} PROPERTY_SECONDS=${PROPERTY_SECONDS:-1200} PROPERTY_CASES=${PROPERTY_CASES:-1000000} exec "$root/tests/stages/25-property.sh"
