"""Reads the rule texts that the naive matcher understands: one SELECT over one MATCH_RECOGNIZE.

Knows nothing of the product's own parser. Trees are tuples: expressions ('kind', ...), patterns ('kind', ...).
Raises Unsupported for what the naive matcher does not speak, so that a caller can leave such a text out.
"""
import re


class Unsupported(Exception):
    """The text uses something that the naive matcher does not speak."""


TOKEN = re.compile(r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
  | (?P<number>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+|\d+(?:[eE][+-]?\d+)?)
  | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
  | (?P<sign>\{-|-\}|->>|->|<>|!=|<=|>=|\|\||[-+*/%(){}\[\],.;<>=?|^$])
""", re.X | re.S)

MEASURE_END = ('ONE', 'ALL', 'AFTER', 'PATTERN', 'INITIAL', 'SEEK')
AGGREGATES = ('COUNT', 'SUM', 'AVG', 'MIN', 'MAX', 'ARRAY_AGG', 'MAX_BY', 'MIN_BY', 'BOOL_AND', 'BOOL_OR', 'ARBITRARY')
NAVIGATION = ('PREV', 'NEXT', 'FIRST', 'LAST')
UNITS = {'MILLISECOND': 1, 'SECOND': 1000, 'MINUTE': 60000, 'HOUR': 3600000, 'DAY': 86400000}


class Token:
    __slots__ = ('kind', 'text', 'name')

    def __init__(self, kind, text):
        self.kind, self.text = kind, text
        self.name = text.upper() if kind == 'word' else None


def tokens(text):
    found, at = [], 0
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise Unsupported('character %r' % text[at])
        at = m.end()
        kind = m.lastgroup
        if kind == 'space':
            continue
        value = m.group()
        if kind == 'quoted':
            quote = value[0]
            value = value[1:-1].replace(quote * 2, quote)
        elif kind == 'string':
            value = value[1:-1].replace("''", "'")
        found.append(Token(kind, value))
    return found


class Reader:
    """Recursive descent over the tokens of one statement."""

    def __init__(self, text):
        self.tokens = tokens(text)
        self.at = 0

    # ---- tokens ----
    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else Token('end', '')

    def is_word(self, word, ahead=0):
        return self.peek(ahead).name == word

    def is_sign(self, sign, ahead=0):
        token = self.peek(ahead)
        return token.kind == 'sign' and token.text == sign

    def word(self, *words):
        if all(self.is_word(w, i) for i, w in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def sign(self, sign):
        if self.is_sign(sign):
            self.at += 1
            return True
        return False

    def need_word(self, *words):
        if not self.word(*words):
            raise Unsupported('expected %s, found %r' % (' '.join(words), self.peek().text))

    def need(self, sign):
        if not self.sign(sign):
            raise Unsupported('expected %r, found %r' % (sign, self.peek().text))

    def ident(self):
        token = self.peek()
        if token.kind == 'word':
            self.at += 1
            return token.name
        if token.kind == 'quoted':
            self.at += 1
            return token.text
        raise Unsupported('expected a name, found %r' % token.text)

    def listed(self, read):
        items = [read()]
        while self.sign(','):
            items.append(read())
        return items

    # ---- expressions ----
    def expr(self):
        left = self.conj()
        while self.word('OR'):
            left = ('or', left, self.conj())
        return left

    def conj(self):
        left = self.negation()
        while self.word('AND'):
            left = ('and', left, self.negation())
        return left

    def negation(self):
        if self.word('NOT'):
            return ('not', self.negation())
        return self.comparison()

    def comparison(self):
        left = self.concat()
        while True:
            token = self.peek()
            if token.kind == 'sign' and token.text in ('=', '<>', '!=', '<', '<=', '>', '>='):
                self.at += 1
                left = ('cmp', '<>' if token.text == '!=' else token.text, left, self.concat())
            elif self.word('IS'):
                negated = self.word('NOT')
                if self.word('NULL'):
                    left = ('isnull', left)
                elif self.word('TRUE'):
                    left = ('istrue', left)
                else:
                    raise Unsupported('IS %s' % self.peek().text)
                left = ('not', left) if negated else left
            else:
                found = self.predicate(left)
                if found is None:
                    return left
                left = found

    def predicate(self, left):
        negated = self.is_word('NOT') and self.peek(1).name in ('IN', 'LIKE', 'BETWEEN')
        if negated:
            self.at += 1
        if self.word('IN'):
            self.need('(')
            found = ('in', left, self.listed(self.expr))
            self.need(')')
        elif self.word('LIKE'):
            found = ('like', left, self.concat())
        elif self.word('BETWEEN'):
            low = self.concat()
            self.need_word('AND')
            high = self.concat()
            found = ('and', ('cmp', '>=', left, low), ('cmp', '<=', left, high))
        else:
            return None
        return ('not', found) if negated else found

    def concat(self):
        left = self.sum()
        while self.sign('||'):
            left = ('concat', left, self.sum())
        return left

    def sum(self):
        left = self.product()
        while self.is_sign('+') or self.is_sign('-'):
            op = self.peek().text
            self.at += 1
            left = ('arith', op, left, self.product())
        return left

    def product(self):
        left = self.unary()
        while self.is_sign('*') or self.is_sign('/') or self.is_sign('%'):
            op = self.peek().text
            self.at += 1
            left = ('arith', op, left, self.unary())
        return left

    def unary(self):
        if self.sign('-'):
            return ('arith', '-', ('lit', 0), self.unary())
        self.sign('+')
        return self.primary()

    def primary(self):
        token = self.peek()
        if token.kind == 'number':
            self.at += 1
            exact = re.fullmatch(r'\d+', token.text)
            return ('lit', int(token.text) if exact else float(token.text))
        if token.kind == 'string':
            self.at += 1
            return ('lit', token.text)
        if self.sign('('):
            if self.is_word('SELECT'):
                raise Unsupported('subquery')
            inner = self.expr()
            self.need(')')
            return inner
        if token.kind == 'word':
            special = self.special(token.name)
            if special is not None:
                return special
        return self.name()

    def special(self, name):
        if name in ('TRUE', 'FALSE', 'NULL'):
            self.at += 1
            return ('lit', {'TRUE': True, 'FALSE': False, 'NULL': None}[name])
        if name in ('RUNNING', 'FINAL') and self.peek(1).kind == 'word' and self.is_sign('(', 2):
            self.at += 1
            return ('mode', name, self.primary())
        if name == 'CASE':
            return self.case()
        if name == 'CAST' and self.is_sign('(', 1):
            self.at += 2
            inner = self.expr()
            self.need_word('AS')
            return ('cast', inner, self.type_name())
        if name == 'ARRAY' and self.is_sign('[', 1):
            self.at += 2
            items = self.listed(self.expr)
            self.need(']')
            return ('array', items)
        if name == 'INTERVAL':
            return ('lit', self.interval())
        return None

    def type_name(self):
        depth, words = 0, []
        while depth or not self.is_sign(')'):
            token = self.peek()
            if token.kind == 'end':
                raise Unsupported('CAST is not closed')
            depth += {'(': 1, ')': -1}.get(token.text, 0)
            words.append(token.text.upper())
            self.at += 1
        self.need(')')
        return ''.join(words)

    def case(self):
        self.at += 1
        subject = None if self.is_word('WHEN') else self.expr()
        branches, otherwise = [], ('lit', None)
        while self.word('WHEN'):
            condition = self.expr()
            if subject is not None:
                condition = ('cmp', '=', subject, condition)
            self.need_word('THEN')
            branches.append((condition, self.expr()))
        if self.word('ELSE'):
            otherwise = self.expr()
        self.need_word('END')
        return ('case', branches, otherwise)

    def interval(self):
        self.need_word('INTERVAL')
        value = self.peek().text
        self.at += 1
        unit = self.ident()
        unit = unit[:-1] if unit.endswith('S') else unit
        if unit not in UNITS or not re.fullmatch(r'\d+(\.\d+)?', value):
            raise Unsupported('INTERVAL %s %s' % (value, unit))
        return int(round(float(value) * UNITS[unit]))

    def name(self):
        quoted = self.peek().kind == 'quoted'
        first = self.ident()
        if self.is_sign('(') and not quoted:
            return self.call(first)
        if self.sign('.'):
            if self.sign('*'):
                return ('star', first)
            second = self.ident()
            if self.is_sign('.'):
                raise Unsupported('three-part name')
            return ('col', first, second)
        return ('col', None, first)

    def call(self, name):
        self.need('(')
        args, distinct = [], False
        if self.sign('*'):
            args = [('star', None)]
        elif not self.is_sign(')'):
            distinct = self.word('DISTINCT')
            args = self.listed(self.expr)
        self.need(')')
        if self.is_word('FILTER') or self.is_word('OVER'):
            raise Unsupported(self.peek().name)
        if name in NAVIGATION:
            offset = 0 if name in ('FIRST', 'LAST') else 1
            if len(args) == 2:
                if args[1][0] != 'lit' or not isinstance(args[1][1], int):
                    raise Unsupported('offset')
                offset = args[1][1]
            return ('nav', name, args[0], offset)
        if name == 'CLASSIFIER':
            if args and (args[0][0] != 'col' or args[0][1]):
                raise Unsupported('CLASSIFIER of an expression')
            return ('classifier', args[0][2] if args else None)
        if name == 'MATCH_NUMBER':
            return ('matchno',)
        if name in AGGREGATES:
            return ('agg', name, args, True) if distinct else ('agg', name, args)
        return ('fn', name, args)

    # ---- patterns ----
    def pattern(self):
        branches = [self.sequence()]
        while self.sign('|'):
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else ('alt', branches)

    def sequence(self):
        items = [self.element()]
        while not any(self.is_sign(s) for s in (')', '|', '-}', ',')) and self.peek().kind != 'end':
            items.append(self.element())
        return items[0] if len(items) == 1 else ('seq', items)

    def element(self):
        arrow = None
        if self.sign('->'):
            arrow = '->'
        elif self.sign('->>'):
            arrow = '->>'
        if self.word('NOT'):
            if self.sign('('):
                names = [self.ident()]
                while self.sign('|'):
                    names.append(self.ident())
                self.need(')')
            else:
                names = [self.ident()]
            hold = self.interval() if self.word('FOR') else None
            return ('not', tuple(names), arrow is not None, hold)
        item = self.repeated()
        return ('relax', item, arrow == '->>') if arrow else item

    def repeated(self):
        item = atom = self.atom()
        while True:
            bounds = self.bounds()
            if bounds is None:
                return item
            # A quantifier right on a reluctant quantifier, without a word of its own, is reluctant: A+?{2,} is A+? A+? A*?.
            greed = 'reluctant' if item is not atom and item[4] == 'reluctant' else 'greedy'
            if self.sign('?'):
                greed = 'reluctant'
            elif self.sign('+'):
                greed = 'possessive'
            item = ('loop', item, bounds[0], bounds[1], greed)

    def bounds(self):
        for sign, found in (('*', (0, None)), ('+', (1, None)), ('?', (0, 1))):
            if self.sign(sign):
                return found
        if not self.sign('{'):
            return None
        low = self.count()
        if self.sign('}'):
            return (low, low)
        self.need(',')
        high = self.count()
        self.need('}')
        return (low or 0, high)

    def count(self):
        token = self.peek()
        if token.kind != 'number':
            return None
        self.at += 1
        return int(token.text)

    def atom(self):
        if self.sign('('):
            if self.sign(')'):
                return ('empty',)
            inner = self.pattern()
            self.need(')')
            return inner
        if self.sign('{-'):
            inner = self.pattern()
            self.need('-}')
            return ('exclude', inner)
        if self.sign('^'):
            return ('start',)
        if self.sign('$'):
            return ('end',)
        if self.is_word('PERMUTE') and self.is_sign('(', 1):
            self.at += 2
            items = self.listed(self.pattern)
            self.need(')')
            return ('permute', items)
        return ('var', self.ident())

    # ---- the statement ----
    def order_item(self):
        name = self.name()
        if name[0] != 'col':
            raise Unsupported('ORDER BY an expression')
        down = self.word('DESC')
        if not down:
            self.word('ASC')
        if self.word('NULLS', 'FIRST'):
            nulls = 'first'
        elif self.word('NULLS', 'LAST'):
            nulls = 'last'
        else:
            nulls = None
        return (name[2], down, nulls)

    def select_item(self):
        if self.sign('*'):
            return ('*', None)
        value = self.expr()
        alias = None
        if self.word('AS'):
            alias = self.ident()
        elif value[0] == 'col':
            alias = value[2]
        return (value, alias)

    def measure(self):
        value = self.expr()
        self.need_word('AS')
        return (self.ident(), value)

    def define(self):
        name = self.ident()
        self.need_word('AS')
        return (name, self.expr())

    def subset(self):
        name = self.ident()
        self.need('=')
        self.need('(')
        members = self.listed(self.ident)
        self.need(')')
        return (name, tuple(members))

    def rows_clause(self, rule):
        rule['rows'] = 'one'
        if self.word('ONE', 'ROW', 'PER', 'MATCH'):
            pass
        elif self.word('ALL', 'ROWS', 'PER', 'MATCH'):
            rule['rows'] = 'show'
            if self.word('OMIT', 'EMPTY', 'MATCHES'):
                rule['rows'] = 'omit'
            elif self.word('WITH', 'UNMATCHED', 'ROWS'):
                rule['rows'] = 'unmatched'
            else:
                self.word('SHOW', 'EMPTY', 'MATCHES')
        rule['timeouts'] = self.word('WITH', 'TIMEOUT', 'ROWS')
        rule['all'] = self.word('ALL', 'MATCHES')

    def skip_clause(self, rule):
        rule['skip'] = ('past',)
        if not self.word('AFTER', 'MATCH', 'SKIP'):
            return
        if self.word('PAST', 'LAST', 'ROW'):
            return
        self.need_word('TO')
        if self.word('NEXT', 'ROW'):
            rule['skip'] = ('next',)
        elif self.word('CURRENT', 'ROW'):
            rule['skip'] = ('current',)
        else:
            which = 'last'
            if self.peek().name in ('FIRST', 'LAST') and self.peek(1).kind in ('word', 'quoted') and \
                    self.peek(1).name != 'PATTERN':
                which = self.ident().lower()
            rule['skip'] = (which, self.ident())

    def match(self, rule):
        self.need('(')
        rule['partition'] = []
        if self.word('PARTITION', 'BY'):
            keys = self.listed(self.name)
            if any(k[0] != 'col' for k in keys):
                raise Unsupported('PARTITION BY an expression')
            rule['partition'] = [k[2] for k in keys]
        rule['order'] = self.listed(self.order_item) if self.word('ORDER', 'BY') else []
        rule['measures'] = self.listed(self.measure) if self.word('MEASURES') else []
        self.rows_clause(rule)
        self.skip_clause(rule)
        self.need_word('PATTERN')
        self.need('(')
        rule['pattern'] = self.pattern()
        self.need(')')
        rule['within'] = self.interval() if self.word('WITHIN') else None
        rule['hold'] = None
        if self.is_word('INTERVAL'):
            rule['hold'] = self.interval()
            if self.word('OR', 'TERMINATED'):
                pass  # the same rows, told sooner
        rule['subsets'] = dict(self.listed(self.subset)) if self.word('SUBSET') else {}
        rule['defines'] = dict(self.listed(self.define)) if self.word('DEFINE') else {}
        self.need(')')

    def statement(self):
        rule = {}
        self.need_word('SELECT')
        rule['select'] = self.listed(self.select_item)
        self.need_word('FROM')
        rule['table'] = self.ident()
        self.need_word('MATCH_RECOGNIZE')
        self.match(rule)
        self.word('AS')
        rule['alias'] = self.ident() if self.peek().kind in ('word', 'quoted') else None
        self.sign(';')
        if self.peek().kind != 'end':
            raise Unsupported('text behind the statement: %r' % self.peek().text)
        return rule


def read(text):
    """The rule of a text, as a dictionary."""
    return Reader(text).statement()


def read_pattern(text):
    """The tree of a pattern alone."""
    reader = Reader(text)
    found = reader.pattern()
    if reader.peek().kind != 'end':
        raise Unsupported('text behind the pattern')
    return found
