#!/usr/bin/env python3
"""Three orders from three countries over partitions that are read one after the other, so that rows come long after others of a later time, about and beyond the
window's end: what stands is what a plain search says (../e2e/model.py), with keys in lean form and without it, gone through key by key, undisturbed and with state saved, evicted
and restored in between. usage: disorder.py [--seed N] [--cases N]"""
import argparse
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ('conformance', 'e2e')]
import engine  # noqa: E402
import model   # noqa: E402

PARTITIONS = 8
model.WITHIN_MS = 40_000 # short, so that many rows come about its end
RULES = """CREATE TABLE orders (order_id STRING, user_id STRING, country STRING, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'orders.jsonl', 'format' = 'json');
CREATE RULE three WITH ('emit' = 'eager') AS SELECT user_id, orders FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.order_id || ',' || B.order_id || ',' || C.order_id AS orders
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (A -> B -> C) WITHIN INTERVAL '40' SECOND
  DEFINE B AS B.country <> A.country, C AS C.country NOT IN (A.country, B.country));
"""
MODES = {'lean': {}, 'full': {'full': True}, 'history': {'history': True}, 'disturbed': {}, 'disturbed more': {}}


def row(order):
    return ('row', 'orders', {name: order[name] for name in ('order_id', 'user_id', 'country')} | {'ts': model.stamp(order['ms'])})


def deliver(log, chance, disturb):
    """Steps: rows in the order of each partition, a few of one and then of the next, the watermark of all between; disturb: what else may come, or None."""
    queues = [[(i, order) for i, order in enumerate(log) if order['partition'] == p] for p in range(PARTITIONS)]
    greatest, produced, steps, mark = [None] * PARTITIONS, 0, [], None
    while any(queues):
        produced = min(len(log), produced + chance.randrange(1, 40))
        for p in chance.sample(range(PARTITIONS), PARTITIONS):
            count = chance.randrange(20)
            while count and queues[p] and queues[p][0][0] < produced:
                order = queues[p].pop(0)[1]
                greatest[p] = max(greatest[p] or 0, order['ms'])
                steps.append(row(order))
                count -= 1
        if None not in greatest and (mark is None or min(greatest) - model.BOUND_MS > mark):
            mark = min(greatest) - model.BOUND_MS
            steps.append(('mark', 'orders', mark))
        if disturb and disturb.random() < 0.2:
            steps.append((disturb.choice(('lazy', 'evict', 'evict')),))
    return steps


def jobs_of(seed):
    users = random.Random('users %d' % seed).choice((12, 40))
    log = model.generate(seed, 1200, PARTITIONS, users)
    late, seen, kept = model.late_ids(log), set(), []
    for order in log:
        place = (order['user_id'], order['ms']) # the driver knows no order of a user's rows of one time
        if order['order_id'] not in late and place not in seen:
            kept.append(order)
            seen.add(place)
    log = kept
    want = sorted([user, ','.join(order['order_id'] for order in orders)] for user, orders in model.three_countries(log))
    jobs = []
    for name, options in MODES.items():
        disturb = random.Random('%s %d' % (name, seed)) if name.startswith('disturbed') else None
        jobs.append({'id': '%d %s' % (seed, name), 'sql': RULES, 'steps': deliver(log, random.Random(seed), disturb), 'want': want} | options)
    return jobs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', type=int, default=1000)
    parser.add_argument('--cases', type=int, default=60)
    options = parser.parse_args()
    jobs = [job for seed in range(options.seed, options.seed + options.cases) for job in jobs_of(seed)]
    results, failed, matches = engine.run(jobs, seconds=120), 0, 0
    for job in jobs:
        result = results[job['id']]
        found = sorted(engine.standing(result)) if 'rows' in result else result
        matches += len(job['want'])
        if job.get('history') and result.get('gathered', [0])[0] < 600:
            found = 'rows were not gone through key by key'
        if found != job['want']:
            failed += 1
            print('not ok: seed %s\n  %s' % (job['id'], json.dumps([item for item in job['want'] if item not in found] if isinstance(found, list) else found)[:600]))
    if matches < options.cases * 40:
        failed += 1
        print('not ok: only %d matches were asked for' % matches)
    print('tests: %d passed, %d failed, 0 skipped' % (len(jobs) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
