#!/usr/bin/env python3
"""Holds the rules of the house: which folder may include which, where the heap is touched, how long things may be.

usage: check-house.py [--self-test-only]
Checks the tracked files of the repository that this file lies in. Before that it checks itself on small samples, each
of which breaks one rule or comes close to it. Every rule and every sample counts as a test; the last line is
`tests: N passed, M failed, K skipped`.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

FILE_LINES_MOST = 1000
FUNCTION_LINES_MOST = 100

# What a folder of the product may include beside itself. The four in the middle do not see each other.
ARROWS = {
    "base": [],
    "cep": ["base"],
    "clients": ["base", "cep"],
    "patterns": ["base", "cep"],
    "formats": ["base", "cep", "clients"],
    "enrichment": ["base", "cep", "clients"],
    "connectors": ["base", "cep", "clients"],
    "service": ["base", "cep", "clients", "patterns", "formats", "enrichment", "connectors"],
}

# Headers of other people's libraries, as beginnings of the included name.
LIBRARIES = {
    "base": [],
    "cep": [],
    "patterns": [],
    "clients": ["librdkafka/", "curl/", "libpq-fe.h", "hiredis/", "openssl/"],
    "formats": ["simdjson.h", "jansson.h", "google/protobuf/", "zlib.h", "zstd.h"],
    "enrichment": ["maxminddb.h", "pcre2.h", "xgboost/", "jansson.h", "zlib.h", "zstd.h"],
    "connectors": ["librdkafka/", "curl/", "zlib.h", "zstd.h", "openssl/", "microhttpd.h", "jansson.h"],
    "service": ["rocksdb/c.h", "rocksdb/db.h", "rocksdb/env.h", "rocksdb/options.h", "microhttpd.h", "jansson.h", "librdkafka/", "openssl/", "xxhash.h", "zstd.h", "curl/"],
}

# The C library and the compiler.
LIBC = set("""assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h limits.h locale.h malloc.h math.h setjmp.h signal.h
    stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h strings.h
    time.h wchar.h wctype.h immintrin.h nmmintrin.h arm_neon.h""".split())
POSIX = set("""dirent.h dlfcn.h endian.h fcntl.h fnmatch.h ftw.h getopt.h glob.h grp.h iconv.h ifaddrs.h langinfo.h
    libgen.h netdb.h poll.h pthread.h pwd.h regex.h sched.h semaphore.h spawn.h syslog.h termios.h unistd.h""".split())
POSIX_FOLDERS = ("sys/", "netinet/", "arpa/", "net/", "linux/")

# cep/ and patterns/ are pure: no files, no clock, no threads.
PURE = ("cep", "patterns")
IMPURE_HEADERS = POSIX | {"time.h", "signal.h", "locale.h"}
IMPURE_CALL = re.compile(
    r"(?<![\w.>])(fopen|fdopen|fread|fwrite|fprintf|printf|puts|fputs|putchar|scanf|getenv|system|time|clock|clock_gettime"
    r"|gettimeofday|rand|random|exit|abort|base_clock_\w+|base_log|base_logf)\s*\(")

HEAP_CALL = re.compile(
    r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|aligned_alloc"
    r"|posix_memalign|getline|getdelim|open_memstream)\s*\(")
HEAP_NAME = re.compile(r"[,(=]\s*&?(malloc|calloc|realloc|free)\s*[,);]")
HEAP_DOOR = "base/alloc.c"

# Written in two parts, so that this file does not contain what it looks for.
WORDS = [re.compile(a + b, flags) for a, b, flags in (
    (r"(?<![\w./])/wor", r"k/", 0),
    (r"(?<![\w./])/far", r"m/", 0),
    (r"/tmp/(bri", r"ef|build-|bash_jobs)", 0),
    (r"\.\./sha", r"red\b", 0),
    (r"https?://[a-z0-9.-]*(mav", r"en|pypi|debian|npmjs|crates)", 0),
    (r"\b(repo1\.mav", r"en|repo\.maven|pypi\.org|registry\.npmjs|deb\.debian|static\.crates|proxy\.golang)", 0),
    (r"\b(clau", r"de|anthro" r"pic|chat" r"gpt|sub" r"agent)\b", re.IGNORECASE),
    (r"\biss", r"ue #?\d+\b", re.IGNORECASE),
)]
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")

CODE = (".c", ".h", ".cc", ".cpp", ".hpp")
SOURCE = CODE + (".def", ".py", ".sh", ".js", ".css", ".java", ".build")
LICENCES = re.compile(r"(^|/)(LICEN[CS]E|NOTICE|COPYING)[^/]*$|(^|/)LICENSES/")


class Tree:
    """The files of a repository, read on demand."""

    def __init__(self, root, files):
        self.root = root
        self.files = [f for f in files if os.path.isfile(os.path.join(root, f))]
        self.known = set(self.files)
        self.texts = {}
        self.stripped_texts = {}

    def text(self, path):
        """The text, or None of a binary file."""
        if path not in self.texts:
            with open(os.path.join(self.root, path), "rb") as file:
                data = file.read()
            self.texts[path] = None if b"\0" in data[:8192] else data.decode("utf-8", "replace")
        return self.texts[path]

    def stripped(self, path):
        """C text with comments, literals and macro bodies blanked, of the same length and lines."""
        if path not in self.stripped_texts:
            self.stripped_texts[path] = strip_c(self.text(path) or "")
        return self.stripped_texts[path]

    def code(self, *suffixes):
        return [f for f in self.files if f.endswith(suffixes or CODE)]

    def exists(self, path):
        return path in self.known or os.path.isfile(os.path.join(self.root, path))


TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def strip_c(text):
    return DIRECTIVE.sub(blank, TOKEN.sub(blank, text))


def folder_of(path):
    return path.split("/", 1)[0]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def includes(tree, path):
    """(line, is it in angle brackets, name) of each include that is not inside a comment."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", blank, tree.text(path) or "", flags=re.DOTALL)
    return [(line_of(text, m.start(1)), m.group(1) == "<", m.group(2)) for m in INCLUDE.finditer(text)]


