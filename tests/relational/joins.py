#!/usr/bin/env python3
"""Joins, top-N and deduplication on random rows: held against a naive evaluation of the same query, and against the kept answers of Flink SQL. See README.md.

usage: joins.py property [--seed S] [--cases N]    random queries, every mode; the naive answer after every row
       joins.py ask [--seed S] [--cases N]         pairs for flink/Relational.java, one JSON object a line
       joins.py keep ASKED ANSWERS                 pairs with Flink's rows, one JSON object a line
       joins.py judge FILE...                      ours, and the naive evaluation, against the kept rows (.jsonl or .jsonl.zst)
"""
import argparse
import collections
import itertools
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'conformance'))
import engine  # noqa: E402

START_MS = 1767225600000  # 2026-01-01T00:00:00Z
SCHEMA = [('id', 'INT'), ('k', 'STRING'), ('v', 'INT'), ('ts', 'TIMESTAMP(3)')]
TABLES = ('ev', 'ew')
MODES = ('plain', 'marked', 'split', 'lazy', 'eager', 'eager-split', 'eager-lazy', 'eager-unoptimised')
SHOWN = 8
WHAT = 'joins and top-N'


# ---- queries: text and meaning side by side. A relation is a list of rows (id, k, v, t). ----
class Query:
    """text; meaning(rows of each table by name) -> result rows; timed: the result is final only when time has passed (outer interval joins); append: nothing is
    ever taken back, so that `query` keeps nothing until the end (what it keeps is not saved); asked: not one of the shapes that Flink gets wrong (README.md)."""
    def __init__(self, text, meaning, timed=False, append=False, asked=True):
        self.text, self.meaning, self.timed, self.append, self.asked = text, meaning, timed, append, asked


def null_key(value, descending):
    """Flink: NULLs are least."""
    return (0, 0) if value is None else (1, value)


def ordered(rows, keys):
    """keys: (column index, descending), the last one unique."""
    for column, descending in reversed(keys):
        rows = sorted(rows, key=lambda r: null_key(r[column], descending), reverse=descending)
    return rows


def ranked(rows, partition, keys, first, last):
    """Rows with their rank, of ranks first to last in each partition."""
    parts = collections.defaultdict(list)
    for row in rows:
        parts[tuple(row[c] for c in partition)].append(row)
    out = []
    for part in parts.values():
        out += [row + (n + 1,) for n, row in enumerate(ordered(part, keys)) if first <= n + 1 <= last]
    return out


def condition_on(rng):
    """A filter of rows and its meaning."""
    n = rng.randint(0, 9)
    return rng.choice([('v > %d' % n, lambda r: r[2] is not None and r[2] > n), ('v IS NOT NULL', lambda r: r[2] is not None)])


def source(rng, name):
    """FROM text of one relation with columns id, k, v, ts, and its rows' meaning. Some are changelogs."""
    kind = rng.choice(['table', 'table', 'table', 'filter', 'last', 'top', 'count', 'few'])
    if kind in ('count', 'few'):
        most = rng.randint(1, 3) if kind == 'few' else None
        text = '(SELECT MAX(id) AS id, k, CAST(COUNT(*) AS INT) AS v, MAX(ts) AS ts FROM %s GROUP BY k%s)' % (name, ' HAVING COUNT(*) <= %d' % most if most else '')
        return text, lambda db: [g for g in grouped(db[name]) if most is None or g[2] <= most], True
    if kind == 'table':
        return name, lambda db: db[name], False
    if kind == 'filter':
        text, holds = condition_on(rng)
        return '(SELECT * FROM %s WHERE %s)' % (name, text), lambda db: [r for r in db[name] if holds(r)], False
    if kind == 'last':
        text = '(SELECT id, k, v, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k, MOD(id, 2) ORDER BY ts DESC) AS rn FROM %s) WHERE rn = 1)' % name
        return text, lambda db: last_rows(db[name]), True
    text = '(SELECT id, k, v, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, id) AS rn FROM %s) WHERE rn <= 3)' % name
    return text, lambda db: [r[:4] for r in ranked(db[name], (1,), [(2, True), (0, False)], 1, 3)], True


