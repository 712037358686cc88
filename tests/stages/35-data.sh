#!/usr/bin/env bash
# The bundled data as the judge: row patterns over recorded events must give the counts that other programs gave (data/README.md).
set -euo pipefail
cd "${CEPHEID_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}"
cepheid=${CEPHEID:-build/cepheid}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# expect NAME WANTED GOT
expect() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
        echo "ok - $1: $3"
    else
        failed=$((failed + 1))
        echo "not ok - $1: wanted $2, got $3"
    fi
}
# rows NAME: runs the statements on standard input; the rows go to $work/rows. A run that fails is a failed test.
rows() {
    cat >"$work/query.sql"
    if ! "$cepheid" query "$work/query.sql" >"$work/rows" 2>"$work/errors"; then
        echo "# $1: the query failed:"
        head -n 20 "$work/errors"
        : >"$work/rows"
    fi
}
count() { wc -l <"$work/rows" | tr -d ' '; }

(cd data && sha256sum --quiet -c SHA256SUMS) && sums=sound || sums=damaged
expect "check sums of data/" sound "$sums"

# ---- Flink's walkthrough ----
walkthrough() {
    rows "$1" <<END
CREATE TABLE tx (tx_id BIGINT, account_id BIGINT, amount DECIMAL(12,2), ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/flink_walkthrough_transactions.jsonl', 'format' = 'json');
SELECT account_id, tx_id, amount FROM tx MATCH_RECOGNIZE (
  PARTITION BY account_id ORDER BY ts
  MEASURES B.tx_id AS tx_id, B.amount AS amount
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) $2 DEFINE A AS amount < 1.00, B AS amount > 500.00);
END
}
walkthrough "walkthrough" ""
expect "walkthrough, its one alert" '{"account_id":3,"tx_id":28,"amount":871.15}' "$(cat "$work/rows")"
walkthrough "walkthrough within an hour" "WITHIN INTERVAL '1' HOUR"
expect "walkthrough within an hour" 1 "$(count)"
walkthrough "walkthrough within a minute" "WITHIN INTERVAL '1' MINUTE"
expect "walkthrough within a minute" 0 "$(count)"

# ---- sshd log ----
ssh() {
    rows "$1" <<END
CREATE TABLE log (id BIGINT, ts TIMESTAMP_LTZ(3), \`user\` STRING, ip STRING, outcome STRING, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/ssh_auth_elastic.jsonl', 'format' = 'json');
SELECT * FROM $2 MATCH_RECOGNIZE (
  PARTITION BY ip ORDER BY ts
  MEASURES FIRST(id) AS first_id, LAST(id) AS last_id, LAST(\`user\`) AS who
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN $3 DEFINE $4);
END
}
failure="F AS outcome = 'failure'" success="S AS outcome = 'success'"
ssh "ssh 5 in 60 s" "(SELECT * FROM log WHERE outcome = 'failure')" "(F{5}) WITHIN INTERVAL '60.001' SECOND" "$failure"
expect "ssh, 5 failures in 60 s of one address, last - first <= w" 177 "$(count)"
expect "ssh, their addresses" 101 "$(grep -o '"ip":"[^"]*"' "$work/rows" | sort -u | wc -l | tr -d ' ')"
ssh "ssh 10 in 600 s" "(SELECT * FROM log WHERE outcome = 'failure')" "(F{10}) WITHIN INTERVAL '600.001' SECOND" "$failure"
expect "ssh, 10 failures in 600 s of one address, last - first <= w" 43 "$(count)"
expect "ssh, their addresses" 10 "$(grep -o '"ip":"[^"]*"' "$work/rows" | sort -u | wc -l | tr -d ' ')"
ssh "ssh 3 then success" "log" "(F{3,} S) WITHIN INTERVAL '600.001' SECOND" "$failure, $success"
expect "ssh, 3 failures directly before a success" 1 "$(count)"
expect "ssh, whose" '"ip":"24.151.103.17"' "$(grep -o '"ip":"[^"]*"' "$work/rows")"

# ---- card transactions ----
# cards NAME FILE PATTERN DEFINE
cards() {
    rows "$1" <<END
CREATE TABLE tx (tx_id BIGINT, ts TIMESTAMP_LTZ(3), card_id STRING, amount DECIMAL(12,2), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/$2', 'format' = 'csv');
SELECT * FROM tx MATCH_RECOGNIZE (
  PARTITION BY card_id ORDER BY ts
  MEASURES FIRST(tx_id) AS first_tx, LAST(tx_id) AS last_tx
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN $3 DEFINE $4);
END
}
# judge PATTERN DEFINE WITHIN-SECONDS WHOLE SAMPLE
judge() {
    cards "$1 $3 s" transactions_sample.csv "$1 WITHIN INTERVAL '$3' SECOND" "$2"
    expect "sample, $1, $2, within $3 s" "$5" "$(count)"
    cards "$1 $3 s" transactions.csv.zst "$1 WITHIN INTERVAL '$3' SECOND" "$2"
    expect "858,412 transactions, $1, $2, within $3 s" "$4" "$(count)"
}
judge "(A{3})" "A AS TRUE" 120 40 0
judge "(A{3})" "A AS TRUE" 600 772 5
judge "(A{3})" "A AS TRUE" 3600 16421 119
judge "(A{2})" "A AS amount > 200" 3600 2448 31
judge "(A{3})" "A AS amount > 200" 14400 1149 16
judge "(A B)" "A AS amount < 15, B AS amount > 500" 3600 745 5
judge "(A B)" "A AS amount < 15, B AS amount > 500" 14400 1687 9

echo "tests: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
