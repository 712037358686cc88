"""Rules of shapes that neither the conformance cases nor neighbours.py have, over three small tables (the last one without rows): nested navigation, subsets that overlap, classifiers
of subsets, aggregates in conditions, patterns that may be empty in several ways, every skip target with every output, queries around and inside. neighbours.py gives them to judge.py.

Not in: PERMUTE of one element, which Trino takes for a variable of that name; DECIMAL averages, whose scale is ours; functions of Trino that are not ours.
"""
TXN = {'schema': [['account', 'STRING'], ['seq', 'INT'], ['amount', 'INT'], ['tag', 'STRING'], ['price', 'DOUBLE'], ['big', 'BIGINT'], ['ok', 'BOOLEAN']],
       'rows': [['p1', 3, 70, 'c', 7.5, 30, True], ['p2', 1, 10, 'a', 1.0, 10, None], ['p1', 1, 90, 'a', 9.25, 10, True], ['p2', 4, 40, 'd', None, 40, True], ['p1', 2, 80, 'b', 8.0, 20, False],
                ['p2', 2, 20, 'b', 2.5, None, False], ['p1', 5, 70, None, 7.5, 50, None], ['p1', 4, 75, 'd', None, 40, False], ['p2', 3, 15, 'c', 1.5, 30, True], ['p1', 6, 60, 'f', 6.0, 60, True],
                ['p2', 5, None, 'e', 4.0, 50, False], ['p1', 8, 95, 'h', 9.5, 80, True], ['p1', 7, 65, 'g', 6.5, 70, False]]}
ONE = {'schema': [['id', 'INT'], ['v', 'INT'], ['s', 'STRING']],
       'rows': [[i + 1, v, s] for i, (v, s) in enumerate(zip([1, 2, 3, 2, 1, 4, 4, 0, 2, 3, None, 5], 'a b a c a b b c a a x b'.split()))]}
NONE = {'schema': ONE['schema'], 'rows': []}
TABLES = {'txn': TXN, 'one': ONE, 'none': NONE}
ALL = 'ALL ROWS PER MATCH'


def rule(table='txn', measures='', pattern='A', define='', rows='ONE ROW PER MATCH', skip='', part='account', order='seq', subset='', columns='*', alias='AS r', tail='', source='ev'):
    clauses = [part and 'PARTITION BY ' + part, order and 'ORDER BY ' + order, measures and 'MEASURES ' + measures, rows, skip and 'AFTER MATCH SKIP ' + skip, 'PATTERN (%s)' % pattern, subset and 'SUBSET ' + subset, define and 'DEFINE ' + define]
    return table, ('SELECT %s FROM %s MATCH_RECOGNIZE (%s) %s %s' % (columns, source, ' '.join(c for c in clauses if c), alias, tail)).strip()

DOWN = 'B AS B.amount < PREV(B.amount), C AS C.amount >= PREV(C.amount)'


