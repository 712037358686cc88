#!/usr/bin/env python3
"""Counts what `meson test` has run, from its testlog.json: each TAP point is a test, a program without TAP is one.

usage: tally-meson.py testlog.json
Prints the names of the programs that failed and, last, `tests: N passed, M failed, K skipped`.
"""
import json
import re
import sys

POINT = re.compile(r"^(not )?ok\b(.*)$", re.MULTILINE)
SKIP = re.compile(r"#\s*skip", re.IGNORECASE)


def tally(record):
    """(passed, failed, skipped) of one test program."""
    result = record["result"]
    points = POINT.findall(record.get("stdout") or "")
    passed = sum(1 for bad, rest in points if not bad and not SKIP.search(rest))
    failed = sum(1 for bad, rest in points if bad and not SKIP.search(rest))
    skipped = sum(1 for _, rest in points if SKIP.search(rest))
    if result in ("OK", "EXPECTEDFAIL"):
        return (passed, failed, skipped) if points else (1, 0, 0)
    if result == "SKIP":
        return passed, 0, max(skipped, 1)
    # A crash, a time-out or an unfinished plan is a failure of its own where no point tells it.
    return passed, max(failed, 1), skipped


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    total = [0, 0, 0]
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            record = json.loads(line)
            counts = tally(record)
            total = [a + b for a, b in zip(total, counts)]
            if counts[1]:
                print(f"failed: {record['name']} ({record['result']})")
    print(f"tests: {total[0]} passed, {total[1]} failed, {total[2]} skipped")
    sys.exit(1 if total[1] else 0)


if __name__ == "__main__":
    main()
