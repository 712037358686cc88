#!/usr/bin/env python3
"""Runs the conformance cases against the engine and judges its answers. See README.md.

usage: run.py [--mode MODE[,MODE...]] [--only TEXT] [--show] [--kind KIND] [--cases FOLDER]

Modes: plain (watermark only at the end of input), marked (after every row), split (saved and restored after every row), lazy (the same, state
comes back on demand), marked-split, eager (what stands at the end), eager-marked, unoptimised, columns (tables
without event time all at once), history (eager, with watermarks, gone through key by key). Default: all.
"""
import argparse
import collections
import glob
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'oracle'))
import engine        # noqa: E402
import equivalence   # noqa: E402
import oracle        # noqa: E402
import pattern_api   # noqa: E402
import refusals  # noqa: E402

MODES = ('plain', 'marked', 'split', 'lazy', 'marked-split', 'eager', 'eager-marked', 'unoptimised', 'columns', 'history')

# What is not claimed, with the reason. At most 5 % of the cases, and no whole feature but those that the README names.
NOT_CLAIMED = {}

# What this case tests is that the optimiser removes divisions by zero.
NEEDS_OPTIMISER = ('trino_TestExpressionRewrite_testSimplifyExpressions_1',)



OURS = os.path.join(HERE, 'cases')


def load(folder, only, kind):
    cases = []
    for path in sorted(glob.glob(os.path.join(folder, '*.json'))):
        with open(path) as file:
            cases += [dict(c, ours=folder == OURS, feature=c.get('feature', [])) for c in json.load(file)]
    return [c for c in cases if (not only or only in c['id']) and (not kind or c['kind'] == kind)]


def normal(value, is_time=False):
    """Values that are equal compare equal: numbers by value, times as milliseconds."""
    if isinstance(value, bool) or value is None:
        return value
    if is_time:
        return oracle.milliseconds(value)
    if isinstance(value, (int, float)):
        return float('%.12g' % value)
    if isinstance(value, list):
        return [normal(v) for v in value]
    return value


def normal_rows(rows, columns, ordered):
    times = [t.startswith('TIMESTAMP') for _, t in columns]
    out = [[normal(v, i < len(times) and times[i]) for i, v in enumerate(row)] for row in rows]
    return out if ordered else sorted(out, key=json.dumps)


def steps_for(table, schema, rows, time_column, mode):
    """The rows as steps. Marked modes feed in event-time order with a watermark that is as far as the rows to come allow."""
    objects = engine.objects(schema, rows)
    marked = time_column and mode in ('marked', 'marked-split', 'eager-marked', 'history')
    times = [oracle.milliseconds(o[time_column]) for o in objects] if time_column else None
    steps = []
    for i, row in enumerate(objects):
        steps.append(('row', table, row))
        if marked and i + 1 < len(objects):
            steps.append(('mark', table, min(times[i + 1:]) - 1))
        if mode in ('split', 'marked-split'):
            steps.append(('cycle',))
        elif mode == 'lazy':
            steps.append(('lazy',))
    return steps


def job(name, sql, table, schema, rows, time_column, mode):
    return {'id': '%s#%s' % (name, mode), 'sql': sql, 'steps': steps_for(table, schema, rows, time_column, mode),
            'eager': is_eager(mode), 'unoptimised': mode == 'unoptimised', 'columns': mode == 'columns', 'history': mode == 'history'}


def is_eager(mode):
    return mode.startswith('eager') or mode == 'history'


def answer(result, mode):
    return engine.standing(result) if is_eager(mode) else engine.inserted(result)


class Judge:
    def __init__(self, show):
        self.show = show
        self.passed = collections.Counter()
        self.failed = collections.Counter()
        self.skipped = collections.Counter()
        self.failures = []

    def note(self, kind, name, mode, trouble):
        if trouble is None:
            self.passed[kind] += 1
            return
        self.failed[kind] += 1
        self.failures.append((kind, name, mode, trouble))

    def skip(self, kind, name, why):
        self.skipped[kind] += 1
        print('not claimed: %s: %s' % (name, why))


