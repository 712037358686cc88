#!/usr/bin/env python3
"""Many rules over one stream tell what each tells alone: random rules, most of which few rows concern, with suppressed alerts and rows in disorder; a rule that hears of neither rows nor time
for long must come to the same. Undisturbed each word of a rule is compared, with state saved, evicted and restored in between what stands at the end.
usage: together.py [--seed N] [--cases N] [--rules N]"""
import argparse
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ('conformance', 'e2e')]
import engine  # noqa: E402
import model   # noqa: E402

START_MS, BOUND_MS = 1_767_225_600_000, 3000
TABLE = """CREATE TABLE orders (order_id STRING, user_id STRING, country STRING, amount DECIMAL(12,2), merchant_id STRING, ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '3' SECOND) WITH ('connector' = 'filesystem', 'path' = 'orders.jsonl', 'format' = 'json');
"""
PATTERNS = ('A -> B', 'A -> B', 'A B', 'A -> B -> C', 'A X*? B', 'A -> B+? -> C', '(A | B) -> C', 'A{2}', 'A')


def rule(chance, name, merchants):
    """A rule that asks of most of its rows for merchants of its own."""
    pattern, own = chance.choice(PATTERNS), chance.randrange(merchants)
    defines = []
    for variable in (v for v in 'ABC' if v in pattern):
        asks = ["%s.merchant_id = 'm%d'" % (variable, own if chance.random() < 0.8 else chance.randrange(merchants))] if chance.random() < 0.95 else []
        if chance.random() < 0.5:
            asks.append('%s.amount > %d' % (variable, chance.choice((20, 50, 80))))
        if variable != 'A' and chance.random() < 0.6:
            asks.append('%s.country <> A.country' % variable)
        if asks:
            defines.append('%s AS %s' % (variable, ' AND '.join(asks)))
    options = ["'emit' = '%s'" % chance.choice(('eager', 'eager', 'eager', 'final'))] + (["'suppress' = '%s'" % chance.choice(('10s', '30s', '5m'))] if chance.random() < 0.4 else [])
    return """CREATE RULE %s WITH (%s) AS SELECT '%s' AS rule, orders FROM orders MATCH_RECOGNIZE (%s ORDER BY ts
  MEASURES FIRST(A.order_id) || ',' || LAST(order_id) AS orders ONE ROW PER MATCH AFTER MATCH SKIP %s PATTERN (%s) WITHIN INTERVAL %s DEFINE %s);
""" % (name, ', '.join(options), name, chance.choice(('PARTITION BY user_id', 'PARTITION BY user_id', 'PARTITION BY country', '')),
       chance.choice(('PAST LAST ROW', 'PAST LAST ROW', 'TO NEXT ROW')), pattern, chance.choice(("'2' MINUTE", "'20' SECOND", "'1' HOUR")), ', '.join(defines or ['A AS A.amount > 95']))


def stream(chance, merchants, disturb):
    """Rows, late by the bound at most, and watermarks; times differ, and now and then nothing comes for long."""
    users, gap, ms, mark, steps = chance.choice((2, 10, 60)), chance.choice((50, 500, 5000)), START_MS, START_MS - 1, []
    orders = []
    for i in range(400):
        ms += 1 + int(chance.expovariate(1 / gap)) + (chance.choice((100_000, 400_000, 4_000_000)) if chance.random() < 0.005 else 0)
        orders.append((ms + chance.choice((0, 0, 0, chance.randrange(BOUND_MS))), i, ms))
    orders.sort()
    for at, (_, i, ms) in enumerate(orders):
        amount = None if chance.random() < 0.02 else chance.randrange(10000) / 100
        steps.append(('row', 'orders', {'order_id': 'o%d' % i, 'user_id': 'u%d' % chance.randrange(users), 'country': chance.choice(('DE', 'FR', 'IT', 'ES', None)), 'amount': amount,
                                        'merchant_id': None if chance.random() < 0.01 else 'm%d' % chance.randrange(merchants), 'ts': model.stamp(ms)}))
        least = min((order[2] for order in orders[at + 1:]), default=None)
        if least and least - 1 > mark and chance.random() < 0.4:
            mark = least - 1
            steps.append(('mark', 'orders', mark))
        if disturb and chance.random() < 0.03:
            steps.append((chance.choice(disturb),))
    return steps


def jobs_of(seed, count):
    chance = random.Random('together %d' % seed)
    merchants, disturbed = chance.choice((3, 20, 60)), ('cycle', 'lazy', 'evict') if seed % 2 else None
    rules = {'r%d' % i: rule(chance, 'r%d' % i, merchants) for i in range(count)}
    steps = stream(chance, merchants, disturbed)
    together = {'id': '%d together' % seed, 'sql': TABLE + ''.join(rules.values()), 'steps': steps}
    return together, {name: {'id': '%d %s' % (seed, name), 'sql': TABLE + text, 'steps': steps} for name, text in rules.items()}, disturbed


def words(result, disturbed):
    """{rule: what it told}."""
    told = {}
    for item in engine.standing(result) if disturbed else [[event['change'], event['ident'], event['row']] for event in result['rows'] if event['row']]:
        told.setdefault((item if disturbed else item[2])[0], []).append(item)
    return {name: sorted(items, key=json.dumps) if disturbed else items for name, items in told.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--cases', type=int, default=8)
    parser.add_argument('--rules', type=int, default=15)
    options = parser.parse_args()
    sets = [jobs_of(seed, options.rules) for seed in range(options.seed, options.seed + options.cases)]
    results = engine.run([job for together, alone, _ in sets for job in [together, *alone.values()]], seconds=60)
    passed, failed, told = 0, 0, 0
    for together, alone, disturbed in sets:
        whole = results[together['id']]
        found = words(whole, disturbed) if 'rows' in whole else {}
        for name, job in alone.items():
            result = results[job['id']]
            want = words(result, disturbed).get(name, []) if 'rows' in result else result
            told += len(want)
            if 'rows' in whole and found.get(name, []) == want:
                passed += 1
                continue
            failed += 1
            print('not ok: seed %s\n  alone: %s\n  together: %s\n%s' % (job['id'], json.dumps(want)[:600], json.dumps(found.get(name, [] if 'rows' in whole else whole))[:600], job['sql']))
    if told < 20 * options.cases:
        failed += 1
        print('not ok: only %d words were told' % told)
    print('tests: %d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
