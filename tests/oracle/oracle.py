"""Runs a rule text over rows by the naive matcher and gives the rows of its SELECT."""
import datetime

import matcher
import text
import values


class SkipError(Exception):
    """A skip target was missing or the first row; .rows are those given out before."""

    def __init__(self, rows):
        super().__init__('skip target')
        self.rows = rows


def milliseconds(value):
    if value is None or isinstance(value, (int, float)):
        return value
    at = datetime.datetime.fromisoformat(value.replace('Z', '').replace(' ', 'T'))
    return int(round((at - datetime.datetime(1970, 1, 1)).total_seconds() * 1000))


def sort_rows(rows, order):
    for name, down, nulls in reversed(order):
        last = (nulls or 'last') == 'last'
        rows = sorted(rows, key=lambda r: (r[name] is not None, r[name] if r[name] is not None else 0) if not last else
                      (r[name] is None, r[name] if r[name] is not None else 0), reverse=False) if not down else \
            sorted(rows, key=lambda r: (0 if r[name] is None else 1, r[name] if r[name] is not None else 0), reverse=True)
    return rows


class Run:
    def __init__(self, rule_text, schema, rows):
        self.rule = rule = text.read(rule_text)
        self.columns = [name.upper() for name, _ in schema]
        rule['defines'] = {k: values.strip_prefix(v, rule['table']) for k, v in rule['defines'].items()}
        rule['measures'] = [(k, values.strip_prefix(v, rule['table'])) for k, v in rule['measures']]
        times = [n.upper() for n, t in schema if t.startswith('TIMESTAMP')]
        self.time_columns = set(times)
        self.rows = [dict(zip(self.columns, row)) for row in rows]
        self.shown = {id(r): dict(r) for r in self.rows}
        for row in self.rows:
            for name in times:
                row[name] = milliseconds(row[name])
        order = rule['order']
        self.time = order[0][0] if order and not order[0][1] else None
        self.errors = 0

    def partitions(self):
        found = {}
        for row in self.rows:
            found.setdefault(tuple(row[k] for k in self.rule['partition']), []).append(row)
        return [(key, sort_rows(rows, self.rule['order'])) for key, rows in found.items()]

    def measures(self, part, taken, seen, final, number, until):
        scope = values.Scope(part.rows, list(taken), seen, final, self.rule['subsets'], number)
        out = {}
        for name, expr in self.rule['measures']:
            if expr[0] == 'fn' and expr[1] in ('MATCH_ROWTIME', 'MATCH_PROCTIME'):
                out[name] = until if until is not None else (part.time[taken[-1][0]] if taken else None)
            else:
                out[name] = values.value(expr, scope)
        return out

    def nothing(self):
        return {name: None for name, _ in self.rule['measures']}

    def one_row(self, key, part, event):
        kind, start, taken, number, until = event
        if kind == 'unmatched':
            return []
        row = dict(zip(self.rule['partition'], key))
        if kind == 'empty' and part.time:
            until = part.time[start]  # MATCH_ROWTIME() of an empty match is the time of its row
        row.update(self.measures(part, taken, len(taken), True, number, until))
        return [row]

    def all_rows(self, part, event):
        kind, start, taken, number, until = event
        mode = self.rule['rows']
        if kind == 'unmatched':
            return [dict(self.visible(part, start), **self.nothing())] if mode == 'unmatched' else []
        if kind == 'empty':
            if mode == 'omit':
                return []
            return [dict(self.visible(part, start), **self.measures(part, (), 0, False, number, part.time and part.time[start]))]
        out = []
        for i, (row, _, hidden) in enumerate(taken):
            if not hidden:
                out.append(dict(self.visible(part, row), **self.measures(part, taken, i + 1, False, number, until)))
        return out

    def visible(self, part, row):
        return part.rows[row]

    def layout(self):
        """Column names of SELECT *."""
        rule = self.rule
        names = list(rule['partition'])
        if rule['rows'] != 'one':
            names += [o[0] for o in rule['order'] if o[0] not in names]
        names += [n for n, _ in rule['measures'] if n not in names]
        if rule['rows'] != 'one':
            names += [c for c in self.columns if c not in names]
        return names

    def select(self, row):
        out = []
        for expr, alias in self.rule['select']:
            if expr == '*':
                out += [row[n] for n in self.layout()]
                continue
            expr = values.strip_prefix(expr, self.rule['alias']) if self.rule['alias'] else expr
            scope = values.Scope([row], [(0, '', False)], 1, True, {}, None)
            out.append(values.value(expr, scope))
        return out

    def run(self):
        """Rows of the SELECT, partition after partition; raises SkipError at the first skip error."""
        out = []
        for key, rows in self.partitions():
            part = matcher.Partition(self.rule, rows, self.time)
            for event in part.matches():
                if event[0] == 'skip-error':
                    self.errors += 1
                    continue
                found = self.one_row(key, part, event) if self.rule['rows'] == 'one' else self.all_rows(part, event)
                out += [self.select(r) for r in found]
        if self.errors:
            raise SkipError(out)
        return out


def run(rule_text, schema, rows):
    return Run(rule_text, schema, rows).run()
