#!/usr/bin/env python3
"""Three orders from three countries in two minutes, over 200,000 generated orders: Flink's rows, a brute-force program's and ours must be the same.

The orders come from gen_orders.py; three_countries.expected.jsonl.xz holds what Flink 2.3.0 SQL gave for three_countries.sql over the first 200,000 of seed 42 (watermark 3 s).
Each rule is run in the forms `A X*? B Y*? C` and `A -> B -> C`, by `cepheid query` and eagerly by the test driver (what stands at the end).
"""
import argparse
import collections
import datetime
import decimal
import itertools
import json
import lzma
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'conformance'))
import engine  # noqa: E402

TABLE = """CREATE TABLE orders (order_id STRING, user_id STRING, country STRING, amount DECIMAL(12,2), card_id STRING, merchant_id STRING, ip STRING,
  ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)
WITH ('connector' = 'filesystem', 'path' = '%s', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601');
"""
ARROWS = """SELECT * FROM orders
MATCH_RECOGNIZE (
  PARTITION BY user_id
  ORDER BY ts
  MEASURES
    A.order_id AS a_id, A.country AS a_country, A.ts AS a_ts,
    B.order_id AS b_id, B.country AS b_country,
    C.order_id AS c_id, C.country AS c_country, C.ts AS c_ts,
    A.amount + B.amount + C.amount AS total
  ONE ROW PER MATCH
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C) WITHIN INTERVAL '2' MINUTE
  DEFINE
    B AS B.country <> A.country,
    C AS C.country <> A.country AND C.country <> B.country
);
"""
COLUMNS = ('user_id', 'a_id', 'a_country', 'a_ts', 'b_id', 'b_country', 'c_id', 'c_country', 'c_ts', 'total')


def instant(text):
    at = datetime.datetime.fromisoformat(text.replace('Z', '').replace(' ', 'T'))
    return int((at - datetime.datetime(1970, 1, 1)).total_seconds() * 1000 + 0.5)


def normal(row):
    """A row as a tuple: amounts exact, times as milliseconds."""
    out = []
    for name in COLUMNS:
        value = row[name]
        out.append(instant(value) if name.endswith('_ts') else decimal.Decimal(value) if name == 'total' else value)
    return tuple(out)


def parse(line):
    return json.loads(line, parse_float=decimal.Decimal, parse_int=decimal.Decimal)


def brute_force(lines, within_ms):
    """Per user in order of time, ties in order of arrival: for each start the first other country, then the first third one."""
    users = collections.defaultdict(list)
    for line in lines:
        order = parse(line)
        users[order['user_id']].append((instant(order['ts']), order))
    found = []
    for user, orders in users.items():
        orders.sort(key=lambda o: o[0])
        at = 0
        while at < len(orders):
            first_ms, a = orders[at]
            end = next((i for i in range(at, len(orders)) if orders[i][0] - first_ms >= within_ms), len(orders))
            b = next((i for i in range(at + 1, end) if orders[i][1]['country'] != a['country']), None)
            c = None
            if b is not None:
                both = (a['country'], orders[b][1]['country'])
                c = next((i for i in range(b + 1, end) if orders[i][1]['country'] not in both), None)
            if c is None:
                at += 1
                continue
            b_order, c_order = orders[b][1], orders[c][1]
            found.append((user, a['order_id'], a['country'], first_ms, b_order['order_id'], b_order['country'], c_order['order_id'], c_order['country'], orders[c][0],
                          a['amount'] + b_order['amount'] + c_order['amount']))
            at = c + 1
    return collections.Counter(found)


