#!/usr/bin/env python3
"""Holds our answers against the stored ones of real engines (data/*.jsonl.xz, made by make.py).

usage: compare.py [--engine trino|flink] [--limit N]

Each rule is run with the watermark at the end, with save and restore after every row, and eager (what stands at the end). Where the engine is known to depart from the
standard (departure() says how), our rows must be those of the naive matcher.
"""
import argparse
import collections
import json
import lzma
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ('oracle', 'conformance'):
    sys.path.insert(0, os.path.join(ROOT, 'tests', folder))
import engine    # noqa: E402
import generate  # noqa: E402
import matcher   # noqa: E402
import oracle    # noqa: E402
import run       # noqa: E402
import text      # noqa: E402

TIME = re.compile(r'\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?$')
MODES = ('plain', 'marked-split', 'eager')


def normal(value):
    if isinstance(value, str) and TIME.match(value):
        return float(oracle.milliseconds(value))
    if isinstance(value, list):
        return [normal(v) for v in value]
    return run.normal(value)


def load(name):
    with lzma.open(os.path.join(os.environ.get('DIFFERENTIAL_DATA', os.path.join(HERE, 'data')), name + '.jsonl.xz'), 'rt') as file:
        return [json.loads(line) for line in file]


def job(name, number, pair, mode):
    rows = [generate.full_row(r) for r in pair['rows']]
    return run.job('%s-%d' % (name, number), generate.ddl() + pair['rule'] + ';\n', 'ev', generate.SCHEMA, rows, 'ts', mode)


def judge(pair, result, mode):
    trouble = run.trouble_of(result)
    if trouble:
        return trouble
    a = collections.Counter(json.dumps(normal(r)) for r in pair['expect'])
    b = collections.Counter(json.dumps(normal(r)) for r in run.answer(result, mode))
    if a == b:
        return None
    return 'missing %s\n  surplus %s' % (run.brief(sorted((a - b).elements())), run.brief(sorted((b - a).elements())))


# ---- where an engine departs from the standard ----
def loops_over_nothing(node):
    """Is there a loop whose body can match without a row?"""
    kind = node[0]
    if kind == 'loop':
        return matcher.nullable(node[1]) or loops_over_nothing(node[1])
    if kind in ('seq', 'alt', 'permute'):
        return any(loops_over_nothing(n) for n in node[1])
    return kind in ('exclude', 'relax') and loops_over_nothing(node[1])


def departure(name, number, pair):
    """Why the engine's answer to this pair is not the standard's, or None."""
    rule = text.read(pair['rule'])
    if name != 'trino':
        return None
    if rule['rows'] != 'one' and 'FIRST(' in pair['rule'].split('DEFINE')[0]:
        return 'RUNNING FIRST sees rows behind the current one'
    if loops_over_nothing(rule['pattern']):
        return "an iteration without rows does not end a loop (Perl's rule)"
    if 'PREV(CLASSIFIER())' in pair['rule']:
        return 'threads are merged although a condition reads PREV(CLASSIFIER())'
    return None


def naive(pair):
    try:
        return oracle.run(pair['rule'], generate.SCHEMA, [generate.full_row(r) for r in pair['rows']])
    except oracle.SkipError as error:
        return error.rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--engine', default='trino,flink')
    parser.add_argument('--limit', type=int, default=5, help='failures that are printed')
    parser.add_argument('--modes', default=','.join(MODES))
    args = parser.parse_args()
    passed = failed = 0
    for name in args.engine.split(','):
        pairs = load(name)
        data = sum(len({r[1] for r in p['rows']}) for p in pairs) if name == 'flink' else len(pairs)
        print('%s: %d pairs of rule and data, %d rows' % (name, data, sum(len(p['expect']) for p in pairs)))
        for mode in args.modes.split(','):
            results = engine.run([job(name, i, p, mode) for i, p in enumerate(pairs)])
            bad, departures = 0, collections.Counter()
            for i, pair in enumerate(pairs):
                trouble = judge(pair, results['%s-%d#%s' % (name, i, mode)], mode)
                why = departure(name, i, pair) if trouble else None
                if why and not judge(dict(pair, expect=naive(pair)), results['%s-%d#%s' % (name, i, mode)], mode):
                    departures[why] += 1
                    trouble = None
                if not trouble:
                    passed += 1
                    continue
                bad += 1
                if bad <= args.limit:
                    print('FAILED %s pair %d [%s]: %s\n%s' % (name, i, mode, trouble, pair['rule']))
                    for row in pair['rows'][:30]:
                        print('  %s' % row)
            failed += bad
            print('  %s: %d differ' % (mode, bad))
            for why, count in sorted(departures.items()):
                print('    in %d the engine departs from the standard, and ours is that of the naive matcher: %s' % (count, why))
    print('tests: %d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
