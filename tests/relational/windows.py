#!/usr/bin/env python3
"""Windows, aggregates, OVER and GROUP BY on random rows: held against a naive evaluation of the same query, and against the kept answers of Flink SQL.

usage: windows.py property [--seed S] [--cases N] | ask [--seed S] [--cases N] | keep ASKED ANSWERS | judge FILE...     as joins.py, whose harness it uses
"""
import collections
import decimal
import math

import joins
from joins import Query

START_MS = joins.START_MS
ID, K, V, T = 0, 1, 2, 3


def clock(ms):
    """As CAST(TIMESTAMP(3) AS STRING)."""
    return (joins.time_text(ms) if ms >= START_MS else '2025-12-31T23:%02d:%02d.%03d' % divmod_time(ms)).replace('T', ' ')


def divmod_time(ms):
    left = ms - START_MS + 3600000
    return left // 60000, left // 1000 % 60, left % 1000


# ---- aggregates: text and meaning. Rows come in the order of (time, arrival). ----
def values(rows):
    return [r[V] for r in rows if r[V] is not None]


def variance(rows, sample):
    found = values(rows)
    if len(found) < 1 + sample:
        return None
    mean = sum(found) / len(found)
    return sum((x - mean) ** 2 for x in found) / (len(found) - sample)


def rounded(value):
    return None if value is None else round(value, 6)


def decimal_average(rows):
    found = values(rows)
    if not found:
        return None
    return float((decimal.Decimal(sum(found)) / len(found)).quantize(decimal.Decimal('0.000001'), decimal.ROUND_HALF_UP))


def percentile(rows, fraction):
    found = sorted(values(rows))
    if not found:
        return None
    place = fraction * (len(found) - 1)
    low = int(place)
    return rounded(found[low] + (found[min(low + 1, len(found) - 1)] - found[low]) * (place - low))


def maybe(function):
    return lambda rows: function(values(rows)) if values(rows) else None


AGGREGATES = [
    # text, meaning, what Flink can be asked of: everywhere, 'order': where the order is settled (OVER), 'no': it has no such function or another type
    ('COUNT(*)', len, ''),
    ('COUNT(v)', lambda rows: len(values(rows)), ''),
    ('SUM(v)', maybe(sum), ''),
    ('MIN(v)', maybe(min), ''),
    ('MAX(v)', maybe(max), ''),
    ('COUNT(DISTINCT v)', lambda rows: len(set(values(rows))), ''),
    ('SUM(DISTINCT v)', maybe(lambda found: sum(set(found))), ''),
    ('ROUND(AVG(CAST(v AS DOUBLE)), 6)', lambda rows: rounded(sum(values(rows)) / len(values(rows))) if values(rows) else None, ''),
    ('AVG(CAST(v AS DECIMAL(10, 2)))', decimal_average, ''),
    ('SUM(CAST(v AS DECIMAL(10, 2)) * 0.25)', maybe(lambda found: sum(found) * 0.25), ''),
    ('ROUND(STDDEV_POP(CAST(v AS DOUBLE)), 6)', lambda rows: None if variance(rows, 0) is None else rounded(math.sqrt(variance(rows, 0))), ''),
    ('ROUND(VAR_SAMP(CAST(v AS DOUBLE)), 6)', lambda rows: rounded(variance(rows, 1)), 'no'),
    ('COUNT(*) FILTER (WHERE v > 4)', lambda rows: len([x for x in values(rows) if x > 4]), ''),
    ('SUM(v) FILTER (WHERE k = \'x\')', lambda rows: sum(values([r for r in rows if r[K] == 'x'])) if values([r for r in rows if r[K] == 'x']) else None, ''),
    ('FIRST_VALUE(v)', maybe(lambda found: found[0]), 'order'),
    ('LAST_VALUE(v)', maybe(lambda found: found[-1]), 'order'),
    ('LISTAGG(CAST(v AS STRING), \'-\')', maybe(lambda found: '-'.join(map(str, found))), 'order'),
    ('MAX(k)', lambda rows: max([r[K] for r in rows if r[K] is not None], default=None), ''),
    ('ROUND(PERCENTILE(v, 0.3), 6)', lambda rows: percentile(rows, 0.3), 'no'),
    ('APPROX_COUNT_DISTINCT(v)', lambda rows: len(set(values(rows))), 'no'),
]


