#!/usr/bin/env python3
"""Makes the stored answers of a real engine: generates rules and rows from a seed, runs them there, writes rule, rows and answer.

usage: make.py trino|flink [--seed N] [--pairs N]

Needs Maven, Java 17 and the network (jars go to build/differential). The answers, data/trino.jsonl.xz and data/flink.jsonl.xz, are kept in the
repository; compare.py holds ours against them.
"""
import argparse
import json
import lzma
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ('oracle', 'conformance'):
    sys.path.insert(0, os.path.join(ROOT, 'tests', folder))
import generate  # noqa: E402

JAVA_OPENS = ['java.base/java.lang', 'java.base/java.util', 'java.base/java.util.concurrent', 'java.base/java.util.concurrent.atomic', 'java.base/java.time',
              'java.base/java.nio', 'java.base/sun.nio.ch']


def prepare(engine):
    """Fetches the jars and compiles the program; gives the class path."""
    work = os.path.join(ROOT, 'build', 'differential', engine)
    lib, classes = os.environ.get('DIFFERENTIAL_LIB') or os.path.join(work, 'lib'), os.path.join(work, 'classes')
    if not os.path.isdir(lib):
        subprocess.run(['mvn', '-q', '-B', '-f', os.path.join(HERE, engine, 'pom.xml'), 'dependency:copy-dependencies', '-DoutputDirectory=' + lib], check=True)
    os.makedirs(classes, exist_ok=True)
    source = os.path.join(HERE, engine, 'src', {'trino': 'TrinoJudge.java', 'flink': 'FlinkJudge.java'}[engine])
    subprocess.run(['javac', '-nowarn', '-cp', lib + '/*', '-d', classes, source], check=True)
    return '%s/*:%s' % (lib, classes)


