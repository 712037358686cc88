#!/usr/bin/env bash
# Random joins and top-N queries on Flink SQL, and ours held against its rows: run.sh [--cases N] [--seed S] [--store]
# --store keeps queries and answers as joins.jsonl.zst, which a stage reads. Needs java 17, mvn (the jars go to the cache folder, once), zstd, the test driver.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cases=600 seed=1 store=0 version=2.3.0
while [ $# -gt 0 ]; do
    case $1 in
    --cases) cases=${2:?}; shift 2 ;;
    --seed) seed=${2:?}; shift 2 ;;
    --store) store=1; shift ;;
    *) echo "usage: run.sh [--cases N] [--seed S] [--store]" >&2; exit 2 ;;
    esac
done
jars=${CEPHEID_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cepheid}/differential-flink-$version
if [ ! -e "$jars/.complete" ]; then
    mvn -q -B -f "$here/../differential/flink/pom.xml" dependency:copy-dependencies "-Dflink.version=$version" "-DoutputDirectory=$jars" -DincludeScope=runtime >&2
    touch "$jars/.complete"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
javac -nowarn -cp "$jars/*" -d "$work/classes" "$here/flink/Relational.java"
opens=()
for package in java.lang java.util java.util.concurrent java.util.concurrent.atomic java.time java.nio sun.nio.ch; do
    opens+=("--add-opens=java.base/$package=ALL-UNNAMED")
done
python3 "$here/joins.py" ask --seed "$seed" --cases "$cases" >"$work/asked"
java "${opens[@]}" -Xmx2g -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -cp "$work/classes:$jars/*" Relational "$work/asked" "$work/answers"
python3 "$here/joins.py" keep "$work/asked" "$work/answers" >"$work/kept.jsonl"
if [ "$store" = 1 ]; then
    zstd -19 -q -f "$work/kept.jsonl" -o "$here/joins.jsonl.zst"
fi
python3 "$here/joins.py" judge "$work/kept.jsonl"
