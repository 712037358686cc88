#!/usr/bin/env python3
"""The worked cases of docs/windows.md: their text as it stands there, run over the rows below, and held against the rows that Flink SQL gave. See README.md.

usage: worked.py ask | keep ASKED ANSWERS | judge FILE
"""
import argparse
import collections
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'conformance'))
import engine  # noqa: E402

PAGE = os.path.join(os.path.dirname(os.path.dirname(HERE)), 'docs', 'windows.md')
# Table of INSERT: columns as text that both write alike.
CASES = {
    'click_counts': ('clicks', ['ad_id', 'CAST(window_start AS STRING)', 'click_count']),
    'sales_totals': ('sales', ['category', 'CAST(window_start AS STRING)', 'CAST(window_end AS STRING)', 'total']),
    'hourly': ('sales', ['CAST(window_end AS STRING)', 'total']),
    'averages': ('sales', ['id', 'category', 'moving_average']),
    'totals': ('clicks', ['ad_id', 'clicks', 'users']),
}
SCHEMAS = {'clicks': [('ad_id', 'STRING'), ('user_id', 'STRING'), ('ts', 'TIMESTAMP(3)')],
           'sales': [('id', 'INT'), ('category', 'STRING'), ('amount', 'DECIMAL(12, 2)'), ('ts', 'TIMESTAMP(3)')]}


def stamp(seconds):
    return '2026-03-01T%02d:%02d:%02d.000' % (8 + seconds // 3600, seconds // 60 % 60, seconds % 60)


def clicks():
    """Four ads over ten minutes, some clicks a few seconds out of order."""
    out = []
    for n in range(120):
        at = n * 5 + (-4 if n % 7 == 3 else 0)
        out.append(['ad-%d' % (n * n % 4 + n % 2), 'user-%d' % (n * 3 % 11), stamp(at + 10)])
    return out


def sales():
    """Three categories over three hours, with gaps; amounts that make averages of many digits."""
    out, at = [], 0
    for n in range(90):
        at += (37 + n * n * 13) % 240
        out.append([n, ['books', 'games', 'tools'][(n * 5 + n // 7) % 3], ((n * n * 7 + 11) % 9700 + 1) / 100, stamp(at - (3 if n % 5 == 2 else 0))])
    return out


ROWS = {'clicks': clicks(), 'sales': sales()}


def texts():
    """Table of INSERT -> the whole block of the page."""
    with open(PAGE, encoding='utf-8') as file:
        blocks = re.findall(r'```sql\n(.*?)```', file.read(), re.S)
    return {m.group(1): b for b in blocks for m in [re.search(r'INSERT INTO (\w+)', b)] if m}


def query_of(block):
    return re.search(r'INSERT INTO \w+\s+(SELECT.*);', block, re.S).group(1)


def ask(_):
    for name, (table, columns) in CASES.items():
        sql = 'SELECT %s FROM (%s) AS q' % (', '.join('%s AS c%d' % (c, n) for n, c in enumerate(columns)), query_of(texts()[name]))
        print(json.dumps({'id': name, 'tables': [{'name': table, 'schema': SCHEMAS[table], 'delay_s': 5, 'rows': ROWS[table]}], 'sql': sql}))
    return 0


def keep(args):
    with open(args.files[1], encoding='utf-8') as file:
        for answer in map(json.loads, file):
            if 'error' in answer:
                raise SystemExit('%s: %s' % (answer['id'], answer['error']))
            print(json.dumps({'id': answer['id'], 'expect': answer['rows']}, separators=(',', ':')))
    return 0


def normal(row):
    return tuple(v.replace('T', ' ') if isinstance(v, str) else v for v in row)


def standing(result):
    """What the changes come to."""
    found = collections.Counter()
    for out in result['rows']:
        if out['change'] != 'settled':
            found[normal(out['row'])] += -1 if out['change'] in ('-U', '-D') else 1
    return +found


def judge(args):
    with open(args.files[0], encoding='utf-8') as file:
        expected = {k['id']: collections.Counter(map(normal, k['expect'])) for k in map(json.loads, file)}
    jobs, failed = [], 0
    for name, (table, _) in CASES.items():
        steps = [('row', table, dict(zip([n for n, _ in SCHEMAS[table]], row))) for row in ROWS[table]]
        split = [s for step in steps for s in (step, ('cycle',))]
        jobs += [{'id': name + '/plain', 'sql': texts()[name], 'steps': steps}, {'id': name + '/split', 'sql': texts()[name], 'steps': split}]
    results = engine.run(jobs)
    for job in jobs:
        result, expect = results[job['id']], expected[job['id'].split('/')[0]]
        if 'crash' in result or result['error'] or result['reports'] or standing(result) != expect:
            failed += 1
            print('%s: %s\n  not %s' % (job['id'], result.get('crash') or result['error'] or result['reports'] or sorted(standing(result).elements(), key=str),
                                      sorted(expect.elements(), key=str)))
    print('worked cases: %d of docs/windows.md with the rows of Flink SQL, plain and saved after every row' % len(CASES))
    print('tests: %d passed, %d failed, 0 skipped' % (len(jobs) - failed, failed))
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('what', choices=['ask', 'keep', 'judge'])
    parser.add_argument('files', nargs='*')
    args = parser.parse_args()
    sys.exit(1 if {'ask': ask, 'keep': keep, 'judge': judge}[args.what](args) else 0)


if __name__ == '__main__':
    main()
