"""Rules beside those of the conformance cases: each expression, condition, pattern, clause and order in turn, over one small table with NULLs of all types.

`pairs()` gives them all, named by their place; Trino's answers are kept in neighbours.jsonl.zst. Called by judge.py. Not in, since Trino departs from the standard or
Flink's types count here: running FIRST under ALL ROWS (see README.md), CAST of a DOUBLE to INT (Trino rounds), division of a DOUBLE by zero (an error here).
"""

import shapes

SCHEMA = [['account', 'STRING'], ['seq', 'INT'], ['amount', 'INT'], ['d', 'DOUBLE'], ['tag', 'STRING'], ['ok', 'BOOLEAN'], ['big', 'BIGINT']]
ROWS = [
    ['a1', 1, 90, 1.5, 'x', True, 1], ['a1', 2, 80, None, 'y', False, 2], ['a1', 3, 70, 2.5, None, None, 3000000000], ['a1', 4, 70, 2.5, 'x', True, None],
    ['a2', 1, 10, 0.0, 'z', True, 5], ['a2', 2, 20, -1.5, 'y', False, 6], ['a2', 3, None, 7.25, 'x', False, 7], ['a1', 5, 100, 3.0, 'y', True, 8],
    [None, 1, 5, 1.0, 'q', None, 9], [None, 2, 6, 1.0, 'q', True, 10],
]
ALL = 'ALL ROWS PER MATCH'

# Expressions, separated by " ; ".
MEASURES = '''
A.amount ; amount ; LAST(amount) ; FIRST(B.amount) ; LAST(B.amount, 1) ; FIRST(amount, 2) ; PREV(A.amount) ; NEXT(B.amount) ; NEXT(B.amount, 2) ;
PREV(LAST(B.amount), 2) ; NEXT(FIRST(A.amount, 0), 3) ; PREV(FIRST(amount, 1)) ; FINAL LAST(B.amount) ; RUNNING LAST(B.amount) ; PREV(FINAL LAST(B.amount)) ;
NEXT(RUNNING FIRST(B.amount)) ; count(*) ; count(B.*) ; count() ; count(B.amount) ; count(amount) ; sum(B.amount) ; avg(B.amount) ; avg(B.d) ; min(tag) ;
max(B.tag) ; min(B.d) ; array_agg(tag) ; array_agg(B.tag) ; array_agg(CLASSIFIER()) ; array_agg(MATCH_NUMBER()) ; max_by(tag, amount) ; min_by(B.tag, B.seq) ;
max_by(CLASSIFIER(), seq) ; arbitrary(A.amount) ; any_value(A.amount) ; bool_and(ok) ; bool_or(B.ok) ; every(ok) ; count_if(ok) ; count(DISTINCT tag) ;
sum(B.amount + 1) ; sum(B.amount) + sum(A.amount) ; sum(B.amount * B.seq) ; stddev(B.amount) ; stddev_pop(B.amount) ; var_samp(B.d) ; variance(B.d) ;
var_pop(B.d) ; listagg(tag, ',') WITHIN GROUP (ORDER BY tag) ; array_agg(tag ORDER BY seq) ; array_agg(tag ORDER BY seq DESC) ; sum(big) ; sum(B.big) ;
CLASSIFIER() ; CLASSIFIER(B) ; MATCH_NUMBER() ; MATCH_NUMBER() + 1 ; lower(CLASSIFIER()) ; LAST(CLASSIFIER()) ; FIRST(CLASSIFIER()) ; PREV(CLASSIFIER()) ;
LAST(CLASSIFIER(B), 1) ; PREV(LAST(CLASSIFIER(B))) ; length(CLASSIFIER(B)) ; upper(B.tag) ; B.tag || A.tag ; concat(A.tag, B.tag) ; coalesce(B.amount,
A.amount, 0) ; nullif(A.amount, 90) ; CASE WHEN A.amount > 50 THEN 'hi' ELSE 'lo' END ; CASE CLASSIFIER() WHEN 'B' THEN 1 ELSE 0 END ; CAST(A.amount AS
varchar) ; CAST(A.amount AS double) / 3 ; A.amount / 7 ; A.amount % 7 ; -A.amount ; abs(-A.amount) ; round(B.d) ; floor(B.d) ; ceil(B.d) ; ceiling(B.d) ;
sqrt(A.amount) ; power(2, 3) ; mod(A.amount, 7) ; greatest(A.amount, B.amount) ; least(A.amount, B.amount) ; A.amount BETWEEN 10 AND 90 ; A.amount NOT BETWEEN
10 AND 90 ; A.amount IN (90, 10) ; A.amount NOT IN (90, 10) ; A.tag LIKE 'x%' ; A.tag NOT LIKE '_' ; A.tag IS NULL ; A.ok IS NOT NULL ; A.ok AND B.ok ; NOT
A.ok ; A.ok = true ; A.amount IS DISTINCT FROM B.amount ; A.amount IS NOT DISTINCT FROM 90 ; substr(CLASSIFIER(), 1, 1) ; substring(A.tag, 1, 1) ; trim(A.tag)
; reverse(A.tag) ; replace(A.tag, 'x', 'w') ; 1 ; 'text' ; NULL ; 1e2 ; CAST(NULL AS integer) ; true ; FIRST(A.amount) + LAST(B.amount) ; LAST(A.amount +
A.seq) ; PREV(amount + seq) ; PREV(A.amount, 0) ; LAST(B.amount, 0) ; FIRST(tag) || LAST(tag) ; count(CASE WHEN ok THEN 1 END) ; sum(CASE WHEN CLASSIFIER() =
'B' THEN amount ELSE 0 END) ; array_agg(lower(CLASSIFIER())) ; max(MATCH_NUMBER() * 100 + seq) ; cardinality(array_agg(tag)) ; array_agg(amount)[1] ;
if(A.amount > 50, 1, 2) ; 1 IN (SELECT 1) ; EXISTS (SELECT 1) ; (SELECT 5) ; LAST(amount IN (SELECT 70)) ; sum(1) ; count(1) ; count(NULL) ; min(NULL) ;
max(B.big) ; avg(B.big) ; array_agg(B.d) ; array_agg(ok) ; date '2020-01-01' ; A.d = B.d ; sum(DISTINCT B.amount) ; row_number() ; position('x' IN A.tag) ;
lpad(A.tag, 3, '-') ; sign(A.amount) ; truncate(B.d) ; to_hex(A.tag)
'''

