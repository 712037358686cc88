"""The naive matcher: every way in which a pattern matches, in order of preference, found by plain backtracking.

Written from docs/semantics.md alone, for being obviously right, not fast. It holds all rows of a partition at once, so
nothing here knows of threads, registers, watermarks or state.

A derivation is followed by a chain of generators. `Spot` is where it stands; it is never changed, only replaced.
"""
import collections
import itertools

import text
import values

NOT_BETWEEN, POSSESSIVE, NOT_NEXT, NOT_AHEAD, AT_END = 'not', 'possessive', 'next', 'ahead', 'end'
NO_ROWS = ('empty', 'start', 'end', 'not', 'notnext', 'notahead', 'notbetween', 'absent')

# at      index of the next row
# after   index of the row behind the last taken one; differs from `at` while an arrow has skipped rows
# taken   entries (row, label, excluded)
# guards  what the rows up to the next taken one must not be: (kind, names, names that lift the guard, first row that it looks at or None: behind the last taken one)
# hide    depth of {- -}
Spot = collections.namedtuple('Spot', 'at after taken guards hide')
# known   index of the row at which it is complete
Derivation = collections.namedtuple('Derivation', 'taken absent_until known')


# ---- trees ----
def nullable(node):
    kind = node[0]
    if kind in NO_ROWS:
        return True
    if kind == 'var':
        return False
    if kind in ('seq', 'permute'):
        return all(nullable(n) for n in node[1])
    if kind == 'alt':
        return any(nullable(n) for n in node[1])
    if kind == 'loop':
        return node[2] == 0 or nullable(node[1])
    return nullable(node[1])


def prefers_empty(node):
    """Does the way that it prefers take no row?"""
    kind = node[0]
    if kind == 'loop':
        return node[2] == 0 and node[4] == 'reluctant' or prefers_empty(node[1])
    if kind in ('seq', 'permute'):
        return all(prefers_empty(n) for n in node[1])
    if kind == 'alt':
        return prefers_empty(node[1][0])
    return kind in NO_ROWS if kind not in ('exclude', 'relax') else prefers_empty(node[1])


def firsts(node):
    """The variables that its first row can be."""
    kind = node[0]
    if kind == 'var':
        return {node[1]}
    if kind in NO_ROWS:
        return set()
    if kind == 'seq':
        found = set()
        for n in node[1]:
            found |= firsts(n)
            if not nullable(n):
                break
        return found
    if kind in ('alt', 'permute'):
        return set().union(*[firsts(n) for n in node[1]])
    return firsts(node[1])


def first_nots(node):
    """The variables of NOTs that stand before its first row: where one of them comes, it cannot be entered any more."""
    kind = node[0]
    if kind == 'notbetween':
        return set(node[1])
    if kind == 'seq':
        found = set()
        for n in node[1]:
            found |= first_nots(n)
            if not nullable(n):
                break
        return found
    return first_nots(node[1]) if kind in ('loop', 'relax', 'exclude') else set()


def begins(node):
    """Does it begin with an arrow ('relaxed'), with a row ('strict'), or with neither (None)?"""
    kind = node[0]
    if kind in ('empty', 'start', 'end'):
        return None
    if kind == 'not':
        return 'relaxed' if node[2] else None
    if kind == 'var':
        return 'strict'
    if kind == 'relax':
        return 'relaxed'
    if kind == 'seq':
        for n in node[1]:
            found = begins(n)
            if found:
                return found
        return None
    parts = node[1] if kind in ('alt', 'permute') else [node[1]]
    found = None
    for n in parts:
        one = begins(n)
        if one == 'relaxed':
            return one
        found = one or found
    return found