# ---- rules: each yields (path, line, message) ----

def rule_arrows(tree):
    for path in tree.code():
        folder = folder_of(path)
        if folder not in ARROWS:
            continue
        for line, angled, name in includes(tree, path):
            target = folder_of(name)
            if not angled and target != folder and target not in ARROWS[folder]:
                may = ", ".join(ARROWS[folder]) or "nothing"
                yield path, line, f'{folder}/ must not include "{name}"; it may see: {may}'


def rule_includes_resolve(tree):
    for path in tree.code():
        for line, angled, name in includes(tree, path):
            if not angled and ("/" not in name or not tree.exists(name)):
                yield path, line, f'"{name}" is no path from the root of the repository'


def is_system(name):
    return name in LIBC or name in POSIX or name.startswith(POSIX_FOLDERS)


def rule_libraries(tree):
    for path in tree.code():
        folder = folder_of(path)
        if folder not in LIBRARIES:
            continue
        for line, angled, name in includes(tree, path):
            if not angled or is_system(name):
                continue
            if path.endswith((".cc", ".cpp", ".hpp")) and "/" not in name and "." not in name:
                continue  # the C++ library, in a shim
            if not any(name.startswith(allowed) for allowed in LIBRARIES[folder]):
                yield path, line, f"{folder}/ must not use <{name}> (the table LIBRARIES of this check says who may)"


def rule_pure(tree):
    for path in tree.code():
        if folder_of(path) not in PURE:
            continue
        for line, angled, name in includes(tree, path):
            if angled and (name in IMPURE_HEADERS or name.startswith(POSIX_FOLDERS)):
                yield path, line, f"<{name}> is for files, clocks or threads, which {folder_of(path)}/ does not touch"
        text = tree.stripped(path)
        for match in IMPURE_CALL.finditer(text):
            yield path, line_of(text, match.start()), f"{match.group(1)}() is input, output or a clock"


