#!/usr/bin/env python3
"""Random rules over random rows: the engine must give what the naive matcher gives, however it is run.

usage: property.py [--seed N] [--cases N] [--seconds S] [--replay FILE] [--keep FOLDER]

For each case: plain and unoptimised over rows in order; with a watermark and save-and-restore after every row; eager (what stands at the end), also restored; and, over rows
in disorder within the bound, final and eager with the same identities, also where a key with two unsettled rows runs as final, and where keys leave
memory as soon as they are stored, and where many rows are gone through key by key; as a rule with alerts, whose revisions must rise. Two thirds of them find threads that wait for a value by it from the
first one on, half of those in keys that never take the lean form. A failing case is cut down and written to a file that
--replay runs again.
"""
import argparse
import collections
import copy
import glob
import json
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'conformance'))
import engine    # noqa: E402
import generate  # noqa: E402
import oracle    # noqa: E402
import run       # noqa: E402

BATCH = 150
VARIANTS = ('plain', 'unoptimised', 'marked-split', 'eager', 'eager-lazy', 'disorder', 'disorder-eager', 'disorder-eager-tail', 'disorder-evict', 'disorder-eager-evict',
            'disorder-eager-history', 'rule', 'rule-history', 'columns')


def comes_late(variant):
    return variant.startswith('disorder') or variant in ('rule', 'rule-history', 'columns')


def arrival(case, variant):
    """Rows in the order in which they come. Disorder: each row is late by at most 3 s."""
    rows = case['rows']
    if not comes_late(variant):
        return rows
    rng = random.Random('arrival ' + case['seed'])
    return sorted(rows, key=lambda r: (r[4] + rng.choice([0, 0, 0, 1, 2, 3]), rng.random()))


def steps(case, variant):
    rows = arrival(case, variant)
    rng = random.Random('steps %s %s' % (case['seed'], variant))
    out = []
    names = [n for n, _ in generate.SCHEMA]
    for i, row in enumerate(rows):
        out.append(('row', 'ev', dict(zip(names, generate.full_row(row)))))
        rest = [r[4] for r in rows[i + 1:]]
        mark = ('mark', 'ev', generate.BASE_MS + min(rest) * 1000 - 1) if rest else None
        if variant == 'marked-split':
            out += [mark] if mark else []
            out.append(('cycle',))
        elif variant in ('eager', 'eager-lazy'):
            out += [mark] if mark and rng.random() < 0.6 else []
            if variant == 'eager-lazy':
                out.append(('lazy',) if rng.random() < 0.5 else ('cycle',))
        elif variant.startswith('disorder') or variant.startswith('rule'):
            out += [mark] if mark and rng.random() < 0.5 else []
            if variant.endswith('evict'):
                out.append(('evict',))
            elif rng.random() < 0.25:
                out.append(('cycle',) if rng.random() < 0.5 else ('lazy',))
    return out


def variants(case):
    whole = not case['absence'] and not case['timeouts'] and not any('ROWTIME' in m for m in case['measures'])
    return [v for v in VARIANTS if (not v.startswith('rule') or not case['empty']) and (v != 'columns' or whole)]


def as_asked(case, variant):
    """Columns are for tables without event time, where nothing is said about time."""
    return dict(case, within=None) if variant == 'columns' else case


def job(case, variant):
    text = generate.rule_text(as_asked(case, variant))
    if variant.startswith('rule'):
        text = "CREATE RULE r WITH ('severity' = 'low', 'title' = 'r') AS " + text
    forced = random.Random('forced %s %s' % (case['seed'], variant)).choice([0, 1, 2]) if variant != 'columns' and not variant.endswith('history') else 0
    return {'id': '%s#%s' % (case['seed'], variant), 'sql': generate.ddl(None if variant == 'columns' else 3000) + text + ';\n', 'steps': steps(case, variant),
            'eager': variant.startswith('eager') or variant.startswith('disorder-eager'), 'unoptimised': variant == 'unoptimised',
            'short-tail': variant.endswith('tail'), 'columns': variant == 'columns', 'history': variant.endswith('history'),
            'by-value': forced > 0, 'full': forced > 1}