def brief(value, limit=700):
    text = json.dumps(value)
    return text if len(text) <= limit else text[:limit] + '...'


def trouble_of(result):
    if 'crash' in result:
        return result['crash']
    if result['error']:
        return 'refused: %s %s' % (result['error'], brief([(d['code'], d['line'], d['column'], d['message'])
                                                           for d in result['diags'] if d['severity'] == 'error']))
    return None


# ---- sql ----
class SqlCase:
    kind = 'sql'

    def __init__(self, case, mode):
        self.case, self.mode, self.name = case, mode, case['id']
        times = [n for n, t in case['schema'] if t.startswith('TIMESTAMP')]
        m = re.search(r'ORDER\s+BY\s+["`]?(\w+)', case['rule'], re.I)
        by = [n for n in times if m and n.lower() == m.group(1).lower()]
        self.time_column = (by or times or [None])[0]
        self.ddl = engine.table(case['table'], case['schema'], self.time_column, 0)
        self.sql = self.ddl + case['rule'].rstrip().rstrip(';') + ';\n'

    def jobs(self):
        return [job(self.name, self.sql, self.case['table'], self.case['schema'], self.case['rows'], self.time_column, self.mode)]

    def judge(self, results):
        result = results['%s#%s' % (self.name, self.mode)]
        case = self.case
        error = case.get('expect_error')
        if error in ('SEMANTIC_ERROR', 'MALFORMED_PATTERN'):
            return self.judge_refusal(result)
        trouble = trouble_of(result)
        if trouble:
            return trouble
        got = answer(result, self.mode)
        if self.mode == 'plain' and ('expect_flink' in case or 'expect_standard' in case) and not any(d['code'] == 'portability' for d in result['diags']):
            return 'Flink gives other rows, and no portability note says so'
        if error == 'SKIP_TARGET_ERROR':
            return self.judge_skip_error(result, got)
        expect = case['expect']
        if case['semantics'] == 'flink' and 'expect_standard' in case:
            expect = case['expect_standard']
        if case.get('watermark_lag_ms') and 'expect_without_late_drop' in case:
            expect = case['expect_without_late_drop']  # the late rows have a test of their own below
        ordered = case.get('expect_ordered') and not is_eager(self.mode)
        a = normal_rows(expect, case['expect_columns'], ordered)
        b = normal_rows(got, case['expect_columns'], ordered)
        return None if a == b else 'expected %s\n     got %s' % (brief(a), brief(b))

    def judge_skip_error(self, result, got):
        """A stream goes on: the match is given out, then the error is reported, and the next row is tried."""
        reports = [r for r in result['reports'] if r[1] == 'error']
        if not reports:
            return 'the missing skip target was not reported'
        try:
            expect = oracle.run(self.case['rule'], self.case['schema'], self.case['rows'])
        except oracle.SkipError as e:
            expect = e.rows
        a = normal_rows(expect, self.case['expect_columns'], False)
        b = normal_rows(got, self.case['expect_columns'], False)
        return None if a == b else 'expected (by the naive matcher) %s\n     got %s' % (brief(a), brief(b))

    def judge_refusal(self, result):
        if 'crash' in result:
            return result['crash']
        errors = [d for d in result['diags'] if d['severity'] == 'error']
        if not result['error'] or not errors:
            return 'was not refused; got %s' % brief([e['row'] for e in result['rows']])
        first = errors[0]
        if not first.get('line') or not first.get('message'):
            return 'the diagnostic has no place or message: %s' % brief(first)
        if first['code'] == 'internal':
            return 'internal error: %s' % brief(first)
        span = clause_of(self.case, self.sql)
        if span and not span[0] <= (first['line'], first['column']) <= span[1]:
            return 'the diagnostic is not in %r: %s' % (span[2], brief(first))
        return None