def navigation():
    m = '''PREV(FIRST(B.amount), 1) ; PREV(FIRST(B.amount, 1), 2) ; NEXT(LAST(B.amount, 1), 2) ; NEXT(FIRST(C.amount), 0) ; PREV(RUNNING LAST(B.amount), 1) ; NEXT(FINAL FIRST(B.amount, 1), 1) ;
    FIRST(B.amount * 2 + B.seq) ; PREV(B.amount + B.seq, 1) - NEXT(B.amount) ; FINAL LAST(amount) - RUNNING LAST(amount) ; FINAL FIRST(B.amount, 1) ; RUNNING LAST(C.amount, 1) ;
    LAST(U.amount) ; FIRST(U.amount, 2) ; LAST(U.amount, 1) + FIRST(W.amount) ; CLASSIFIER(U) ; LAST(CLASSIFIER(U), 1) ; FIRST(CLASSIFIER(W)) ; FINAL LAST(CLASSIFIER()) ; PREV(LAST(CLASSIFIER(U)), 1) ; PREV(CLASSIFIER(), 2) ; NEXT(CLASSIFIER()) ;
    NEXT(LAST(CLASSIFIER(B)), 1) ; LAST(B.seq + MATCH_NUMBER()) ; FIRST(CLASSIFIER() || tag) ; LAST(U.tag || CLASSIFIER(U)) ; COALESCE(PREV(A.amount), -1) ; PREV(A.amount) IS NULL ;
    CASE WHEN LAST(B.amount, 1) IS NULL THEN 'one' ELSE 'more' END ; LAST(B.amount, 100) ; NEXT(amount, 100) ; FIRST(A.amount, 1) ; PREV(account) || '-' || account ; LAST(C.amount) IS NULL AND count(C.*) = 0 ;
    FINAL count(B.*) - count(B.*) ; FINAL sum(U.amount) ; RUNNING sum(U.amount) ; sum(W.amount) ; FINAL max(C.tag) ; count(U.*) * 10 + count(W.*) ; FINAL array_agg(CLASSIFIER(U)) ; array_agg(U.seq * 2) ; min_by(U.tag, U.amount) ;
    FINAL avg(price) ; RUNNING avg(U.price) ; avg(B.big) ; FINAL min(U.price + U.amount) ; sum(A.amount) - sum(B.amount) ; FINAL sum(B.big) / RUNNING count(*) ; CAST(FINAL count(*) AS varchar) || CLASSIFIER() ;
    NEXT(price + amount) ; LAST(price IS NULL) ; LAST(ok AND price > 7) ; FIRST(ok OR amount > 80) ; PREV(tag LIKE 'b%') ; LAST(tag IN ('a', 'b', NULL)) ; LAST(amount BETWEEN 70 AND 80, 1) ; array_agg(amount > 75) ; bool_or(U.ok) ; bool_and(B.amount > 60)'''
    for e in ' '.join(m.split()).split(' ; '):
        for rows in (ALL, 'ONE ROW PER MATCH', ALL + ' WITH UNMATCHED ROWS'):
            if rows != 'ONE ROW PER MATCH' and 'FIRST(' in e and not e.startswith('FINAL'):
                continue
            yield rule(measures=e + ' AS x', pattern='A B+ C*', define=DOWN, rows=rows, subset='U = (B, C), W = (A, B)', columns='account, seq, x' if rows.startswith('ALL') else '*')