RUNNING = '''
sum(B.amount) ; count(*) ; array_agg(CLASSIFIER()) ; LAST(B.amount) ; avg(d) ; max(B.tag) ; LAST(CLASSIFIER(B)) ; count(B.*)
'''

CONDITIONS = '''
amount > 10 ; B.amount > A.amount ; A.amount > B.amount ; LAST(B.amount, 1) IS NULL OR B.amount <= LAST(B.amount, 1) ; sum(B.amount) < 200 ; count(*) < 4 ;
count(B.*) <= 2 ; avg(A.amount) > B.amount ; PREV(amount) IS NOT NULL ; NEXT(amount) IS NULL ; NEXT(B.amount) < B.amount ; CLASSIFIER() = 'B' ;
PREV(CLASSIFIER()) = 'A' ; LAST(CLASSIFIER(), 1) = 'A' ; MATCH_NUMBER() = 1 ; MATCH_NUMBER() < 3 ; amount = FIRST(amount) ; min(B.amount) > 5 ; max_by(tag,
seq) <> 'z' ; array_agg(amount)[1] > 10 ; cardinality(array_agg(B.tag)) < 3 ; ok ; tag LIKE 'x' ; tag = 'x' OR NULL ; true ; false ; 1 = 1 ; amount IN (SELECT
80) ; EXISTS (SELECT 1) ; PREV(amount, 2) IS NULL ; RUNNING LAST(amount) > 5 ; RUNNING count(*) > 1 ; count(DISTINCT tag) < 3 ; U.amount > 10 ; count(U.*) < 3
; sum(U.amount) < 200 ; FIRST(U.seq) = 1 ; amount > 10 AND d > 0 ; d IS NULL ; NOT (d > 2) ; account = 'a1' ; seq % 2 = 0 ; PREV(A.amount) IS NULL ;
PREV(LAST(A.amount)) IS NULL ; bool_or(ok) ; sum(CASE WHEN ok THEN 1 ELSE 0 END) < 2 ; arbitrary(amount) > 5 ; avg(amount) > 50.5 ; sum(d) > 1.5 ; amount
BETWEEN 10 AND 80 ; coalesce(amount, 0) < 90 ; length(tag) = 1
'''