# Where the fault of a refused case stands: a text of the rule that holds it. Others are judged by their clause.
FAULTS = {
    'testAfterMatchSkipClause_042': 'SKIP TO LAST X', 'testClassifierFunction_088': 'CLASSIFIER(A, B)', 'testClassifierFunction_089': 'CLASSIFIER(A.x)',
    'testClassifierFunction_091': 'CLASSIFIER(C)', 'testDefineClause_026': 'X AS false', 'testDefineClause_028': 'B AS A.x',
    'testInputTableNameVisibility_009': 'txn.out1', 'testInputTableNameVisibility_010': 'A.txn.x', 'testInputTableNameVisibility_011': 'txn.A.x',
    'testInputTableNameVisibility_012': 'txn.x > 0', 'testInputTableNameVisibility_014': 't1.A.x', 'testInputTableNameVisibility_015': 't1.x > 0',
    'testMatchNumberFunction_092': 'MATCH_NUMBER(A)', 'testNoInitialOrSeek_030': 'INITIAL', 'testNoInitialOrSeek_031': 'SEEK',
    'testOrderBy_020': 'x + 1', 'testPartitionBy_018': 'x + 1', 'testPatternExclusions_032': '{- A -}',
    'testPatternQuantifiers_033': 'A {0}', 'testPatternQuantifiers_035': 'A {3000000000,}', 'testPatternQuantifiers_036': 'A {0,0}',
    'testPatternQuantifiers_037': 'A {5, 3000000000}', 'testPatternQuantifiers_040': 'A {,3000000000}', 'testRowPatternCountFunction_103': 'lower(A.*)',
    'testRowPatternRecognitionFunctions_064': '"PREV"(amount)', 'testRowPatternRecognitionFunctions_065': '"NEXT"(amount)',
    'testRowPatternRecognitionFunctions_068': '"CLASSIFIER"()', 'testRowPatternRecognitionFunctions_069': '"MATCH_NUMBER"()',
    'testRunningAndFinalPatternAggregations_102': 'FINAL avg(A.amount)', 'testSubqueries_052': '(SELECT txn.x > 5)',
    'testSubsetClause_023': 'SUBSET A = (B)', 'testSubsetClause_025': 'S = (B, X)', 'MeasureAggregationPartitioned': 'SUM(B.val + A.val)',
}


def clause_of(case, sql):
    """((line, column), (line, column), text) of the part of the rule where the fault is, or None. Of a case that is not ours: the rule."""
    for key, text in FAULTS.items():
        if case['id'].endswith(key) and case.get('ours'):
            break
    else:
        m = re.search(r'(MEASURES\s+.*?)\s+(?:PATTERN|ONE ROW|ALL ROWS)', case['rule'], re.S)
        text = (m and m.group(1)) if case.get('ours') else case['rule'].strip().rstrip(';').strip()
    if not text:
        return None
    at = sql.find(text, sql.find('SELECT')) if text in case['rule'] else -1
    if at < 0:
        raise ValueError('run.py: %s: the text %r is not in the rule' % (case['id'], text))
    return place(sql, at), place(sql, at + len(text)), text


def place(text, offset):
    line = text.count('\n', 0, offset) + 1
    return line, offset - (text.rfind('\n', 0, offset) + 1) + 1


class LateCase(SqlCase):
    """Rows later than the bound are dropped: judged by the product's own program, which has the watermarks; here rows are withheld by
    the rule of semantics (time <= greatest time so far - lag) to judge the rest."""

    def __init__(self, case, mode):
        super().__init__(case, mode)
        self.name = case['id'] + '(late rows dropped)'
        kept, top = [], None
        at = [n for n, _ in case['schema']].index(self.time_column)
        for row in case['rows']:
            ms = oracle.milliseconds(row[at])
            if top is None or ms > top - case['watermark_lag_ms']:
                kept.append(row)
            top = ms if top is None else max(top, ms)
        self.case = dict(case, rows=kept, expect_without_late_drop=case['expect'])


