"""Random tables and rules from a seed, for two engines: `iso` is the whole of the standard's row patterns, `chain` what Flink SQL has of it.

A pair is a dictionary: id, schema, rows (in order of arrival), rule (a text that we read too); chain pairs have delay_s, the watermark's.
README.md says which shapes are left out, and why. Used by compare.py; `generate.py iso|chain SEED COUNT` prints pairs, one JSON object a line.
"""
import datetime
import json
import random
import re
import sys

BASE_MS = 1_700_000_000_000
STRINGS = ['a', 'b', 'c']


def literal(value):
    return "'%s'" % value if isinstance(value, str) else str(value)


class Conditions:
    """Conditions and measures over columns v (INT), w (BIGINT), s (STRING), all with NULLs; id and t are never NULL."""

    def __init__(self, rng, names, subset):
        self.rng, self.names, self.subset = rng, names, subset

    def pick(self, *items):
        return self.rng.choice(items)

    def number(self, var=None):
        column = self.pick('v', 'v', 'w')
        return column if var is None else '%s.%s' % (var, column)

    def any_variable(self):
        return self.pick(*(self.names + ([self.subset] if self.subset else [])))

    def simple(self, me):
        k, m = self.rng.randint(0, 3), self.pick(None, me)
        at = self.number(m)
        text = ('%s.s' % m) if m else 's'
        return self.pick('%s = %d' % (at, k), '%s > %d' % (at, k), '%s < %d' % (at, k + 1), '%s <> %d' % (at, k), '%s BETWEEN %d AND %d' % (at, k - 1, k + 1), '%s %% 2 = %d' % (at, k % 2),
                         '%s IN (%d, %d)' % (at, k, (k + 2) % 4), "%s = '%s'" % (text, self.pick(*STRINGS)), "%s <> '%s'" % (text, self.pick(*STRINGS)), '%s IS NOT NULL' % at,
                         '%s IS NULL OR %s >= %d' % (at, at, k), "%s IN ('a', 'c')" % text, "%s >= 'b'" % text, 'v + w > %d' % (k + 1), 'NOT (%s = %d)' % (at, k), 'TRUE',
                         "CASE WHEN %s > 1 THEN %s = 'a' ELSE TRUE END" % (at, text), 'COALESCE(%s, 0) <= %d' % (at, k), 'v = w OR v < w')

    def navigation(self):
        """A value that the row alone does not have, without its comparison."""
        var, n = self.any_variable(), self.rng.randint(0, 2)
        name = self.pick('v', 'w')
        at, own = '%s.%s' % (var, name), self.number()
        return self.pick('PREV(%s)' % own, 'PREV(%s, %d)' % (own, n), 'NEXT(%s)' % own, 'NEXT(%s, %d)' % (own, n), 'PREV(%s)' % at, 'NEXT(%s, %d)' % (at, n), 'FIRST(%s)' % at,
                         'LAST(%s)' % at, 'FIRST(%s, %d)' % (at, n), 'LAST(%s, %d)' % (at, n), at, 'FIRST(%s)' % own, 'LAST(%s, %d)' % (own, n), 'PREV(FIRST(%s))' % at,
                         'PREV(LAST(%s, %d), 2)' % (at, n), 'NEXT(FIRST(%s), %d)' % (at, n), 'NEXT(LAST(%s))' % own, 'RUNNING LAST(%s)' % at)

    def aggregate(self):
        var = self.any_variable()
        at, own = self.number(var), self.number()
        return self.pick('COUNT(*)', 'COUNT(%s.*)' % var, 'COUNT(%s)' % at, 'SUM(%s)' % at, 'SUM(%s)' % own, 'MIN(%s)' % at, 'MAX(%s)' % own, 'MAX(%s)' % at, 'AVG(%s)' % at, 'COUNT(%s)' % own,
                         'SUM(%s.v + %s.w)' % (var, var), 'SUM(%s * 2)' % at, 'MIN(%s)' % own, 'COUNT(%s.s)' % var)

    def relative(self, me):
        k = self.rng.randint(0, 4)
        roll = self.rng.random()
        if roll < 0.45:
            return self.pick('%s %s %s' % (self.number(), self.pick('>', '<', '<>', '=', '>=', '<='), self.navigation()), '%s IS NULL' % self.navigation(),
                             '%s %s %d' % (self.navigation(), self.pick('>', '<', '='), k), '%s %s %s' % (self.number(me), self.pick('>', '<>'), self.navigation()))
        if roll < 0.75:
            return '%s %s %d' % (self.aggregate(), self.pick('<=', '<', '>', '>=', '<>'), k + self.pick(0, 1, 2))
        if roll < 0.9:
            other = self.any_variable()
            return self.pick("PREV(CLASSIFIER()) = '%s'" % other, "LAST(CLASSIFIER(), 1) <> '%s'" % other, "FIRST(CLASSIFIER()) = '%s'" % self.pick(*self.names), "CLASSIFIER(%s) = '%s'" % (other, self.pick(*self.names)),
                             "PREV(CLASSIFIER(), 2) IS NULL", "CLASSIFIER() <> '%s'" % other)
        return self.pick('MATCH_NUMBER() %% 2 = %d' % (k % 2), 'MATCH_NUMBER() < %d' % (k + 1), 's = %s.s' % self.any_variable(), 's <> PREV(s)', 's = FIRST(s)')

    def condition(self, me):
        roll = self.rng.random()
        if roll < 0.5:
            return self.simple(me)
        if roll < 0.78:
            return self.relative(me)
        return '(%s) %s (%s)' % (self.simple(me), self.pick('AND', 'AND', 'OR'), self.relative(me))

    def measure(self, all_rows):
        """Under ALL ROWS PER MATCH, a FIRST that may lie behind the current row is FINAL: Trino reads it as FINAL in any case."""
        while True:
            text = self.any_measure()
            if not all_rows or not re.search(r'(?<!FINAL )FIRST\((?!id\)|v\)|w\)|s\)|CLASSIFIER\(\)\)|\w+, 0\))', text):
                return text

    def any_measure(self):
        rng, var = self.rng, self.any_variable()
        n = rng.randint(0, 2)
        plain = self.pick('id', 'v', 'w', 's')
        at = '%s.%s' % (var, plain)
        mode = self.pick('', '', 'FINAL ', 'RUNNING ')
        return self.pick(at, at, plain, '%sFIRST(%s)' % (mode, at), '%sLAST(%s)' % (mode, at), '%sLAST(%s, %d)' % (mode, at, n), '%sFIRST(%s, %d)' % (mode, plain, n), '%sLAST(%s)' % (mode, plain),
                         'PREV(%s)' % plain, 'NEXT(%s, %d)' % (plain, n), 'PREV(%sLAST(%s, %d), %d)' % (mode, at, n, self.pick(1, 2)), 'NEXT(FIRST(%s))' % at, mode + self.aggregate(), mode + self.aggregate(),
                         mode + self.aggregate(), 'CLASSIFIER(%s)' % var, 'PREV(CLASSIFIER())', '%sFIRST(CLASSIFIER())' % mode, '%sLAST(CLASSIFIER(), %d)' % (mode, n),
                         '%sARRAY_AGG(%s.id)' % (mode, var), '%sARRAY_AGG(CLASSIFIER())' % mode, '%sARRAY_AGG(CLASSIFIER(%s))' % (mode, var), '%sARRAY_AGG(id)' % mode, 'COUNT(*) + MATCH_NUMBER()', 'FINAL LAST(id) - FIRST(id)')


