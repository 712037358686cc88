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


HEAD = '\0'  # in the text of a group: where its contiguity goes, if its first stage is optional (then it is that stage's alone)
ENTRY = {'begin': '', 'next': '', 'followedBy': '-> ', 'followedByAny': '->> ', 'head': HEAD}


def entered(entry, body):
    return body.replace(HEAD, entry) if HEAD in body else entry + body


def plain(stage):
    """The stage with what may be left out."""
    times = stage.get('times')
    stage = dict(stage, contiguity=stage.get('contiguity') or 'begin')
    if isinstance(times, int):
        stage['times'] = {'from': times, 'to': times}
    elif times:
        stage['times'] = {'from': times.get('from', 1), 'to': times.get('to')}
    if times and stage['times']['from'] == 0 and stage['times']['to'] != 0:
        stage['times'], stage['optional'] = dict(stage['times'], **{'from': 1}), True
    if 'group' in stage:
        stage['group'] = [plain(s) for s in stage['group']]
    else:
        stage['cond'] = stage.get('cond') or 'TRUE'
    return stage


class Writer:
    def __init__(self, case):
        self.case = case
        self.api = dict(case['pattern_api'], pattern=[plain(s) for s in case['pattern_api']['pattern']], skip=case['pattern_api'].get('skip') or 'NO_SKIP')
        self.defines = []          # (variable, condition)
        self.variables = {}        # stage name -> variable
        self.measured = []         # (stage name, variable)
        self.groups_stopped = {}   # stop condition of a group -> number

    # ---- conditions ----
    def variable(self, name):
        if name not in self.variables:
            self.variables[name] = 'V%d_%s' % (len(self.variables) + 1, re.sub(r'\W', '_', name).upper())
        return self.variables[name]

    def condition(self, text, own):
        """`own`: the stage whose condition it is: its aggregates there do not count the row under test."""
        parts = re.split(r"('(?:[^']|'')*')", text)  # what stands in quotes stays
        return ''.join(part if i % 2 else self.named(part, own) for i, part in enumerate(parts))

    def named(self, text, own):
        for name in sorted(self.all_names(self.api['pattern']), key=len, reverse=True):
            var, esc = self.variable(name), re.escape(name)
            if name == own:
                text = self.without_candidate(text, esc, var)
            text = re.sub(r'(?<![\w.])%s\.' % esc, var + '.', text)
        return text

    def without_candidate(self, text, esc, var):
        def own(function, column):
            return r'(?i)\b%s\(%s\.(%s)\)' % (function, esc, column)
        before = 'CASE WHEN COUNT(%s.*) > 1 THEN ' % var
        text = re.sub(own('COUNT', r'\*'), '(COUNT(%s.*) - 1)' % var, text)
        text = re.sub(own('COUNT', r'\w+'), r'(COUNT(%s.\1) - CASE WHEN %s.\1 IS NULL THEN 0 ELSE 1 END)' % (var, var), text)
        text = re.sub(own('SUM', r'\w+'), before + r'SUM(%s.\1) - COALESCE(%s.\1, 0) END' % (var, var), text)
        text = re.sub(own('AVG', r'\w+'), before + r'(SUM(%s.\1) - COALESCE(%s.\1, 0)) / (COUNT(%s.*) - 1) END' % (var, var, var), text)
        text = re.sub(own('FIRST', r'\w+'), before + r'FIRST(%s.\1) END' % var, text)
        text = re.sub(own('LAST', r'\w+'), r'LAST(%s.\1, 1)' % var, text)
        if re.search(r'(?i)\b(MIN|MAX)\(%s\.' % esc, text):
            raise NotClaimed('the least or greatest value of a stage without the row under test')
        return text

    def all_names(self, stages):
        for stage in stages:
            if 'group' in stage:
                yield from self.all_names(stage['group'])
            else:
                yield stage['name']

    # ---- gaps between neighbours ----
    # Flink CEP keeps a gap in states, each of which waits for one event, and a state that is left open for something else than that event keeps it
    # for the first event only. WITHIN between neighbours is kept by the pattern's last stage if that is no loop; a loop's gap limit
    # by the states before its 1st, 2nd, ... event, the last one (of `times`) and those behind the least number (of a loop) excepted.
    def gap_before(self, stage, taken):
        """The limit, in ms, while the stage waits behind `taken` events of its own; and whether it looks at the next event only."""
        low, high = self.bounds(stage)
        gap = stage.get('times_window_ms')
        if gap is not None and (low, high) != (1, 1):
            free = taken >= low if high is None else taken == high - 1
            return (None if free else gap), (stage.get('optional') if taken == 0 else taken >= low)
        last = self.api['pattern'][-1]
        if stage is last and self.neighbours() and not (stage.get('times') or stage.get('oneOrMore')):
            return self.api['within_ms'], stage.get('optional')
        return None, False

    def neighbours(self):
        return self.api.get('within_type') == 'PREVIOUS_AND_CURRENT' and bool(self.api.get('within_ms'))

    @staticmethod
    def near(gap, first_only):
        """The row under test against the last taken one; or the row behind that one."""
        return ('NEXT(LAST(ts_ms, 1)) - LAST(ts_ms, 1) < %d' if first_only else 'ts_ms - LAST(ts_ms, 1) < %d') % gap

    def gaps(self, stage):
        """What the gaps ask of a row of the stage, as conditions."""
        if stage not in self.api['pattern']:
            if stage.get('times_window_ms') is not None:
                raise NotClaimed('a gap limit within a group')
            return []
        var, found = self.variable(stage['name']), []
        low, high = self.bounds(stage)
        first = stage is self.api['pattern'][0]
        for taken in range(1, high if high is not None else low + 1):
            gap, first_only = self.gap_before(stage, taken)
            if gap is not None:
                found.append('COUNT(%s.*) <> %d OR %s' % (var, taken + 1, self.near(gap, first_only)))
        return found if first else found + self.entry_gaps(stage)

    def entry_gaps(self, stage):
        """Of the first row of a stage. The state in force behind the last taken row may be an earlier stage's, left open for this one: then its gap
        counts for the next event, and this stage's own from the one behind it, if this stage is not optional."""
        var, (own, first_only) = self.variable(stage['name']), self.gap_before(stage, 0)
        found = []
        for when, gap, elsewhere in self.in_force(stage):
            asked = []
            if elsewhere and gap is not None:
                asked.append(self.near(gap, True))
            if elsewhere and own is not None and not first_only:
                asked.append('PREV(id) = LAST(id, 1) OR ' + self.near(own, False))
            if not elsewhere and own is not None:
                asked.append(self.near(own, first_only))
            if asked:
                found.append('COUNT(%s.*) <> 1 OR LAST(ts_ms, 1) IS NULL OR (%s) IS NOT TRUE OR (%s)' % (var, ' AND '.join(when), ') AND ('.join(asked)))
        return found

    def in_force(self, stage):
        """(condition on counts, gap, is it another stage's state?) of the states that the stage's first row may come behind."""
        behind, none = stage, []   # the stage right behind the one that is looked at; those passed over
        for before in reversed(self.api['pattern'][:self.api['pattern'].index(stage)]):
            if before['contiguity'] in ('notNext', 'notFollowedBy'):
                continue
            entry = self.gap_before(behind, 0)[0]
            if 'group' in before:
                if entry is not None:
                    raise NotClaimed('a gap limit behind a group')
                return
            name, (low, high) = self.variable(before['name']), self.bounds(before)
            if high is None:
                yield none + ['COUNT(%s.*) >= %d' % (name, low)], self.gap_before(before, low)[0], True
            else:
                for taken in range(low, high):
                    yield none + ['COUNT(%s.*) = %d' % (name, taken)], self.gap_before(before, taken)[0], True
                yield none + ['COUNT(%s.*) = %d' % (name, high)], entry, behind is not stage
            if not before.get('optional'):
                return
            none, behind = none + ['COUNT(%s.*) = 0' % name], before

    def define(self, stage, extra=()):
        name = stage['name']
        var = self.variable(name)
        parts = [self.condition(stage['cond'], name)]
        parts += self.gaps(stage)
        if stage.get('until') is not None:
            parts.append('(%s) IS NOT TRUE' % self.condition(stage['until'], name))
        if stage.get('group_until') is not None:
            parts.append('(%s) IS NOT TRUE' % self.condition(stage['group_until'], name))
        parts += extra
        self.defines.append((var, ' AND '.join('(%s)' % p for p in parts)))
        return var

    # ---- stages ----
    def stop(self, stage, entering):
        """The variable that ends a loop's wait. Before its first event only one that the loop would else take does."""
        var = self.variable(stage['name']) + ('_BAR' if entering else '_STOP')
        cond = self.condition(stage['until'], None)
        if entering:
            cond = '(%s) AND (%s)' % (self.condition(stage['cond'], None), cond)
        if var not in [d[0] for d in self.defines]:
            self.defines.append((var, cond))
        return '-> NOT %s ' % var

    def group_stop(self, until):
        """The variable that ends every wait in a group, and the wait for it."""
        var = 'G%d_STOP' % (self.groups_stopped.setdefault(until, len(self.groups_stopped)) + 1)
        if var not in [d[0] for d in self.defines]:
            self.defines.append((var, self.condition(until, None)))
        return '-> NOT %s ' % var

    def absent(self, stage):
        for key in ('oneOrMore', 'times', 'optional', 'greedy'):
            if stage.get(key):
                return '%s%s' % (self.variable(stage['name']), '?' if key == 'optional' else '+')
        return self.variable(stage['name'])

    def body(self, stage, extra):
        if 'group' in stage:
            return '(%s)' % self.stages(stage['group'], stage)
        self.measured.append((stage['name'], self.variable(stage['name'])))
        return self.define(stage, extra)

    def bounds(self, stage):
        if stage.get('times'):
            low, high = stage['times']['from'], stage['times']['to']
        else:
            low, high = (1, None) if stage.get('oneOrMore') else (1, 1)
        if self.unwritable(low, high):
            return low, high
        if stage.get('until') is not None and high is not None:
            raise NotClaimed('a stop condition is a part of a written loop: on anything else there is no text to refuse')
        return low, high

    @staticmethod
    def unwritable(low, high):
        return low < 1 or (high is not None and high < low)

    def written(self, stage, nots, extra=()):
        """One stage. nots: names that also kill it while it could be left, for the stage behind it is a not."""
        entry = ENTRY[stage['contiguity']]
        low, high = self.bounds(stage)
        body = self.body(stage, extra)
        if self.unwritable(low, high):  # as it stands: it must be refused
            return '%s{%d,%s}' % (body, low, '' if high is None else high)
        group_until = stage.get('until') if 'group' in stage else stage.get('group_until')
        if group_until is not None and HEAD in body:
            raise NotClaimed('a stop condition of a group that begins with an optional stage')
        stops = stage.get('until') is not None and 'group' not in stage
        inner = '' if stage.get('consecutive') else '->> ' if stage.get('combinations') else '-> '
        loops = low > 1 or high is None or high > low
        again = (self.stop(stage, False) if stops and inner and loops else '') + entered(inner, body)
        if group_until is not None and inner and loops:
            again = self.group_stop(group_until) + again
        may_leave = ''.join('-> NOT %s ' % n for n in nots) if inner else ''
        greed = '+' if stage.get('greedy') else ''
        enter = entered(entry, body)
        if stops and entry == '-> ':
            enter = self.stop(stage, True) + enter
        if group_until is not None and entry:
            enter = self.group_stop(group_until) + enter
        text = enter
        if low > 1:
            text += ' (%s%s){%d}' % (may_leave, again, low - 1)
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

    def stages(self, stages, group=None):
        out = []
        if group:  # a loop at the head of a group has the group's contiguity
            stages = [dict(stages[0], consecutive=group.get('consecutive'), combinations=group.get('combinations'))] + stages[1:]
            if stages[0].get('optional') and stages[0]['contiguity'] == 'begin':
                stages[0]['contiguity'] = 'head'
            if group.get('until') is not None:
                if any('group' in s for s in stages):
                    raise NotClaimed('a stop condition of a group of groups')
                stages = [dict(s, group_until=group['until']) for s in stages]
        pending = []               # from a notNext before: conditions for the next stage's variable, with what excuses from them
        for i, stage in enumerate(stages):
            kind = stage['contiguity']
            if kind not in ('notNext', 'notFollowedBy'):
                nots = []
                if i + 1 < len(stages) and self.can_leave(stage) and 'group' not in stage:
                    after = stages[i + 1]
                    if after['contiguity'] in ('notNext', 'notFollowedBy'):
                        nots = [self.variable(after['name'])]
                if pending and 'group' in stage:
                    raise NotClaimed('notNext before a group that may come later')
                own = self.variable(stage['name']) if pending else None
                once = ['COUNT(%s.*) <> 1 OR ' % own if self.can_leave(stage) else '' for _ in pending]
                out.append(self.written(stage, nots, [o + ' OR '.join(empty + (cond,)) for o, (empty, cond) in zip(once, pending)]))
                # an optional stage that is left out passes it on
                pending = [(empty + ('COUNT(%s.*) <> 0' % own,), cond) for empty, cond in pending] if stage.get('optional') else []
                continue
            last = i + 1 == len(stages)
            relaxed = not last and ENTRY.get(stages[i + 1]['contiguity'], '') != ''
            cond = self.condition(stage['cond'], stage['name'])
            var = self.absent(stage)
            if kind == 'notNext' and relaxed:
                right_behind = 'PREV(id) = LAST(id, 1)'
                looped = i > 0 and self.can_leave(stages[i - 1])
                if 'group' in stages[i + 1]:
                    raise NotClaimed('notNext before a group that may come later')
                self.defines.append((self.variable(stage['name']), '(%s) AND (%s)' % (cond, right_behind) if not looped
                                     else cond))
                pending = [((), '((%s) AND (%s)) IS NOT TRUE' % (cond, right_behind))]
                out.append('-> NOT ' + var)
                continue
            self.defines.append((self.variable(stage['name']), cond))
            wait = ''
            if last and kind == 'notFollowedBy' and self.neighbours():
                wait = " FOR INTERVAL '%d.%03d' SECOND" % divmod(self.api['within_ms'], 1000)
            out.append(('NOT ' if kind == 'notNext' else '-> NOT ') + var + wait)
        return ' '.join(out)

    # ---- the whole ----
    def only_theirs(self):
        """Why Flink CEP refuses a pattern that has nothing wrong in our language; or None. (What both refuse is written down and must be refused.)"""
        if self.api['pattern'][-1]['contiguity'] == 'notFollowedBy' and not self.api.get('within_ms'):
            return None  # both refuse an absence that has no end
        found = self.theirs(self.api['pattern'])
        if found:
            return found
        gaps = [s['times_window_ms'] for s in self.api['pattern'] if s.get('times_window_ms')]
        if self.api.get('within_ms') and not self.neighbours() and gaps and max(gaps) > self.api['within_ms']:
            return 'a gap limit longer than the whole is no error here'
        return None

    def theirs(self, stages):
        greedy = left_open = False
        for stage in stages:
            if stage['contiguity'] in ('notNext', 'notFollowedBy'):
                if left_open:
                    return 'an optional stage before a not is no error here'
                continue
            loop = stage.get('oneOrMore') or stage.get('times')
            if stage.get('optional') and greedy:
                return 'an optional stage behind a greedy one is no error here'
            if stage.get('greedy') and (not loop or 'group' in stage):
                return 'greedy on what is no loop is no error here'
            if (stage.get('consecutive') or stage.get('combinations')) and not loop:
                return 'a contiguity within what is no loop is no error here'
            if 'group' in stage and self.theirs(stage['group']):
                return self.theirs(stage['group'])
            greedy, left_open = stage.get('greedy'), stage.get('optional')
        return None

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
        if self.case.get('expect_error') == 'MALFORMED_PATTERN' and self.only_theirs():
            raise NotClaimed(self.only_theirs())
        pattern = self.stages(self.api['pattern'])
        measures = ['ARRAY_AGG(%s.id) AS m%d' % (var, i + 1) for i, (_, var) in enumerate(self.measured)]
        timeouts = 'expect_timeouts' in self.case
        if timeouts:
            measures += ['MATCH_NUMBER() AS match_no', 'MATCH_ROWTIME() AS match_time']
        within = ''
        if self.neighbours() and 'expect_timeouts' in self.case:
            raise NotClaimed('time-outs by the gap between neighbours')
        if self.api.get('within_ms') and not self.neighbours():
            within = " WITHIN INTERVAL '%d.%03d' SECOND" % divmod(self.api['within_ms'], 1000)
        key = self.case.get('partition_by')
        order = self.case.get('order_by') or 'ts'
        names = [d[0] for d in self.defines]  # two stages of one name are two definitions, which must be refused
        defines = ',\n    '.join('%s AS %s' % d for d in self.defines if d[1] != '(TRUE)' or names.count(d[0]) > 1) or None
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