# ---- pattern_api ----
class ApiCase:
    kind = 'pattern_api'

    def __init__(self, case, mode):
        self.case, self.mode, self.name = case, mode, case['id']
        self.translated = pattern_api.Translated(case)
        self.sql = engine.table('ev', self.translated.schema, 'ts') + self.translated.text + ';\n'

    def jobs(self):
        """In Flink CEP the end of the input ends no partial match that has no window, so that under a skip strategy an open earlier one holds back
        later matches for ever. Eager tells those meanwhile: it is held against final, with an end."""
        skips, eager = self.case['pattern_api'].get('skip') not in (None, 'NO_SKIP'), is_eager(self.mode)
        one = job(self.name, self.sql, 'ev', self.translated.schema, self.translated.rows, 'ts', self.mode)
        if self.case['pattern_api']['pattern'][-1]['contiguity'] == 'notNext' and not skips:
            return [dict(one, open=True)]  # nor does it stand for a next event
        if not skips:
            return [one]
        if not eager:
            api = self.case['pattern_api']  # gap limits end partial matches there, but not here
            gaps = api.get('within_type') == 'PREVIOUS_AND_CURRENT' or any(s.get('times_window_ms') for s in api['pattern'])
            return [dict(one, open=not gaps)]
        return [one, dict(job(self.name, self.sql, 'ev', self.translated.schema, self.translated.rows, 'ts', 'plain'), id=self.name + '#final-of-' + self.mode)]

    distinct = False  # our derivations are distinct (docs/semantics.md 3.5)

    def judge(self, results):
        result = results['%s#%s' % (self.name, self.mode)]
        final = results.get('%s#final-of-%s' % (self.name, self.mode))
        if self.case.get('expect_error'):
            if 'crash' in result:
                return result['crash']
            errors = [d for d in result['diags'] if d['severity'] == 'error']
            if not result['error'] or not errors:
                return 'was not refused'
            inside = place(self.sql, self.sql.find('AFTER MATCH')) <= (errors[0]['line'], errors[0]['column']) <= place(self.sql, len(self.sql))
            return None if inside and errors[0]['code'] != 'internal' else 'the diagnostic is not in the pattern: %s' % brief(errors[0])
        trouble = trouble_of(result)
        if trouble:
            return trouble + '\n' + self.translated.text
        matches, late = self.translated.maps(answer(result, self.mode))
        expect = self.case['expect'] if not final else self.translated.maps(answer(final, 'plain'))[0]
        a = sorted(json.dumps(m, sort_keys=True) for m in expect)
        b = sorted(json.dumps(m, sort_keys=True) for m in matches)
        if self.distinct:
            a = sorted(set(a))
        if a != b:
            return 'missing %s\n     surplus %s\n%s' % (brief(list((collections.Counter(a) - collections.Counter(b)).elements())),
                                                         brief(list((collections.Counter(b) - collections.Counter(a)).elements())), self.translated.text)
        if 'expect_timeouts' in self.case:
            a = sorted((json.dumps(t['match'], sort_keys=True), t['ts']) for t in self.case['expect_timeouts'])
            b = sorted((json.dumps(m, sort_keys=True), oracle.milliseconds(ms)) for m, ms in late)
            if self.distinct:
                a = sorted(set(a))
            if a != b:
                return 'time-outs: expected %s\n     got %s\n%s' % (brief(a), brief(b), self.translated.text)
        return None


def make(cases, modes, judge):
    """The runs of all cases. A case that cannot be made into one is a failure of its own."""
    runs = []
    for case in cases:
        try:
            runs += make_one(case, modes, judge)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError) as e:
            judge.note(case.get('kind', '?'), case.get('id', '?'), 'none', 'no run of ours could be made of it: %r' % e)
            print('FAILED %s: no run of ours could be made of it: %r' % (case.get('id'), e))
    return runs


