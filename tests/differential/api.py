"""Random structural patterns for Flink CEP's Pattern API, with rows, in the form of the conformance cases of kind pattern_api. Called by judge.py.

A case is made from a seed and a number alone; its id names both. `PROFILES` are the features that a case is about; every case mixes its own with plain ones.
"""
import functools
import itertools
import random

SCHEMA = [['id', 'BIGINT'], ['name', 'STRING'], ['price', 'DOUBLE'], ['volume', 'DOUBLE'], ['ts', 'BIGINT']]
PROFILES = ('plain', 'loop', 'times', 'optional', 'greedy', 'until', 'not', 'group', 'within', 'gap', 'skip', 'iterative', 'overlap', 'timeout', 'wide')
NAMES = ('start', 'middle', 'end', 'last', 'more')


class Maker:
    def __init__(self, rng, profile):
        self.rng, self.profile = rng, profile
        self.letters = 'abcde'
        self.used = 0

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    def cond(self, name, letter, before):
        rng, profile = self.rng, self.profile
        text = "name = '%s'" % letter
        if profile == 'overlap' and self.chance(50):
            text = rng.choice(['TRUE', "name LIKE '%%%s%%' OR name LIKE '%%%s%%'" % tuple(rng.sample('abc', 2)), "name = 'a'", 'price > 2.0', "name <> 'x'"])
        elif self.chance(6):
            text = "(volume IS NOT NULL) AND (name = '%s')" % letter
        if profile == 'iterative' and self.chance(70):
            choices = ['COALESCE(SUM(%s.price), 0) + price < 7.0' % name, 'COUNT(%s.*) < 2' % name]
            for other in before:
                choices += ['price > FIRST(%s.price)' % other, 'COUNT(%s.*) > 1' % other, 'COALESCE(SUM(%s.price), 0) > 4.0' % other,
                            'COALESCE(SUM(%s.price), 0) >= price' % other, 'FIRST(%s.price) = price' % other]
            text = '%s AND %s' % (text if text != 'TRUE' else "name <> 'x'", rng.choice(choices))
        return text

    def quantify(self, stage, group=False, empty=False):
        """empty: a group that may take nothing, of which Flink makes an endless loop."""
        rng, profile = self.rng, self.profile
        kind = {'loop': 'loop', 'until': 'loop', 'gap': rng.choice(['loop', 'times', 'atleast']), 'times': rng.choice(['times', 'atleast']), 'greedy': rng.choice(['loop', 'times', 'atleast']),
                'optional': rng.choice(['single', 'single', 'loop', 'times'])}.get(profile) if self.chance(60) else None
        if kind is None:
            kind = rng.choice(['single'] * 7 + ['loop', 'times', 'atleast'])
        if empty:
            kind = 'single'
        if kind == 'loop':
            stage['oneOrMore'] = True
        elif kind == 'times':
            low = rng.choice([1, 1, 2, 2, 3])
            stage['times'] = {'from': low, 'to': low + rng.choice([0, 0, 1, 2])}
        elif kind == 'atleast':
            stage['times'] = {'from': rng.choice([1, 2, 3]), 'to': None}
        many = kind != 'single' and not (kind == 'times' and stage['times'] == {'from': 1, 'to': 1})
        if self.chance(50 if profile == 'optional' else 15):
            stage['optional'] = True
        if kind in ('loop', 'atleast') and self.chance(70 if profile == 'greedy' else 4) and not group:
            stage['greedy'] = True
        if many:
            how = rng.choice(['', '', 'consecutive', 'combinations'])
            if how and not (how == 'combinations' and stage.get('greedy')):
                stage[how] = True
        if kind in ('loop', 'atleast') and not group and not (stage.get('greedy') and stage.get('consecutive')) and self.chance(75 if profile == 'until' else 2):
            stage['until'] = rng.choice(['price > 3.0', 'price = 3.0', "name = 'd'", 'COALESCE(SUM(%s.price), 0) > 4.0' % stage['name'], 'COUNT(%s.*) = 2' % stage['name']][:3 if self.chance(75) else 5])
        if many and profile == 'gap' and not group:
            stage['times_window_ms'] = rng.choice([2, 3, 5])

    def chain(self, length, depth, before, inner=False):
        rng, stages = self.rng, []
        i = 0
        while i < length:
            contiguity = 'begin' if not stages else rng.choice(['next', 'followedBy', 'followedBy', 'followedByAny'])
            if self.profile == 'group' and depth < 2 and (stages or not inner) and self.chance(45) and not (stages and stages[-1]['contiguity'].startswith('not')):
                stage = {'group': self.chain(rng.choice([2, 2, 2, 1]), depth + 1, before, True), 'contiguity': contiguity}
                self.quantify(stage, True, all(s.get('optional') for s in stage['group']))
                stages.append(stage)
                i += 1
                continue
            at = self.used
            self.used += 1
            name = NAMES[at] if at < len(NAMES) else 's%d' % at
            letter = self.letters[at % len(self.letters)]
            if stages and self.profile == 'not' and self.chance(35) and not stages[-1]['contiguity'].startswith('not') and (i + 1 < length or not inner):
                stages.append({'name': 'no' + name, 'contiguity': rng.choice(['notNext', 'notFollowedBy', 'notFollowedBy']), 'cond': self.cond('no' + name, letter, list(before))})
                i += 1
                continue
            stage = {'name': name, 'contiguity': contiguity, 'cond': self.cond(name, letter, list(before))}
            self.quantify(stage)
            before.append(name)
            stages.append(stage)
            i += 1
        return stages


