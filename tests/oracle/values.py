"""Values and expressions of the naive matcher: three-valued logic, navigation, aggregates.

An expression is evaluated against the rows of one partition and a match so far. A match is a list of entries
(row index, label, excluded); `seen` of them are visible under RUNNING.
"""
import re

import text


class Scope:
    """Where an expression is evaluated.

    rows     rows of the partition, dictionaries by upper-case column name
    entries  the match: (row index, label, excluded)
    seen     number of entries that RUNNING sees; FINAL sees all
    final    default mode: True for measures of ONE ROW PER MATCH
    """

    def __init__(self, rows, entries, seen, final, subsets, number):
        self.rows, self.entries, self.seen = rows, entries, seen
        self.final, self.subsets, self.number = final, subsets, number

    def visible(self, final):
        return self.entries if final else self.entries[:self.seen]

    def members(self, label, final):
        """Row indexes of a variable or SUBSET (None: of every variable), in order of the match."""
        names = None if label is None else self.subsets.get(label, (label,))
        return [e[0] for e in self.visible(final) if names is None or e[1] in names]


def strip_prefix(expr, alias):
    """Names of the input table may stand before columns: `txn.x` is `x`."""
    if isinstance(expr, tuple):
        if len(expr) == 3 and expr[0] == 'col' and expr[1] == alias:
            return ('col', None, expr[2])
        return tuple(strip_prefix(e, alias) for e in expr)
    if isinstance(expr, list):
        return [strip_prefix(e, alias) for e in expr]
    return expr


