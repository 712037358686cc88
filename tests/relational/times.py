#!/usr/bin/env python3
"""Windows and OVER by processing time under a given clock, and windows with allowed lateness: random rows, held against a naive evaluation after every step.

usage: times.py [--seed S] [--cases N]
"""
import argparse
import collections
import sys

import joins
import windows
from joins import START_MS, engine

ID, K, V, T = 0, 1, 2, 3
MODES = ('final', 'final-split', 'final-lazy', 'eager', 'eager-split', 'eager-lazy')
SHOWN = 8
SECOND = "INTERVAL '%d' SECOND"


def table(delay):
    return ("CREATE TABLE ev (id INT, k STRING, v INT, ts TIMESTAMP(3), pt AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '%d' SECOND) "
            "WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'localhost:9092', 'format' = 'json');\n" % delay)


def shape(rng):
    kind = rng.choice(['TUMBLE', 'HOP', 'CUMULATE', 'SESSION'])
    step = rng.choice([1, 2, 5])
    size = step * rng.choice([1, 2, 3])
    lengths = {'TUMBLE': SECOND % size, 'SESSION': SECOND % step}.get(kind, '%s, %s' % (SECOND % step, SECOND % size))
    return kind, step * 1000, size * 1000, lengths


def window_text(rng, time, texts):
    kind, step, size, lengths = shape(rng)
    source = rng.choice(['TABLE ev', 'TABLE ev', '(SELECT * FROM ev WHERE v IS NOT NULL)', '(SELECT * FROM ev UNION ALL SELECT * FROM ev WHERE v > 5)'])
    partition = ' PARTITION BY k' if kind == 'SESSION' else ''
    if kind == 'SESSION':
        source = 'TABLE ev'
    text = 'SELECT CAST(window_start AS STRING) AS ws, CAST(window_end AS STRING) AS we, k, %s FROM TABLE(%s(%s%s, DESCRIPTOR(%s), %s)) GROUP BY window_start, window_end, k' % (
        texts, kind, source, partition, time, lengths)

    def read(rows):
        if 'IS NOT NULL' in source:
            return [r for r in rows if r[V] is not None]
        # rows of one instant stand in the order of the UNION's parts
        return rows + [(r[ID] + 1000,) + r[1:] for r in rows if r[V] is not None and r[V] > 5] if 'UNION' in source else rows

    def meaning(rows):
        """(start, end, key) -> rows."""
        rows = read(rows)
        if kind == 'SESSION':
            # a session has ended when the clock stands at its end: a row of that instant comes too late for it
            return windows.sessions(rows, step) if time == 'ts' else {(a, b + 1, k): r for (a, b, k), r in windows.sessions(rows, step - 1).items()}
        found = collections.defaultdict(list)
        for row in windows.in_order(rows):
            for start, end in windows.windows_of(kind, row[T], step, size, 0):
                found[(start, end, row[K])].append(row)
        return found
    return kind, text, meaning


def told(found, values):
    return [(windows.clock(start), windows.clock(end), k) + values(rows) for (start, end, k), rows in found.items()]


def make_clock_window(rng, rows):
    texts, values, _ = windows.pick(rng, rng.randint(1, 3))
    kind, text, meaning = window_text(rng, 'pt', texts)

    def stands(fed, now, eager):
        found = meaning(fed)
        return told({w: r for w, r in found.items() if eager or w[1] <= now}, values)
    return text, stands


def make_clock_over(rng, rows):
    by_rows = rng.random() < 0.5
    back = rng.choice([1, 2, 5])
    frame = 'ROWS BETWEEN %d PRECEDING' % back if by_rows else 'RANGE BETWEEN %s PRECEDING' % (SECOND % back)
    over = '(PARTITION BY k ORDER BY %s %s AND CURRENT ROW)' % (rng.choice(['pt', 'PROCTIME()']), frame)
    texts, values, _ = windows.pick(rng, rng.randint(1, 3), over)
    text = 'SELECT id, k, %s FROM ev' % texts

    def stands(fed, now, eager):
        out = []
        for part in windows.grouped(fed, lambda r: r[K]).values():
            for at, row in enumerate(part):
                if row[T] < now or eager:
                    frame = part[max(0, at - back):at + 1] if by_rows else [r for r in part if row[T] - back * 1000 <= r[T] <= row[T]]
                    out.append((row[ID], row[K]) + values(frame))
        return out
    return text, stands


