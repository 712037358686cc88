#!/usr/bin/env python3
"""Change records (Debezium's) as tables: joins, top-N, groups and filters over them, in the harness of joins.py. See README.md.

usage: changes.py property | ask | keep | judge, as joins.py

A case with an odd number has a noisy log: records that come twice, updates without their first image, deletions with the key alone or of rows that never were."""
import joins

KINDS = {'c': ['INSERT'], 'r': ['INSERT'], 'u': ['UPDATE_BEFORE', 'UPDATE_AFTER'], 'd': ['DELETE']}


def record_of(change):
    op, before, after = change
    alone = before and before[3] is None  # the key alone
    image = {'before': {'id': before[0]} if alone else before and joins.object_of(before), 'after': after and joins.object_of(after), 'op': op}
    return {'schema': {}, 'payload': image} if before and before[0] % 2 else image


def time_of(change):
    return joins.START_MS + 1000 * ((change[2] or change[1])[0] % 5)  # no row is late, however far the watermark has come


def take(table, change):
    op, before, after = change
    key = (after or before)[0]
    table[:] = [row for row in table if row[0] != key]
    if op != 'd':
        table.append(after)


def table_text(name, _):
    columns = ', '.join('%s %s' % column for column in joins.SCHEMA)
    return "CREATE TABLE %s (%s, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'filesystem', 'path' = '%s.jsonl', 'format' = 'debezium-json');\n" % (name, columns, name)


def table_asked(name, rows, _):
    lines = []
    for table, (op, before, after) in rows:
        images = [after] if op in 'cr' else [before, after] if op == 'u' else [before]
        if table == name:
            lines += [[kind] + list(image[:3]) + [joins.time_text(image[3])] for kind, image in zip(KINDS[op], images)]
    return {'name': name, 'schema': joins.SCHEMA, 'changes': True, 'rows': lines}


def make_rows(rng):
    name = rng.choice(joins.TABLES)
    text, rows, _ = joins.source(rng, name)
    return joins.Query('SELECT id, k, v FROM %s AS t' % text, lambda db: [r[:3] for r in rows(db)])


def change_of(rng, table, fresh, stamp):
    """One change that a database would log of this table."""
    values = (rng.choice(['x', 'y', 'z', 'x', None]), rng.choice([None] + list(range(10))), stamp)
    if not table or rng.random() < 0.45:
        return rng.choice('ccr'), None, (fresh,) + values
    old = rng.choice(table)
    return ('d', old, None) if rng.random() < 0.3 else ('u', old, (old[0],) + values)


def spoil(rng, change, fresh):
    op, before, after = change
    if op == 'u' and rng.random() < 0.5:
        return op, None, after
    if op == 'd' and rng.random() < 0.5:
        return op, (before[0], None, None, None), None
    return ('d', (fresh, None, None, None), None) if rng.random() < 0.1 else change


def make_case(seed, number):
    if seed == 'worked':
        return joins.Query('SELECT id FROM ev', lambda db: [r[:1] for r in db['ev']]), [], 0
    rng = joins.random.Random('changes-%s-%d' % (seed, number))
    noisy = number % 2
    query = rng.choice([joins.make_topn, joins.make_join, joins.make_join, make_rows])(rng)
    query.append, query.asked = False, query.asked and not noisy
    rows, tables = [], {name: [] for name in joins.TABLES}
    for fresh in range(rng.randint(0, 24)):
        name = rng.choice(joins.TABLES)
        change = change_of(rng, tables[name], fresh, joins.START_MS + rng.randint(0, 40) * 1000 + fresh)
        if noisy:
            change = spoil(rng, change, fresh)
        for _ in range(2 if noisy and rng.random() < 0.2 else 1):
            rows.append((name, change))
            take(tables[name], change)
    return query, rows, 0


for name in ('record_of', 'time_of', 'take', 'table_text', 'table_asked', 'make_case'):
    setattr(joins, name, globals()[name])
joins.WORKED = []
joins.WHAT = 'change records'

if __name__ == '__main__':
    joins.main()