def rows(rng, used, profile):
    letters = 'abcde'[:max(2, min(used, 5))]
    out, ts, cycle = [], 0, rng.random() < 0.6
    count = rng.randint(3, 9)
    walk = ''.join(sorted(rng.choice(letters + letters[0]) for _ in range(count))) if cycle else ''
    for i in range(count):
        ts += rng.choice([1, 1, 1, 1, 2, 3, 0 if profile != 'within' else 1])
        name = walk[i] if cycle else rng.choice(letters)
        if rng.random() < 0.15:
            name = rng.choice(letters + 'x')
        out.append([i + 1, name, float(rng.randint(1, 4)), float(rng.randint(1, 9)) if rng.random() < 0.6 else None, ts])
    return out


@functools.lru_cache(maxsize=None)
def heads():
    """Groups whose first stage is optional, behind each kind of contiguity: (stages, names of the rows)."""
    rng, out = random.Random(5), []

    def stage(name, letter, contiguity, **more):
        return dict({'name': name, 'contiguity': contiguity, 'cond': "name = '%s'" % letter}, **more)
    first = ({}, {'oneOrMore': True}, {'times': {'from': 2, 'to': 2}}, {'oneOrMore': True, 'consecutive': True}, {'oneOrMore': True, 'combinations': True}, {'times': {'from': 1, 'to': 2}})
    whole = ({}, {'optional': True}, {'oneOrMore': True}, {'times': {'from': 2, 'to': 2}}, {'oneOrMore': True, 'optional': True}, {'oneOrMore': True, 'consecutive': True},
             {'times': {'from': 1, 'to': 2}, 'combinations': True})
    for head, group, contiguity in itertools.product(first, whole, ('next', 'followedBy', 'followedByAny')):
        inner, behind = rng.choice(['next', 'followedBy', 'followedByAny']), rng.choice(['next', 'followedBy', 'followedByAny'])
        stages = [stage('s', 'c', 'begin'), dict({'group': [stage('m', 'a', 'begin', optional=True, **head), stage('n', 'b', inner)], 'contiguity': contiguity}, **group), stage('e', 'd', behind)]
        if rng.random() < .4:
            stages.pop()
        for _ in range(2):
            names = [rng.choice('aabbccdx') for _ in range(rng.randint(4, 8))]
            names[0] = 'c'
            if len(stages) == 3:
                names[-1] = 'd'
            out.append((stages, ''.join(names)))
    return out