def expected(case, variant):
    rows = [generate.full_row(r) for r in arrival(case, variant)]
    try:
        return oracle.run(generate.rule_text(as_asked(case, variant)), generate.SCHEMA, rows)
    except oracle.SkipError as error:
        return error.rows


def normal(rows, case):
    times = [0] + [0] * len(case['measures'])
    columns = [['key', 'INT']] + [['m%d' % i, 'TIMESTAMP(3)' if m.startswith('MATCH_ROWTIME') else 'X'] for i, m in enumerate(case['measures'])]
    if not case['output'].startswith('ONE'):
        columns = [['key', 'INT'], ['ts', 'TIMESTAMP(3)']] + columns[1:]
    del times
    return run.normal_rows(rows, columns, False)


def revisions_rise(result):
    """Alerts: revisions count 1, 2, 3 ... for each identity; creation comes first or behind a withdrawal."""
    seen, alive = {}, {}
    for event in result['rows']:
        key = event['sink'], event['ident']
        if event['change'] in ('settled', '-U'):
            continue
        if event['rev'] <= seen.get(key, 0):
            return 'revision %d of %s comes behind %d' % (event['rev'], event['ident'], seen[key])
        if (event['change'] == '+I') == alive.get(key, False):
            return 'change %s of %s, which %s' % (event['change'], event['ident'], 'stands' if alive.get(key) else 'does not stand')
        seen[key], alive[key] = event['rev'], event['change'] != '-D'
    return None


def judge(case, results):
    """(variant, trouble) or None. Raises what the naive matcher raises."""
    identities = {}
    expectations = {}
    for variant in variants(case):
        result = results.get('%s#%s' % (case['seed'], variant))
        trouble = 'no answer' if result is None else run.trouble_of(result)
        if trouble:
            return variant, trouble
        eager = job_is_eager(variant)
        got = engine.standing(result) if eager else engine.inserted(result)
        order = variant if variant == 'columns' else 'late' if comes_late(variant) else 'plain'
        if order not in expectations:
            expectations[order] = normal(expected(case, variant), case)
        wanted, got = expectations[order], normal(got, case)
        if got != wanted:
            a, b = collections.Counter(map(json.dumps, wanted)), collections.Counter(map(json.dumps, got))
            return variant, 'missing %s\n  surplus %s' % (run.brief(sorted((a - b).elements())), run.brief(sorted((b - a).elements())))
        if not eager and any(e['change'] not in ('+I', 'settled') for e in result['rows']):
            return variant, 'final output was taken back'
        if variant.startswith('rule'):
            trouble = revisions_rise(result)
            if trouble:
                return variant, trouble
        elif variant.startswith('disorder'):
            identities[variant] = sorted(standing_identities(result))
    if len(set(map(str, identities.values()))) > 1:
        return 'disorder-eager', 'identities differ between eager and final'
    return None


def standing_identities(result):
    alive = set()
    for event in result['rows']:
        if event['change'] in ('+I', '+U'):
            alive.add(event['ident'])
        elif event['change'] == '-D':
            alive.discard(event['ident'])
    return alive


def job_is_eager(variant):
    return variant.startswith('eager') or variant.startswith('disorder-eager') or variant.startswith('rule')


def check(case):
    """Runs one case alone: its trouble or None."""
    return judge(case, engine.run([job(case, v) for v in variants(case)], workers=1, seconds=30))


def cut_down(case, deadline):
    """Takes rows, conditions and measures away while the case still fails."""
    changed = True
    while changed and time.monotonic() < deadline:
        changed = False
        smaller = []
        for i in range(len(case['rows'])):
            smaller.append(dict(case, rows=case['rows'][:i] + case['rows'][i + 1:]))
        for name in case['defines']:
            smaller.append(dict(case, defines={k: v for k, v in case['defines'].items() if k != name}))
        for i in range(len(case['measures'])):
            if len(case['measures']) > 1:
                smaller.append(dict(case, measures=case['measures'][:i] + case['measures'][i + 1:]))
        for one in smaller:
            if time.monotonic() > deadline:
                break
            try:
                if one['rows'] and check(copy.deepcopy(one)):
                    case, changed = one, True
                    break
            except (oracle.text.Unsupported, oracle.matcher.TooMany):
                pass
    return case


