#!/usr/bin/env bash
# Random rules on a real engine, and ours held against it: run.sh trino|flink|cep|neighbours [--pairs N] [--seed S[,S...]] [--store]
# Makes N pairs of each seed, asks the engine (all in one Java process), compares. --store keeps pairs and answers as ENGINE.jsonl.zst, which the stage
# 26-differential.sh reads. Needs java 17, mvn (the jars go to the cache folder, once), zstd, and the test driver of a build.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
usage() { echo "usage: run.sh trino|flink|cep|neighbours [--pairs N] [--seed S[,S...]] [--store]" >&2; exit 2; }
engine=${1:-}
[ $# = 0 ] || shift
case $engine in
trino) version=435 pairs=1600 seed=1,2 ;;
flink) version=2.3.0 pairs=2500 seed=1 ;;
cep) version=2.3.0 pairs=2100 seed=1,heads,stops ;; # families of api.py
neighbours) version=435 pairs=0 seed=- ;; # rules of neighbours.py, on Trino
*) usage ;;
esac
store=0
while [ $# -gt 0 ]; do
    case $1 in
    --pairs) pairs=${2:?}; shift 2 ;;
    --seed) seed=${2:?}; shift 2 ;;
    --store) store=1; shift ;;
    *) usage ;;
    esac
done

python3 -c 'import os, sys; sys.path.insert(0, sys.argv[1]); import engine; sys.exit(not os.access(engine.find_driver(), os.X_OK))' "$here/../conformance" || {
    echo "the test driver is missing: build tests/conformance/drive, or set CEPHEID_DRIVE" >&2
    exit 1
}

home=${engine/cep/flink} # Flink CEP is one of Flink's jars
home=${home/neighbours/trino}
jars=${CEPHEID_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cepheid}/differential-$home-$version
if [ ! -e "$jars/.complete" ]; then
    mvn -q -B -f "$here/$home/pom.xml" dependency:copy-dependencies "-D$home.version=$version" "-DoutputDirectory=$jars" -DincludeScope=runtime >&2
    touch "$jars/.complete"
fi

program=${engine/neighbours/trino}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
javac -nowarn -cp "$jars/*" -d "$work/classes" "$here/$program/Answers.java"
opens=()
for package in java.lang java.util java.util.concurrent java.util.concurrent.atomic java.time java.nio sun.nio.ch; do
    opens+=("--add-opens=java.base/$package=ALL-UNNAMED")
done
python3 "$here/judge.py" ask "$engine" --seed "$seed" --pairs "$pairs" --out "$work/asked"
# Every query is compiled and run once: the quick compiler does best.
java "${opens[@]}" -Xmx2g -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -cp "$work/classes:$jars/*" Answers "$work/asked" "$work/answers"
python3 "$here/judge.py" keep "$engine" --asked "$work/asked" --answers "$work/answers" --out "$work/kept.jsonl"
if [ "$store" = 1 ]; then
    zstd -19 -q -f "$work/kept.jsonl" -o "$here/$engine.jsonl.zst"
fi
python3 "$here/judge.py" judge "$work/kept.jsonl"
