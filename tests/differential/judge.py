#!/usr/bin/env python3
"""Holds our answers against another engine's over random rules (rules.py). See README.md; run.sh calls the three in a row.

usage: judge.py ask trino|flink|cep|neighbours --seed S[,S...] --pairs N --out FILE    pairs of each seed, with the text for the engine
       judge.py keep trino|flink|cep|neighbours --asked FILE --answers FILE --out FILE pairs with the engine's rows; counts those that it refused
       judge.py judge FILE...  [--show ID] [--all]                      runs our engine on kept pairs (.jsonl or .jsonl.zst) and compares

Ours runs each pair in several modes: plain (watermark at the end only), marked (after every row, where there is time), split (saved and restored after
every row), eager (what stands at the end), unoptimised.
"""
import argparse
import collections
import datetime
import itertools
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'conformance'))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'oracle'))
import api          # noqa: E402
import engine       # noqa: E402
import neighbours   # noqa: E402
import pattern_api  # noqa: E402
import rules        # noqa: E402
import run as conformance  # noqa: E402

TRINO_TYPES = {'INT': 'integer', 'BIGINT': 'bigint', 'STRING': 'varchar', 'DOUBLE': 'double', 'BOOLEAN': 'boolean'}
SKIP_ERRORS = re.compile(r'AFTER MATCH SKIP failed', re.IGNORECASE)
SHOWN = 10
MODES = ('plain', 'marked', 'split', 'eager', 'unoptimised')
API_MODES = ('plain', 'split', 'eager')


# ---- asking the engine ----
def trino_text(pair):
    """The rule over its rows as VALUES: a query that needs no table."""
    columns = ', '.join('CAST(%s AS %s) AS %s' % (n, TRINO_TYPES[t], n) for n, t in pair['schema'])
    if not pair['rows']:
        return 'WITH ev AS (SELECT * FROM (SELECT %s) WHERE false)\n%s' % (', '.join('CAST(NULL AS %s) AS %s' % (TRINO_TYPES[t], n) for n, t in pair['schema']), pair['rule'])
    rows = ', '.join('(%s)' % ', '.join('NULL' if v is None else rules.literal(v) for v in row) for row in pair['rows'])
    return 'WITH ev AS (SELECT %s FROM (VALUES %s) AS t (%s))\n%s' % (columns, rows, ', '.join(n for n, _ in pair['schema']), pair['rule'])


def ask(args):
    kind = 'iso' if args.engine == 'trino' else 'chain'
    with open(args.out, 'w', encoding='utf-8') as out:
        if args.engine == 'neighbours':
            for pair in neighbours.pairs():
                out.write(json.dumps(dict(pair, sql=trino_text(pair))) + '\n')
            return
        for seed, number in itertools.product(args.seed.split(','), range(args.pairs)):
            name = '%s.%d' % (seed, number)
            pair = api.case(name) if args.engine == 'cep' else rules.pair(kind, name)
            if pair is None:
                continue
            if args.engine == 'trino':
                pair['sql'] = trino_text(pair)
            out.write(json.dumps(pair) + '\n')


# ---- keeping what it answered ----
def keep(args):
    with open(args.answers, encoding='utf-8') as file:
        answers = {a['id']: a for a in map(json.loads, file)}
    counts, reasons = collections.Counter(), collections.Counter()
    with open(args.asked, encoding='utf-8') as file, open(args.out, 'w', encoding='utf-8') as out:
        for pair in map(json.loads, file):
            pair.pop('sql', None)
            answer = answers.get(pair['id'])
            if answer is None:
                counts['unanswered'] += 1
                continue
            if 'matches' in answer:
                answer['rows'] = answer['matches']
                if 'expect_timeouts' in pair:
                    pair['expect_timeouts'] = answer['timeouts']
            if 'error' in answer:
                if not SKIP_ERRORS.search(answer['error']):
                    counts['refused'] += 1
                    reasons[re.sub(r"\d+|'[^']*'|\b[A-EU]\b", '#', answer['error'].split('\n')[0])[:150]] += 1
                    continue
                counts['stopped at a skip target'] += 1
                pair['error'] = 'skip'
            else:
                counts['answered' if answer['rows'] else 'answered without rows'] += 1
                pair['expect'] = answer['rows']
            out.write(json.dumps(pair, separators=(',', ':')) + '\n')
    print('%s: %s' % (args.engine, ', '.join('%d %s' % (n, what) for what, n in counts.most_common())))
    for reason, n in reasons.most_common(20):
        print('  %5d refused: %s' % (n, reason))


