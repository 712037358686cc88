#!/usr/bin/env python3
"""What the compiler says of stability, held against the engine: a rule called stable must never take an alert back while rows come in order, and the rows that
it shows for an unstable one must make the engine take one back.

usage: stability.py [--seed N] [--rules N] [--seconds S]

Rules are short, with conditions that give the proof something to do: on the row alone, on what was taken, sums that fall. Each stable rule is run over several
random sequences, told after every row. A withdrawal is shown with rule and rows.
"""
import argparse
import collections
import os
import random
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'conformance'))
import engine    # noqa: E402
import generate  # noqa: E402

BATCH = 100
SEQUENCES = 12


class Rules(generate.Generator):
    """Shorter patterns than the property test's, more conditions on the row alone, few clauses that end the search at once."""

    def __init__(self, seed):
        super().__init__(seed)
        rng = self.rng
        self.all_matches = rng.random() < 0.05
        self.timeouts = self.within is not None and rng.random() < 0.1
        self.anchors = False
        self.unary = rng.random() < 0.6

    def condition(self, name):
        rng, roll = self.rng, self.rng.random()
        value = rng.choice('abcd')
        if roll < 0.6 or self.unary:
            return rng.choice(["tag = '%s'" % value, "tag = '%s' AND v > %d" % (value, rng.randint(-1, 2)), "tag IN ('%s', 'a')" % value, 'v = %d' % rng.randint(0, 3),
                               'v > %d' % rng.randint(-1, 2)])
        other = rng.choice(self.names)
        more = rng.choice(['SUM(v) > %d' % rng.randint(0, 3), 'SUM(%s.v) > %d' % (other, rng.randint(0, 3)), 'COUNT(*) > %d' % rng.randint(1, 3), 'v <> %s.v' % other,
                           'v > LAST(%s.v, 1)' % name, 'v = %s.v' % other, 'v > PREV(v)', 'v > FIRST(v)'])
        return more if roll < 0.8 else "tag = '%s' AND %s" % (value, more)

    def case(self):
        pattern, empty = self.pattern()
        self.used = set(re.findall(r'\b[A-D]\b', pattern))
        self.names = sorted(self.used)
        output = self.rng.choice(['ONE ROW PER MATCH'] * 4 + ['ALL ROWS PER MATCH'])
        if self.timeouts or self.absence or self.all_matches:
            output = 'ONE ROW PER MATCH'
        skip = self.rng.choice(['PAST LAST ROW'] * 4 + ['TO NEXT ROW', 'TO LAST %s', 'TO FIRST %s'])
        skip = skip % self.rng.choice(self.names) if '%' in skip else skip
        defines = {n: self.condition(n) for n in self.names if self.rng.random() < 0.9}
        return {'pattern': pattern, 'empty': empty, 'defines': defines, 'measures': ['ARRAY_AGG(id)'], 'skip': skip, 'all': self.all_matches,
                'output': output + (' WITH TIMEOUT ROWS' if self.timeouts else ''), 'within': self.within}


def rows_of(rng):
    at, found = 0, []
    for number in range(rng.randint(4, 14)):
        at += rng.choice([0, 1, 1, 1, 2])
        found.append([number + 1, 0, None if rng.random() < 0.04 else rng.choice([-3, -1, 0, 1, 1, 2, 3, 4]), rng.choice('abcd'), at])
    return found


def job(number, case, name, rows):
    """Every other sequence is told without a watermark between its rows, so that event time passes deadlines before the watermark does."""
    names = [n for n, _ in generate.SCHEMA]
    rng = random.Random('marks %s %s' % (number, name))
    steps = []
    for i, row in enumerate(rows):
        steps.append(('row', 'ev', dict(zip(names, generate.full_row(row)))))
        if name.isdigit() and int(name) % 2 and i + 1 < len(rows) and rng.random() < 0.4:
            steps.append(('mark', 'ev', generate.BASE_MS + rng.choice([r[4] for r in rows[max(0, i - 2):i + 2]]) * 1000 - 1))
    return {'id': '%s#%s' % (number, name), 'sql': generate.ddl(0) + "CREATE RULE r WITH ('severity' = 'low', 'title' = 'r') AS " + generate.rule_text(case) + ';\n',
            'steps': steps}