def grouped(rows):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row[1]].append(row)
    return [(max(r[0] for r in g), k, len(g), max(r[3] for r in g)) for k, g in groups.items()]


def last_rows(rows):
    latest = {}
    for row in rows:
        key = (row[1], row[0] % 2)
        if key not in latest or row[3] > latest[key][3]:
            latest[key] = row
    return list(latest.values())


def make_topn(rng):
    text, rows, changes = source(rng, rng.choice(TABLES))
    partition = rng.choice([(1,), (1,), (), (1, 2)])
    keys = rng.choice([[(2, True), (0, False)], [(2, False), (0, True)], [(3, False)], [(3, True)], [(0, False)], [(2, True), (3, False)]])
    last = rng.choice([1, 1, 2, 3, 5])
    first = rng.choice([1, 1, 1, rng.randint(1, last)])
    rank = rng.random() < 0.5
    names = [n for n, _ in SCHEMA]
    over = '%sORDER BY %s' % ('PARTITION BY %s ' % ', '.join(names[c] for c in partition) if partition else '',
                              ', '.join(names[c] + (' DESC' if d else '') for c, d in keys))
    bound = rng.choice(['rn <= %d' % last, 'rn < %d' % (last + 1), '%d >= rn' % last]) if first == 1 else 'rn BETWEEN %d AND %d' % (first, last)
    if first == last:
        bound = 'rn = %d' % last
    extra, holds = ('', lambda r: True)
    if rng.random() < 0.3:
        condition, holds = condition_on(rng)
        extra = ' AND ' + condition
    sql = 'SELECT id, k, v%s FROM (SELECT *, ROW_NUMBER() OVER (%s) AS rn FROM %s) AS t WHERE %s%s' % (', rn' if rank else '', over, text + (
        ' AS u' if text.startswith('(') else ''), bound, extra)
    return Query(sql, lambda db: [r[:3] + ((r[4],) if rank else ()) for r in ranked(rows(db), partition, keys, first, last) if holds(r)],
                 asked=first == 1 if changes else last > 1 or keys[0][0] == 3)


def make_first(rng):
    """Deduplication by time, told once."""
    name = rng.choice(TABLES)
    partition = rng.choice(['k', 'k, v'])
    sql = 'SELECT id, k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY %s ORDER BY ts) AS rn FROM %s) WHERE rn = 1' % (partition, name)
    columns = (1,) if partition == 'k' else (1, 2)
    return Query(sql, lambda db: [r[:3] for r in ranked(db[name], columns, [(3, False)], 1, 1)], append=True)


JOINS = {'JOIN': (False, False), 'LEFT JOIN': (True, False), 'RIGHT JOIN': (False, True), 'FULL OUTER JOIN': (True, True)}


def joined(left, right, holds, outer):
    out, seen = [], set()
    for a in left:
        partners = [n for n, b in enumerate(right) if a[1] is not None and a[1] == b[1] and holds(a, b)]
        seen.update(partners)
        out += [(a[0], a[2], right[n][0], right[n][2]) for n in partners]
        if not partners and outer[0]:
            out.append((a[0], a[2], None, None))
    return out + [(None, None, b[0], b[2]) for n, b in enumerate(right) if n not in seen and outer[1]]


def more_on(rng):
    n = rng.randint(0, 9)
    return rng.choice([('', lambda a, b: True), ('', lambda a, b: True), (' AND a.v < b.v', lambda a, b: a[2] is not None and b[2] is not None and a[2] < b[2]),
                       (' AND a.v > %d' % n, lambda a, b: a[2] is not None and a[2] > n), (' AND b.v <> %d' % n, lambda a, b: b[2] is not None and b[2] != n)])