class Emptiness:
    """Of a pattern's text: does a loop repeat something whose empty way is not the last one that it would try?

    The standard ends a loop with an iteration that takes no row (docs/semantics.md 2.2). Trino drops such an iteration as a repetition of its own thread
    and tries the next way, so it answers such loops differently.
    """
    TOKEN = re.compile(r'\s*(PERMUTE|[A-Z]|\{-|-\}|\{[0-9,]+\}|[()|,^$*+?])')

    def __init__(self, text):
        self.tokens = self.TOKEN.findall(text)
        self.at = 0
        self.doubtful = False
        self.alternation()

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def alternation(self):
        """(can it be empty, is that its last way)"""
        parts = [self.sequence()]
        while self.peek() == '|':
            self.take()
            parts.append(self.sequence())
        return any(e for e, _ in parts), not any(e for e, _ in parts[:-1]) and parts[-1][1]

    def sequence(self):
        empty = last = True
        while self.peek() not in (None, ')', '|', ',', '-}'):
            e, l = self.quantified()
            empty, last = empty and e, last and l
        return empty, last

    def quantified(self):
        empty, last = self.primary()
        mark = self.peek()
        if mark is None or mark not in '*+?' and not re.match(r'\{[0-9,]+\}', mark):
            return empty, last
        self.take()
        reluctant = self.peek() == '?'
        if reluctant:
            self.take()
        low, high = {'*': (0, 0), '+': (1, 0), '?': (0, 1)}.get(mark) or self.bounds(mark)
        if high != 1 and empty and not last:
            self.doubtful = True
        return empty or low == 0, last and not (reluctant and low == 0)

    @staticmethod
    def bounds(mark):
        low, comma, high = mark[1:-1].partition(',')
        return int(low or 0), int(high or 0) if comma else int(low)

    def primary(self):
        token = self.take()
        if token in ('(', '{-'):
            found = self.alternation()
            self.take()
            return found
        if token == 'PERMUTE':
            self.take()
            parts = [self.sequence()]
            while self.take() == ',':
                parts.append(self.sequence())
            empty = all(e for e, _ in parts)
            return empty, not empty
        return token in '^$', True