def conditions():
    c = '''B.amount < FIRST(A.amount) AND PREV(B.amount, 2) IS NOT NULL ; LAST(B.amount, 1) IS NULL OR LAST(B.amount, 1) > B.amount ; NEXT(B.amount) > B.amount ; PREV(B.amount) > NEXT(B.amount) ; NEXT(LAST(A.amount), 2) = 75 ;
    count(*) % 2 = 0 ; sum(amount) - FIRST(amount) < 150 ; avg(U.amount) < A.amount ; count(U.*) < 3 ; max(B.amount) < A.amount AND min(B.amount) > 50 ; array_agg(CLASSIFIER())[1] = 'A' ; cardinality(array_agg(B.seq)) < 3 ;
    max_by(U.tag, U.seq) IS NOT NULL ; min_by(tag, amount) <> 'b' ; CLASSIFIER(U) = 'B' ; LAST(CLASSIFIER(U), 1) = 'A' ; PREV(CLASSIFIER(U)) = 'A' ; FIRST(CLASSIFIER()) = 'A' AND count(B.*) < 3 ; MATCH_NUMBER() % 2 = 1 ; MATCH_NUMBER() * count(*) < 5 ;
    B.tag > A.tag ; B.tag || A.tag <> 'ba' ; B.tag IS NULL ; B.price > PREV(B.price) ; B.price IS NOT DISTINCT FROM PREV(B.price) ; NOT (B.price > 7) ; B.ok = NEXT(B.ok) ; B.ok ; NOT B.ok ; B.ok IS NULL ; B.amount IN (A.amount - 10, A.amount - 15) ;
    B.amount NOT IN (A.amount, 75) ; B.amount BETWEEN PREV(B.amount) - 10 AND PREV(B.amount) ; sum(B.price) < 16.0 ; sum(B.big) > 20 ; count(B.big) = count(B.*) ; count_if(B.ok) < 2 ; bool_or(B.ok) ; bool_and(B.ok OR B.amount > 0) ; avg(B.price) > 6.5 ;
    sum(CASE WHEN ok THEN amount ELSE -amount END) > 0 ; FIRST(B.amount) - LAST(B.amount) < 15 ; LAST(B.amount) <> LAST(A.amount) ; FIRST(C.amount) IS NULL ; count(C.*) = 0 ; C.amount IS NULL ; A.amount > 60 ; EXISTS (SELECT 1) AND B.amount > 0 ;
    B.amount > (SELECT 65) ; PREV(B.amount + B.seq) > B.amount + B.seq ; ABS(B.amount - PREV(B.amount)) <= 10 ;
    stddev(B.amount) IS NULL OR stddev(B.amount) < 8 ; CAST(B.amount AS double) / 3 > 24 ; length(B.tag) = 1 AND B.tag BETWEEN 'b' AND 'f' ; TRY_CAST(B.tag AS integer) IS NULL ; CASE B.tag WHEN 'b' THEN true WHEN 'd' THEN NULL ELSE false END'''
    for e in ' '.join(c.split()).split(' ; '):
        yield rule(measures='count(*) AS n, LAST(seq) AS l, CLASSIFIER() AS c', pattern='A B+', define='B AS ' + e, subset='U = (A, B)' if 'C.' not in e else 'U = (A, C)') if 'C.' not in e else rule(
            measures='count(*) AS n, LAST(seq) AS l', pattern='A B+ C?', define='B AS ' + e)
        yield rule(measures='CLASSIFIER() AS c, sum(B.amount) AS s', pattern='A (B | C)*?  D', define='B AS %s, D AS D.amount = 70 OR D.amount IS NULL' % e, subset='U = (A, B)', rows=ALL, columns='account, seq, c, s', skip='TO NEXT ROW')


def patterns():
    ps = '''(A | B)+ C ; (A B?)+ ; (A | B C)* ; A{2} | B{2} ; (A | B){2,3}? C? ; (A+ | B+)+ ; (A+? B*?)+ ; (A* B*)* C ; ((A | B)+ C?)+? $ ; ^ (A | B | C)* $ ; (^ A | B) C? ; A ($ | B) ; (A | ^) B ; (A $)? B ; (A | ())+ B ; (() | A | B)+ C ;  PERMUTE(A, B, C) ; PERMUTE(A, B, C)+ ; PERMUTE(A+, B+) ; PERMUTE(A?, B, C?) ; PERMUTE(A, B | C) ; PERMUTE((A B), C) ; PERMUTE(A, PERMUTE(B, C)) ; PERMUTE({- A -}, B) ; PERMUTE(A{2}, B) ; PERMUTE(A, B)* C ; PERMUTE(A, A, B) ; PERMUTE(A, B, C, D) ; PERMUTE(A*?, B*) ;
    A {- B+ -} C? ; {- A -} {- B -} ; {- A* -} B ; ({- A -} | B)+ ; {- (A B)+ -} C ; A {- (B | C)* -} A ; ({- A -} B?)+ ; {- A | {- B -} C -}* ; {- PERMUTE(A, B) -} C? ; {- ^ -} A ; {- () -} A ; A {- B? -}?? ; A A? A?? ; A B A B ; (A B){2} ; (A B){1,2}? C ; ((A B)+ C)+ ; ((A B?)+ C?)* ; (A{1,2}){2} ; (A{1,2}?){2,3} ; (A{2,})? ; (A?){3} ; (A??){3} B ;
    (A*){2} ; (A+)+? ; (A?)* B ; ((A?)?)? ; A{,3}? B ; (A B | A) C ; (A | A B) C ; (A | A B)+ ; (A | A A)+ B ; (A A | A)* B ; (A | B | A B)* C ; A+ (B | C)+? A ; A* (A | B) ; A*? (A | B) $ ; D* A ; D*? A ; D+ ; D{2,3} ; D D D ; (D | A)* B ; D*? $ ; ^ D+? C ; (A D*?)+ B ; (A D* B)+ ; D? C ; () ; ()* ; ( () | A )* ; ^ ; $ ; ^ $ ; (A $ | A)+ ; A^ | B ; (A | B $)* '''
    for p in ' '.join(ps.split()).split(' ; '):
        used = [v for v in 'ABCD' if v in p.replace('PERMUTE', '')]
        define = ', '.join("%s AS %s.s = '%s'" % (v, v, v.lower()) for v in used if v != 'D')
        if not define:
            define = '%s AS true' % used[0] if used else None
        if define is None:
            continue
        for rows, skip in ((ALL, ''), ('ONE ROW PER MATCH', 'TO NEXT ROW'), (ALL + ' WITH UNMATCHED ROWS', ''), (ALL + ' OMIT EMPTY MATCHES', 'TO NEXT ROW')):
            if '{-' in p and 'UNMATCHED' in rows:
                continue
            yield rule('one', 'MATCH_NUMBER() AS m, CLASSIFIER() AS c, count(*) AS n, FINAL LAST(id) AS l, sum(v) AS t', p, define, rows, skip, '', 'id', columns='id, m, c, n, l, t' if rows.startswith('ALL') else '*')