def rule_heap(tree):
    for path in tree.code():
        if folder_of(path) not in ARROWS or path == HEAP_DOOR:
            continue
        text = tree.stripped(path)
        for pattern in (HEAP_CALL, HEAP_NAME):
            for match in pattern.finditer(text):
                line = line_of(text, match.start(1))
                yield path, line, f"{match.group(1)} stands outside of {HEAP_DOOR}; use base/alloc.h"


def rule_file_lines(tree):
    for path in tree.files:
        if path.endswith(SOURCE) or path == "dev":
            lines = (tree.text(path) or "").count("\n")
            if lines > FILE_LINES_MOST:
                yield path, lines, f"{lines} lines, at most {FILE_LINES_MOST}"


def functions(text):
    """(line of the signature, line of the closing brace) of each function body in stripped text."""
    depth, begin = 0, 0  # begin: where the present top-level declaration starts
    body = None
    for match in re.finditer(r"[{};]", text):
        at, char = match.start(), match.group(0)
        if char == "{":
            head = text[begin:at]
            if depth == 0 and re.search(r'\bextern\s+"?|\bnamespace\b', head) and ")" not in head:
                begin = at + 1  # the inside of extern "C" or a namespace is top level still
                continue
            if depth == 0 and re.search(r"\)(\s|\bconst\b|\bnoexcept\b|\boverride\b)*$", head) and "=" not in head:
                body = begin + len(head) - len(head.lstrip())
            depth += 1
        elif char == "}":
            if depth == 0:
                begin = at + 1
                continue
            depth -= 1
            if depth == 0:
                if body is not None:
                    yield line_of(text, body), line_of(text, at)
                body, begin = None, at + 1
        elif depth == 0:
            begin = at + 1


def rule_function_lines(tree):
    for path in tree.code():
        lines = (tree.text(path) or "").split("\n")
        for first, last in functions(tree.stripped(path)):
            length = last - first + 1
            above = lines[first - 2] if first >= 2 else ""
            if length > FUNCTION_LINES_MOST and not re.search(r"NOLINT\(size\):\s*\w", above):
                yield path, first, (f"a function of {length} lines, at most {FUNCTION_LINES_MOST}; or, with a reason, "
                                    "/* NOLINT(size): reason */ in the line above")


def rule_guards(tree):
    seen = {}
    for path in tree.code(".h", ".hpp"):
        text = re.sub(r"//[^\n]*|/\*.*?\*/", blank, tree.text(path) or "", flags=re.DOTALL)
        match = re.match(r"\s*#ifndef (\w+)\s*\n#define (\w+)\s*\n", text)
        want = re.sub(r"\W", "_", path).upper()
        if not match or match.group(1) != match.group(2) or not text.rstrip().endswith("#endif"):
            yield path, 1, f"no include guard around the whole header (expected {want})"
        elif seen.setdefault(match.group(1), path) != path:
            yield path, 1, f"its include guard {match.group(1)} is that of {seen[match.group(1)]} too"


def rule_own_header_first(tree):
    for path in tree.code(".c"):
        if folder_of(path) not in ARROWS:
            continue
        found = includes(tree, path)
        own = path[:-2] + ".h"
        if tree.exists(own) and (not found or found[0][1:] != (False, own)):
            yield path, found[0][0] if found else 1, f'the first include must be its own header, "{own}"'


def library_flags(names):
    """Compiler flags of those libraries that do not lie on the usual path."""
    try:
        done = subprocess.run(["pkg-config", "--cflags", *names], capture_output=True, text=True, check=False)
        return done.stdout.split() if done.returncode == 0 else []
    except FileNotFoundError:
        return []


def compile_alone(root, path, flags):
    """What the compiler says against a header included twice and nothing else; empty if it is content."""
    cplusplus = path.endswith(".hpp")
    command = ["g++" if cplusplus else "gcc", "-fsyntax-only", "-x", "c++" if cplusplus else "c",
               "-std=c++17" if cplusplus else "-std=gnu11", "-D_GNU_SOURCE", "-I.", "-Wall", "-Wextra", "-Werror",
               "-Wno-unused", "-Wno-unused-parameter", *flags, "-"]
    text = f'#include "{path}"\n#include "{path}"\n'
    done = subprocess.run(command, cwd=root, input=text, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.split("\n") if "error" in line]
    return "" if done.returncode == 0 else (lines or [done.stderr.strip()[:200]])[0]