def make_one(case, modes, judge):
    name, kind = case['id'], case['kind']
    if name in NOT_CLAIMED:
        judge.skip(kind, name, NOT_CLAIMED[name])
        return []
    if kind == 'pattern_equivalence':
        return [equivalence.Case(case)]
    if kind not in ('sql', 'pattern_api'):
        raise ValueError('its kind is %r' % kind)
    if 'ext-mixed-label-aggregate' in case['feature']:
        case['expect_error'] = 'SEMANTIC_ERROR'  # an extension of one engine that is an error here
    runs, errs = [], case.get('expect_error') in ('SEMANTIC_ERROR', 'MALFORMED_PATTERN')
    for mode in modes[:1] if errs else modes:
        if mode == 'unoptimised' and name in NEEDS_OPTIMISER:
            continue
        if mode == 'columns' and (kind != 'sql' or any(t.startswith('TIMESTAMP') for _, t in case['schema'])):
            continue  # only tables without event time are gone through so
        if mode == 'history' and kind == 'sql' and not any(t.startswith('TIMESTAMP') for _, t in case['schema']):
            continue  # only tables with event time
        if kind == 'sql':
            runs.append(SqlCase(case, mode))
            if case.get('watermark_lag_ms') and 'expect_without_late_drop' in case:
                runs.append(LateCase(case, mode))
            continue
        try:
            runs.append(ApiCase(case, mode))
        except pattern_api.NotClaimed as why:
            judge.skip(kind, name, str(why))
            return []
    return runs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--mode', default=','.join(MODES))
    parser.add_argument('--only', default='')
    parser.add_argument('--kind', default='')
    parser.add_argument('--cases', default=OURS, help='a folder with other cases in the same form')
    parser.add_argument('--show', action='store_true', help='print the texts of the cases')
    parser.add_argument('--limit', type=int, default=40, help='failures that are printed')
    args = parser.parse_args()
    judge = Judge(args.show)
    cases = load(args.cases, args.only, args.kind)
    runs = make(cases, args.mode.split(','), judge)
    results = engine.run([j for r in runs for j in r.jobs()])
    by_case = collections.OrderedDict()
    for run in runs:
        try:
            trouble = run.judge(results)
        except (KeyError, ValueError, TypeError, IndexError) as e:
            trouble = 'no answer, or none that can be judged: %r' % e
        judge.note(run.kind, run.name, run.mode, trouble)
        if trouble:
            by_case.setdefault(run.name, []).append((run.mode, trouble))
        if args.show:
            print(run.sql)
            print(json.dumps(results.get('%s#%s' % (run.name, run.mode)))[:3000])
    for i, (name, troubles) in enumerate(by_case.items()):
        if i < args.limit:
            print('FAILED %s [%s]: %s' % (name, ' '.join(m for m, _ in troubles), troubles[0][1]))
        elif i == args.limit:
            print('... and others: %s' % ' '.join(list(by_case)[i:]))
    kinds = sorted(set(judge.passed) | set(judge.failed) | set(judge.skipped))
    for kind in kinds:
        count = len([c for c in cases if c['kind'] == kind])
        print('%-20s %4d cases: %5d runs passed, %4d failed, %3d cases not claimed' %
              (kind, count, judge.passed[kind], judge.failed[kind], judge.skipped[kind]))
    refused = [] if args.only or args.kind or args.cases != OURS else refusals.run()
    for rule, trouble in refused:
        if trouble:
            print('FAILED refusal: %s\n  %s' % (trouble, rule))
    wrong = sum(1 for _, trouble in refused if trouble)
    print('%-20s %4d texts: %5d refused as they must be, %4d not' % ('refusals', len(refused), len(refused) - wrong, wrong))
    # Cases that are not claimed are listed above with their reasons; they are no tests of ours, so none is skipped.
    print('tests: %d passed, %d failed, 0 skipped' % (sum(judge.passed.values()) + len(refused) - wrong, sum(judge.failed.values()) + wrong))
    sys.exit(1 if judge.failures or wrong else 0)


if __name__ == '__main__':
    main()
