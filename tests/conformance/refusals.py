"""Texts that the standard, or our additions, forbid: each must be refused with its code, at its place (refusals.json, our own). Called by run.py."""
import json
import os

import engine

TABLES = '''CREATE TABLE t (id INT, k INT, v INT, tag STRING, d DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector'='filesystem','path'='x','format'='json');
CREATE TABLE o (a INT, b INT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector'='filesystem','path'='o','format'='json');
'''


def trouble_of(case, result):
    if 'crash' in result:
        return result['crash']
    errors = [d for d in result.get('diags', []) if d['severity'] == 'error']
    if not errors:
        return 'was accepted'
    first = errors[0]
    at = case['rule'][first.get('column', 1) - 1:first.get('end_column', 1) - 1] if first.get('line') == 3 else None
    if first['code'] != case['code']:
        return 'was refused as %s, not %s: %s' % (first['code'], case['code'], first['message'])
    if at != case['at']:
        return 'the place is %r, not %r' % (at, case['at'])
    return None


def run():
    """[(rule, trouble or None)]"""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'refusals.json')) as file:
        cases = json.load(file)
    results = engine.run([{'id': str(i), 'sql': TABLES + c['rule'] + ';\n', 'steps': []} for i, c in enumerate(cases)])
    return [(c['rule'], trouble_of(c, results.get(str(i), {'crash': 'no answer'}))) for i, c in enumerate(cases)]