def rule_headers_alone(tree):
    headers = tree.code(".h", ".hpp")
    flags = library_flags(["libpq"])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, said in zip(headers, pool.map(lambda p: compile_alone(tree.root, p, flags), headers)):
            if said:
                yield path, 1, f"does not compile alone: {said}"


def rule_words(tree):
    for path in tree.files:
        if LICENCES.search(path):
            continue
        text = tree.text(path) or ""
        for pattern in WORDS:
            match = pattern.search(text)
            if match:
                yield path, line_of(text, match.start()), f"'{match.group(0)}' has no place in the product"
        if path.endswith(SOURCE):
            match = UNFINISHED.search(text)
            if match:
                line = line_of(text, match.start())
                yield path, line, f"'{match.group(0)}': finish it or write it down where work is kept"


RULES = [
    ("arrows between the folders", rule_arrows),
    ("includes are written from the root", rule_includes_resolve),
    ("libraries only where they belong", rule_libraries),
    ("cep/ and patterns/ are pure", rule_pure),
    ("the heap has one door", rule_heap),
    ("files are short", rule_file_lines),
    ("functions are short", rule_function_lines),
    ("headers are guarded", rule_guards),
    ("a source includes its own header first", rule_own_header_first),
    ("headers compile alone", rule_headers_alone),
    ("words that have no place here", rule_words),
]

GUARDED = "#ifndef {0}\n#define {0}\n{1}\n#endif\n"
LONG = "int f(int a,\n      int b)\n{\n" + "    a++;\n" * 99 + "    return a;\n}\n"
FIT = "int f(int a)\n{\n" + "    a++;\n" * 96 + "    return a;\n}\n"

