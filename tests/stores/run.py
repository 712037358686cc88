#!/usr/bin/env python3
"""Runs the service against real stores that it starts and stops: Redis, PostgreSQL, ClickHouse, OpenSearch. usage: run.py [-v] [--without=WORD] [WORD…]; a case runs if its
name holds one of the words (all without words) and not the one behind --without. A case is a function named case_… of a module named cases_…; it raises what is wrong; one with a parameter gets a temporary folder.
Two run side by side. Prints TAP lines and, last, `tests: N passed, M failed, K skipped`."""
import concurrent.futures
import importlib
import os
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import service  # noqa: E402

failures = []  # the lines of each, said once more at the end, which is what a log shows first
MODULES = sorted(name[:-3] for name in os.listdir(os.path.dirname(os.path.abspath(__file__))) if name.startswith("cases_") and name.endswith(".py"))


def run_case(number, name, function, verbose):
    begin = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="cepheid-stores-") as folder:
            function(folder) if function.__code__.co_argcount else function()
    except Exception as error:
        lines = ["not ok %d - %s # %.1f s" % (number, name, time.monotonic() - begin)] + ["#   " + line for line in service.tell_failure(error, verbose)]
        print("\n".join(lines), flush=True)
        failures.append(lines)
        return False
    print("ok %d - %s # %.1f s" % (number, name, time.monotonic() - begin), flush=True)
    return True


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # stores and services end with us
    cases = []
    for name in MODULES:
        cases += [(key[5:], value) for key, value in vars(importlib.import_module(name)).items() if key.startswith("case_")]
    without = next((word[len("--without="):] for word in sys.argv[1:] if word.startswith("--without=")), None)
    cases = [case for case in cases if (not words or any(word in case[0] for word in words)) and not (without and without in case[0])]
    print("1..%d" % len(cases), flush=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # most of the time is waiting
        good = sum(pool.map(lambda at: run_case(at[0] + 1, *at[1], "-v" in sys.argv), enumerate(cases)))
    for lines in failures:
        print("\n".join(["== failed"] + lines[:20]))
    print("tests: %d passed, %d failed, 0 skipped" % (good, len(cases) - good))
    return 0 if cases and good == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
