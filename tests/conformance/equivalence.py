"""Two pattern texts that must behave the same: both run over every small input and some random ones, by the naive matcher and by the engine."""
import itertools
import json
import random
import re

import engine
import oracle

SCHEMA = [['tag', 'STRING'], ['key', 'INT'], ['seq', 'INT']]
LETTERS = 'ABCDE'


class Case:
    kind = 'pattern_equivalence'
    mode = 'both'

    def __init__(self, case):
        self.case, self.name = case, case['id']
        self.variables = sorted(set(re.findall(r'\b[A-E]\b', case['pattern_a'] + case['pattern_b'])))
        self.inputs = self.make_inputs()
        self.texts = [self.rule(case['pattern_a']), self.rule(case['pattern_b'])]
        self.sql = '\n'.join(self.texts)

    def make_inputs(self):
        """Words over the pattern's variables (a last letter, x, is none of them), one per key."""
        letters = ''.join(self.variables).lower() + 'x'
        words = []
        for length in range(1, 7):
            if len(letters) ** length > 300:
                break
            words += [''.join(w) for w in itertools.product(letters, repeat=length)]
        rng = random.Random('equivalence ' + self.name)
        words += [''.join(rng.choice(letters) for _ in range(rng.randint(4, 12))) for _ in range(120)]
        words += [''.join(self.variables).lower() * n for n in (1, 2, 3)]
        return words

    def rule(self, pattern):
        defines = ', '.join("%s AS tag = '%s'" % (v, v.lower()) for v in self.variables)
        return ('SELECT * FROM ev MATCH_RECOGNIZE (PARTITION BY key ORDER BY seq MEASURES MATCH_NUMBER() AS no, CLASSIFIER() AS cls\n'
                '  ALL ROWS PER MATCH PATTERN (%s) DEFINE %s) AS mr' % (pattern, defines))

    def rows(self):
        found, seq = [], 0
        for key, word in enumerate(self.inputs):
            for letter in word:
                seq += 1
                found.append([letter, key, seq])
        return found

    def jobs(self):
        rows = [('row', 'ev', o) for o in engine.objects(SCHEMA, self.rows())]
        ddl = engine.table('ev', SCHEMA)
        return [{'id': '%s#%s' % (self.name, side), 'sql': ddl + rule + ';\n', 'steps': rows} for side, rule in zip('ab', self.texts)]

    def judge(self, results):
        answers = []
        for side, rule in zip('ab', self.texts):
            result = results['%s#%s' % (self.name, side)]
            if 'crash' in result:
                return result['crash']
            if result['error']:
                return 'refused: %s\n%s' % (json.dumps(result['diags'])[:400], rule)
            answers.append(sorted(engine.inserted(result), key=json.dumps))
        naive = [sorted(oracle.run(rule, SCHEMA, self.rows()), key=json.dumps) for rule in self.texts]
        # A match may be empty in different ways, but rows and labels are the same.
        if naive[0] != naive[1]:
            return 'the naive matcher tells them apart'
        for side, rows in zip('ab', answers):
            if rows != naive[0]:
                wrong = [r for r in rows if r not in naive[0]][:3] or [r for r in naive[0] if r not in rows][:3]
                return 'pattern %s differs from the naive matcher, e.g. %s (word %r)' % (side, wrong, self.inputs[wrong[0][0]] if wrong else '')
        return None


