"""Talks to the test driver (drive.c): jobs in, what the engine gave out. Shared by the conformance, property and differential tests.

A job is a dictionary: id, sql, steps; optional eager, unoptimised, short-tail, by-value, full, columns, history, open. A step is ('row', table, object), ('mark', table, ms), ('clock', ms), ('cycle',), ('lazy',) or ('evict',).
"""
import json
import os
import subprocess
import threading

CRASHES_MAX = 12


def find_driver():
    path = os.environ.get('CEPHEID_DRIVE')
    if path:
        return os.path.abspath(path)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(os.environ.get('CEPHEID_BUILD', os.path.join(root, 'build', 'gcc')), 'tests', 'conformance', 'drive')


def script(job):
    out = ['case %s\n' % job['id'].replace(' ', '_')]
    for option in ('eager', 'unoptimised', 'short-tail', 'by-value', 'full', 'columns', 'history', 'open'):
        if job.get(option):
            out.append('option %s\n' % option)
    sql = job['sql'].encode()
    out.append('sql %d\n' % len(sql))
    text = [''.join(out).encode(), sql, b'\n']
    for step in job['steps']:
        if step[0] == 'row':
            row = step[2] if isinstance(step[2], bytes) else json.dumps(step[2]).encode()
            text += [b'row %s %d\n' % (step[1].encode(), len(row)), row, b'\n']
        elif step[0] == 'mark':
            text.append(b'mark %s %d\n' % (step[1].encode(), step[2]))
        elif step[0] == 'clock':
            text.append(b'clock %d\n' % step[1])
        else:
            text.append(step[0].encode() + b'\n')
    text.append(b'run\n')
    return b''.join(text)


def run_batch(jobs, results, seconds):
    """Fills results by id. A job that kills the driver, or takes longer than `seconds`, gets {'crash': text}; the others are still run."""
    todo, crashes = list(jobs), 0
    while todo:
        if crashes >= CRASHES_MAX:
            for job in todo:
                results[job['id']] = {'crash': 'not run: the driver crashed %d times before' % crashes}
            return
        process = subprocess.Popen([find_driver()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        errors = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        batch = b''.join(script(j) for j in todo)

        def feed():
            try:
                process.stdin.write(batch)
                process.stdin.close()
            except OSError:
                pass
        feeder = threading.Thread(target=feed)
        feeder.start()
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        done = 0
        for line in process.stdout:
            timer.cancel()
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            try:
                results[todo[done]['id']] = json.loads(line)
            except ValueError:
                results[todo[done]['id']] = {'crash': 'no JSON: %r' % line[:300]}
            done += 1
        status = process.wait()
        timer.cancel()
        feeder.join()
        reader.join()
        if done < len(todo):
            text = b''.join(errors).decode(errors='replace')
            what = 'took longer than %d s' % seconds if status == -9 else 'driver ended with status %d' % status
            results[todo[done]['id']] = {'crash': '%s\n%s' % (what, text[-3000:])}
            done += 1
            crashes += 1
        elif status != 0:
            text = b''.join(errors).decode(errors='replace')
            results[todo[-1]['id']] = {'crash': 'driver ended with status %d behind its last job\n%s' % (status, text[-3000:])}
        todo = todo[done:]


def run(jobs, workers=2, seconds=60):
    """{id: result} of all jobs; in several drivers at once."""
    if not os.access(find_driver(), os.X_OK):
        raise SystemExit('the test driver is missing: %s (ninja -C build/gcc tests/conformance/drive)' % find_driver())
    results, threads = {}, []
    for i in range(workers):
        part = jobs[i::workers]
        if part:
            threads.append(threading.Thread(target=run_batch, args=(part, results, seconds)))
            threads[-1].start()
    for thread in threads:
        thread.join()
    return results


def table(name, schema, time_column=None, delay_ms=0, path=None):
    columns = ['%s %s' % (quote(n), t) for n, t in schema]
    if time_column:
        delay = " - INTERVAL '%d.%03d' SECOND" % divmod(delay_ms, 1000) if delay_ms else ''
        columns.append('WATERMARK FOR %s AS %s%s' % (quote(time_column), quote(time_column), delay))
    return "CREATE TABLE %s (\n  %s\n) WITH ('connector' = 'filesystem', 'path' = '%s', 'format' = 'json');\n" % (
        quote(name), ',\n  '.join(columns), path or name + '.jsonl')


def quote(name):
    return '`%s`' % name.replace('`', '``')


def objects(schema, rows):
    return [dict(zip([n for n, _ in schema], row)) for row in rows]


def standing(result):
    """What stands at the end: rows by identity, in order of their first appearance."""
    rows = {}
    for event in result['rows']:
        if event['change'] in ('+I', '+U'):
            rows[event['sink'], event['ident']] = event['row']
        elif event['change'] == '-D':
            rows.pop((event['sink'], event['ident']), None)
    return list(rows.values())


def inserted(result):
    return [e['row'] for e in result['rows'] if e['change'] == '+I']