PATTERNS = '''
A ; A* ; A+ ; A? ; A?? ; A*? ; A+? ; A{2} ; A{2,} ; A{,2} ; A{1,2}? ; A{,2}? ; A{2,}? ; (A B)+ ; (A B)*? ; (A|B)+ ; A|B|C ; (A|B|C){2} ; A| ; A () ; () A ; (A
| ()) ; (() | A) ; A B? ; A B?? ; A (B C)? ; ^A ; A$ ; ^A$ ; A^ ; $A ; (^A)+ ; A+$ ; ^A*?$ ; PERMUTE(A, B) ; PERMUTE(A, B, C) ; PERMUTE(A, B?) ; PERMUTE(A+,
B) ; PERMUTE(A, PERMUTE(B, C)) ; PERMUTE(A, (B | C)) ; PERMUTE(A, B)+ ; {- A -} B ; A {- B -} ; A {- B+ -} C ; {- A B -} ; ({- A -} B)+ ; {- A | B -}+ ; A ({-
B -})* C ; {- {- A -} B -} ; A A ; A B A ; ((A)) ; (((A B))) ; A{1} ; A{1,1} ; A{0,1} ; A{,1} ; (A{2}){2} ; (A*)* ; (A??)* ; (A*?)+ ; (A|())* ; (()|A)* ;
(()|A)+ ; (A?)* ; (A{0,2}?)* ; ((A|B)(C|D))+ ; A B | C D ; A (B | C) D ; (A B*)+ C ; A+ B+ ; A+? B+ ; A*? B*? C ; (A | B C)+ ; A{3}|B{2}|C
'''


def parts(text):
    return ' '.join(text.split()).split(' ; ')


def rule(measures='', pattern='A B+', define='B AS B.amount < PREV(B.amount)', rows='ONE ROW PER MATCH', skip='', part='PARTITION BY account', order='ORDER BY seq', subset='', columns='*',
         alias='AS r', tail=''):
    clauses = [part, order, measures and 'MEASURES ' + measures, rows, skip and 'AFTER MATCH ' + skip, 'PATTERN (%s)' % pattern, subset and 'SUBSET ' + subset, 'DEFINE ' + define]
    return ('SELECT %s FROM ev MATCH_RECOGNIZE (%s) %s %s' % (columns, ' '.join(c for c in clauses if c), alias, tail)).strip()


def expressions():
    for e in parts(MEASURES):
        yield rule(e + ' AS out1')
        running_first = 'FIRST' in e and not e.startswith('FINAL')
        if (e[0].islower() and '(' in e or e.startswith(('LAST', 'RUNNING', 'FINAL', 'PREV', 'NEXT', 'CLASS'))) and not running_first:
            yield rule(e + ' AS out1', rows=ALL, columns='account, seq, out1')
    for e in parts(RUNNING):
        for mode in ('RUNNING ', 'FINAL '):
            yield rule(mode + e + ' AS out1', rows=ALL, columns='account, seq, out1')
    for e in parts(CONDITIONS):
        yield rule('count(*) AS n, LAST(seq) AS s', 'A B*', 'B AS ' + e, subset='U = (A, B)')
        define = 'A AS true, B AS ' + e if 'A.' in e else 'A AS ' + e.replace('B.', 'A.')
        yield rule('CLASSIFIER() AS c, sum(amount) AS s', '(A | B)+', define, ALL, subset='U = (A, B)', columns='account, seq, c, s')


def clauses():
    conditions = {'A': 'amount > 10', 'B': 'amount < 90', 'C': 'seq > 1', 'D': 'ok'}
    for p in parts(PATTERNS):
        define = ', '.join('%s AS %s' % (v, c) for v, c in conditions.items() if v in p.replace('PERMUTE', ''))
        for rows in (ALL, 'ONE ROW PER MATCH'):
            yield rule('MATCH_NUMBER() AS mno, CLASSIFIER() AS c, count(*) AS n', p, define, rows, columns='account, seq, mno, c, n' if rows == ALL else '*')
    skips = ['SKIP TO NEXT ROW', 'SKIP PAST LAST ROW', 'SKIP TO FIRST B', 'SKIP TO LAST B', 'SKIP TO B', 'SKIP TO LAST U', 'SKIP TO FIRST U']
    for rows in (ALL + ' SHOW EMPTY MATCHES', ALL + ' OMIT EMPTY MATCHES', ALL + ' WITH UNMATCHED ROWS', 'ONE ROW PER MATCH'):
        for p in ('B*', 'A B+', 'B*?', 'B+', 'A B*'):
            for s in skips:
                yield rule('MATCH_NUMBER() AS mno, CLASSIFIER() AS c, count(*) AS n, LAST(amount) AS f', p, rows=rows, skip=s, subset='U = (%sB)' % ('A, ' if 'A' in p else ''),
                           columns='seq, mno, c, n, f' if rows.startswith('ALL') else '*')