def make_interval(rng):
    kind = rng.choice(list(JOINS))
    low, high = sorted((rng.randint(-12, 8), rng.randint(-8, 12)))
    names = rng.choice([TABLES, TABLES, ('ev', 'ev')])

    def shifted(column, seconds):
        return "%s %s INTERVAL '%d' SECOND" % (column, '-' if seconds < 0 else '+', abs(seconds))
    time = rng.choice([
        'a.ts BETWEEN %s AND %s' % (shifted('b.ts', low), shifted('b.ts', high)),
        'b.ts BETWEEN %s AND %s' % (shifted('a.ts', -high), shifted('a.ts', -low)),
        'a.ts >= %s AND a.ts <= %s' % (shifted('b.ts', low), shifted('b.ts', high)),
    ])
    more, holds = more_on(rng)
    sql = 'SELECT a.id AS aid, a.v AS av, b.id AS bid, b.v AS bv FROM %s AS a %s %s AS b ON a.k = b.k AND %s%s' % (names[0], kind, names[1], time, more)

    def near(a, b):
        return low * 1000 <= a[3] - b[3] <= high * 1000 and holds(a, b)
    return Query(sql, lambda db: joined(db[names[0]], db[names[1]], near, JOINS[kind]), kind != 'JOIN', True)


def make_join(rng):
    kind = rng.choice(list(JOINS))
    left, left_rows, left_changes = source(rng, 'ev')
    right, right_rows, right_changes = source(rng, rng.choice(TABLES))
    more, holds = more_on(rng)
    sql = 'SELECT a.id AS aid, a.v AS av, b.id AS bid, b.v AS bv FROM %s AS a %s %s AS b ON a.k = b.k%s' % (left, kind, right, more)
    where = rng.random() < 0.3
    n = rng.randint(0, 9)
    if where:
        sql += ' WHERE a.v IS NULL OR a.v >= %d' % n

    def meaning(db):
        rows = joined(left_rows(db), right_rows(db), holds, JOINS[kind])
        return [r for r in rows if not where or r[1] is None or r[1] >= n]
    return Query(sql, meaning, append=kind == 'JOIN' and not left_changes and not right_changes)


def top_songs():
    """Ten songs that were played most often."""
    sql = ('SELECT place, song, plays FROM (SELECT song, plays, ROW_NUMBER() OVER (ORDER BY plays DESC, song) AS place '
           'FROM (SELECT k AS song, COUNT(*) AS plays FROM ev GROUP BY k) AS c) AS t WHERE place <= 10')

    def meaning(db):
        counts = sorted(((-g[2], g[1]) for g in grouped(db['ev'])))[:10]
        return [(n + 1, song, -plays) for n, (plays, song) in enumerate(counts)]
    return Query(sql, meaning), [('ev', (n, 'song %02d' % (n * n % 17), n, START_MS + n * 500)) for n in range(150)]


def activity_with_profiles():
    """What users did, each with the profile that stands for them now, if there is one."""
    sql = ('SELECT a.id, a.k AS user_id, a.v AS amount, p.v AS score FROM ev AS a LEFT JOIN '
           '(SELECT k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM ew) AS w WHERE n = 1) AS p ON a.k = p.k')

    def meaning(db):
        profiles = {}
        for row in sorted(db['ew'], key=lambda r: r[3]):
            profiles[row[1]] = row[2]
        return [(r[0], r[1], r[2], profiles.get(r[1])) for r in db['ev']]
    rows = []
    for n in range(80):
        rows.append(('ev', (n, 'user %d' % (n * 7 % 11), n % 9, START_MS + n * 500)))
        if n % 5 == 2:
            rows.append(('ew', (100 + n, 'user %d' % (n * 3 % 8), n % 6, START_MS + n * 500 + 100)))
    return Query(sql, meaning), rows


def every_pair():
    """Each row of one table with each of the other (CROSS JOIN, here a comma), as bounded tables take it."""
    sql = 'SELECT a.id AS aid, b.id AS bid, c.v FROM ev AS a, ew AS b CROSS JOIN (SELECT v FROM ew WHERE v = 1) AS c WHERE a.v < b.v OR b.k IS NULL'

    def meaning(db):
        return [(a[0], b[0], c[2]) for a in db['ev'] for b in db['ew'] for c in db['ew'] if c[2] == 1 and (b[1] is None or a[2] < b[2])]
    return Query(sql, meaning), [(('ev', 'ew')[n % 2], (n, 'xyz'[n % 3] if n % 5 else None, n % 4, START_MS + n * 500)) for n in range(18)]