def run_clock(rng):
    """Rows come at clock times; their own times are anywhere."""
    now, rows = START_MS, []
    text, stands = rng.choice([make_clock_window, make_clock_window, make_clock_over])(rng, rows)
    steps = [('clock', now)]
    for number in range(rng.randint(0, 20)):
        if rng.random() < 0.5:
            now += rng.choice([1, 250, 1000, 1000, 3000, 8000])
            steps.append(('clock', now if rng.random() < 0.9 else now - 5000))  # a clock that is put back stands still
            steps.append(('clock', now))
        row = (number, rng.choice(['x', 'y', None]), rng.choice([None] + list(range(10))), now)
        steps.append(('row', 'ev', {'id': number, 'k': row[K], 'v': row[V], 'ts': joins.time_text(START_MS + rng.randint(0, 20) * 1000)}, row))
        if rng.random() < 0.2:
            steps.append(('mark', 'ev', START_MS + 100000))  # event time does not matter
    return table(0) + text + ';', steps, lambda fed, marks, clock, eager: stands(fed, clock, eager)


def run_late(rng):
    """A window is told when the watermark has passed it, and corrected by rows that come later."""
    delay, late = rng.choice([0, 2]), rng.choice([3, 10, 30])
    texts, values, _ = windows.pick(rng, rng.randint(1, 3))
    kind, text, meaning = window_text(rng, 'ts', texts)
    steps, top = [], None
    for number in range(rng.randint(0, 20)):
        low = START_MS if top is None else max(START_MS, top - (delay + late) * 1000 + 250)
        t = rng.randint(low // 250, ((top or START_MS) + 4000) // 250) * 250
        row = (number, rng.choice(['x', 'y', None]), rng.choice([None] + list(range(10))), t)
        steps.append(('row', 'ev', {'id': number, 'k': row[K], 'v': row[V], 'ts': joins.time_text(t)}, row))
        top = t if top is None else max(top, t)
        steps.append(('mark', 'ev', top - delay * 1000))

    def stands(fed, mark, clock, eager):
        if kind == 'SESSION' and mark < 1 << 60:
            return None  # one that was told and grew stands before its new end has passed
        return told({w: r for w, r in meaning(fed).items() if w[1] - 1 <= mark}, values)
    return "SET 'table.exec.emit.allow-lateness' = '%d s';\n" % late + table(delay) + text + ';', steps, stands


def check(one, result, stands):
    if 'crash' in result or result.get('error') or 'rows' not in result:
        return str(result)[:600]
    if result.get('reports'):
        return 'reports %s' % result['reports']
    outs = collections.defaultdict(list)
    for out in result['rows']:
        outs[out['step']].append(out)
    standing, fed, mark, clock = collections.Counter(), [], -1, START_MS
    for number, step in enumerate(one['plan'] + [('end',)]):
        for out in outs.get(number, []):
            standing[tuple(out['row'])] += 1 if out['change'][0] == '+' else -1
            if out['change'] != '+I' and one['once']:
                return 'a final result takes something back'
        if step[0] == 'row':
            fed.append(step[3])
        elif step[0] == 'mark':
            mark = max(mark, step[2])
        elif step[0] == 'clock':
            clock = max(clock, step[1])
        elif step[0] == 'end':
            mark = clock = 1 << 62
        expected = stands(fed, mark, clock, one['eager'])
        if expected is not None and (step[0] == 'end' or not one['at_end']) and +standing != joins.multiset(expected):
            return 'after step %d stands %s, not %s' % (number, sorted((+standing).elements(), key=str), sorted(expected, key=str))
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', default='1')
    parser.add_argument('--cases', type=int, default=400)
    args = parser.parse_args()
    jobs, meanings = [], {}
    for number in range(args.cases):
        for mode in MODES:
            rng = joins.random.Random('times-%s-%d' % (args.seed, number))
            late = rng.random() < 0.5
            sql, steps, stands = (run_late if late else run_clock)(rng)
            if late and mode in ('final-split', 'final-lazy'):
                continue  # a query's result that changes is kept until the end, and not saved
            plan = []
            for step in steps:
                plan.append(step)
                if step[0] in ('row', 'clock') and mode.endswith(('split', 'lazy')):
                    plan.append(('cycle',) if mode.endswith('split') else ('lazy',))
            name = '%d/%s' % (number, mode)
            jobs.append({'id': name, 'sql': sql, 'plan': plan, 'steps': [s[:3] for s in plan], 'eager': mode.startswith('eager'), 'once': not late and mode == 'final',
                         'at_end': late and mode == 'final'})
            meanings[name] = stands
    results, failed = engine.run(jobs), 0
    for one in jobs:
        wrong = check(one, results[one['id']], meanings[one['id']])
        if wrong:
            failed += 1
            if failed <= SHOWN:
                print('%s: %s\n  %s\n  %s' % (one['id'], wrong, one['sql'], [s[3] if s[0] == 'row' else s for s in one['plan']]))
    print('processing time and allowed lateness: %d random queries of seed %s in %d modes, after every step' % (args.cases, args.seed, len(MODES)))
    print('tests: %d passed, %d failed, 0 skipped' % (len(jobs) - failed, failed))
    return failed


if __name__ == '__main__':
    sys.exit(1 if main() else 0)