def settle_nots(node, tail=True, relaxed=False):
    """Says of each NOT what it means: ('notnext', names), ('notbetween', names) or ('absent', names, ms or None)."""
    kind = node[0]
    if kind == 'not':
        if tail and (node[2] or node[3] is not None):
            return ('absent', node[1], node[3])
        if not tail and (node[2] or relaxed):
            return ('notbetween', node[1])
        return ('notnext' if tail else 'notahead', node[1])  # one that is not written last forbids nothing if no row is taken behind it
    if kind == 'seq':
        items = []
        for i, n in enumerate(node[1]):
            rest = [b for b in map(begins, node[1][i + 1:]) if b]
            items.append(settle_nots(n, tail and i + 1 == len(node[1]), rest[0] == 'relaxed' if rest else relaxed))
        return ('seq', items)
    if kind == 'alt':
        return ('alt', [settle_nots(n, tail, relaxed) for n in node[1]])
    if kind == 'permute':
        return ('permute', [settle_nots(n, False, relaxed) for n in node[1]])
    if kind == 'loop':
        again = node[3] is None or node[3] > 1
        inner = settle_nots(node[1], tail and not again, relaxed or (again and begins(node[1]) == 'relaxed'))
        return ('loop', inner) + node[2:]
    if kind in ('relax', 'exclude'):
        return (kind, settle_nots(node[1], tail, relaxed)) + node[2:]
    return node


class TooMany(Exception):
    """More ways than can be gone through."""


STEPS_MAX = 600_000