def by_query(rule, path, work):
    """`cepheid query`: one JSON object a line."""
    text = os.path.join(work, 'query.sql')
    with open(text, 'w') as file:
        file.write(TABLE % path + rule)
    done = subprocess.run([os.environ.get('CEPHEID', os.path.join(ROOT, 'build', 'cepheid')), 'query', text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit('cepheid query ended with %d: %s' % (done.returncode, done.stderr[:2000]))
    return collections.Counter(normal(parse(line)) for line in done.stdout.splitlines())


def by_driver(rule, lines):
    """Eager, with a watermark every 500 rows and a save and restore of all state every 50,000."""
    steps, top = [], 0
    for number, line in enumerate(lines, 1):
        steps.append(('row', 'orders', line.strip().encode()))
        top = max(top, instant(line[line.rindex('"ts":"') + 6:line.rindex('"')]))
        if number % 500 == 0:
            steps.append(('mark', 'orders', top - 3001))
        if number % 50000 == 0:
            steps.append(('cycle',))
    result = engine.run([{'id': 'orders', 'sql': TABLE % 'orders.jsonl' + rule, 'steps': steps, 'eager': True}], workers=1, seconds=300)['orders']
    if 'crash' in result or result['error']:
        raise SystemExit('the driver: %s' % (result.get('crash') or '%s %s' % (result['error'], result['diags'])))
    rows = [dict(zip(COLUMNS, row)) for row in engine.standing(result)]
    for row in rows:
        row['total'] = repr(row['total'])  # the shortest text of the number, which is what the driver printed
    return collections.Counter(map(normal, rows))


class Tests:
    def __init__(self):
        self.passed = self.failed = 0

    def same(self, name, got, wanted):
        if got == wanted:
            self.passed += 1
            print('ok - %s: %d rows' % (name, sum(got.values())))
            return
        self.failed += 1
        print('not ok - %s: %d rows, wanted %d' % (name, sum(got.values()), sum(wanted.values())))
        for title, rows in (('missing', wanted - got), ('surplus', got - wanted)):
            for row in itertools.islice(rows.elements(), 3):
                print('  %s: %s' % (title, ' '.join(map(str, row))))


def generated(work, name, options, count):
    path = os.path.join(work, name)
    subprocess.run([sys.executable, os.path.join(HERE, 'gen_orders.py'), '--out', path + '.all'] + options, check=True)
    with open(path + '.all') as file:
        lines = list(itertools.islice(file, count))
    with open(path, 'w') as file:
        file.writelines(lines)
    os.remove(path + '.all')
    return path, lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--no-driver', action='store_true')
    args = parser.parse_args()
    tests = Tests()
    with open(os.path.join(HERE, 'three_countries.sql')) as file:
        loops = file.read()
    with lzma.open(os.path.join(HERE, 'three_countries.expected.jsonl.xz'), 'rt') as file:
        flink = collections.Counter(normal(parse(line)) for line in file)
    with tempfile.TemporaryDirectory() as work:
        # 10,000 more than are read: lines are up to 3 s out of order, so the end of a shorter run differs
        path, lines = generated(work, 'orders.jsonl', ['--n', '210000', '--seed', '42'], 200000)
        tests.same('brute force = Flink', brute_force(lines, 120000), flink)
        tests.same('A X*? B Y*? C = Flink', by_query(loops, path, work), flink)
        tests.same('A -> B -> C = Flink', by_query(ARROWS, path, work), flink)
        if not args.no_driver:
            tests.same('A -> B -> C, eager, restored = Flink', by_driver(ARROWS, lines), flink)
        path, lines = generated(work, 'long.jsonl', ['--n', '200000', '--users', '5000', '--rate', '40', '--seed', '43'], 200000)
        for minutes, count in ((2, 637), (20, 2879)):
            wanted = brute_force(lines, minutes * 60000)
            rule = loops.replace("INTERVAL '2' MINUTE", "INTERVAL '%d' MINUTE" % minutes)
            tests.same('84 minutes, WITHIN %d: as many as Flink' % minutes, collections.Counter(range(sum(wanted.values()))), collections.Counter(range(count)))
            tests.same('84 minutes, WITHIN %d, A X*? B Y*? C' % minutes, by_query(rule, path, work), wanted)
            tests.same('84 minutes, WITHIN %d, A -> B -> C' % minutes, by_query(ARROWS.replace("'2' MINUTE", "'%d' MINUTE" % minutes), path, work), wanted)
    print('tests: %d passed, %d failed, 0 skipped' % (tests.passed, tests.failed))
    return 1 if tests.failed else 0


if __name__ == '__main__':
    sys.exit(main())
