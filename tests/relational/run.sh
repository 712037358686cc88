#!/usr/bin/env bash
# Random queries on Flink SQL, and ours held against its rows: run.sh joins|windows|sql|changes|worked [--cases N] [--seed S] [--store]
# --store keeps queries and answers as joins.jsonl.zst, windows.jsonl.zst, changes.jsonl.zst or worked.jsonl, which stages read. Needs java 17, mvn (the jars go to the cache folder, once), zstd, the test driver.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
usage() { echo "usage: run.sh joins|windows|sql|changes|worked [--cases N] [--seed S] [--store]" >&2; exit 2; }
case ${1:-} in joins|windows|sql|changes|worked) set_name=$1; shift ;; *) usage ;; esac
cases=600 seed=1 store=0 version=2.3.0
while [ $# -gt 0 ]; do
    case $1 in
    --cases) cases=${2:?}; shift 2 ;;
    --seed) seed=${2:?}; shift 2 ;;
    --store) store=1; shift ;;
    *) usage ;;
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
options=(--seed "$seed" --cases "$cases")
[ "$set_name" != worked ] || options=()
python3 "$here/$set_name.py" ask "${options[@]}" >"$work/asked"
java "${opens[@]}" -Xmx2g -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -cp "$work/classes:$jars/*" Relational "$work/asked" "$work/answers"
python3 "$here/$set_name.py" keep "$work/asked" "$work/answers" >"$work/kept.jsonl"
if [ "$store" = 1 ]; then
    [ "$set_name" != worked ] || cp "$work/kept.jsonl" "$here/worked.jsonl"
    [ "$set_name" = worked ] || zstd -19 -q -f "$work/kept.jsonl" -o "$here/$set_name.jsonl.zst"
fi
python3 "$here/$set_name.py" judge "$work/kept.jsonl"