class Partition:
    """Rows of one key, in order, under one rule."""

    def __init__(self, rule, rows, time_column):
        self.rule, self.rows = rule, rows
        self.pattern = settle_nots(rule['pattern'])
        self.time = [r[time_column] for r in rows] if time_column else None
        self.within = rule['within'] if rule['within'] is not None else rule['hold']
        self.partials = None
        self.number = 1
        self.steps = 0

    # ---- conditions ----
    def holds(self, name, row, taken):
        """Is the row a `name`, given what was taken? The row under test already belongs to its variable."""
        condition = self.rule['defines'].get(name)
        if condition is None:
            return True
        entries = list(taken) + [(row, name, False)]
        scope = values.Scope(self.rows, entries, len(entries), False, self.rule['subsets'], self.number)
        return values.value(condition, scope) is True

    def bound(self, taken):
        """Index of the first row that is too late for a match with this first row."""
        if self.within is None or not taken:
            return len(self.rows)
        limit = self.time[taken[0][0]] + self.within
        at = taken[0][0]
        while at < len(self.rows) and self.time[at] < limit:
            at += 1
        return at

    def guards_allow(self, spot, end, taking):
        """May the rows behind the last taken one be passed over, up to `end`? taking: the row at `end` is then taken."""
        for kind, names, release, begin in spot.guards:
            last = end + 1 if kind == POSSESSIVE and taking else end
            if kind in (NOT_NEXT, NOT_AHEAD):
                last = min(spot.after + 1, end + 1 if taking else end)
            for row in range(spot.after if begin is None else begin, last):
                if any(self.holds(n, row, spot.taken) for n in names):
                    return False
                if any(self.holds(n, row, spot.taken) for n in release):
                    break
        return True

    # ---- derivations ----
    def derive(self, node, spot):
        """Every way to go through `node` from `spot`, preferred first."""
        kind = node[0]
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise TooMany()
        if kind == 'empty':
            yield spot
        elif kind == 'var':
            yield from self.take(node[1], spot)
        elif kind == 'seq':
            yield from self.sequence(node[1], spot)
        elif kind == 'alt':
            for branch in node[1]:
                yield from self.derive(branch, spot)
        elif kind == 'permute':
            yield from self.permute(node[1], spot)
        elif kind == 'loop':
            yield from self.loop(node, spot, 0)
        elif kind == 'start':
            if spot.at == 0:
                yield spot
        elif kind == 'end':
            if spot.at == len(self.rows):
                yield spot._replace(guards=spot.guards + ((AT_END, (), (), None),))
        elif kind == 'exclude':
            for out in self.derive(node[1], spot._replace(hide=spot.hide + 1)):
                yield out._replace(hide=spot.hide)
        elif kind == 'relax':
            yield from self.relax(node, spot)
        elif kind == 'notnext':
            yield spot._replace(guards=spot.guards + ((NOT_NEXT, node[1], (), None),))
        elif kind == 'notahead':
            yield spot._replace(guards=spot.guards + ((NOT_AHEAD, node[1], (), None),))
        elif kind == 'notbetween':
            yield spot._replace(guards=spot.guards + ((NOT_BETWEEN, node[1], (), None),))
        elif kind == 'absent':
            yield from self.absent(node, spot)
        else:
            raise text.Unsupported(kind)

    def take(self, name, spot):
        if spot.at >= self.bound(spot.taken):
            self.partial(spot)
            return
        if self.guards_allow(spot, spot.at, True) and self.holds(name, spot.at, spot.taken):
            taken = spot.taken + ((spot.at, name, spot.hide > 0),)
            yield Spot(spot.at + 1, spot.at + 1, taken, (), spot.hide)

    def partial(self, spot):
        """A derivation that waits for a row when its time is over."""
        if self.partials is not None and spot.taken and self.guards_allow(spot, self.bound(spot.taken), False):
            self.partials.append(spot.taken)

    def sequence(self, nodes, spot):
        if not nodes:
            yield spot
            return
        for middle in self.derive(nodes[0], spot):
            yield from self.sequence(nodes[1:], middle)

    def permute(self, nodes, spot):
        """The alternation of all orders, in list order."""
        for order in itertools.permutations(nodes):
            yield from self.sequence(list(order), spot)

    def loop(self, node, spot, done):
        """done: iterations so far. An iteration beyond the minimum that takes no row ends an unbounded loop."""
        _, body, least, most, greed = node
        first_names, release = tuple(sorted(firsts(body))), tuple(sorted(first_nots(body)))
        can_leave, can_go = done >= least, most is None or done < most

        def guarded(out):
            """Left before its maximum, a possessive loop leaves no row that it could take, from where it stands on."""
            return out._replace(guards=out.guards + ((POSSESSIVE, first_names, release, out.at),)) if greed == 'possessive' and can_go else out

        def leave():
            if can_leave:
                yield guarded(spot)

        def again():
            if can_go:
                for out in self.derive(body, spot):
                    if can_leave and most is None and len(out.taken) == len(spot.taken):
                        yield guarded(out)
                    else:
                        yield from self.loop(node, out, done + 1)
        if greed == 'reluctant':
            yield from leave()
            yield from again()
        else:
            yield from again()
            yield from leave()

    def relax(self, node, spot):
        """-> X: rows that do not start X are passed over. Where X can be empty, its empty choice passes over nothing."""
        _, body, also_later = node
        if not spot.taken:  # before the first row of a match there is nothing to skip: that would be a later start
            yield from self.derive(body, spot)
            return
        names, end = firsts(body), self.bound(spot.taken)
        row = spot.at
        while row < end and not any(self.holds(n, row, spot.taken) for n in names):
            row += 1
        ways = self.derive(body, spot._replace(at=row))
        if not also_later:
            for out in ways:
                yield out if len(out.taken) > len(spot.taken) else out._replace(at=spot.at)
            return
        if prefers_empty(body):
            yield from self.empty_ways(body, spot)
        for out in ways:
            if len(out.taken) > len(spot.taken):
                yield out
        if row < end:
            for out in self.relax(node, spot._replace(at=row + 1)):
                if len(out.taken) > len(spot.taken):
                    yield out
        if not prefers_empty(body):
            yield from self.empty_ways(body, spot)

    def empty_ways(self, body, spot):
        """The ways through it that take no row."""
        partials, self.partials = self.partials, None
        found = [out for out in self.derive(body, spot) if len(out.taken) == len(spot.taken)]
        self.partials = partials
        yield from found

    def absent(self, node, spot):
        """The end of a rule that waits for nothing to come."""
        last = spot.taken[-1][0]
        until = self.time[last] + node[2] if node[2] is not None else self.time[spot.taken[0][0]] + self.within
        end = spot.after
        while end < len(self.rows) and self.time[end] < until:
            end += 1
        wait = spot._replace(guards=spot.guards + ((NOT_BETWEEN, node[1], (), None),))
        if not self.guards_allow(wait, end, False):
            return
        yield spot._replace(guards=(('until', until, ()),))

    def completion(self, one):
        """When a derivation completes: (row, deadline, at the end of input?); an absence before the first row at or behind its deadline."""
        if one.absent_until is None:
            return one.known, float('inf'), 0
        at = one.taken[-1][0] + 1
        while at < len(self.rows) and self.time[at] < one.absent_until:
            at += 1
        return at, one.absent_until, 0

    def completes_in_time(self, start, one):
        """Before the time of its start runs out?"""
        limit = self.time[start] + self.within
        if one.absent_until is not None:
            return one.absent_until <= limit
        return one.known < len(self.rows) and self.time[one.known] < limit

    def from_row(self, start):
        for spot in self.derive(self.pattern, Spot(start, start, (), (), 0)):
            if any(g[0] == NOT_NEXT for g in spot.guards):  # at the end of a match the next row counts, whenever it comes
                last = spot._replace(guards=tuple(g for g in spot.guards if g[0] == NOT_NEXT))
                if not self.guards_allow(last, len(self.rows), False):
                    continue
            until = [g[1] for g in spot.guards if g[0] == 'until']
            ahead = any(g[0] in (NOT_NEXT, AT_END) for g in spot.guards)
            known = len(self.rows) if any(g[0] == AT_END for g in spot.guards) else spot.after if ahead else spot.after - 1
            yield Derivation(spot.taken, until[0] if until else None, known)

    # ---- matches ----
    def skip_row(self, start, taken):
        """Where to go on behind a match; None: the target is missing or the first row."""
        skip = self.rule['skip']
        if skip[0] == 'past':
            return taken[-1][0] + 1
        if skip[0] in ('next', 'current'):
            return start + 1
        names = self.rule['subsets'].get(skip[1], (skip[1],))
        rows = [e[0] for e in taken if e[1] in names]
        if not rows:
            return None
        row = rows[0] if skip[0] == 'first' else rows[-1]
        return None if row == start else row

    def timed_out(self):
        found, seen = [], set()
        for taken in self.partials:
            if taken not in seen:
                seen.add(taken)
                found.append(taken)
        return found

    def matches(self):
        """Yields (kind, start, taken, number, until): kind is match, empty, unmatched, timeout or skip-error."""
        if self.rule['all']:
            yield from self.all_matches()
            return
        start, covered = 0, -1
        while start < len(self.rows):
            self.partials = [] if self.rule['timeouts'] else None
            found = next(self.from_row(start), None)
            if found is None:
                if start > covered:
                    yield ('unmatched', start, (), None, None)
                if self.partials:
                    yield ('timeout', start, self.timed_out()[0], None, self.time[start] + self.within)
                start += 1
                continue
            if not found.taken:
                yield ('empty', start, (), self.number, None)
                self.number += 1
                start += 1
                continue
            yield ('match', start, found.taken, self.number, found.absent_until)
            self.number += 1
            covered = max(covered, found.taken[-1][0])
            target = self.skip_row(start, found.taken)
            if target is None:
                yield ('skip-error', start, (), None, None)
            start = start + 1 if target is None else target

    def all_matches(self):
        """Every distinct non-empty derivation; then the skip clause, in order of (start, completing row, preference)."""
        skip, gone_from, gone_to = self.rule['skip'], -1, -1
        for start in range(len(self.rows)):
            self.partials = [] if self.rule['timeouts'] else None
            if gone_from < start < gone_to:
                continue
            found, seen = [], set()
            for one in sorted((d for d in self.from_row(start) if d.taken), key=self.completion):
                if one.taken not in seen:
                    seen.add(one.taken)
                    found.append(one)
            last = None  # the one that discards the other derivations of its start
            for one in found:
                yield ('match', start, one.taken, self.number, one.absent_until)
                self.number += 1
                if skip[0] != 'current':
                    target = self.skip_row(start, one.taken)
                    if target is not None:
                        gone_from, gone_to = start, max(gone_to, target)
                        last = one
                        break
            over = bool(last and self.partials) and self.completes_in_time(start, last)
            if self.partials and not over:
                for taken in self.timed_out():
                    yield ('timeout', start, taken, None, self.time[start] + self.within)