@functools.lru_cache(maxsize=None)
def stops():
    """Loops of groups with a stop condition, and loops of exact length before a notFollowedBy: (stages, names of the rows)."""
    rng, out = random.Random(6), []

    def stage(name, letter, contiguity, **more):
        return dict({'name': name, 'contiguity': contiguity, 'cond': "name = '%s'" % letter}, **more)
    loops = ({}, {'consecutive': True}, {'combinations': True})
    for loop, low, contiguity, inner in itertools.product(loops, (1, 2), ('next', 'followedBy', 'followedByAny'), ('next', 'followedBy', 'followedByAny')):
        count = {'oneOrMore': True} if low == 1 else {'times': {'from': low, 'to': None}}
        stages = [stage('s', 'c', 'begin'), dict({'group': [stage('m', 'a', 'begin'), stage('n', 'b', inner)], 'contiguity': contiguity, 'until': "name = '%s'" % rng.choice('ddxb')}, **count, **loop),
                  stage('e', 'd', rng.choice(['next', 'followedBy', 'followedByAny']))]
        out += [(stages, 'c' + ''.join(rng.choice('ab' * (i + 1) + 'dx') for _ in range(rng.randint(3, 6))) + 'd') for i in range(2)]
    for loop, low, contiguity, more in itertools.product(loops, (2, 3), ('next', 'followedBy', 'followedByAny'), (0, 1)):
        stages = [stage('s', 'c', 'begin'), stage('m', 'a', contiguity, times={'from': low, 'to': low + more}, **loop), stage('no', 'x', 'notFollowedBy'), stage('e', 'd', rng.choice(['followedBy', 'followedByAny']))]
        out += [(stages, 'c' + ''.join(rng.choice('aaaxb') for _ in range(rng.randint(3, 6))) + 'd') for _ in range(2)]
    return out


FAMILIES = {'heads': heads, 'stops': stops}


def case(identity):
    """The case named `seed.number`; `heads.number` is one of heads(), None behind its last, `stops.number` likewise."""
    seed, number = identity.split('.')
    if seed in FAMILIES:
        family = FAMILIES[seed]()
        if int(number) >= len(family):
            return None
        stages, names = family[int(number)]
        return {'id': 'api-' + identity, 'kind': 'pattern_api', 'profile': seed, 'schema': SCHEMA, 'rows': [[i + 1, c, float(1 + i % 4), None, i + 1] for i, c in enumerate(names)],
                'pattern_api': {'pattern': stages, 'skip': 'NO_SKIP'}}
    rng = random.Random('api ' + identity)
    profile = PROFILES[int(identity.split('.')[1]) % len(PROFILES)]
    maker = Maker(rng, profile)
    length = rng.choice([1, 2, 2, 3, 3, 3, 4]) if profile != 'wide' else rng.choice([4, 5])
    stages = maker.chain(length, 0, [])
    api = {'pattern': stages, 'skip': 'NO_SKIP'}
    at_end = stages[-1]['contiguity'] == 'notFollowedBy'
    if at_end and 'group' not in stages[-2]:  # Flink loses matches of a loop or an optional stage there
        for key in ('oneOrMore', 'times', 'optional', 'greedy', 'consecutive', 'combinations', 'until', 'times_window_ms'):
            stages[-2].pop(key, None)
    if profile in ('within', 'timeout') or at_end or rng.random() < 0.1:
        api['within_ms'] = rng.choice([3, 4, 5, 8])
        api['within_type'] = 'FIRST_AND_LAST' if profile == 'timeout' or rng.random() < 0.6 else 'PREVIOUS_AND_CURRENT'
    if profile == 'skip' or (profile != 'overlap' and rng.random() < 0.08):
        names = [s['name'] for s in stages if 'name' in s and not s['contiguity'].startswith('not')]
        api['skip'] = rng.choice(['SKIP_TO_NEXT', 'SKIP_PAST_LAST_EVENT', 'SKIP_PAST_LAST_EVENT']
                                 + ['SKIP_TO_%s[%s]' % (end, n) for end in ('FIRST', 'LAST') for n in names[-2:]])
    made = {'id': 'api-' + identity, 'kind': 'pattern_api', 'profile': profile, 'schema': SCHEMA, 'rows': rows(rng, maker.used, profile), 'pattern_api': api}
    if profile == 'timeout':
        made['expect_timeouts'] = []
    return made
