"""Rewrites a structural Flink CEP pattern (kind `pattern_api`) as a rule text of ours, and rows of its answer as maps.

How each notion is written stands in README.md, "Pattern API cases". Two things are not spelled alike and are rewritten:
aggregates in a stage's own condition (there the candidate event does not count, in SQL's DEFINE it does), and `notNext`
before a stage that may come later (a NOT before an arrow holds until the next taken row, so the variable of the NOT is
bound to the row right behind the last taken one).
"""
import re


class Malformed(Exception):
    """The pattern cannot even be written down."""


class NotClaimed(Exception):
    """What our language does not offer; the reason is the message."""


ENTRY = {'begin': '', 'next': '', 'followedBy': '-> ', 'followedByAny': '->> '}


class Writer:
    def __init__(self, case):
        self.case = case
        self.api = case['pattern_api']
        self.defines = []          # (variable, condition)
        self.variables = {}        # stage name -> variable
        self.measured = []         # (stage name, variable)
        self.count = 0

    # ---- conditions ----
    def variable(self, name):
        if name not in self.variables:
            self.variables[name] = 'V%d_%s' % (len(self.variables) + 1, re.sub(r'\W', '_', name).upper())
        return self.variables[name]

    def condition(self, text, own):
        """`own`: the stage whose condition it is: its aggregates there do not count the row under test."""
        for name in sorted(self.all_names(self.api['pattern']), key=len, reverse=True):
            var, esc = self.variable(name), re.escape(name)
            if name == own:
                text = re.sub(r'COALESCE\(SUM\(%s\.(\w+)\), 0\)' % esc, r'(SUM(%s.\1) - %s.\1)' % (var, var), text)
                text = re.sub(r'COUNT\(%s\.\*\)' % esc, '(COUNT(%s.*) - 1)' % var, text)
                text = re.sub(r'FIRST\(%s\.(\w+)\)' % esc, r'CASE WHEN COUNT(%s.*) > 1 THEN FIRST(%s.\1) END' % (var, var),
                              text)
            text = re.sub(r'(?<![\w.])%s\.' % esc, var + '.', text)
        return text

    def all_names(self, stages):
        for stage in stages:
            if 'group' in stage:
                yield from self.all_names(stage['group'])
            else:
                yield stage['name']

    def gap(self):
        """Condition for WITHIN between neighbours: it is part of every variable's condition."""
        if self.api.get('within_type') != 'PREVIOUS_AND_CURRENT':
            return None
        if 'expect_timeouts' in self.case:
            raise NotClaimed('time-outs by the gap between neighbours')
        return '(LAST(ts_ms, 1) IS NULL OR ts_ms - LAST(ts_ms, 1) < %d)' % self.api['within_ms']

    def define(self, stage, extra=()):
        name = stage['name']
        var = self.variable(name)
        parts = [self.condition(stage['cond'], name)]
        if self.gap():
            parts.append(self.gap())
        if stage.get('until') is not None:
            parts.append('(%s) IS NOT TRUE' % self.condition(stage['until'], name))
        if stage.get('times_window_ms') is not None:
            parts.append('(LAST(%s.ts_ms, 1) IS NULL OR ts_ms - LAST(%s.ts_ms, 1) < %d)' %
                         (var, var, stage['times_window_ms']))
        parts += extra
        self.defines.append((var, ' AND '.join('(%s)' % p for p in parts)))
        return var

    # ---- stages ----
    def stop(self, stage):
        """The variable that ends a loop, or None."""
        if stage.get('until') is None:
            return None
        var = self.variable(stage['name']) + '_STOP'
        if var not in [d[0] for d in self.defines]:
            self.defines.append((var, self.condition(stage['until'], None)))
        return var

    def absent(self, stage):
        for key in ('oneOrMore', 'times', 'optional', 'greedy'):
            if stage.get(key):
                return '%s%s' % (self.variable(stage['name']), '?' if key == 'optional' else '+')
        return self.variable(stage['name'])

    def body(self, stage, extra):
        if 'group' in stage:
            return '(%s)' % self.stages(stage['group'])
        self.measured.append((stage['name'], self.variable(stage['name'])))
        return self.define(stage, extra)

    def bounds(self, stage):
        if stage.get('times'):
            low, high = stage['times']['from'], stage['times']['to']
        else:
            low, high = (1, None) if stage.get('oneOrMore') else (1, 1)
        if low < 0:
            return low, high
        if stage.get('until') is not None and high is not None:
            raise NotClaimed('a stop condition is a part of a written loop: on anything else there is no text to refuse')
        return low, high

    def written(self, stage, nots, extra=()):
        """One stage. nots: names that also kill it while it could be left, for the stage behind it is a not."""
        entry = ENTRY[stage['contiguity']]
        low, high = self.bounds(stage)
        body = self.body(stage, extra)
        if low < 0:
            return '%s{%d}' % (body, low)
        stop = self.stop(stage)
        inner = '' if stage.get('consecutive') else '->> ' if stage.get('combinations') else '-> '
        again = ('-> NOT %s ' % stop if stop and inner else '') + inner + body
        may_leave = ''.join('-> NOT %s ' % n for n in nots) if inner else ''
        greed = '+' if stage.get('greedy') else ''
        enter = entry + body
        if stop and entry == '-> ':
            enter = '-> NOT %s %s' % (stop, enter)
        text = enter
        if low > 1:
            text += ' (%s){%d}' % (again, low - 1)
        if high is None:
            text += ' (%s%s)*%s' % (may_leave, again, greed)
        elif high > low:
            text += ' (%s%s){0,%d}%s' % (may_leave, again, high - low, greed)
        if stage.get('optional'):
            waiting = ''.join('-> NOT %s ' % n for n in nots) if entry else ''
            text = '(%s%s)?%s' % (waiting, text, greed)
        return text

    def can_leave(self, stage):
        return stage.get('optional') or stage.get('oneOrMore') or stage.get('times') or 'group' in stage

    def stages(self, stages):
        out = []
        pending = []               # conditions for the next stage's variable, from a notNext before it
        for i, stage in enumerate(stages):
            kind = stage['contiguity']
            if kind not in ('notNext', 'notFollowedBy'):
                nots = []
                if i + 1 < len(stages) and self.can_leave(stage) and 'group' not in stage:
                    after = stages[i + 1]
                    if after['contiguity'] in ('notNext', 'notFollowedBy'):
                        nots = [self.variable(after['name'])]
                out.append(self.written(stage, nots, pending))
                pending = []
                continue
            last = i + 1 == len(stages)
            relaxed = not last and ENTRY.get(stages[i + 1]['contiguity'], '') != ''
            cond = self.condition(stage['cond'], stage['name'])
            var = self.absent(stage)
            if kind == 'notNext' and relaxed:
                right_behind = 'PREV(id) = LAST(id, 1)'
                plain = not self.can_leave(stages[i + 1])
                looped = i > 0 and self.can_leave(stages[i - 1])
                if not plain:
                    raise NotClaimed('notNext before a loop or an optional stage that may come later')
                self.defines.append((self.variable(stage['name']), '(%s) AND (%s)' % (cond, right_behind) if not looped
                                     else cond))
                pending = ['((%s) AND (%s)) IS NOT TRUE' % (cond, right_behind)]
                out.append('-> NOT ' + var)
                continue
            self.defines.append((self.variable(stage['name']), cond))
            out.append(('NOT ' if kind == 'notNext' else '-> NOT ') + var)
        return ' '.join(out)

    # ---- the whole ----
    def after_match(self):
        skip = self.api['skip']
        if self.api.get('skip_throw_on_miss'):
            raise NotClaimed('a skip target that is missed is no error under ALL MATCHES')
        m = re.match(r'SKIP_TO_(FIRST|LAST)\[(.*)\]$', skip)
        if m:
            return 'SKIP TO %s %s' % (m.group(1), self.variable(m.group(2)))
        return {'NO_SKIP': 'SKIP TO CURRENT ROW', 'SKIP_TO_NEXT': 'SKIP TO NEXT ROW',
                'SKIP_PAST_LAST_EVENT': 'SKIP PAST LAST ROW'}[skip]

    def rule(self):
        pattern = self.stages(self.api['pattern'])
        measures = ['ARRAY_AGG(%s.id) AS m%d' % (var, i + 1) for i, (_, var) in enumerate(self.measured)]
        timeouts = 'expect_timeouts' in self.case
        if timeouts:
            measures += ['MATCH_NUMBER() AS match_no', 'MATCH_ROWTIME() AS match_time']
        within = ''
        if self.api.get('within_ms') and self.api.get('within_type') != 'PREVIOUS_AND_CURRENT':
            within = " WITHIN INTERVAL '%d.%03d' SECOND" % divmod(self.api['within_ms'], 1000)
        key = self.case.get('partition_by')
        order = self.case.get('order_by') or 'ts'
        defines = ',\n    '.join('%s AS %s' % d for d in self.defines if d[1] != '(TRUE)') or None
        return ('SELECT * FROM ev MATCH_RECOGNIZE (\n  %sORDER BY %s\n  MEASURES %s\n  ONE ROW PER MATCH%s ALL MATCHES\n'
                '  AFTER MATCH %s\n  PATTERN (%s)%s%s\n) AS mr'
                % ('PARTITION BY %s ' % key if key else '', order, ', '.join(measures),
                   ' WITH TIMEOUT ROWS' if timeouts else '', self.after_match(), pattern, within,
                   '\n  DEFINE\n    ' + defines if defines else ''))