# (rule, path, text, is it bad)
SAMPLES = [
    (rule_arrows, "cep/a.c", '#include "service/x.h"\n', True),
    (rule_arrows, "formats/a.c", '#include "connectors/x.h"\n', True),
    (rule_arrows, "base/a.h", '#include "cep/x.h"\n', True),
    (rule_arrows, "service/a.c", '#include "formats/x.h"\n#include "base/y.h"\n', False),
    (rule_arrows, "cep/a.c", '/* #include "service/x.h" */\n#include "cep/b.h"\n', False),
    (rule_includes_resolve, "base/a.c", '#include "b.h"\n', True),
    (rule_includes_resolve, "base/a.c", '#include "base/nothing.h"\n', True),
    (rule_includes_resolve, "base/a.c", '#include "base/a.c"\n', False),
    (rule_libraries, "cep/a.c", "#include <jansson.h>\n", True),
    (rule_libraries, "base/a.c", "#include <xxhash.h>\n", True),
    (rule_libraries, "formats/a.c", "#include <rocksdb/c.h>\n", True),
    (rule_libraries, "formats/a.cpp", "#include <vector>\n#include <simdjson.h>\n", False),
    (rule_libraries, "base/a.c", "#include <string.h>\n#include <sys/stat.h>\n#include <pthread.h>\n", False),
    (rule_pure, "cep/a.c", "#include <unistd.h>\n", True),
    (rule_pure, "patterns/a.c", "void f(void)\n{\n    x = base_clock_wall_ms();\n}\n", True),
    (rule_pure, "cep/a.c", 'void f(void)\n{\n    printf("x");\n}\n', True),
    (rule_pure, "cep/a.c", "/* printf(x) */ void f(void)\n{\n    row_time(1); s->time(2); snprintf(a, 1, b);\n}\n",
     False),
    (rule_heap, "service/a.c", "void f(void)\n{\n    char *x = malloc(3);\n}\n", True),
    (rule_heap, "cep/a.c", "void f(void)\n{\n    set_hooks(base_alloc, free);\n}\n", True),
    (rule_heap, "cep/a.c", "void f(void)\n{\n    char *x = strdup(y);\n}\n", True),
    (rule_heap, "base/alloc.c", "void f(void)\n{\n    free(malloc(3));\n}\n", False),
    (rule_heap, "cep/a.c", 'void f(void)\n{\n    base_free(x); pool->free(x); g("malloc(1)"); // free(x)\n}\n', False),
    (rule_file_lines, "base/a.c", "\n" * 1001, True),
    (rule_file_lines, "base/a.c", "\n" * 1000, False),
    (rule_function_lines, "base/a.c", LONG, True),
    (rule_function_lines, "base/a.cpp", 'extern "C" {\n' + LONG + "}\n", True),
    (rule_function_lines, "base/a.c", "static int t[] = {\n" + "    1,\n" * 200 + "};\n" + LONG, True),
    (rule_function_lines, "base/a.c", "/* NOLINT(size): */\n" + LONG, True),
    (rule_function_lines, "base/a.c", "int x;\n/* NOLINT(size): one dispatch loop */\n" + LONG, False),
    (rule_function_lines, "base/a.c", FIT + FIT.replace("f(", "g("), False),
    (rule_function_lines, "base/a.c", "static const int t[] = {\n" + "    (1),\n" * 200 + "};\n", False),
    (rule_function_lines, "base/a.c", "struct s {\n" + "    int a;\n" * 150 + "};\n", False),
    (rule_function_lines, "base/a.c", "struct __attribute__((packed)) s {\n" + "    int a;\n" * 150 + "};\n", False),
    (rule_guards, "base/a.h", "int x;\n", True),
    (rule_guards, "base/a.h", "#ifndef A_H\n#define B_H\n#endif\n", True),
    (rule_guards, "base/a.h", "/* What it is. */\n" + GUARDED.format("BASE_A_H", "extern int x;"), False),
    (rule_own_header_first, "base/a.c", '#include <stdio.h>\n#include "base/a.h"\n', True),
    (rule_own_header_first, "base/a.c", '#include "base/a.h"\n#include <stdio.h>\n', False),
    (rule_headers_alone, "base/b.h", GUARDED.format("BASE_B_H", "size_t f(void);"), True),
    (rule_headers_alone, "base/b.h", GUARDED.format("BASE_B_H", "#include <stddef.h>\nsize_t f(void);"), False),
    (rule_words, "docs/a.md", "see /wor" "k/main/x\n", True),
    (rule_words, "tests/a.xml", "http" "s://repo1.mav" "en.org/maven2\n", True),
    (rule_words, "docs/a.md", "as iss" "ue 12 wants\n", True),
    (rule_words, "base/a.c", "/* TO" "DO: more */\n", True),
    (rule_words, "base/a.c", "#define X(name)\n/* frame/work/load, a session window, the user agent */\n", False),
]


def self_test():
    """Names of the samples on which a rule does not do what it should."""
    wrong = []
    for number, (rule, path, text, bad) in enumerate(SAMPLES):
        with tempfile.TemporaryDirectory() as root:
            files = {path: text}
            if rule is rule_own_header_first:
                files["base/a.h"] = GUARDED.format("BASE_A_H", "")
            for name, content in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(content)
            found = list(rule(Tree(root, sorted(files))))
            if bool(found) != bad:
                wrong.append(f"sample {number} of {rule.__name__} ({path}): {'found nothing' if bad else found}")
    return wrong


def tracked_files(root):
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, check=False)
        if done.returncode == 0:
            return sorted(name for name in done.stdout.decode("utf-8").split("\0") if name)
    except FileNotFoundError:
        pass
    found = []  # an unpacked archive: all that is there
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith(".") and not f.startswith("build")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def main():
    passed = failed = 0
    wrong = self_test()
    for text in wrong:
        print(f"check-house.py itself: {text}")
    failed += len(wrong)
    passed += len(SAMPLES) - len(wrong)
    if sys.argv[1:] != ["--self-test-only"]:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        tree = Tree(root, tracked_files(root))
        for name, rule in RULES:
            found = list(rule(tree))
            for path, line, message in found:
                print(f"{path}:{line}: {message}")
            print(f"{'FAIL' if found else 'ok  '} {name}" + (f": {len(found)}" if found else ""))
            passed, failed = passed + (not found), failed + bool(found)
    print(f"tests: {passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
