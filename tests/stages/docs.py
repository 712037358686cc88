"""Compiles the SQL of the documentation and checks rules and cases. Run by 15-docs.sh; prints the tally last."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

CEPHEID = os.environ["CEPHEID"]
passed = failed = skipped = 0


# What functions of the documented rules ask for: lists of their own, the bundled database, a model of the unit tests.
LISTS = tempfile.TemporaryDirectory()
for name in ("blocked_cards", "travellers"):
    open(os.path.join(LISTS.name, name + ".txt"), "w").close()
os.environ.update(CEPHEID_LISTS_DIR=LISTS.name, CEPHEID_MODELS_DIR="tests/unit/enrichment/models", CEPHEID_GEOIP_DATABASE=sorted(glob.glob("data/geoip/*City*.mmdb"))[0])


def result(good, name, text=""):
    global passed, failed
    if good:
        passed += 1
        print("ok - " + name)
    else:
        failed += 1
        print("not ok - %s\n%s" % (name, text))


def blocks(path):
    """(line, kind, text) of each fenced block that says sql; indentation of lists is taken off."""
    lines = open(path, encoding="utf-8").read().split("\n")
    at = 0
    while at < len(lines):
        fence = re.match(r"( *)```sql ?(.*)$", lines[at])
        at += 1
        if not fence:
            continue
        begin, text = at, []
        while at < len(lines) and lines[at].strip() != "```":
            text.append(lines[at][len(fence[1]):])
            at += 1
        yield begin, fence[2].strip(), "\n".join(text) + "\n"


def check_documents():
    global skipped
    for path in ["README.md"] + sorted(glob.glob("docs/**/*.md", recursive=True)) + sorted(glob.glob("rules/**/*.md", recursive=True)):
        for line, kind, text in blocks(path):
            name = "%s:%d" % (path, line)
            if kind == "fragment":
                skipped += 1
                print("ok - %s # SKIP fragment" % name)
                continue
            if kind:
                result(False, name, "unknown kind of block: sql %s" % kind)
                continue
            with tempfile.TemporaryDirectory() as work:
                file = os.path.join(work, "block.sql")
                with open(file, "w", encoding="utf-8") as out:
                    out.write(text)
                # A bare SELECT is for `query`; without one the text is checked as a rule file, where a materialized view is one.
                query = any(re.match(r"\s*(SELECT|WITH)\b", part) for part in re.sub(r"--[^\n]*", "", text).split(";"))
                run = subprocess.run([CEPHEID, "check"] + ["--query"] * query + ["--quiet", file], capture_output=True, text=True)
                result(run.returncode == 0, name, run.stderr)
                told = "".join(row[3:] + "\n" for row in text.split("\n") if row.startswith('-- {"'))
                if told: # it says what it gives
                    run = subprocess.run([CEPHEID, "query", file], capture_output=True, text=True)
                    result(run.returncode == 0 and run.stdout == told, name + " gives these rows", run.stdout + run.stderr)


def check_references():
    for page, option in (("docs/functions.md", "--functions"), ("docs/opcodes.md", "--opcodes")):
        made = subprocess.run([CEPHEID, "explain", option], capture_output=True, text=True).stdout
        kept = open(page, encoding="utf-8").read() if os.path.exists(page) else ""
        result(made != "" and made == kept, "%s is what the program prints" % page, "write it anew: cepheid explain %s > %s" % (option, page))
    sample = json.loads(subprocess.run([CEPHEID, "serve", "--sample-config"], capture_output=True, text=True).stdout)
    told = open("docs/operations.md", encoding="utf-8").read()
    for key in sample:
        result("`%s`" % key in told, "docs/operations.md tells of %s" % key)


def check_links():
    for path in ["README.md"] + sorted(glob.glob("docs/**/*.md", recursive=True)) + sorted(glob.glob("rules/**/*.md", recursive=True)):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", open(path, encoding="utf-8").read()):
            if "://" not in link:
                result(os.path.exists(os.path.join(os.path.dirname(path), link)), "%s links to %s" % (path, link), "there is no such file")


def check_rules():
    run = subprocess.run([CEPHEID, "check", "rules"], capture_output=True, text=True)
    result(run.returncode == 0, "rules/ compiles as one catalogue", run.stderr)
    told = run.stdout + run.stderr
    result("warning:" not in told, "rules/ compiles without a warning", told)
    names = [re.search(r"CREATE RULE (\w+)", open(path).read())[1] for path in sorted(glob.glob("rules/*/*.sql"))]
    for name in names:
        case = open(glob.glob("rules/*/%s.case" % name)[0]).read() if glob.glob("rules/*/%s.case" % name) else ""
        stable = re.search(r"rule %s: .*(alerts stable|: final)" % name, told) or (re.search(r"rule %s: .*alerts not proved" % name, told) and "-- Not proved stable: " in case)
        result(bool(stable), "rule %s is stable, or its case says why that is not proved" % name, told)
    for path in sorted(glob.glob("rules/*/*.sql")):
        case = path[:-4] + ".case"
        text = open(case).read() if os.path.exists(case) else ""
        good = "near miss" in text and '"measures"' in text
        result(good, "%s has a hit and a near miss" % case, "the file is missing, or lacks one of them")
        head = open(path).read()
        result(all(word in head for word in ("-- Intent:", "Owner:", "False positives:", "Cost:")), "%s says intent, owner, false positives, cost" % path)


def run_cases():
    run = subprocess.run([CEPHEID, "test", "rules"], capture_output=True, text=True)
    lines = run.stdout.split("\n")
    for line in lines:
        if line.startswith("ok "):
            result(True, line[3:].strip())
    bad = [line for line in lines if line.startswith("FAILED")]
    for line in bad:
        result(False, line, run.stdout if line == bad[0] else "")
    if run.returncode != 0 and not bad:
        result(False, "cepheid test rules (status %d)" % run.returncode, run.stdout[-2000:] + run.stderr)


check_documents()
check_references()
check_links()
check_rules()
run_cases()
print("tests: %d passed, %d failed, %d skipped" % (passed, failed, skipped))
sys.exit(1 if failed else 0)