def skips():
    for skip in ('TO NEXT ROW', 'PAST LAST ROW', 'TO FIRST B', 'TO LAST B', 'TO B', 'TO FIRST C', 'TO LAST A', 'TO FIRST U', 'TO LAST U', 'TO U', 'TO LAST W'):
        for p in ('A B+', 'A+ B', 'A (B | C)+', 'A B? C?', 'A* B', 'D B* D'):
            for rows in (ALL, 'ONE ROW PER MATCH', ALL + ' WITH UNMATCHED ROWS'):
                vs = [v for v in 'ABCD' if v in p]
                u, w = [v for v in 'BC' if v in p], [v for v in 'AB' if v in p]
                if (' C' in skip and 'C' not in p) or (skip.endswith(' A') and 'A' not in p):
                    continue
                yield rule('one', 'MATCH_NUMBER() AS m, CLASSIFIER() AS c, FIRST(id) AS f, FINAL LAST(id) AS l' if not rows.startswith('ALL') else 'MATCH_NUMBER() AS m, CLASSIFIER() AS c, FINAL LAST(id) AS l', p,
                           ', '.join("%s AS s = '%s'" % (v, v.lower()) if v in 'AC' else "%s AS s IN ('b', 'a')" % v for v in vs if v != 'D'), rows, skip, '', 'id',
                           'U = (%s), W = (%s)' % (', '.join(u), ', '.join(w)), columns='id, m, c, l' if rows.startswith('ALL') else '*')