# ---- our engine ----
def normal(value):
    """Values that are equal compare equal: numbers by value, times by instant."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return float('%.12g' % value)
    if isinstance(value, list):
        return [normal(v) for v in value]
    if re.match(r'\d{4}-\d\d-\d\d[T ]', value):
        return 'time %d' % milliseconds(value)
    return value


def normal_rows(rows):
    return sorted((normal(row) for row in rows), key=json.dumps)


def milliseconds(text):
    return round((datetime.datetime.fromisoformat(text.replace('Z', '').replace(' ', 'T')) - datetime.datetime(1970, 1, 1)).total_seconds() * 1000)


def steps(pair, mode):
    out, greatest, delay = [], None, pair.get('delay_s')
    for row in engine.objects(pair['schema'], pair['rows']):
        out.append(('row', 'ev', row))
        if mode == 'split':
            out.append(('cycle',))
        if mode == 'marked' and delay is not None:
            greatest = max(greatest or 0, milliseconds(row['ts']))
            out.append(('mark', 'ev', greatest - delay * 1000))
    return out


class ApiPair(conformance.ApiCase):
    """A pattern of the Pattern API: judged as the conformance cases of that kind are."""

    distinct = True  # Flink tells a match once for each way of its automaton, a time-out for each of its states

    def trouble(self, results):
        found = self.judge(results)
        return found and ('rows', found)


class Pair:
    def __init__(self, pair, mode):
        self.pair, self.mode = pair, mode

    def jobs(self):
        return [job(self.pair, self.mode)]

    def trouble(self, results):
        return trouble(self.pair, results['%s#%s' % (self.pair['id'], self.mode)], self.mode)


def job(pair, mode):
    delay = pair.get('delay_s')
    ddl = engine.table('ev', pair['schema'], None if delay is None else 'ts', (delay or 0) * 1000)
    return {'id': '%s#%s' % (pair['id'], mode), 'sql': ddl + pair['rule'] + ';\n', 'steps': steps(pair, mode), 'eager': mode == 'eager', 'unoptimised': mode == 'unoptimised'}


def trouble(pair, result, mode):
    """None, or (kind, text)."""
    if 'crash' in result:
        return 'crash', result['crash']
    if result['error']:
        return 'refused', json.dumps([(d['code'], d['line'], d['column'], d['message']) for d in result['diags'] if d['severity'] == 'error'])
    stopped = [r for r in result['reports'] if r[1] == 'error']
    if pair.get('error') == 'skip':
        return None if stopped else ('no skip error', json.dumps([e['row'] for e in result['rows']])[:600])
    if stopped:
        return 'error', json.dumps(result['reports'])
    expect, got = normal_rows(pair['expect']), normal_rows(engine.standing(result) if mode == 'eager' else engine.inserted(result))
    if expect == got:
        return None
    return 'rows', 'expected %s\n     got %s' % (json.dumps(expect), json.dumps(got))


def load(path):
    if path.endswith('.zst'):
        text = subprocess.run(['zstd', '-dcq', path], check=True, stdout=subprocess.PIPE).stdout.decode()
    else:
        with open(path, encoding='utf-8') as file:
            text = file.read()
    return [json.loads(line) for line in text.splitlines()]


def judge(args):
    passed, kinds, shown = 0, collections.Counter(), 0
    for path in args.files:
        pairs = [p for p in load(path) if not args.show or p['id'] == args.show]
        runs, beyond = [], collections.Counter()
        for pair in pairs:
            if 'pattern_api' not in pair:
                runs += [(pair, mode, Pair(pair, mode)) for mode in MODES if mode != 'marked' or 'delay_s' in pair]
                continue
            try:
                runs += [(pair, mode, ApiPair(pair, mode)) for mode in API_MODES]
            except pattern_api.NotClaimed as why:
                beyond[str(why)] += 1
        for why, count in beyond.most_common():
            print('not written in our language: %d, %s' % (count, why))
        results = engine.run([one for _, _, run in runs for one in run.jobs()])
        for pair, mode, run in runs:
            found = run.trouble(results)
            if found is None:
                passed += 1
                continue
            kinds[found[0], mode] += 1
            if args.all or shown < SHOWN:
                shown += 1
                print('%s: %s, %s (%s)\n%s\nrows %s\n     %s\n' % (os.path.basename(path), pair['id'], mode, found[0], pair.get('rule') or json.dumps(pair['pattern_api']), json.dumps(pair['rows']), found[1]))
    if kinds:
        print(', '.join('%d %s in %s' % (n, *what) for what, n in kinds.most_common()))
    failed = sum(kinds.values())
    print('tests: %d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    one = commands.add_parser('ask')
    one.add_argument('engine', choices=['trino', 'flink', 'cep', 'neighbours'])
    one.add_argument('--seed', default='1')
    one.add_argument('--pairs', type=int, default=2500)
    one.add_argument('--out', required=True)
    one = commands.add_parser('keep')
    one.add_argument('engine', choices=['trino', 'flink', 'cep', 'neighbours'])
    for name in ('--asked', '--answers', '--out'):
        one.add_argument(name, required=True)
    one = commands.add_parser('judge')
    one.add_argument('files', nargs='+')
    one.add_argument('--show')
    one.add_argument('--all', action='store_true')
    args = parser.parse_args()
    return {'ask': ask, 'keep': keep, 'judge': judge}[args.command](args)


if __name__ == '__main__':
    sys.exit(main())