def pick(rng, count, over=''):
    """Texts with aliases, the meaning of all, may Flink be asked?"""
    chosen = rng.sample(AGGREGATES, count)
    texts = [text if not over else over_text(text, over) for text, _, _ in chosen]
    asked = all(flag == '' or (flag == 'order' and over) for _, _, flag in chosen)
    return ', '.join('%s AS a%d' % (t, n) for n, t in enumerate(texts)), lambda rows: tuple(f(rows) for _, f, _ in chosen), asked


def over_text(text, over):
    """The aggregate call gets its OVER, inside of ROUND(..., 6)."""
    if text.startswith('ROUND('):
        return 'ROUND(%s OVER %s, 6)' % (text[len('ROUND('):-len(', 6)')], over)
    return '%s OVER %s' % (text, over)


def in_order(rows):
    return sorted(rows, key=lambda r: (r[T], r[ID]))


def where(rng):
    if rng.random() < 0.6:
        return '', lambda r: True
    text, holds = joins.condition_on(rng)
    return ' WHERE ' + text, holds


def grouped(rows, key):
    groups = collections.defaultdict(list)
    for row in in_order(rows):
        groups[key(row)].append(row)
    return groups


# ---- queries ----
def make_group(rng):
    text, meaning, asked = pick(rng, rng.randint(1, 4))
    condition, holds = where(rng)
    having = rng.random() < 0.3
    least = rng.randint(1, 3)
    sql = 'SELECT k, %s FROM ev%s GROUP BY k%s' % (text, condition, ' HAVING COUNT(*) >= %d' % least if having else '')

    def rows_of(db):
        groups = grouped([r for r in db['ev'] if holds(r)], lambda r: r[K])
        return [(k,) + meaning(rows) for k, rows in groups.items() if not having or len(rows) >= least]
    return Query(sql, rows_of, append=True, asked=asked)


def make_group_of_groups(rng):
    """Over rows that change: each aggregate takes values back."""
    inner = rng.choice([('COUNT(*)', len), ('SUM(v)', maybe(sum)), ('MAX(v)', maybe(max))])
    text, meaning, asked = pick(rng, rng.randint(1, 3))
    sql = 'SELECT b, %s FROM (SELECT k, MOD(id, 3) AS b, %s AS v FROM ev GROUP BY k, MOD(id, 3)) GROUP BY b' % (text, inner[0])

    def rows_of(db):
        groups = grouped(db['ev'], lambda r: (r[K], r[ID] % 3))
        # where the outer order matters it is that of the last rows
        found = [(rows[-1][ID], k, inner[1](rows), rows[-1][T], b) for (k, b), rows in groups.items()]
        outer = collections.defaultdict(list)
        for row in in_order(found):
            outer[row[4]].append(row)
        return [(b,) + meaning(rows) for b, rows in outer.items()]
    ordered = any(word in text for word in ('FIRST_VALUE', 'LAST_VALUE', 'LISTAGG'))
    return make_group_of_groups(rng) if ordered else Query(sql, rows_of, append=True, asked=asked)


def make_window(rng):
    kind = rng.choice(['TUMBLE', 'HOP', 'CUMULATE', 'SESSION'])
    step = rng.choice([1, 2, 5, 7])
    size = step * rng.choice([1, 2, 3, 4])
    offset = rng.choice([0, 0, 0, 1, 3]) % size if kind != 'SESSION' else 0
    text, meaning, asked = pick(rng, rng.randint(1, 4))
    condition, holds = where(rng)
    keyed = kind == 'SESSION' or rng.random() < 0.7
    having, least = rng.random() < 0.25, rng.randint(1, 3)
    second = "INTERVAL '%d' SECOND"
    more = '' if not offset else ', ' + second % offset
    lengths = {'TUMBLE': second % size, 'HOP': '%s, %s' % (second % step, second % size), 'CUMULATE': '%s, %s' % (second % step, second % size),
               'SESSION': second % step}[kind] + more
    table = 'TABLE(%s(TABLE ev%s, DESCRIPTOR(ts), %s))' % (kind, ' PARTITION BY k' if kind == 'SESSION' else '', lengths)
    key = ', k' if keyed else ''
    sql = 'SELECT CAST(window_start AS STRING) AS ws, CAST(window_end AS STRING) AS we%s, %s FROM %s%s GROUP BY window_start, window_end%s%s' % (
        key, text, table, condition, key, ' HAVING COUNT(*) >= %d' % least if having else '')

    def rows_of(db):
        rows = [r for r in db['ev'] if holds(r)]
        if kind == 'SESSION':
            windows = sessions(rows, step * 1000)
        else:
            windows = collections.defaultdict(list)
            for row in in_order(rows):
                for start, end in windows_of(kind, row[T], step * 1000, size * 1000, offset * 1000):
                    windows[(start, end, row[K] if keyed else None)].append(row)
        return [(clock(start), clock(end)) + ((k,) if keyed else ()) + meaning(found) for (start, end, k), found in windows.items()
                if not having or len(found) >= least]
    return Query(sql, rows_of, append=True, asked=asked)


