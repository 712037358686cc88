"""Random rules and rows, from a seed. What comes out is a plain dictionary, so that a failing case can be kept, cut down and run again.

A rule is kept as parts (pattern tree text, defines, measures, clauses) because cutting down works on parts.
"""
import random
import re

import engine

SCHEMA = [['id', 'INT'], ['key', 'INT'], ['v', 'INT'], ['tag', 'STRING'], ['ts', 'TIMESTAMP(3)']]
BASE_MS = 1_600_000_000_000
NAMES = ['A', 'B', 'C', 'D']


class Generator:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        rng = self.rng
        self.profile = rng.choice(['iso', 'iso', 'relaxed', 'relaxed', 'all'])
        self.names = NAMES[:rng.choice([2, 3, 3, 4])]
        self.arrows = self.profile != 'iso' and rng.random() < 0.9
        self.all_matches = self.profile == 'all'
        self.within = rng.choice([None, None, 2, 3, 5, 8]) if self.profile == 'iso' else rng.choice([None, 3, 5, 8])
        self.absence = self.arrows and rng.random() < 0.25
        self.timeouts = self.within is not None and rng.random() < 0.25
        self.exclusion = self.profile == 'iso' and rng.random() < 0.2
        self.anchors = self.profile == 'iso' and not self.timeouts and rng.random() < 0.15
        self.possessive = rng.random() < (0.1 if self.profile == 'iso' else 0.3)
        self.nots = self.arrows and rng.random() < 0.4
        self.values = self.arrows and rng.random() < 0.4  # what waits, waits for a value
        if self.values and rng.random() < 0.6:
            self.names, self.absence = NAMES[:rng.choice([2, 3, 3, 4])], False
            self.chain = self.linked()
        else:
            self.chain = None
        self.used = set()

    def pick(self, *items):
        return self.rng.choice(items)

    # ---- patterns: (text, can it be empty?) ----
    def variable(self):
        name = self.rng.choice(self.names)
        self.used.add(name)
        return name, False

    def quantifier(self):
        mark, empty = self.pick(('*', True), ('+', False), ('?', True), ('{2}', False), ('{1,2}', False), ('{,2}', True), ('{2,}', False), ('{0,3}', True),
                                ('+', False), ('*', True))
        if mark != '{2}':
            mark += self.pick('', '', '', '?', '+' if self.possessive else '')
        return mark, empty

    def element(self, depth):
        rng, roll = self.rng, self.rng.random()
        if depth <= 0 or roll < 0.45:
            text, empty = self.variable()
        elif roll < 0.75:
            inner, empty = self.sequence(depth - 1, False)
            if self.nots and rng.random() < 0.1:  # refused where no row is taken before it
                inner = '%s %s' % (self.pick('NOT %s', '-> NOT %s') % self.variable()[0], inner)
            text = '(%s)' % inner
        elif roll < 0.9:
            parts = [self.sequence(depth - 1, False) for _ in range(rng.randint(2, 3))]
            text, empty = '(%s)' % ' | '.join(p[0] for p in parts), any(p[1] for p in parts)
        elif roll < 0.94:
            parts = [self.element(0) for _ in range(rng.randint(2, 3))]
            text, empty = 'PERMUTE(%s)' % ', '.join(p[0] for p in parts), False
            return text, all(p[1] for p in parts)
        elif roll < 0.96 and self.profile == 'iso':
            return '()', True
        elif self.exclusion:
            inner, empty = self.sequence(depth - 1, False)
            return '{- %s -}' % inner, empty
        else:
            text, empty = self.variable()
        if rng.random() < 0.4:
            mark, may = self.quantifier()
            return text + mark, empty or may
        return text, empty

    def sequence(self, depth, outermost):
        """An arrow stands only where a row has been taken before it in this sequence."""
        rng = self.rng
        parts, empty, taken = [], True, False
        count = rng.choice([1, 2, 2, 3]) if not outermost else rng.choice([2, 2, 3, 3, 4])
        for i in range(count):
            if taken and self.nots and i + 1 < count + 1 and rng.random() < 0.2 and i > 0:
                name, _ = self.variable()
                parts.append(rng.choice(['-> NOT %s', 'NOT %s']) % name)
                following, may = self.element(0)
                parts.append(self.arrow(following, may) if parts[-1].startswith('->') or rng.random() < 0.5 else following)
                empty, taken = empty and may, taken or not may
                continue
            text, may = self.element(depth)
            if taken and self.arrows and rng.random() < 0.55:
                if rng.random() < 0.2:
                    name, _ = self.variable()
                    mark, may = self.quantifier()
                    text = '(%s%s)%s' % (self.pick('-> ', '-> ', '->> '), name, mark)
                else:
                    text = self.arrow(text, may)
            parts.append(text)
            empty, taken = empty and may, taken or not may
        return ' '.join(parts), empty

    def arrow(self, text, may):
        if '^' in text or '$' in text or '->' in text.split(' ')[0]:
            return text
        return self.pick('-> ', '-> ', '-> ', '->> ') + text

    def pattern(self):
        while True:
            self.used = set()
            text, empty = self.sequence(2, True)
            if self.anchors:
                text = self.pick('^ %s', '%s $', '^ %s $') % text
            if self.absence and not empty:
                name = self.rng.choice(self.names)
                self.used.add(name)
                end = '-> NOT %s' % name
                if self.within is None or self.rng.random() < 0.3:
                    end += " FOR INTERVAL '%d' SECOND" % self.rng.randint(1, 4)
                roll = self.rng.random()
                if roll < 0.75:
                    text = ('(%s) %s' if '|' in text else '%s %s') % (text, end)
                elif roll < 0.85:
                    text = '(%s) (%s | %s)' % (text, end, self.sequence(1, True)[0])
                elif roll < 0.92:
                    text = '(%s) (%s | %s)' % (text, self.sequence(1, True)[0], end)
                elif roll < 0.96:
                    text = '(%s) (%s)%s' % (text, end, self.pick('?', '??'))
                else:
                    text = '(%s) ((%s %s) | %s)' % (text, self.variable()[0], end, end.replace(name, self.variable()[0]))
            if len(text) < 80 and not (self.absence and empty) and self.used:
                return text, empty

    # ---- conditions ----
    def simple(self, name):
        k = self.rng.randint(0, 4)
        return self.pick('v = %d' % k, 'v > %d' % k, 'v <= %d' % k, "tag = '%s'" % self.pick('a', 'b', 'c'), 'v <> %d' % k, 'v %% 2 = %d' % (k % 2),
                         '%s.v >= %d' % (name, k), 'TRUE', "tag IN ('a', 'b')", 'v IS NULL OR v < %d' % k)

    def relative(self, name):
        other, k = self.rng.choice(self.names), self.rng.randint(0, 4)
        forms = ['v > PREV(v)', 'v <> PREV(%s.v)' % name, 'PREV(v, 2) IS NULL', 'v >= LAST(%s.v, 1)' % name, 'LAST(%s.v, 1) IS NULL OR v <> LAST(%s.v, 1)' % (name, name),
                 'v <> %s.v' % other, 'v > %s.v' % other, '%s.v IS NULL OR %s.v <= v' % (other, other), 'FIRST(%s.v) = v' % other, 'tag <> %s.tag' % other,
                 'tag = FIRST(tag)', 'COUNT(DISTINCT tag) <= %d' % (1 + k % 3), 'SUM(DISTINCT %s.v) <= %d' % (other, k + 2), 'SUM(%s.v) <= %d' % (name, k + 3), 'COUNT(%s.*) <= %d' % (other, 1 + k % 3), 'COUNT(*) <= %d' % (2 + k), 'AVG(%s.v) > %d' % (other, k % 3),
                 'MAX(%s.v) <= %d' % (name, k), 'SUM(v) > %d' % k, 'COUNT(*) >= %d' % (1 + k % 3), "PREV(CLASSIFIER()) = '%s'" % other, "LAST(CLASSIFIER(), 1) <> '%s'" % other,
                 "FIRST(CLASSIFIER()) = '%s'" % other, 'v = FIRST(v) + %d' % (k % 2), 'MIN(%s.v) < %d' % (other, k)]
        if not self.all_matches:
            forms.append('MATCH_NUMBER() %% 2 = %d' % (k % 2))
        if self.arrows:
            forms.append("PREV(CLASSIFIER(), 2) = '%s'" % other)
        if not self.timeouts:
            forms += ['NEXT(v) > v', 'NEXT(%s.v) IS NULL' % name]
        return self.rng.choice(forms)

    def linked(self):
        """A pattern in which each variable but the first waits for the value of one before it."""
        rng, text = self.rng, self.pick('A', 'A', 'A', 'A+', 'A{1,2}', '(A | A A)')
        for name in self.names[1:]:
            text += self.pick(' -> %s', ' -> %s', ' -> %s', ' ->> %s', ' -> %s+', ' -> %s{1,2}', ' -> %s??', ' -> NOT %s') % name
        if 'NOT' in text.split('->')[-1]:
            text += ' -> ' + rng.choice(self.names[1:])
        return text

    def equality(self, name):
        earlier = [n for n in self.names if n < name] if self.chain else [n for n in self.names if n != name]
        other, k = self.rng.choice(earlier or self.names), self.rng.randint(0, 4)
        return self.pick('v = %s.v', '%s.v = v', 'tag = %s.tag', 'tag = FIRST(%s.tag)') % other + self.pick('', '', ' AND %s' % self.simple(name), ' AND v >= %d' % k)

    def condition(self, name):
        if self.values and self.rng.random() < (0.85 if self.chain else 0.6) and not (self.chain and name == 'A'):
            return self.equality(name)
        roll = self.rng.random()
        if roll < 0.5:
            return self.simple(name)
        if roll < 0.8:
            return self.relative(name)
        return '(%s) %s (%s)' % (self.simple(name), self.pick('AND', 'OR'), self.relative(name))

    # ---- measures and clauses ----
    def measures(self, rows):
        a, b = self.rng.choice(self.names), self.rng.choice(self.names)
        forms = ['COUNT(*)', 'SUM(v)', 'FIRST(%s.id)' % a, 'LAST(%s.id)' % b, 'COUNT(%s.*)' % a, 'ARRAY_AGG(id)', 'SUM(%s.v)' % b, 'LAST(v, 1)', 'PREV(%s.v)' % a, 'NEXT(id)',
                 'FINAL LAST(id)', 'RUNNING COUNT(*)', 'MAX(%s.v)' % a, 'FIRST(tag)', 'AVG(v)', '%s.tag' % b, 'CLASSIFIER(%s)' % a, 'FINAL COUNT(%s.*)' % b, 'ARRAY_AGG(%s.id)' % a,
                 'COUNT(DISTINCT %s.tag)' % a, 'ARRAY_AGG(DISTINCT v)', 'SUM(DISTINCT %s.v)' % b, 'AVG(DISTINCT v)', 'PREV(LAST(%s.v), 2)' % a, 'FIRST(%s.v, 1)' % b, 'MIN(v) + COUNT(*)']
        if self.within and rows == 'ONE ROW PER MATCH':
            forms.append('MATCH_ROWTIME()')
        chosen = ['CLASSIFIER()']
        if self.rng.random() < 0.4:
            chosen.insert(0, 'MATCH_NUMBER()')  # a key that counts its matches never takes the lean form
        chosen += self.rng.sample(forms, self.rng.randint(1, 4))
        if rows == 'ONE ROW PER MATCH':
            chosen.append('ARRAY_AGG(CLASSIFIER())')
        return chosen

    def clauses(self, empty):
        rng = self.rng
        rows = 'ONE ROW PER MATCH'
        if not self.timeouts and rng.random() < (0.2 if self.all_matches or self.absence else 0.5):
            rows = 'ALL ROWS PER MATCH' + self.pick('', ' SHOW EMPTY MATCHES', ' OMIT EMPTY MATCHES', ' WITH UNMATCHED ROWS')
            if rows.endswith('UNMATCHED ROWS') and (self.exclusion or self.arrows or self.all_matches):
                rows = 'ALL ROWS PER MATCH'
        if self.timeouts:
            rows += ' WITH TIMEOUT ROWS'
        skip = self.pick('PAST LAST ROW', 'PAST LAST ROW', 'TO NEXT ROW', 'TO CURRENT ROW', 'TO FIRST %s', 'TO LAST %s', 'TO %s')
        if '%s' in skip:
            skip = skip % rng.choice(sorted(self.used) or ['A'])
        if rows.endswith('UNMATCHED ROWS'):
            skip = 'PAST LAST ROW'
        if self.all_matches and rng.random() < 0.5:
            skip = 'TO CURRENT ROW'
        return rows, skip

    def rows(self):
        rng, found, number = self.rng, [], 0
        keys = rng.choice([1, 2, 3])
        ties, long = rng.random() < 0.3, rng.random() < 0.05
        for key in range(keys):
            at = rng.randint(0, 3)
            most = 7 if self.all_matches else 24 if long else 9
            for _ in range(rng.randint(2, most)):
                at += rng.choice([0, 1, 1, 1, 2, 3] if ties else [1, 1, 1, 2, 3])
                found.append([0, key, None if rng.random() < 0.06 else rng.randint(0, 4), self.pick('a', 'b', 'c'), at])
        rng.shuffle(found)
        found.sort(key=lambda r: r[4])
        for row in found:
            number += 1
            row[0] = number
        return found

    def case(self):
        pattern, empty = (self.chain, False) if self.chain else self.pattern()
        self.used = set(re.findall(r'\b[A-D]\b', pattern))
        self.names = sorted(self.used)
        rows, skip = self.clauses(empty)
        defines = {n: self.condition(n) for n in sorted(self.used) if self.rng.random() < 0.85}
        return {'pattern': pattern, 'empty': empty, 'defines': defines, 'measures': self.measures(rows), 'output': rows, 'skip': skip, 'all': self.all_matches,
                'within': self.within, 'rows': self.rows(), 'absence': self.absence, 'timeouts': self.timeouts}