def witness_rows(text):
    """The rows that `row 1: tag = 'a', v = 3; row 2: ...` speaks of."""
    found = []
    for number, values in re.findall(r"row (\d+): ([^;]*?)(?:;|\. The match)", text):
        row = [int(number), 0, None, None, int(number) * 0]
        for column, value in re.findall(r"(\w+) = ('(?:[^']*)'|[^,]+)", values):
            at = {'id': 0, 'key': 1, 'v': 2, 'tag': 3}[column]
            value = value.strip()
            row[at] = None if value == 'NULL' else value.strip("'") if at == 3 else int(value)
        found.append(row)
    return found


def withdrawn(result):
    return [e for e in result['rows'] if e['change'] == '-D']


def show(what, case, rows, detail):
    print('FAILED %s: %s\n%s;' % (what, detail, generate.rule_text(case)))
    for row in rows:
        print('  %s' % row)


def judge_batch(cases, tally, args):
    jobs, known = [], {}
    for number, case in cases.items():
        rng = random.Random('rows %s' % number)
        for k in range(SEQUENCES):
            rows = rows_of(rng)
            known['%s#%d' % (number, k)] = rows
            jobs.append(job(number, case, str(k), rows))
    results = engine.run(jobs, seconds=30)
    again = []
    for number, case in cases.items():
        first = results['%s#0' % number]
        if 'crash' in first or not first.get('stability'):
            tally['refused'] += 1
            continue
        verdict, why = first['stability'][0]
        tally[verdict] += 1
        tally['why', verdict, why if verdict != 'unstable' else ''] += 1
        back = [k for k in range(SEQUENCES) if withdrawn(results['%s#%d' % (number, k)])]
        if verdict == 'stable' and back:
            tally['failed'] += 1
            if tally['failed'] <= 5:
                rows = min((known['%s#%d' % (number, k)] for k in back), key=len)
                show(number, case, rows, 'called stable (%s), but an alert was withdrawn' % why)
        elif verdict == 'stable':
            tally['passed'] += 1
        elif verdict == 'unstable':
            rows = witness_rows(why)
            known['%s#w' % number] = (rows, why)
            again.append(job(number, case, 'w', rows))
        tally['not proved, withdrew' if verdict == 'not proved' and back else 'other'] += 1
    results = engine.run(again, seconds=30)
    for one in again:
        number = one['id'].split('#')[0]
        rows, why = known[one['id']]
        result = results[one['id']]
        if 'crash' not in result and withdrawn(result):
            tally['passed'] += 1
            continue
        tally['failed'] += 1
        if tally['failed'] <= 5:
            show(number, cases[number], rows, 'called unstable, but its witness does not make the engine withdraw: %s' % why)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', default='1')
    parser.add_argument('--rules', type=int, default=100000)
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('-v', action='store_true')
    args = parser.parse_args()
    seed = time.strftime('%Y%m%d') if args.seed == 'day' else args.seed
    end, at, tally = time.monotonic() + args.seconds, 0, collections.Counter()
    while at < args.rules and time.monotonic() < end:
        cases = {}
        for i in range(BATCH):
            number = '%s-%d' % (seed, at + i)
            case = Rules('stability ' + number).case()
            if not case['empty']:
                cases[number] = case
        judge_batch(cases, tally, args)
        at += BATCH
    print('%d rules: %d stable, %d unstable with a witness, %d not proved (%d of these withdrew on random rows), %d refused' % (
        at, tally['stable'], tally['unstable'], tally['not proved'], tally['not proved, withdrew'], tally['refused']))
    if args.v:
        for key, count in sorted(((k, v) for k, v in tally.items() if isinstance(k, tuple)), key=lambda kv: -kv[1]):
            print('%6d  %s: %s' % (count, key[1], key[2]))
    print('tests: %d passed, %d failed, 0 skipped' % (tally['passed'], tally['failed']))
    return 1 if tally['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