def judge(engine, class_path, lines, per_answer):
    """One answer per `per_answer` lines."""
    name = {'trino': 'TrinoJudge', 'flink': 'FlinkJudge'}[engine]
    opens = [a for o in JAVA_OPENS for a in ('--add-opens', o + '=ALL-UNNAMED')]
    with tempfile.TemporaryFile('w+') as feed:
        feed.write('\n'.join(lines) + '\n')
        feed.seek(0)
        process = subprocess.Popen(['java', '-Xmx2g', '-XX:+UseParallelGC'] + opens + ['-cp', class_path, name], stdin=feed, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        answers = []
        for line in process.stdout:
            answers.append(json.loads(line))
            if len(answers) % 200 == 0:
                print('%d of %d' % (len(answers), len(lines) // per_answer), file=sys.stderr)
        if process.wait() != 0 or len(answers) != len(lines) // per_answer:
            raise SystemExit('%s stopped after %d answers' % (engine, len(answers)))
    return answers


# ---- Trino: everything that the standard has ----
class StandardGenerator(generate.Generator):
    def __init__(self, seed):
        super().__init__(seed)
        rng = self.rng
        self.profile, self.arrows, self.all_matches, self.within, self.absence = 'iso', False, False, None, False
        self.timeouts, self.possessive, self.nots = False, False, False
        self.exclusion, self.anchors = rng.random() < 0.2, rng.random() < 0.15

    def clauses(self, empty):
        rows, skip = super().clauses(empty)
        return rows, 'PAST LAST ROW' if skip == 'TO CURRENT ROW' else skip

    def rows(self):
        """Trino does not say how rows of equal order columns stand: there are none."""
        seen, out = set(), []
        for row in super().rows():
            while (row[1], row[4]) in seen:
                row[4] += 1
            seen.add((row[1], row[4]))
            out.append(row)
        return out


def trino_sql(case):
    def literal(row):
        at = generate.iso(generate.BASE_MS + row[4] * 1000).replace('T', ' ')
        v = 'CAST(NULL AS integer)' if row[2] is None else str(row[2])
        return "(%d, %d, %s, '%s', TIMESTAMP '%s')" % (row[0], row[1], v, row[3], at)
    text = 'WITH ev(id, key, v, tag, ts) AS (VALUES %s) %s' % (', '.join(map(literal, case['rows'])), generate.rule_text(case))
    return ' '.join(text.split())


def make_trino(seed, pairs):
    cases, i = [], 0
    while len(cases) < pairs * 21 // 20:
        case = StandardGenerator('trino %s %d' % (seed, i)).case()
        i += 1
        if len(case['rows']) > 2:
            cases.append(case)
    answers = judge('trino', prepare('trino'), [trino_sql(c) for c in cases], 1)
    refused = 0
    for case, answer in zip(cases, answers):
        if isinstance(answer, dict):
            refused += 1
            if 'AFTER MATCH SKIP' not in answer['error']:
                print('refused: %s: %s' % (answer['error'], generate.rule_text(case)), file=sys.stderr)
            continue
        yield {'rule': generate.rule_text(case), 'rows': case['rows'], 'expect': answer}
    print('%d of %d pairs gave an error (a skip target that is missing or the first row)' % (refused, len(cases)))


# ---- Flink: the part in which it follows the standard ----
class FlinkRule:
    """Conditions of different variables exclude each other by `tag`, so that it makes no difference that Flink's greedy loops give nothing back; the last element is
    no greedy loop; WITHIN is always there, for without it an unfinished match holds back all later ones; the skip clause is written out."""

    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        count = rng.randint(2, 4)
        self.names = ['A', 'B', 'C', 'D'][:count]
        tags = ['a', 'b', 'c', 'd'][:count]
        rng.shuffle(tags)
        self.tags = dict(zip(self.names, tags))
        self.looped = set()
        parts = []
        for i, name in enumerate(self.names):
            marks = [''] * 3 + (['+', '*', '?', '{2}', '{1,3}', '{2,}'] if i + 1 < count else ['{2}'])
            mark = rng.choice(marks if i else [m for m in marks if m not in ('*', '?')])
            if mark not in ('', '?'):
                self.looped.add(name)
            parts.append(name + mark)
        self.gap = None
        if count > 1 and rng.random() < 0.35:
            self.gap = rng.randint(1, count - 1)
            before = parts[self.gap - 1]
            parts[self.gap - 1] = before.rstrip('+*?{}0123456789,')
            self.looped.discard(parts[self.gap - 1])
            parts.insert(self.gap, 'X*?')
        self.pattern = ' '.join(parts)
        self.within = rng.choice([3, 5, 8, 12, 30])

    def condition(self, name):
        rng, k = self.rng, self.rng.randint(0, 4)
        base = "tag = '%s'" % self.tags[name]
        earlier = self.names[:self.names.index(name)]
        forms = ['v >= %d' % k, 'v < %d' % (k + 1), 'v IS NOT NULL', 'v <> %d' % k, '(v IS NULL OR v > %d)' % (k - 2)]
        after_gap = self.gap is not None and self.names.index(name) == self.gap
        if not after_gap:
            if name in self.looped:
                forms += ['(LAST(%s.v, 1) IS NULL OR v >= LAST(%s.v, 1))' % (name, name), 'SUM(%s.v) <= %d' % (name, k + 5), 'COUNT(%s.v) <= %d' % (name, 1 + k)]
            for other in earlier:
                forms += ['v >= LAST(%s.v)' % other, 'v <> FIRST(%s.v)' % other, 'COUNT(%s.v) < 3' % other]
        return base + ''.join(' AND ' + f for f in rng.sample(forms, rng.choice([0, 1, 1, 2])))

    def text(self):
        rng = self.rng
        measures = []
        for name in self.names:
            measures += ['FIRST(%s.id)' % name, 'LAST(%s.id)' % name, 'COUNT(%s.id)' % name, 'SUM(%s.v)' % name, 'MIN(%s.v)' % name, '%s.tag' % name,
                         'LAST(%s.v, 1)' % name, 'MAX(%s.v)' % name]
        chosen = ['FIRST(%s.id)' % self.names[0], 'LAST(%s.id)' % self.names[-1]] + rng.sample(measures, 4)
        defines = ', '.join('%s AS %s' % (n, self.condition(n)) for n in self.names)
        return ('SELECT * FROM ev MATCH_RECOGNIZE ( PARTITION BY key ORDER BY ts MEASURES %s, MATCH_ROWTIME() AS mt ONE ROW PER MATCH AFTER MATCH SKIP %s '
                "PATTERN (%s) WITHIN INTERVAL '%d' SECOND DEFINE %s ) AS mr"
                % (', '.join('%s AS m%d' % (m, i) for i, m in enumerate(chosen)), rng.choice(['PAST LAST ROW', 'PAST LAST ROW', 'TO NEXT ROW']), self.pattern,
                   self.within, defines))

    def rows(self, key):
        """Rows that follow the pattern now and then, so that there are matches."""
        rng, out, at = self.rng, [], self.rng.randint(0, 5)
        order = [self.tags[n] for n in self.names]
        place = 0
        for _ in range(rng.randint(4, 16)):
            tag = order[place % len(order)] if rng.random() < 0.75 else rng.choice('abcd')
            place += rng.random() < 0.65
            out.append([0, key, None if rng.random() < 0.04 else rng.randint(0, 4), tag, at])
            at += rng.choice([1, 1, 1, 2, 3])
        return out


def make_flink(seed, pairs, keys=10):
    """Ten data sets per rule, one per key: each key is a pair of its own."""
    class_path = prepare('flink')
    jobs, lines = [], []
    with tempfile.TemporaryDirectory() as folder:
        for i in range((pairs + keys - 1) // keys):
            rule = FlinkRule('flink %s %d' % (seed, i))
            text = rule.text()
            rows = sorted((r for key in range(keys) for r in rule.rows(key)), key=lambda r: r[4])
            path = os.path.join(folder, '%d.jsonl' % i)
            with open(path, 'w') as file:
                for number, row in enumerate(rows):
                    row[0] = number + 1
                    file.write(json.dumps(dict(zip(['id', 'key', 'v', 'tag', 'ts'], generate.full_row(row)))) + '\n')
            jobs.append((text, rows))
            lines += ["CREATE TEMPORARY TABLE ev (id INT, key INT, v INT, tag STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR) WITH ('connector' = "
                      "'filesystem', 'path' = '%s', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601')".replace('id INT, key', 'id INT, `key`') % path,
                      text.replace('PARTITION BY key', 'PARTITION BY `key`')]
        answers = judge('flink', class_path, lines, 2)
    refused = 0
    for (text, rows), answer in zip(jobs, answers):
        if isinstance(answer, dict):
            refused += 1
            print('refused: %s: %s' % (answer['error'], text), file=sys.stderr)
            continue
        yield {'rule': text, 'rows': rows, 'expect': answer}
    print('%d of %d rules were refused' % (refused, len(jobs)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('engine', choices=('trino', 'flink'))
    parser.add_argument('--seed', default='1')
    parser.add_argument('--pairs', type=int, default=2400)
    parser.add_argument('--out')
    args = parser.parse_args()
    path = args.out or os.path.join(HERE, 'data', args.engine + '.jsonl.xz')
    os.makedirs(os.path.dirname(path), exist_ok=True)
    made = make_trino(args.seed, args.pairs) if args.engine == 'trino' else make_flink(args.seed, args.pairs)
    count = rows = 0
    with lzma.open(path + '.new', 'wt', preset=9) as file:
        for one in made:
            file.write(json.dumps(one, separators=(',', ':')) + '\n')
            count += len({r[1] for r in one['rows']}) if args.engine == 'flink' else 1
            rows += len(one['expect'])
    os.replace(path + '.new', path)
    print('%s: %d pairs of rule and data, %d rows of answers, seed %s' % (path, count, rows, args.seed))


if __name__ == '__main__':
    main()