class Iso:
    """One pair of the whole language."""

    def __init__(self, seed):
        self.rng = random.Random('iso %s' % seed)
        self.id = 'iso-%s' % seed
        rng = self.rng
        self.names = ['A', 'B', 'C', 'D', 'E'][:rng.choice([1, 2, 2, 3, 3, 3, 4, 5])]
        self.exclusion = rng.random() < 0.2
        self.anchors = rng.random() < 0.15
        self.used = []

    def pick(self, *items):
        return self.rng.choice(items)

    def variable(self):
        name = self.rng.choice(self.names)
        if name not in self.used:
            self.used.append(name)
        return name

    def quantifier(self):
        mark = self.pick('*', '+', '?', '*', '+', '?', '{2}', '{3}', '{1,2}', '{2,3}', '{,2}', '{2,}', '{0,}', '{0,3}', '{,1}', '{1}')
        return mark + self.pick('', '', '?')

    def element(self, depth):
        rng, roll = self.rng, self.rng.random()
        if depth <= 0 or roll < 0.5:
            text = self.variable()
        elif roll < 0.72:
            text = '(%s)' % self.sequence(depth - 1, self.pick(1, 2, 2, 3))
        elif roll < 0.86:
            text = '(%s)' % ' | '.join(self.sequence(depth - 1, self.pick(1, 1, 2)) for _ in range(self.pick(2, 2, 3)))
        elif roll < 0.91:
            text = 'PERMUTE(%s)' % ', '.join(self.element(depth - 1 if rng.random() < 0.3 else 0) for _ in range(self.pick(2, 2, 3)))
        elif roll < 0.93:
            text = '()'
        elif roll < 0.95 and self.anchors:
            text = self.pick('^', '$')
            return text
        elif self.exclusion:
            text = '{- %s -}' % self.sequence(depth - 1, self.pick(1, 2))
        else:
            text = self.variable()
        return text + self.quantifier() if rng.random() < 0.4 else text

    def sequence(self, depth, count):
        return ' '.join(self.element(depth) for _ in range(count))

    def pattern(self):
        while True:
            self.used = []
            parts = [self.sequence(self.pick(1, 2, 2), self.pick(1, 2, 2, 3, 3, 4)) for _ in range(self.pick(1, 1, 1, 1, 1, 2))]
            text = ' | '.join(parts)
            if self.anchors:
                text = self.pick('^ %s', '%s $', '^ %s $', '%s') % text
            if self.used and len(text) <= 90:
                return text

    def table(self):
        rng, rows = self.rng, []
        keys = [self.pick('x', 'y'), 'z', None][:self.pick(1, 2, 2, 3)]
        top = self.pick(2, 3, 4)
        for i in range(rng.randint(5, 20)):
            rows.append([i + 1, rng.choice(keys), None if rng.random() < 0.06 else rng.randint(0, top), None if rng.random() < 0.06 else rng.randint(0, 3),
                         None if rng.random() < 0.05 else self.pick(*STRINGS)])
        if rng.random() < 0.2:
            rng.shuffle(rows)
        return rows

    def pair(self):
        """None if the shape is left out."""
        rng = self.rng
        pattern = self.pattern()
        if Emptiness(pattern).doubtful:
            return None
        names = sorted(self.used)
        subset = None
        if rng.random() < 0.25:
            subset = ('U', rng.sample(names, min(len(names), self.pick(1, 2, 2, 3))))
        conditions = Conditions(rng, names, subset[0] if subset else None)
        rows = self.pick('ONE ROW PER MATCH', 'ONE ROW PER MATCH', '', 'ALL ROWS PER MATCH', 'ALL ROWS PER MATCH', 'ALL ROWS PER MATCH SHOW EMPTY MATCHES', 'ALL ROWS PER MATCH OMIT EMPTY MATCHES',
                         'ALL ROWS PER MATCH WITH UNMATCHED ROWS')
        if rows.endswith('UNMATCHED ROWS') and '{-' in pattern:
            rows = 'ALL ROWS PER MATCH'
        target = conditions.any_variable()
        skip = self.pick('', 'PAST LAST ROW', 'PAST LAST ROW', 'PAST LAST ROW', 'TO NEXT ROW', 'TO NEXT ROW', 'TO NEXT ROW', 'TO FIRST %s' % target, 'TO LAST %s' % target, 'TO %s' % target)
        order = self.pick('id', 'id', 'id', 'id', 'id DESC', 'v NULLS LAST, id', 'w DESC NULLS LAST, id', 'v NULLS FIRST, id DESC', 's NULLS LAST, v DESC NULLS FIRST, id')
        measures = ['MATCH_NUMBER()', 'CLASSIFIER()'] + [conditions.measure(rows.startswith('ALL')) for _ in range(rng.randint(1, 5))]
        if not rows or rows.startswith('ONE'):
            measures.append('ARRAY_AGG(id)')
        text = ['SELECT * FROM ev MATCH_RECOGNIZE (']
        if rng.random() < 0.75:
            text.append('  PARTITION BY k')
        text.append('  ORDER BY ' + order)
        text.append('  MEASURES ' + ', '.join('%s AS m%d' % (m, i) for i, m in enumerate(measures)))
        if rows:
            text.append('  ' + rows)
        if skip:
            text.append('  AFTER MATCH SKIP ' + skip)
        text.append('  PATTERN (%s)' % pattern)
        if subset:
            text.append('  SUBSET %s = (%s)' % (subset[0], ', '.join(subset[1])))
        defines = ['%s AS %s' % (n, conditions.condition(n)) for n in names if rng.random() < 0.8]
        if not defines:
            defines = ['%s AS TRUE' % names[0]]
        text.append('  DEFINE ' + ',\n         '.join(defines))
        text.append(') AS mr')
        return {'id': self.id, 'schema': [['id', 'INT'], ['k', 'STRING'], ['v', 'INT'], ['w', 'BIGINT'], ['s', 'STRING']], 'rows': self.table(), 'rule': '\n'.join(text)}