def label_of(expr):
    """The variable that the columns of a navigation or aggregate argument name; None: all rows."""
    found = set()

    def walk(e):
        if isinstance(e, tuple):
            if e and e[0] == 'col':
                found.add(e[1])
            elif e and e[0] == 'classifier':
                found.add(e[1])
            elif e and e[0] == 'star':
                found.add(e[1])
            else:
                for part in e[1:]:
                    walk(part)
        elif isinstance(e, list):
            for part in e:
                walk(part)
    walk(expr)
    if len(found) > 1:
        raise text.Unsupported('two variables in one argument')
    return found.pop() if found else None


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def compare(op, a, b):
    if a is None or b is None:
        return None
    if isinstance(a, str) != isinstance(b, str):
        raise text.Unsupported('comparison of text with a number')
    return {'=': a == b, '<>': a != b, '<': lambda: a < b, '<=': lambda: a <= b, '>': lambda: a > b,
            '>=': lambda: a >= b}[op] if op in ('=', '<>') else \
        {'<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b}[op]


def arith(op, a, b):
    if a is None or b is None:
        return None
    if op == '+':
        return a + b
    if op == '-':
        return a - b
    if op == '*':
        return a * b
    if b == 0:
        raise ZeroDivisionError
    if isinstance(a, int) and isinstance(b, int):
        quotient = abs(a) // abs(b)
        quotient = quotient if (a < 0) == (b < 0) else -quotient
        return quotient if op == '/' else a - quotient * b
    if op == '/':
        return a / b
    raise text.Unsupported('remainder of a fraction')


def like(value, pattern):
    if value is None or pattern is None:
        return None
    expr = ''.join('.*' if c == '%' else '.' if c == '_' else re.escape(c) for c in pattern)
    return re.fullmatch(expr, value, re.S) is not None


def logic_and(a, b):
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def logic_or(a, b):
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def concat(a, b):
    if a is None or b is None:
        return None
    if isinstance(a, list) or isinstance(b, list):
        return (a if isinstance(a, list) else [a]) + (b if isinstance(b, list) else [b])
    return a + b


FUNCTIONS = {
    'LOWER': lambda v: None if v is None else v.lower(),
    'UPPER': lambda v: None if v is None else v.upper(),
    'LENGTH': lambda v: None if v is None else len(v),
    'ABS': lambda v: None if v is None else abs(v),
    'ARRAY_MAX': lambda v: None if v is None or None in v else max(v),
    'CARDINALITY': lambda v: None if v is None else len(v),
    'ARRAY_JOIN': lambda v, sep, null=None: None if v is None else
        sep.join(null if x is None else x for x in v if x is not None or null is not None),
}


def cast(value, kind):
    if value is None:
        return None
    if kind in ('INTEGER', 'INT', 'BIGINT', 'SMALLINT'):
        return int(value)
    if kind in ('DOUBLE', 'REAL', 'FLOAT') or kind.startswith('DECIMAL'):
        return float(value)
    if kind.startswith('VARCHAR') or kind == 'STRING':
        return str(value)
    raise text.Unsupported('CAST to ' + kind)


def aggregate(name, columns):
    """columns: one list of values per argument (COUNT(*): one list with anything)."""
    first = columns[0]
    kept = [v for v in first if v is not None]
    if name == 'COUNT':
        return len(kept)
    if name == 'ARRAY_AGG':
        return list(first) if first else None
    if name in ('MAX_BY', 'MIN_BY'):
        pairs = [(k, v) for v, k in zip(first, columns[1]) if k is not None]
        pairs.sort(key=lambda p: p[0], reverse=name == 'MAX_BY')
        if len(columns) == 3:
            return [v for k, v in pairs[:columns[2][0]]] if pairs else None
        return pairs[0][1] if pairs else None
    if not kept:
        return None
    if name == 'ARBITRARY':
        return kept[0]
    if name == 'BOOL_AND':
        return all(kept)
    if name == 'BOOL_OR':
        return any(kept)
    if name == 'SUM':
        return sum(kept)
    if name == 'AVG':
        return sum(kept) / len(kept)
    return min(kept) if name == 'MIN' else max(kept)


def value(expr, scope, row=False, final=None):
    """The value of an expression. row: False at the top (a column means the last row of its variable); else the index
    of the row whose columns are read (None: no such row, everything is NULL)."""
    final = scope.final if final is None else final
    kind = expr[0]

    def sub(e):
        return value(e, scope, row, final)

    if kind == 'lit':
        return expr[1]
    if kind == 'mode':
        return value(expr[2], scope, row, expr[1] == 'FINAL')
    if kind == 'col':
        return column(expr, scope, row, final)
    if kind == 'classifier':
        return classifier(expr, scope, row, final)
    if kind == 'matchno':
        return scope.number
    if kind == 'nav':
        return navigate(expr, scope, final)
    if kind == 'agg':
        return reduce(expr, scope, final)
    if kind == 'cmp':
        return compare(expr[1], sub(expr[2]), sub(expr[3]))
    if kind == 'arith':
        return arith(expr[1], sub(expr[2]), sub(expr[3]))
    if kind == 'and':
        if expr[2] == ('lit', False):
            return False
        left = sub(expr[1])
        return False if left is False else logic_and(left, sub(expr[2]))
    if kind == 'or':
        left = sub(expr[1])
        return True if left is True else logic_or(left, sub(expr[2]))
    if kind == 'not':
        inner = sub(expr[1])
        return None if inner is None else not inner
    if kind == 'isnull':
        return sub(expr[1]) is None
    if kind == 'istrue':
        return sub(expr[1]) is True
    if kind == 'in':
        found, left = False, sub(expr[1])
        for item in expr[2]:
            found = logic_or(found, compare('=', left, sub(item)))
        return found
    if kind == 'like':
        return like(sub(expr[1]), sub(expr[2]))
    if kind == 'concat':
        return concat(sub(expr[1]), sub(expr[2]))
    if kind == 'array':
        return [sub(e) for e in expr[1]]
    if kind == 'cast':
        return cast(sub(expr[1]), expr[2])
    if kind == 'case':
        for condition, result in expr[1]:
            if sub(condition) is True:
                return sub(result)
        return sub(expr[2])
    if kind == 'fn':
        return function(expr, sub)
    raise text.Unsupported(kind)


def function(expr, sub):
    name, args = expr[1], expr[2]
    if name == 'COALESCE':
        for arg in args:
            found = sub(arg)
            if found is not None:
                return found
        return None
    if name == 'IF':
        return sub(args[1]) if sub(args[0]) is True else sub(args[2]) if len(args) > 2 else None
    if name not in FUNCTIONS:
        raise text.Unsupported('function ' + name)
    return FUNCTIONS[name](*[sub(a) for a in args])


def column(expr, scope, row, final):
    name = expr[2]
    if row is False:
        members = scope.members(expr[1], final)
        row = members[-1] if members else None
    if row is None:
        return None
    if name not in scope.rows[row]:
        raise text.Unsupported('unknown column ' + name)
    return scope.rows[row][name]


def classifier(expr, scope, row, final):
    if row is False:
        members = scope.members(expr[1], final)
        row = members[-1] if members else None
    # NEXT(CLASSIFIER()) looks at the whole match, so in a measure it sees rows behind the current one.
    return {e[0]: e[1] for e in scope.entries}.get(row)


def navigate(expr, scope, final):
    """FIRST/LAST give a row of the match, PREV/NEXT step through the partition from the row that their argument denotes."""
    row, inner, final = target(expr, scope, final)
    return value(inner, scope, row, final)


def target(expr, scope, final):
    name, inner, offset = expr[1], expr[2], expr[3]
    if inner[0] == 'mode':
        final, inner = inner[1] == 'FINAL', inner[2]
    if name in ('FIRST', 'LAST'):
        members = scope.members(label_of(inner), final)
        at = offset if name == 'FIRST' else len(members) - 1 - offset
        return (members[at] if 0 <= at < len(members) else None), inner, final
    if inner[0] == 'nav':
        row, inner, final = target(inner, scope, final)
    else:
        members = scope.members(label_of(inner), final)
        row = members[-1] if members else None
    if row is None:
        return None, inner, final
    row += -offset if name == 'PREV' else offset
    return (row if 0 <= row < len(scope.rows) else None), inner, final


def reduce(expr, scope, final):
    name, args = expr[1], expr[2]
    if not args:
        args = [('star', None)]
    members = scope.members(label_of(list(args)), final)
    columns = []
    for arg in args:
        if arg[0] == 'star':
            columns.append([True] * len(members))
        else:
            columns.append([value(arg, scope, r, final) for r in members])
    if len(expr) > 3:  # DISTINCT: each value where it first stands
        columns[0] = [v for i, v in enumerate(columns[0]) if v not in columns[0][:i]]
    if name in ('MAX_BY', 'MIN_BY') and len(args) == 3:
        columns[2] = [args[2][1]]
    return aggregate(name, columns)