def iso(ms):
    import datetime
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return at.strftime('%Y-%m-%dT%H:%M:%S.') + '%03d' % (ms % 1000)


class Translated:
    """text, schema and rows of a case, and .maps(rows of the answer)."""

    def __init__(self, case):
        writer = Writer(case)
        self.text = writer.rule()
        self.stages = [name for name, _ in writer.measured]
        self.timeouts = 'expect_timeouts' in case
        self.keys = 1 if case.get('partition_by') else 0
        names = [n for n, _ in case['schema']]
        self.schema = [[n, 'TIMESTAMP(3)' if n == 'ts' else t] for n, t in case['schema']] + [['ts_ms', 'BIGINT']]
        at = names.index('ts')
        self.rows = [[iso(v) if i == at else v for i, v in enumerate(row)] + [row[at]] for row in case['rows']]

    def maps(self, rows):
        """(matches, time-outs): maps stage -> ids, and (map, time in ms)."""
        matches, late = [], []
        for row in rows:
            row = row[self.keys:]
            found = {}
            for name, ids in zip(self.stages, row):
                if ids:
                    found[name] = found.get(name, []) + list(ids)
            if self.timeouts and row[len(self.stages)] is None:
                late.append((found, row[len(self.stages) + 1]))
            else:
                matches.append(found)
        return matches, late