def windows_of(kind, t, step, size, offset):
    if kind == 'TUMBLE':
        step = size
    if kind == 'CUMULATE':
        start = (t - offset) // size * size + offset
        return [(start, start + n * step) for n in range(1, size // step + 1) if start + n * step > t]
    last = (t - offset) // step * step + offset
    return [(start, start + size) for start in range(last, last - size, -step) if start + size > t]


def sessions(rows, gap):
    out = {}
    for k, found in grouped(rows, lambda r: r[K]).items():
        part = []
        for row in found + [None]:
            if part and (row is None or row[T] > part[-1][T] + gap):
                out[(part[0][T], part[-1][T] + gap, k)] = part
                part = []
            if row:
                part = part + [row]
    return out


def make_over(rng):
    kind = rng.choice(['range', 'range', 'rows', 'unbounded range', 'unbounded rows', 'default'])
    back = rng.choice([0, 1, 2, 5, 10, 30])
    if kind == 'range':
        back = max(back, 1)
    frames = {'range': "RANGE BETWEEN INTERVAL '%d' SECOND PRECEDING AND CURRENT ROW" % back, 'rows': 'ROWS BETWEEN %d PRECEDING AND CURRENT ROW' % back,
              'unbounded range': 'RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW', 'unbounded rows': 'ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW', 'default': ''}
    partitioned = rng.random() < 0.8
    over = '(%sORDER BY ts %s)' % ('PARTITION BY k ' if partitioned else '', frames[kind])
    text, meaning, asked = pick(rng, rng.randint(1, 4), over)
    condition, holds = where(rng)
    filtered, bound = rng.random() < 0.4, rng.randint(1, 12)
    velocity = ', SUM(v) OVER %s AS s' % over if filtered else ''
    sql = 'SELECT id, k, %s%s FROM ev%s' % (text, velocity, condition)
    if filtered:
        names = ', '.join('a%d' % n for n in range(text.count(' AS a')))
        sql = 'SELECT id, k, %s, s FROM (%s) WHERE s > %d' % (names, sql, bound)

    def frame_of(part, at):
        t = part[at][T]
        if kind.endswith('rows'):
            return part[0 if kind != 'rows' else max(0, at - back):at + 1]
        return [r for r in part if r[T] <= t and (kind != 'range' or r[T] >= t - back * 1000)]

    def rows_of(db):
        out = []
        for part in grouped([r for r in db['ev'] if holds(r)], lambda r: r[K] if partitioned else 0).values():
            for at, row in enumerate(part):
                frame = frame_of(part, at)
                total = sum(values(frame)) if values(frame) else None
                if not filtered or (total is not None and total > bound):
                    out.append((row[ID], row[K]) + meaning(frame) + ((total,) if filtered else ()))
        return out
    return Query(sql, rows_of, append=True, asked=asked)


def make_two_overs(rng):
    """Several frames and partitions: an OVER behind another one."""
    back, rows_back = rng.choice([1, 3, 8]), rng.choice([1, 2, 4])
    sql = ("SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '%d' SECOND PRECEDING AND CURRENT ROW) AS a, MAX(v) OVER (PARTITION BY k "
           "ORDER BY ts ROWS BETWEEN %d PRECEDING AND CURRENT ROW) AS b, COUNT(*) OVER (PARTITION BY MOD(id, 2) ORDER BY ts) AS c FROM ev" % (back, rows_back))

    def rows_of(db):
        out = {}
        for part in grouped(db['ev'], lambda r: r[K]).values():
            for at, row in enumerate(part):
                near = values([r for r in part if row[T] - back * 1000 <= r[T] <= row[T]])
                last = values(part[max(0, at - rows_back):at + 1])
                out[row[ID]] = (row[ID], sum(near) if near else None, max(last) if last else None)
        for part in grouped(db['ev'], lambda r: r[ID] % 2).values():
            for row in part:
                out[row[ID]] += (len([r for r in part if r[T] <= row[T]]),)
        return list(out.values())
    return Query(sql, rows_of, append=True, asked=False)


def make_distinct(rng):
    columns = rng.choice([('k', (K,)), ('k, v', (K, V)), ('MOD(id, 4) AS m, k', (4, K))])
    condition, holds = where(rng)
    return Query('SELECT DISTINCT %s FROM ev%s' % (columns[0], condition),
                 lambda db: list({tuple((r + (r[ID] % 4,))[c] for c in columns[1]) for r in db['ev'] if holds(r)}), append=True)


def make_cascade(rng):
    """A window over the time of another window; a group of windows."""
    size, more = rng.choice([1, 2, 5]), rng.choice([2, 3])
    inner = ("SELECT k, window_time AS wt, COUNT(*) AS n, SUM(v) AS s FROM TABLE(TUMBLE(TABLE ev, DESCRIPTOR(ts), INTERVAL '%d' SECOND)) "
             "GROUP BY window_start, window_end, window_time, k" % size)
    sql = ("SELECT CAST(window_start AS STRING) AS ws, SUM(n) AS n, MAX(s) AS m FROM TABLE(TUMBLE((%s), DESCRIPTOR(wt), INTERVAL '%d' SECOND)) "
           "GROUP BY window_start, window_end" % (inner, size * more))

    def rows_of(db):
        windows = collections.defaultdict(list)
        for row in db['ev']:
            windows[(row[T] // (size * 1000), row[K])].append(row)
        outer = collections.defaultdict(list)
        for (w, _), found in windows.items():
            outer[w // more].append((len(found), sum(values(found)) if values(found) else None))
        return [(clock(w * size * more * 1000), sum(n for n, _ in found), max([s for _, s in found if s is not None], default=None)) for w, found in outer.items()]
    return Query(sql, rows_of, timed=True, append=True, asked=False)  # the inner windows are told at their end, eager or not


def make_assigned(rng):
    step = rng.choice([2, 5])
    size = step * rng.choice([1, 2, 3])
    kind = rng.choice(['HOP', 'CUMULATE'])
    sql = "SELECT id, v, CAST(window_start AS STRING) AS ws, CAST(window_end AS STRING) AS we FROM TABLE(%s(TABLE ev, DESCRIPTOR(ts), INTERVAL '%d' SECOND, INTERVAL '%d' SECOND))" % (
        kind, step, size)
    return Query(sql, lambda db: [(r[ID], r[V], clock(s), clock(e)) for r in db['ev'] for s, e in windows_of(kind, r[T], step * 1000, size * 1000, 0)], append=True)


def make_case(seed, number):
    rng = joins.random.Random('windows-%s-%d' % (seed, number))
    query = rng.choice([make_group, make_group_of_groups, make_window, make_window, make_window, make_over, make_over, make_over, make_two_overs, make_distinct,
                        make_cascade, make_assigned])(rng)
    rows, delay = make_rows(rng)
    return query, rows, delay


def make_rows(rng):
    delay = rng.choice([0, 3, 10])
    rows, top, grain = [], START_MS, rng.choice([250, 1000, 1000])
    for number in range(rng.randint(0, 24)):
        low = top - delay * 1000 + 1 if rows else START_MS
        t = max(START_MS, rng.randint(low, low + (delay + 4) * 1000) // grain * grain)
        while t < low:
            t += grain
        top = max(top, t)
        rows.append(('ev', (number, rng.choice(['x', 'y', 'z', 'x', None]), rng.choice([None] + list(range(10))), t)))
    return rows, delay


joins.make_case = make_case
joins.TABLES = ('ev',)
joins.WHAT = 'windows, OVER and groups'

if __name__ == '__main__':
    joins.main()
