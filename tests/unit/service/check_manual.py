#!/usr/bin/env python3
"""Compares the manual pages, the sample configuration and the table of routes with what the code's tables give. usage: check_manual.py MANUAL ROOT
With --write it writes them."""
import os
import subprocess
import sys

manual, root = sys.argv[1:3]
write = "--write" in sys.argv


def give(page):
    return subprocess.run([manual, page], check=True, stdout=subprocess.PIPE).stdout.decode()


pages = subprocess.run([manual, "--list"], check=True, stdout=subprocess.PIPE).stdout.decode().split()
failed = 0
for number, page in enumerate(pages, 1):
    want = give(page)
    if page == "routes.md":
        path = os.path.join(root, "docs", "api.md")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        begin = text.index("-->\n", text.index("<!-- routes")) + 4
        end = text.index("<!-- end -->")
        have, new = text[begin:end], text[:begin] + want + text[end:]
    else:
        path = os.path.join(root, "docs", "cepheid.sample.json" if page == "sample.json" else os.path.join("man", page))
        have = open(path, encoding="utf-8").read() if os.path.exists(path) else None
        new = want
    if write:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
        have = want
    good = have == want
    failed += not good
    print("%sok %d - %s is what the code says" % ("" if good else "not ", number, os.path.relpath(path, root)))
    if not good:
        print("# write it anew: %s %s %s --write" % (sys.argv[0], manual, root))
print("1..%d" % len(pages))
sys.exit(failed != 0)
