#!/usr/bin/env python3
"""Grouping sets, set operations, LAG, ARRAY_AGG, ZSCORE on random rows: held against a naive evaluation of the same query, and against the kept answers of Flink SQL.

usage: sql.py property [--seed S] [--cases N] | ask [--seed S] [--cases N] | keep ASKED ANSWERS | judge FILE...     as joins.py, whose harness it uses
"""
import itertools
import math

import joins
import windows
from joins import Query

ID, K, V, T = 0, 1, 2, 3
KEYS = {'k': lambda r: r[K], 'MOD(id, 2)': lambda r: r[ID] % 2, 'MOD(id, 3)': lambda r: r[ID] % 3}


def rollup(keys):
    return [tuple(keys[:n]) for n in range(len(keys), -1, -1)]


def cube(keys):
    return [s for n in range(len(keys), -1, -1) for s in itertools.combinations(keys, n)]


def sets_of(rng):
    """Text of a GROUP BY, and its sets."""
    keys = rng.sample(sorted(KEYS), rng.randint(1, 3))
    kind = rng.choice(['sets', 'rollup', 'cube', 'mixed'])
    if kind == 'rollup':
        return 'ROLLUP(%s)' % ', '.join(keys), rollup(keys), keys
    if kind == 'cube':
        return 'CUBE(%s)' % ', '.join(keys), cube(keys), keys
    if kind == 'mixed' and len(keys) > 1:
        return '%s, ROLLUP(%s)' % (keys[0], ', '.join(keys[1:])), [(keys[0],) + s for s in rollup(keys[1:])], keys
    sets = rng.sample(cube(keys), rng.randint(1, 2 ** len(keys)))
    used = [k for k in keys if any(k in s for s in sets)]
    if not used:
        return sets_of(rng)
    return 'GROUPING SETS (%s)' % ', '.join('(%s)' % ', '.join(s) for s in sets), sets, used


def identifiers(keys, chosen):
    value = 0
    for k in keys:
        value = value * 2 + (k not in chosen)
    return value


def make_grouping(rng):
    text, sets, keys = sets_of(rng)
    aggregates, meaning, asked = windows.pick(rng, rng.randint(1, 2))
    condition, holds = windows.where(rng)
    windowed = rng.random() < 0.5
    ask_which = rng.choice(['GROUPING(%s)' % keys[0], 'GROUPING_ID(%s)' % ', '.join(keys)])
    asked_keys = keys[:1] if ask_which.startswith('GROUPING(') else keys
    columns = ', '.join('%s AS k%d' % (k, n) for n, k in enumerate(keys))
    size = rng.choice([2, 5])
    if windowed:
        sql = ("SELECT CAST(window_start AS STRING) AS ws, %s, %s, %s AS g FROM TABLE(TUMBLE(TABLE ev, DESCRIPTOR(ts), INTERVAL '%d' SECOND))%s "
               "GROUP BY window_start, window_end, %s" % (columns, aggregates, ask_which, size, condition, text))
    else:
        sql = 'SELECT %s, %s, %s AS g FROM ev%s GROUP BY %s' % (columns, aggregates, ask_which, condition, text)

    def rows_of(db):
        out = []
        for chosen in sets:
            groups = windows.grouped([r for r in db['ev'] if holds(r)], lambda r: (r[T] // (size * 1000) if windowed else 0,) + tuple(
                KEYS[k](r) if k in chosen else None for k in keys))
            for key, rows in groups.items():
                start = (windows.clock(key[0] * size * 1000),) if windowed else ()
                out.append(start + key[1:] + meaning(rows) + (identifiers(asked_keys, chosen),))
        return out
    return Query(sql, rows_of, append=True, asked=asked)


def side(rng):
    columns = rng.choice([('k, v', lambda r: (r[K], r[V])), ('k, MOD(id, 3)', lambda r: (r[K], r[ID] % 3))])
    condition, holds = windows.where(rng)
    return 'SELECT %s FROM ev%s' % (columns[0], condition), lambda db: [columns[1](r) for r in db['ev'] if holds(r)]


def make_sets(rng):
    sides = [side(rng) for _ in range(rng.randint(2, 3))]
    op = rng.choice(['UNION', 'INTERSECT', 'EXCEPT'])
    sql = (' %s ' % op).join(s[0] for s in sides)

    def rows_of(db):
        found = set(sides[0][1](db))
        for _, meaning in sides[1:]:
            other = set(meaning(db))
            found = found | other if op == 'UNION' else found & other if op == 'INTERSECT' else found - other
        return list(found)
    return Query(sql, rows_of, append=True)