class Chain:
    """One pair of what Flink SQL has: variables in a row, each once, with quantifiers. README.md says why the shapes are what they are."""

    def __init__(self, seed):
        self.rng = random.Random('chain %s' % seed)
        self.id = 'chain-%s' % seed
        self.names = ['A', 'B', 'C', 'D'][:self.rng.choice([2, 2, 3, 3, 3, 4])]

    def pick(self, *items):
        return self.rng.choice(items)

    def shape(self):
        """Quantifiers, and the gap: a reluctant variable G that stands before the variable of that number."""
        count = len(self.names)
        self.marks = [self.pick('', '', '+', '{2}', '{2,}', '{1,3}', '{1,2}')]
        self.marks += [self.pick('', '', '', '+', '*', '?', '{2}', '{1,3}', '{2,}') for _ in range(count - 2)]
        for i in range(1, count - 1):
            if self.marks[i] in ('*', '?') and self.marks[i - 1] not in ('', '{2}'):
                self.marks[i] = ''  # refused by Flink behind a greedy loop
        self.marks.append(self.pick('', '', '', '{2}', '+?', '{2,}?'))
        self.gap = self.rng.randint(1, count - 1) if self.rng.random() < 0.35 else None
        if self.gap is not None:
            self.marks[self.gap - 1] = self.pick('', '', '{2}')
        self.gap_mark = self.pick('*?', '*?', '+?', '{1,3}?')

    def classes(self):
        """A condition for each variable, and values of (s, v) that it takes; no row is of two variables."""
        count = len(self.names)
        kind = self.pick('s', 's', 'v', 'mixed')
        every = range(5)
        if kind == 's':
            out = [("s = '%s'" % c, c, every) for c in 'abcd'[:count]]
            if count == 2 and self.rng.random() < 0.4:
                out = self.pick([("s = 'a'", 'a', every), ("s <> 'a'", 'bc', every)], [("s IN ('a', 'b')", 'ab', every), ("s NOT IN ('a', 'b')", 'cd', every)],
                                [("s < 'b'", 'a', every), ("s >= 'b'", 'bc', every)])
        elif kind == 'v':
            out = [[('v < 2', 'abc', [0, 1]), ('v >= 2', 'abc', [2, 3, 4])], [('v < 1', 'abc', [0]), ('v BETWEEN 1 AND 2', 'abc', [1, 2]), ('v > 2', 'abc', [3, 4])],
                   [('v = 0', 'abc', [0]), ('v = 1', 'abc', [1]), ('v = 2', 'abc', [2]), ('v >= 3', 'abc', [3, 4])]][count - 2]
        else:
            out = [[("s = 'a'", 'a', every), ("s <> 'a'", 'bc', every)], [("s = 'a' AND v < 2", 'a', [0, 1]), ("s <> 'a'", 'bc', every), ("s = 'a' AND v >= 2", 'a', [2, 3, 4])],
                   [("s = 'a'", 'a', every), ("s <> 'a' AND v < 1", 'bc', [0]), ("s <> 'a' AND v BETWEEN 1 AND 2", 'bc', [1, 2]), ("s <> 'a' AND v > 2", 'bc', [3, 4])]][count - 2]
        out = list(out)
        self.rng.shuffle(out)
        return out

    def walk(self):
        """The variables of rows that follow the pattern, more or less: None is any row."""
        rng, lengths = self.rng, {'': (1, 1), '?': (0, 1), '*': (0, 3), '+': (1, 3), '{2}': (2, 2), '{2,}': (2, 4), '{1,3}': (1, 3), '{1,2}': (1, 2), '+?': (1, 2), '{2,}?': (2, 3)}
        while True:
            for i, mark in enumerate(self.marks):
                if self.gap == i:
                    yield from [None] * rng.randint(0 if self.gap_mark == '*?' else 1, 3)
                yield from [i] * rng.randint(*lengths[mark])
            if rng.random() < 0.3:
                yield None

    def extra(self, at):
        """Conditions beyond the class: on the row, on its own variable, on earlier ones."""
        rng, me, k = self.rng, self.names[at], self.rng.randint(0, 3)
        forms = ['w >= %d' % k, 'w <> %d' % k, 'v IS NOT NULL', 'v + w > %d' % k, '(w IS NULL OR w < %d)' % (k + 1), 'w %% 2 = %d' % (k % 2), '%s.w <= %d' % (me, k + 1), 'COALESCE(w, %d) > 0' % k]
        if self.marks[at] not in ('', '?'):
            forms += ['(LAST(%s.w, 1) IS NULL OR %s.w >= LAST(%s.w, 1))' % (me, me, me), 'SUM(%s.w) <= %d' % (me, k + 3), 'COUNT(%s.id) <= %d' % (me, k + 1), 'MAX(%s.w) - MIN(%s.w) < 3' % (me, me),
                      '(LAST(%s.id, 1) IS NULL OR v <> LAST(%s.v, 1))' % (me, me)]
        for i in range(at):
            other = self.names[i]
            forms += ['w >= LAST(%s.w)' % other, 'w <> FIRST(%s.w)' % other, '(%s.w IS NULL OR w > %s.w)' % (other, other), 'COUNT(%s.id) <= %d' % (other, k + 1), 'SUM(%s.w) > %d' % (other, k),
                      'w + MIN(%s.w) > %d' % (other, k)]
        return rng.sample(forms, self.pick(0, 0, 0, 1, 1, 2))

    def doubtful(self, defines):
        """With a gap, Flink departs from the standard in two ways: of derivations that end at the same row it does not always take the preferred one (where what
        comes behind the gap is of no fixed length); and a start that never completes, since a condition behind the gap reads what came before it, holds back later ones."""
        look_back = re.compile(r'\b[%s]\.' % ''.join(self.names[:self.gap]))
        return self.marks[self.gap] in ('+', '*', '?', '{1,3}', '{2,}') or any(look_back.search(d) for d in defines[self.gap:])

    def measure(self):
        var, n = self.rng.choice(self.names), self.rng.randint(0, 2)
        column = self.pick('id', 'v', 'w', 's')
        number = self.pick('v', 'w', 'id')
        return self.pick('%s.%s' % (var, column), 'FIRST(%s.%s)' % (var, column), 'LAST(%s.%s)' % (var, column), 'LAST(%s.%s, %d)' % (var, column, n), 'FIRST(%s.%s, %d)' % (var, column, n),
                         'SUM(%s.%s)' % (var, number), 'COUNT(%s.%s)' % (var, column), 'MIN(%s.%s)' % (var, number), 'MAX(%s.%s)' % (var, number), 'SUM(%s.v * 2 + %s.w)' % (var, var), 'LAST(%s.id) - FIRST(id)' % var,
                         'FIRST(%s)' % column, 'LAST(%s)' % column, 'SUM(%s)' % number, 'COALESCE(SUM(%s.v), 0)' % var, "CASE WHEN COUNT(%s.id) > 1 THEN 'many' ELSE 'few' END" % var, 'MATCH_ROWTIME()')

    def pair(self):
        """None if the shape is left out."""
        rng = self.rng
        self.shape()
        classes = self.classes()
        names, count = self.names, len(self.names)
        text = [n + m for n, m in zip(names, self.marks)]
        defines = ['%s AS %s' % (names[i], ' AND '.join([classes[i][0]] + self.extra(i))) for i in range(count)]
        if self.gap is not None and self.doubtful(defines):
            return None
        if self.gap is not None:
            text.insert(self.gap, 'G' + self.gap_mark)
            if rng.random() < 0.3:
                defines.insert(self.gap, 'G AS %s' % self.pick('w IS NOT NULL', 'w >= 0', 'w < 3', 'NOT (w = 1)'))
        within = self.pick(4, 7, 10, 15, 25) if self.gap is not None or rng.random() < 0.6 else None
        later = [n for n, m in zip(names[1:], self.marks[1:]) if m not in ('*', '?')]
        skip = self.pick('PAST LAST ROW', 'PAST LAST ROW', 'TO NEXT ROW', 'TO NEXT ROW', 'TO FIRST ' + self.pick(*later), 'TO LAST ' + self.pick(*later))
        ties = rng.random() < 0.2
        measures = ['FIRST(id)', 'LAST(id)'] + sorted({self.measure() for _ in range(rng.randint(1, 5))})
        rule = ['SELECT * FROM ev MATCH_RECOGNIZE (']
        keyed = rng.random() < 0.8
        if keyed:
            rule.append('  PARTITION BY k')
        rule.append('  ORDER BY ts, id' if ties else '  ORDER BY ts')
        rule.append('  MEASURES ' + ', '.join('%s AS m%d' % (m, i) for i, m in enumerate(measures)))
        rule.append('  ONE ROW PER MATCH')
        rule.append('  AFTER MATCH SKIP ' + skip)
        rule.append('  PATTERN (%s)%s' % (' '.join(text), " WITHIN INTERVAL '%d' SECOND" % within if within else ''))
        rule.append('  DEFINE ' + ',\n         '.join(defines))
        rule.append(') AS mr')
        delay = self.pick(1, 3, 6) if ties else self.pick(0, 1, 3, 6)  # without a delay, the second row of a time is late
        return {'id': self.id, 'schema': [['id', 'INT'], ['k', 'STRING'], ['v', 'INT'], ['w', 'BIGINT'], ['s', 'STRING'], ['ts', 'TIMESTAMP(3)']], 'rows': self.table(classes, keyed, ties, delay),
                'rule': '\n'.join(rule), 'delay_s': delay}

    def table(self, classes, keyed, ties, delay):
        """Rows in order of arrival: each comes less than `delay` after the greatest time read before it, so that none is late."""
        rng, rows, at = self.rng, [], 0
        keys = ['x', 'y', None][:self.pick(1, 2, 2, 3)] if keyed else ['x', 'y']
        walks = {key: self.walk() for key in keys}
        one = self.walk()
        for i in range(rng.randint(10, 26)):
            at += self.pick(0, 1, 1, 2) if ties else self.pick(1, 1, 1, 2, 3)
            key = rng.choice(keys)
            to = next(walks[key] if keyed else one)
            takes = ('abcd', range(5)) if to is None or rng.random() < 0.1 else classes[to][1:]
            rows.append([i + 1, key, None if rng.random() < 0.03 else rng.choice(takes[1]), None if rng.random() < 0.04 else rng.randint(0, 4),
                         None if rng.random() < 0.03 else rng.choice(takes[0]), at])
        rows.sort(key=lambda r: r[5] + (rng.random() * 0.99 * delay if delay else 0))
        return [r[:5] + [iso_time(BASE_MS + r[5] * 1000)] for r in rows]


def iso_time(ms):
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return at.strftime('%Y-%m-%dT%H:%M:%S.') + '%03d' % (ms % 1000)


def pair(kind, seed):
    return (Iso if kind == 'iso' else Chain)(seed).pair()


if __name__ == '__main__':
    for number in range(int(sys.argv[3])):
        made = pair(sys.argv[1], '%s.%d' % (sys.argv[2], number))
        if made:
            print(json.dumps(made))