WORKED = [top_songs, activity_with_profiles, every_pair]  # the first two of the documentation


def make_case(seed, number):
    if seed == 'worked':
        return WORKED[number]() + (3,)
    rng = random.Random('%s-%d' % (seed, number))
    query = rng.choice([make_topn, make_topn, make_first, make_interval, make_interval, make_join, make_join])(rng)
    delay = rng.choice([0, 3, 10])
    rows, top = [], {}
    used = set()
    for row_number in range(rng.randint(0, 24)):
        name = rng.choice(TABLES)
        low = top.get(name, START_MS) - delay * 1000 + 1
        t = max(START_MS, rng.randint(low, low + (delay + 5) * 1000) // 250 * 250)
        while t < low or (name, t) in used:
            t += 250
        used.add((name, t))
        top[name] = max(top.get(name, t), t)
        rows.append((name, (row_number, rng.choice(['x', 'y', 'z', 'x', None]), rng.choice([None] + list(range(10))), t)))
    return query, rows, delay


# ---- our engine ----
def time_text(ms):
    whole, rest = divmod(ms - START_MS, 1000)
    return '2026-01-01T%02d:%02d:%02d.%03d' % (whole // 3600, whole // 60 % 60, whole % 60, rest)


def object_of(row):
    return {'id': row[0], 'k': row[1], 'v': row[2], 'ts': time_text(row[3])}


def record_of(row):
    """What a table is fed for a row of a case."""
    return object_of(row)


def time_of(row):
    return row[3]


def take(table, row):
    """The rows of a table behind one more row of a case."""
    table.append(row)


def table_text(name, delay):
    return engine.table(name, SCHEMA, 'ts', delay * 1000)


def table_asked(name, rows, delay):
    """A table for flink/Relational.java."""
    return {'name': name, 'schema': SCHEMA, 'delay_s': delay, 'rows': [[r[0], r[1], r[2], time_text(r[3])] for m, r in rows if m == name]}


def job(case_id, query, rows, delay, mode):
    steps, top = [], {name: None for name in TABLES}
    for name, row in rows:
        t = time_of(row)
        steps.append(('row', name, record_of(row)))
        if mode != 'plain':
            top[name] = t if top[name] is None else max(top[name], t)
            steps.append(('mark', name, top[name] - delay * 1000))
        if mode in ('split', 'eager-split'):
            steps.append(('cycle',))
        if mode in ('lazy', 'eager-lazy'):
            steps.append(('lazy',))
    sql = ''.join(table_text(name, delay) for name in TABLES) + query.text + ';'
    return {'id': '%s/%s' % (case_id, mode), 'sql': sql, 'steps': steps, 'eager': mode.startswith('eager'), 'unoptimised': mode.endswith('unoptimised')}


def multiset(rows):
    return collections.Counter(tuple(r) for r in rows)


def check_changes(query, rows, steps, result):
    """Applies a changelog. None, or what is wrong: by value, by identity, and after every row against the naive evaluation."""
    standing, idents, fed = collections.Counter(), {}, {name: [] for name in TABLES}
    outs = collections.defaultdict(list)
    for out in result['rows']:
        outs[out['step']].append(out)
    at_row = 0
    for number in range(len(steps) + 1):
        for out in outs.get(number, []):
            row, ident, change = tuple(out['row']), out['ident'], out['change']
            if change in ('+I', '+U'):
                standing[row] += 1
                if change == '+I' and ident in idents:
                    return 'step %d inserts an identity that stands: %s' % (number, out)
                if change == '+U' and ident not in idents:
                    return 'step %d updates an identity that does not stand: %s' % (number, out)
                idents[ident] = row
            elif change in ('-D', '-U'):
                standing[row] -= 1
                if standing[row] < 0:
                    return 'step %d takes back what does not stand: %s' % (number, out)
                if idents.get(ident) != row:
                    return 'step %d takes back another row of its identity: %s' % (number, out)
                if change == '-D':
                    del idents[ident]
        if number < len(steps) and steps[number][0] == 'row':
            name, row = rows[at_row]
            take(fed[name], row)
            at_row += 1
            if not query.timed and +standing != multiset(query.meaning(fed)):
                return 'after step %d stands %s, not %s' % (number, sorted((+standing).elements(), key=str), sorted(query.meaning(fed), key=str))
    return None if +standing == multiset(query.meaning(fed)) else 'at the end stands %s, not %s' % (
        sorted((+standing).elements(), key=str), sorted(query.meaning(fed), key=str))


def check(query, rows, one, result, expected):
    if 'crash' in result or result.get('error') or 'rows' not in result:
        return json.dumps(result)[:600]
    reports = [p for p in result.get('reports', [])]
    if reports:
        return 'reports %s' % reports
    if one['eager']:
        return check_changes(query, rows, one['steps'], result)
    got = multiset(r['row'] for r in result['rows'])
    if any(r['change'] != '+I' for r in result['rows']):
        return 'a final result takes something back'
    return None if got == expected else 'got %s, not %s' % (sorted(got.elements(), key=str), sorted(expected.elements(), key=str))


def run_cases(cases, expected):
    """cases: id -> (query, rows, delay). Prints what fails; the number of checks and of failures."""
    jobs = {}
    for case_id, (query, rows, delay) in cases.items():
        for mode in MODES:
            if mode in ('split', 'lazy') and not query.append:
                continue
            one = job(case_id, query, rows, delay, mode)
            jobs[one['id']] = one
    results = engine.run(list(jobs.values()))
    failed = 0
    for job_id, one in jobs.items():
        case_id = job_id.split('/')[0]
        query, rows, _ = cases[case_id]
        wrong = check(query, rows, one, results[job_id], expected[case_id])
        if wrong:
            failed += 1
            if failed <= SHOWN:
                print('%s: %s\n  %s\n  rows %s' % (job_id, wrong, query.text, [(n, record_of(r)) for n, r in rows]))
    return len(jobs), failed


def databases(rows):
    found = {name: [] for name in TABLES}
    for name, row in rows:
        take(found[name], row)
    return found


# What a TTL forgets: steps, and what comes out. Rows of ev come at seconds, marks too.
TTL = "SET 'table.exec.state.ttl' = '5 s';\n"
TTL_CASES = [
    ('a join forgets rows silently', 'SELECT a.id AS aid, b.id AS bid FROM ev AS a JOIN ew AS b ON a.k = b.k',
     [('ev', 1, 0), ('ew', 2, 4), ('mark', 4), ('ew', 3, 5), ('mark', 5), ('ew', 4, 6), ('ev', 5, 7)], [('+I', 1, 2), ('+I', 1, 3), ('+I', 5, 2), ('+I', 5, 3), ('+I', 5, 4)]),
    ('a row that was alone stays so', 'SELECT a.id AS aid, b.id AS bid FROM ev AS a LEFT JOIN ew AS b ON a.k = b.k',
     [('ev', 1, 0), ('mark', 5), ('ew', 2, 6), ('ev', 3, 7), ('mark', 11), ('ev', 4, 12)], [('+I', 1, None), ('+I', 3, 2), ('+I', 4, None)]),
    ('top-N forgets a key', 'SELECT id, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS rn FROM ev) AS t WHERE rn <= 2',
     [('ev', 1, 0), ('ev', 2, 1), ('mark', 5), ('ev', 3, 6), ('mark', 11), ('ev', 4, 12)],
     [('+I', 1, 1), ('-U', 1, 1), ('+U', 2, 1), ('+I', 1, 2), ('-U', 2, 1), ('+U', 3, 1), ('-U', 1, 2), ('+U', 2, 2), ('+I', 4, 1)]),
]


def ttl_test():
    jobs = []
    for number, (_, text, plan, _) in enumerate(TTL_CASES):
        steps = []
        for step in plan:
            if step[0] == 'mark':
                steps += [('mark', name, START_MS + step[1] * 1000) for name in TABLES] + [('lazy',)]
            else:
                steps.append(('row', step[0], {'id': step[1], 'k': 'x', 'v': step[1], 'ts': time_text(START_MS + step[2] * 1000)}))
        sql = TTL + ''.join(engine.table(name, SCHEMA, 'ts', 0) for name in TABLES) + text + ';'
        jobs.append({'id': 'ttl/%d' % number, 'sql': sql, 'steps': steps, 'eager': True})
    results, failed = engine.run(jobs), 0
    for one, (what, _, _, want) in zip(jobs, TTL_CASES):
        got = [tuple([out['change']] + out['row']) for out in results[one['id']].get('rows', [])]
        if got != want:
            failed += 1
            print('%s: got %s, not %s' % (what, got or results[one['id']], want))
    return len(jobs), failed


def property_test(args):
    cases = {'%s.%d' % (args.seed, n): make_case(args.seed, n) for n in range(args.cases)}
    cases.update(('worked.%d' % n, make_case('worked', n)) for n in range(len(WORKED)))
    total, failed = run_cases(cases, {i: multiset(q.meaning(databases(rows))) for i, (q, rows, _) in cases.items()})
    print('%s: %d random queries of seed %s in %d modes, after every row' % (WHAT, len(cases), args.seed, len(MODES)))
    more, wrong = ttl_test() if WHAT == 'joins and top-N' else (0, 0)
    total, failed = total + more, failed + wrong
    print('tests: %d passed, %d failed, 0 skipped' % (total - failed, failed))
    return failed


# ---- Flink ----
def ask(args):
    for seed, n in [('worked', n) for n in range(len(WORKED))] + [(args.seed, n) for n in range(args.cases)]:
        query, rows, delay = make_case(seed, n)
        if not query.asked:
            continue
        tables = [table_asked(name, rows, delay) for name in TABLES]
        print(json.dumps({'id': '%s.%d' % (seed, n), 'tables': tables, 'sql': query.text}))
    return 0


def keep(args):
    with open(args.files[1], encoding='utf-8') as file:
        answers = {a['id']: a for a in map(json.loads, file)}
    refused = collections.Counter()
    with open(args.files[0], encoding='utf-8') as file:
        for asked in map(json.loads, file):
            answer = answers.get(asked['id'], {'error': 'no answer'})
            if 'error' in answer:
                refused[answer['error'][:100]] += 1
                continue
            print(json.dumps({'id': asked['id'], 'sql': asked['sql'], 'expect': answer['rows']}, separators=(',', ':')))
    for reason, n in refused.most_common():
        print('%5d refused: %s' % (n, reason), file=sys.stderr)
    return 0


def read_kept(path):
    if path.endswith('.zst'):
        return subprocess.run(['zstd', '-dcq', path], check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()
    with open(path, encoding='utf-8') as file:
        return file.read().splitlines()


def judge(args):
    cases, expected, stale = {}, {}, 0
    for line in itertools.chain(*map(read_kept, args.files)):
        kept = json.loads(line)
        seed, number = kept['id'].rsplit('.', 1)
        cases[kept['id']] = make_case(seed, int(number))
        expected[kept['id']] = multiset(kept['expect'])
        naive = multiset(cases[kept['id']][0].meaning(databases(cases[kept['id']][1])))
        if cases[kept['id']][0].text != kept['sql']:
            stale += 1
            print('%s: the generator makes another query than the one that was kept' % kept['id'])
        elif naive != expected[kept['id']]:
            stale += 1
            print('%s: the naive evaluation gives %s, Flink %s\n  %s' % (kept['id'], sorted(naive.elements(), key=str),
                                                                       sorted(expected[kept['id']].elements(), key=str), kept['sql']))
    total, failed = run_cases(cases, expected)
    print('%s: %d queries with the rows of Flink SQL, in %d modes' % (WHAT, len(cases), len(MODES)))
    print('tests: %d passed, %d failed, 0 skipped' % (total + len(cases) - failed - stale, failed + stale))
    return failed + stale


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('what', choices=['property', 'ask', 'keep', 'judge'])
    parser.add_argument('files', nargs='*')
    parser.add_argument('--seed', default='1')
    parser.add_argument('--cases', type=int, default=600)
    args = parser.parse_args()
    sys.exit(1 if {'property': property_test, 'ask': ask, 'keep': keep, 'judge': judge}[args.what](args) else 0)


if __name__ == '__main__':
    main()