def report(case, variant, trouble, keep):
    os.makedirs(keep, exist_ok=True)
    path = os.path.join(keep, 'property-%s.json' % case['seed'].replace(' ', '-'))
    with open(path, 'w') as file:
        json.dump(case, file, indent=1)
    print('FAILED seed %s [%s]: %s\n%s;' % (case['seed'], variant, trouble, generate.rule_text(case)))
    for row in arrival(case, variant):
        print('  %s' % row)
    print('replay: tests/oracle/property.py --replay %s' % path)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.refused = self.too_many = 0
        self.codes = collections.Counter()


def run_cases(cases, tally, args):
    jobs = [job(c, v) for c in cases for v in variants(c)]
    results = engine.run(jobs, seconds=30)  # a hang; not so short that a busy machine takes so long for what it does in milliseconds
    for case in cases:
        first = results.get('%s#plain' % case['seed'], {})
        errors = [d['code'] for d in first.get('diags', []) if d['severity'] == 'error']
        if first.get('error') == 'SYNTAX' and errors:
            tally.refused += 1  # the generator wrote what the language refuses; counted, and bounded below
            tally.codes[errors[0]] += 1
            continue
        if 'rule' in variants(case) and results.get('%s#rule' % case['seed'], {}).get('error') == 'SYNTAX':
            case['empty'] = True  # not allowed as a rule; judged as a query
        try:
            found = judge(case, results)
        except ZeroDivisionError:
            continue
        except oracle.matcher.TooMany:
            tally.too_many += 1  # backtracking takes too long; counted, and bounded below
            continue
        if not found:
            tally.passed += 1
            continue
        tally.failed += 1
        if tally.failed <= args.show:
            small = cut_down(copy.deepcopy(case), time.monotonic() + args.cut)
            again = check(copy.deepcopy(small)) or found
            report(small, again[0], again[1], args.keep)


def replay_finds(keep):
    passed = failed = 0
    for path in sorted(glob.glob(os.path.join(HERE, 'finds', '*.json'))):
        with open(path) as file:
            case = json.load(file)
        found = check(case)
        if found:
            print('tests/oracle/finds/%s' % os.path.basename(path))
            report(case, found[0], found[1], keep)
        passed, failed = passed + (not found), failed + bool(found)
    print('tests: %d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', default='1', help='any text; "day" takes the date, so that runs differ')
    parser.add_argument('--cases', type=int, default=100000)
    parser.add_argument('--seconds', type=float, default=75)
    parser.add_argument('--show', type=int, default=5)
    parser.add_argument('--cut', type=float, default=8, help='seconds for cutting one failing case down')
    parser.add_argument('--replay')
    parser.add_argument('--finds', action='store_true', help='the cases that once failed, kept in finds/, instead of random ones')
    parser.add_argument('--keep', default=os.path.join(os.path.dirname(os.path.dirname(HERE)), 'build', 'property'))
    args = parser.parse_args()
    if args.replay:
        with open(args.replay) as file:
            case = json.load(file)
        found = check(case)
        if found:
            report(case, found[0], found[1], args.keep)
        print('tests: %d passed, %d failed, 0 skipped' % (0 if found else 1, 1 if found else 0))
        return 1 if found else 0
    if args.finds:
        return replay_finds(args.keep)
    seed = time.strftime('%Y%m%d') if args.seed == 'day' else args.seed
    print('seeds from "%s 0" on' % seed)
    end, at, tally = time.monotonic() + args.seconds, 0, Tally()
    while at < args.cases and time.monotonic() < end:
        count = min(BATCH, args.cases - at)
        run_cases([generate.generate('%s %d' % (seed, at + i)) for i in range(count)], tally, args)
        at += count
    print('%d cases, each in up to %d ways; %d of them refused by the compiler %s' % (at, len(VARIANTS), tally.refused, dict(tally.codes)))
    if tally.too_many:
        print('%d of them have more ways than the naive matcher can go through' % tally.too_many)
    if tally.refused * 4 > at or tally.too_many * 200 > at + 400:
        print('too many were refused or too long: the generator and the language have parted')
        tally.failed += 1
    print('tests: %d passed, %d failed, 0 skipped' % (tally.passed, tally.failed))
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main())