def generate(seed):
    case = Generator(seed).case()
    case['seed'] = str(seed)
    return case


def rule_text(case):
    defines = ',\n    '.join('%s AS %s' % (n, c) for n, c in sorted(case['defines'].items()))
    within = " WITHIN INTERVAL '%d' SECOND" % case['within'] if case['within'] else ''
    measures = ', '.join('%s AS m%d' % (m, i) for i, m in enumerate(case['measures']))
    return ('SELECT * FROM ev MATCH_RECOGNIZE (\n  PARTITION BY key ORDER BY ts\n  MEASURES %s\n  %s%s\n  AFTER MATCH SKIP %s\n  PATTERN (%s)%s%s\n) AS mr'
            % (measures, case['output'], ' ALL MATCHES' if case['all'] else '', case['skip'], case['pattern'], within,
               '\n  DEFINE\n    ' + defines if defines else ''))


def ddl(delay_ms=0):
    """None: without event time."""
    return engine.table('ev', SCHEMA, None if delay_ms is None else 'ts', delay_ms or 0)


def full_row(row):
    """The row as it goes into an engine: time as text."""
    return row[:4] + [iso(BASE_MS + row[4] * 1000)]


def iso(ms):
    import datetime
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return at.strftime('%Y-%m-%dT%H:%M:%S.') + '%03d' % (ms % 1000)