def make_lag(rng):
    back = rng.choice([1, 1, 2, 3])
    text, column = rng.choice([('v', V), ('k', K), ('id', ID)])
    otherwise = rng.choice([None, None, {V: '-1', K: "'none'", ID: '-1'}[column]])
    call = 'LAG(%s%s)' % (text, ', %d' % back if back > 1 or otherwise else '') if not otherwise else 'LAG(%s, %d, %s)' % (text, back, otherwise)
    total = rng.random() < 0.4
    more = ", SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN %d PRECEDING AND CURRENT ROW) AS s" % back if total else ''
    sql = 'SELECT id, k, %s OVER (PARTITION BY k ORDER BY ts) AS p%s FROM ev' % (call, more)
    default = None if otherwise is None else otherwise.strip("'") if column == K else int(otherwise)

    def rows_of(db):
        out = []
        for part in windows.grouped(db['ev'], lambda r: r[K]).values():
            for at, row in enumerate(part):
                found = windows.values(part[max(0, at - back):at + 1])
                out.append((row[ID], row[K], part[at - back][column] if at >= back else default) + ((sum(found) if found else None,) if total else ()))
        return out
    return Query(sql, rows_of, append=True, asked=not total)


def make_array(rng):
    """Flink's order is that of arrival: it is asked for the number of elements."""
    nulls = rng.choice(['', ' IGNORE NULLS', ' RESPECT NULLS'])
    asked = rng.random() < 0.5
    call = 'ARRAY_AGG(v)' + nulls
    condition, holds = windows.where(rng)
    sql = 'SELECT k, %s AS a FROM ev%s GROUP BY k' % ('CARDINALITY(%s)' % call if asked else "ARRAY_JOIN(%s, '-', '?')" % call.replace('(v)', '(CAST(v AS STRING))'), condition)

    def rows_of(db):
        out = []
        for k, rows in windows.grouped([r for r in db['ev'] if holds(r)], lambda r: r[K]).items():
            found = [r[V] for r in rows if r[V] is not None or nulls != ' IGNORE NULLS']
            out.append((k, (len(found) if asked else '-'.join('?' if v is None else str(v) for v in found)) if found else None))
        return out
    return Query(sql, rows_of, append=True, asked=asked and not nulls)


def make_zscore(rng):
    by_rows, back = rng.random() < 0.5, rng.choice([2, 4, 10])
    frame = 'ROWS BETWEEN %d PRECEDING' % back if by_rows else "RANGE BETWEEN INTERVAL '%d' SECOND PRECEDING" % back
    sql = 'SELECT id, k, ROUND(ZSCORE(v) OVER (PARTITION BY k ORDER BY ts %s AND CURRENT ROW), 6) AS z FROM ev' % frame

    def rows_of(db):
        out = []
        for part in windows.grouped(db['ev'], lambda r: r[K]).values():
            for at, row in enumerate(part):
                near = part[max(0, at - back):at + 1] if by_rows else [r for r in part if row[T] - back * 1000 <= r[T] <= row[T]]
                others = [r[V] for r in near if r is not row and r[V] is not None]
                z = None
                if row[V] is not None and len(others) > 1 and len(set(others)) > 1:
                    mean = sum(others) / len(others)
                    z = round((row[V] - mean) / math.sqrt(sum((x - mean) ** 2 for x in others) / (len(others) - 1)), 6) + 0.0
                out.append((row[ID], row[K], z))
        return out
    return Query(sql, rows_of, append=True, asked=False)


def make_case(seed, number):
    rng = joins.random.Random('sql-%s-%d' % (seed, number))
    query = rng.choice([make_grouping, make_grouping, make_grouping, make_sets, make_sets, make_lag, make_lag, make_array, make_zscore])(rng)
    rows, delay = windows.make_rows(rng)
    if 'LAG(' in query.text and len({(r[K], r[T]) for _, r in rows}) < len(rows):
        query.asked = False  # Flink gives all rows of an instant the LAG of the last one
    if any('LAG(%s' % name in query.text and text in query.text and any(r[c] is None for _, r in rows) for name, c, text in [('v', V, '-1)'), ('k', K, "'none')")]):
        query.asked = False  # and its third argument also where the row is there and its value NULL
    return query, rows, delay


joins.make_case = make_case
joins.TABLES = ('ev',)
joins.WHAT = 'grouping sets, set operations, LAG and the like'

if __name__ == '__main__':
    joins.main()
