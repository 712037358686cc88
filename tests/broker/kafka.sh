#!/bin/sh
# A real Kafka broker for tests: kafka.sh install | kafka.sh run [--nodes N] [--sasl] -- COMMAND…   See broker.py.
set -eu
exec python3 "$(dirname "$0")/broker.py" "$@"