def shells():
    m = 'MATCH_NUMBER() AS m, count(*) AS n, LAST(v) AS l'
    d = "A AS s = 'a'"
    yield rule('one', m, 'A+', d, part='', order='id', columns='m, n, l', tail='WHERE n > 1')
    yield rule('one', m, 'A+', d, part='', order='id', columns='r.m + r.n AS k, upper(CAST(r.l AS varchar))')
    yield rule('one', m, 'A+', d, part='s', order='id')
    yield rule('one', m, 'A+', d, part='s', order='id DESC')
    yield rule('one', m, 'A+', 'A AS v > 1', part='s', order='v NULLS FIRST, id DESC')
    yield rule('one', m, 'A+', 'A AS v > 1', part='s', order='v DESC NULLS LAST, id', rows=ALL)
    yield rule('one', m, 'A+', 'A AS v > 1', part='', order='s DESC, v NULLS LAST, id', rows=ALL)
    yield rule('one', m, 'A+', d, part='', order='id', source='(SELECT * FROM ev WHERE v > 1)')
    yield rule('one', m, 'A+', d, part='', order='id', source='(SELECT id, v + 1 AS v, upper(s) AS s FROM ev)')
    yield rule('one', m, 'A+', "A AS A.w > 2", part='', order='id', source='(SELECT id, v, v * 2 AS w FROM ev) AS t')
    yield rule('one', 'A.w AS x', 'A+', "A AS A.w > 2", part='', order='id', source='(SELECT id, v, v * 2 FROM ev) AS t (id, v, w)')
    yield rule('one', 'A.w AS x', 'A+', "A AS A.w > 2", part='k', order='i', source='(SELECT id AS i, v AS w, s AS k FROM ev)', rows=ALL)
    yield rule('one', m, 'A+', d, part='', order='id', source='ev AS e (id, v, s)')
    yield rule('one', 'LAST(b) AS x', 'A+', "A AS c = 'a'", part='', order='a', source='ev AS e (a, b, c)')
    yield rule('one', m, 'A+', d, part='', order='id', columns='DISTINCT n')
    yield rule('one', m, 'A+', d, part='', order='id', columns='n, count(*) AS k', tail='GROUP BY n')
    yield rule('one', m, 'A+', d, part='', order='id', columns='n, count(*) AS k', tail='GROUP BY n HAVING count(*) > 1')
    yield rule('one', m, 'A+', d, part='', order='id', columns='max(n), min(l), sum(m)')
    yield rule('one', m, 'A+', d, part='', order='id', alias='AS r (x, y, z)', columns='z, x')
    yield rule('one', m, 'A+', d, part='s', order='id', alias='AS r (g, x, y, z)', columns='g, z, x')
    yield rule('one', m, 'A+', d, part='', order='id', alias='', columns='n')
    yield rule('one', m, 'A+', d, part='', order='id', rows='')
    yield rule('one', m, 'A+', d, part='', order='id', rows=ALL)
    yield rule('one', '', 'A+', d, part='', order='id', rows=ALL)
    yield rule('one', '', 'A+', d, part='s', order='id', rows=ALL)
    yield rule('one', '', 'A+', d, part='s, v', order='id', rows=ALL)
    yield rule('one', '', 'A+', d, part='s', order='v, id', rows=ALL + ' WITH UNMATCHED ROWS')
    yield rule('none', m, 'A*', d, part='', order='id')
    yield rule('none', m, 'A*', d, part='', order='id', rows=ALL + ' WITH UNMATCHED ROWS')
    yield rule('none', m, '^$ | A', d, part='', order='id')
    yield rule('one', 'sum(n) AS total', 'X+', 'X AS n >= PREV(n) OR PREV(n) IS NULL', part='', order='m', source='(SELECT * FROM ev MATCH_RECOGNIZE (ORDER BY id MEASURES MATCH_NUMBER() AS m, count(*) AS n PATTERN (A+) DEFINE A AS s = \'a\'))')
    yield rule('one', 'A.v AS av, B.v AS bv, B.v - A.v AS diff, A.s || B.s AS ss', 'A X*? B', "A AS v = 1, B AS B.v > A.v + 1", part='', order='id')
    yield rule('one', '"b".v AS "Value", "b".id AS id2', 'A "b"', 'A AS true, "b" AS "b".v > 2', part='', order='id')
    yield rule('one', 'a.v AS x', 'a B', 'A AS s = \'a\', b AS B.v > a.v', part='', order='id')
    yield rule('one', 'A.v AS x', 'A B', 'A AS A.id > 0, B AS B.v > A.v', part='', order='id', subset='U=(A,B)')
    yield rule('one', 'count(A.v) AS x, count(U.v) AS y, count(v) AS z, count(*) AS w, count(A.*) AS q', 'A+ B*', "A AS s <> 'b'", part='', order='id', subset='U = (A, B)')
    yield rule('one', 'count(x.v) AS n', 'x y', 'X AS v > 1', part='', order='id')
    yield rule('one', 'A.id AS i', 'A', 'A AS PREV(v) < v AND v > NEXT(v)', part='', order='id')
    yield rule('one', 'A.id AS i', 'A', 'A AS PREV(v) < v AND (v > NEXT(v) OR NEXT(v) IS NULL)', part='', order='id')
    yield rule('one', 'A.id AS i', 'A', 'A AS v = (SELECT 2)', part='', order='id')
    yield rule('one', 'FIRST(A.id) AS f, LAST(Z.id) AS l', 'A Z*', "Z AS sum(Z.v) <= 5", part='', order='id')
    yield rule('one', 'FIRST(A.id) AS f, LAST(Z.id) AS l', 'A Z*', "Z AS sum(v) <= 7", part='', order='id', skip='TO NEXT ROW')
    yield rule('one', 'FIRST(id) AS f, LAST(id) AS l, sum(v) AS t', 'Z+ E', "E AS sum(v) >= 6", part='', order='id')
    yield rule('one', 'FIRST(id) AS f, LAST(id) AS l, sum(v) AS t', 'Z*? E', "E AS sum(v) >= 6", part='', order='id')
    yield rule('one', 'FIRST(id) AS f, LAST(id) AS l, sum(v) AS t', 'Z*? E', "E AS sum(Z.v) + E.v >= 6", part='', order='id', skip='TO LAST Z')
    yield rule('one', 'MATCH_NUMBER() AS m, CLASSIFIER() AS c, sum(A.v) AS sa, sum(B.v) AS sb', '(A | B)+', 'A AS COALESCE(sum(A.v), 0) <= COALESCE(sum(B.v), 0) + v', part='', order='id', rows=ALL)
    yield rule('one', 'CLASSIFIER() AS c, array_agg(CLASSIFIER()) AS cs', '^ (A | B)* (L) $', 'L AS sum(A.v) + v = sum(B.v)', part='', order='id', rows=ALL)
    yield rule('one', 'CLASSIFIER() AS c', '^ (A | B | C)* L', 'L AS sum(A.id) = sum(B.id) AND sum(B.id) = sum(C.id)', part='', order='id', rows=ALL)
    yield rule('one', 'array_agg(id) AS ids', 'A B C', 'B AS B.v <> A.v, C AS C.v NOT IN (A.v, B.v)', part='', order='id', skip='TO NEXT ROW')
    yield rule('one', 'array_agg(id) AS ids', 'A B+? C', 'C AS C.v = A.v', part='', order='id', skip='TO NEXT ROW')
    yield rule('one', 'array_agg(s) AS ids, array_agg(v) AS vs', 'A B{2,3} C', 'A AS true', part='', order='id')
    yield rule('one', 'array_join(array_agg(s), \'\') AS x', 'A B{2,3} C', 'A AS true', part='', order='id')
    yield rule('one', 'array_agg(s)[2] AS x, cardinality(array_agg(v)) AS y', 'A B{2,3} C', 'A AS true', part='', order='id')
    yield rule('one', 'ARRAY[A.s, CLASSIFIER(), LAST(B.s)] AS x', 'A B{2,3}', 'A AS true', part='', order='id')
    yield rule('one', 'max_by(s, v, 2) AS x, min_by(id, v, 2) AS y, max(v, 2) AS z', 'A B{2,3}', 'A AS true', part='', order='id')
    yield rule('one', 'coalesce(sum(B.v), 0) AS x, nullif(count(B.*), 0) AS y, if(count(B.*) > 0, \'some\', \'none\') AS z', 'A B*', "B AS s = 'b'", part='', order='id')
    yield rule('one', 'A.v / nullif(B.v, 0) AS x, A.v % 2 AS y, -A.v AS z', 'A B', "B AS s <> 'x'", part='', order='id', skip='TO NEXT ROW')


def rules():
    """(rule, schema, rows), each once."""
    seen = set()
    for group in (navigation, conditions, patterns, skips, shells):
        for table, text in group():
            if text not in seen:
                seen.add(text)
                yield text, TABLES[table]['schema'], TABLES[table]['rows']