def orders():
    conditions = ('MATCH_NUMBER() AS mno, FIRST(seq) AS f, LAST(seq) AS l, count(*) AS n', 'A B*', 'B AS B.amount >= PREV(B.amount)')
    for order in ('seq DESC, tag NULLS LAST', 'amount NULLS FIRST, seq, tag NULLS LAST', 'amount DESC NULLS LAST, seq DESC, tag NULLS LAST', 'd NULLS LAST, seq DESC, tag NULLS LAST',
                  'tag NULLS FIRST, seq, big NULLS LAST', 'ok NULLS LAST, seq, big NULLS FIRST', 'big DESC NULLS FIRST', 'account NULLS LAST, seq', 'account DESC NULLS FIRST, seq DESC'):
        for part in ('', 'account', 'account, ok', 'tag', 'ok', 'd', 'amount'):
            if part and (part in order.replace(',', '').split() or part.split(',')[0] in order or part.split(', ')[-1] in order):
                continue  # SELECT * shows a column that is in both once here, twice there
            part = part and 'PARTITION BY ' + part
            yield rule(*conditions, part=part, order='ORDER BY ' + order)
            yield rule('MATCH_NUMBER() AS mno', *conditions[1:], ALL, part=part, order='ORDER BY ' + order)


def surroundings():
    for columns, alias, tail in (
            ('r.account, r.out1 + 1', 'AS r', ''), ('out1', 'r', ''), ('r.*', 'AS r', ''), ('account, out1', '', ''), ('DISTINCT out1', 'AS r', ''), ('count(*)', 'AS r', ''),
            ('sum(out1)', 'AS r', 'GROUP BY account'), ('account, sum(out1) AS s', 'AS r', 'GROUP BY account'), ('out1', 'AS r', 'WHERE out1 > 1'), ('out1', 'AS r', 'ORDER BY out1'),
            ('out1', 'AS r', 'ORDER BY out1 DESC LIMIT 1'), ('a, b', 'AS r (a, b)', ''), ('r.b', 'AS r (a, b)', ''), ('CASE WHEN out1 > 2 THEN 1 ELSE 0 END AS z', 'AS r', ''),
            ('upper(account) AS u', 'AS r', ''), ('max(out1) AS mx', 'AS r', 'HAVING max(out1) > 1'), ('CAST(out1 AS varchar)', 'AS r', ''), ('out1 out2', 'AS r', ''),
            ('r.account AS x, r.account AS y', 'AS r', '')):
        yield rule('count(*) AS out1', columns=columns, alias=alias, tail=tail)
    yield rule('LAST(seq) AS l', '"a" "B b"', '"B b" AS "B b".amount < 90')
    yield rule('CLASSIFIER() AS c', '"a" "A"', '"a" AS true', ALL)
    yield rule('CLASSIFIER() AS c', 'a b', 'A AS true, b AS B.amount < 90', ALL)
    yield rule('"select".amount AS x', '"select"', '"select" AS true')
    yield rule('', rows=ALL)
    yield rule('count(*) AS n', part='PARTITION BY account', order='ORDER BY seq, tag NULLS LAST', define='B AS B.d > 1e0')


def pairs():
    seen = []
    for text in (*expressions(), *clauses(), *orders(), *surroundings()):
        if text not in seen:
            seen.append(text)
    for number, text in enumerate(seen):
        yield {'id': 'neighbour-%d' % number, 'schema': SCHEMA, 'rows': ROWS, 'rule': text}
    for number, (text, schema, rows) in enumerate(shapes.rules()):
        yield {'id': 'shape-%d' % number, 'schema': schema, 'rows': rows, 'rule': text}
