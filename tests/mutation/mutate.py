#!/usr/bin/python3
"""Breaks the rules on purpose, one place at a time, and asks whether a test notices.

    tests/mutation/mutate.py [--mutants N] [--seed S] [FILE | FILE:LINE ...]

A mutant is one source file with one change: a relation with its boundary moved, a condition negated, + for -, && for ||,
one bit operation for another, a constant plus one, a statement or a row of a table left out, another value returned. It
is compiled alone, put in front of the archives, and the unit test programs of its layer that hold its file are linked
and run; then those of its name with AddressSanitizer and UndefinedBehaviorSanitizer; what counts is compared with
tests/oracle last. A mutant is killed by the first of them that fails or does not end. One that does not compile, or that the optimiser turns
into the very same code, is none.

--mutants   how many, drawn by the seed (default: all there are); the same seed draws the same ones from the same sources
FILE        only mutants of these files; FILE:LINE: of this line

Prints a line for each survivor, FILE:LINE and what was changed, and last a line of JSON with the counts. A survivor that
tests/mutation/equivalent explains is counted apart, and yet as not killed. Status 1: under 95 % are killed, or an
explanation fits no source any more.
"""

import argparse
import bisect
import concurrent.futures
import json
import os
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXPLAINED = Path(__file__).resolve().parent / "equivalent"
MODULES = ([f"daemon/core/{name}.c" for name in (
    "policy", "calendar", "timescale", "timeline", "timeline_clock", "timeline_event", "delivery", "address", "template",
    "recipient")] + ["daemon/adapter/ledger_mail.c", "daemon/service/decide.c"])
LEAST = 95  # per cent killed
BUILDS = {  # quick to compile; and: what reads or frees what it should not, or forgets to free, is noticed
    "plain": "-O0",
    "san": "-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all",
}
MEMORY = {"plain": 2 ** 31, "san": 0}  # bytes of address space; the sanitizer reserves terabytes, and limits itself
ORACLES = (  # each counts by itself what these files count
    ("compare_counting.py", "--cases", "5000", "--seed", "1", "--no-zones", "--processes", "1"),
    ("compare_timeline.py", "--cases", "144", "--seed", "1", "--processes", "1"),
    ("test_paper.py",),
)
COUNTED = re.compile(r"/(policy|calendar|timescale|timeline\w*)\.c$")
# A test that waits for the disk at every commit would wait for hours here; no power is cut.
NO_SYNC = "int fsync(int fd); int fdatasync(int fd);\nint fsync(int fd) { return fd < 0 ? -1 : 0; }\n" \
          "int fdatasync(int fd) { return fd < 0 ? -1 : 0; }\n"


# --- reading C ----------------------------------------------------------------------------------------------------------

TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*
                    |[A-Za-z_]\w*|\d[\w.]*|->|\+\+|--|<<=|>>=|\.\.\.|[-+*/%&|^=!<>]=|<<|>>|&&|\|\||\S""",
                   re.S | re.M | re.X)
RELATIONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
SWAPS = {"&&": "||", "||": "&&", "+=": "-=", "-=": "+=", "++": "--", "--": "++", "|=": "&=", "&=": "|="}
BINARY = {"+": "-", "-": "+", "&": "|", "|": "&"}
CASTS = re.compile(r"\w+_t|int|char|void|unsigned|long|struct")
NOT_OPERANDS = {"return", "case", "sizeof", "else"}
NOT_STATEMENTS = {"if", "for", "while", "switch", "return", "do", "else", "case", "default", "struct", "const", "static",
                  "enum", "union", "unsigned", "signed", "goto", "CLEANUP", "_Static_assert"}


@dataclass(frozen=True)
class Token:
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Function:
    name: str
    returns: str  # "bool", "number", "pointer", "nothing" or "struct"
    first: int    # tokens of its braces
    last: int


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int
    function: str
    text: str    # of the line, without indentation
    change: str  # "`a` -> `b`"; with a number, when there are several of it
    start: int   # what stands there in the file
    end: int
    put: str     # and is replaced by this

    @property
    def key(self):
        return self.file, self.function, self.text, self.change

    def __str__(self):
        return f"{self.file}:{self.line}: {self.change} in {self.function}: {self.text}"


def tokens_of(source):
    found = [Token(m.group(), m.start(), m.end()) for m in TOKEN.finditer(source)]
    return [t for t in found if not t.text.startswith(("//", "/*")) and not t.text.lstrip().startswith("#")]


def partners(tokens):
    """{index of an opening bracket: index of the closing one}, and the other way round."""
    pairs, open_ones = {}, []
    for i, token in enumerate(tokens):
        if token.text in ("(", "[", "{"):
            open_ones.append(i)
        elif token.text in (")", "]", "}"):
            pairs[i] = open_ones.pop()
            pairs[pairs[i]] = i
    return pairs


def kind_of_return(words):
    if "*" in words:
        return "pointer"
    if "void" in words:
        return "nothing"
    if "bool" in words:
        return "bool"
    return "struct" if "struct" in words else "number"


def functions_of(tokens, pairs):
    functions, i, begin = [], 0, 0
    while i < len(tokens):
        text = tokens[i].text
        if text == "{":
            if tokens[i - 1].text == ")":
                name = pairs[i - 1] - 1
                words = [t.text for t in tokens[begin:name]]
                functions.append(Function(tokens[name].text, kind_of_return(words), i, pairs[i]))
                begin = pairs[i] + 1
            i = pairs[i]
        elif text == ";":
            begin = i + 1
        i += 1
    return functions


def is_name(text):
    return re.match(r"[A-Za-z_]", text) is not None


def is_operand(token):
    return (re.match(r"[\w)\]'\"]", token.text) is not None) and token.text not in NOT_OPERANDS


def plus_one(text):
    digits = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)", text)
    if digits is None:
        return None
    number = int(digits.group(1), 0) + 1
    return (hex(number) if text[:2] in ("0x", "0X") else str(number)) + digits.group(2)


class Reader:
    """Lists what may be changed in one file."""

    def __init__(self, file):
        self.file = file
        self.source = (ROOT / file).read_text(encoding="utf-8")
        self.tokens = tokens_of(self.source)
        self.pairs = partners(self.tokens)
        self.lines = [0] + [m.end() for m in re.finditer("\n", self.source)]
        self.found = []

    def add(self, function, first, last, put, shown=None):
        """Tokens `first` to `last` are replaced by `put`."""
        start, end = self.tokens[first].start, self.tokens[last].end
        line = bisect.bisect_right(self.lines, start)
        text = self.source[self.lines[line - 1]:].split("\n", 1)[0].strip()
        change = shown or f"`{' '.join(self.source[start:end].split())}` -> `{put}`"
        self.found.append(Mutant(self.file, line, function, text, change, start, end, put))

    def mutants(self):
        functions = functions_of(self.tokens, self.pairs)
        inside = set()
        for function in functions:
            inside.update(range(function.first, function.last + 1))
            self.read_function(function)
        self.read_tables([i for i in range(len(self.tokens)) if i not in inside])
        return numbered(sorted(self.found, key=lambda m: (m.start, m.end, m.put)))

    def read_function(self, function):
        self.conditions(function)
        self.statements(function)
        for i in range(function.first + 1, function.last):
            self.operator(function.name, i)
            self.constant(function.name, i)
            if self.tokens[i].text == "return":
                self.returned(function, i)

    def operator(self, name, i):
        text = self.tokens[i].text
        put = RELATIONS.get(text) or SWAPS.get(text)
        if put is None and text in BINARY and is_operand(self.tokens[i - 1]):
            put = None if self.is_behind_cast(i) else BINARY[text]
        if put is not None:
            self.add(name, i, i, put)

    def is_behind_cast(self, i):
        """As in `(int64_t)-n` or `(const void *)&x`: that is no operator between two operands."""
        if self.tokens[i - 1].text != ")":
            return False
        words = [token.text for token in self.tokens[self.pairs[i - 1] + 1:i - 1]]
        return all(is_name(word) or word == "*" for word in words) and any(CASTS.fullmatch(word) for word in words)

    def constant(self, name, i):
        put = plus_one(self.tokens[i].text)
        around = (self.tokens[i - 1].text, self.tokens[i + 1].text)
        declares = around == ("[", "]") and is_name(self.tokens[i - 3].text)
        if put is not None and around != ("{", "}") and not declares:
            self.add(name, i, i, put)

    def conditions(self, function):
        for i in range(function.first, function.last):
            if self.tokens[i].text not in ("if", "while") or self.tokens[i + 1].text != "(":
                continue
            first, last = i + 2, self.pairs[i + 1] - 1
            inner = [t.text for t in self.tokens[first:last + 1]]
            if ("==" in inner or "!=" in inner) and "&&" not in inner and "||" not in inner:
                continue  # the same as the other relation
            text = self.source[self.tokens[first].start:self.tokens[last].end]
            self.add(function.name, first, last, f"!({text})", "negated condition")

    def statements(self, function):
        begins, labels, heads = True, False, set()
        i = function.first + 1
        while i < function.last:
            text = self.tokens[i].text
            if text in ("if", "for", "while", "switch"):
                closing = self.pairs[i + 1]
                heads.add(closing)
                begins, i = True, closing + 1
                continue
            if begins:
                self.statement(function.name, i)
            labels = labels or text in ("case", "default")
            begins = text in ("{", "}", ";", "else", "do") or (labels and text == ":")
            labels = labels and text != ":"
            i = self.pairs[i] + 1 if text in ("(", "[") else i + 1

    def statement(self, name, i):
        text = self.tokens[i].text
        if text in NOT_STATEMENTS or not (is_name(text) or text in ("*", "(", "++", "--")):
            return
        after = self.tokens[i + 1].text
        if is_name(after) or (after == "*" and is_name(self.tokens[i + 2].text)):
            return  # a declaration
        last = i
        while self.tokens[last].text != ";":
            if self.tokens[last].text in ("}", ":", ","):
                return
            last = self.pairs[last] + 1 if self.tokens[last].text in ("(", "[", "{") else last + 1
        self.add(name, i, last, ";", "left out")

    def returned(self, function, i):
        last = i
        while self.tokens[last].text != ";":
            last = self.pairs[last] + 1 if self.tokens[last].text in ("(", "[", "{") else last + 1
        if last == i + 1 or function.returns == "struct":
            return
        value = self.source[self.tokens[i + 1].start:self.tokens[last - 1].end]
        put = f"!({value})"
        if value in ("true", "false"):
            put = "false" if value == "true" else "true"
        elif function.returns == "pointer":
            put = "NULL"
        elif value.startswith("-"):
            put = "0"
        elif plus_one(value) is not None:
            return  # a constant, plus one already
        if put != value:
            self.add(function.name, i + 1, last - 1, put,
                     "returns the opposite" if put == f"!({value})" else f"returns `{put}`")

    def read_tables(self, outside):
        """Constants of enums, rows of tables, members of sets that are written `A | B`."""
        for i in outside:
            text = self.tokens[i].text
            if text == "{" and self.tokens[i - 1].text in (",", "{"):
                last = self.pairs[i]
                if self.tokens[last + 1].text == ",":
                    self.add("a table", i, last + 1, "", "row left out")
            elif text == "|":
                last = i + 1
                while self.tokens[last + 1].text == "(":
                    last = self.pairs[last + 1]
                member = " ".join(self.source[self.tokens[i].start:self.tokens[last].end].split())
                self.add("a table", i, last, "", f"`{member}` left out")
            elif self.tokens[i - 1].text == "=" and plus_one(text) is not None:
                self.add("a table", i, i, plus_one(text))


def numbered(mutants):
    """Those that a line, or a line like it in the same function, has several of are told apart by a number."""
    seen, out = {}, []
    for mutant in mutants:
        place = (mutant.function, mutant.text, mutant.change)
        seen[place] = seen.get(place, 0) + 1
        if seen[place] > 1:
            mutant = Mutant(**{**mutant.__dict__, "change": f"{mutant.change} (no. {seen[place]})"})
        out.append(mutant)
    return out


def explanations():
    """{key of a mutant: why no test can tell it from the original}."""
    known = {}
    for part in EXPLAINED.read_text(encoding="utf-8").split("\n\n"):
        rows = [row for row in part.splitlines() if row and not row.startswith("#")]
        if not rows:
            continue
        head = re.fullmatch(r"(\S+) ([^:]+): (.*)", rows[0])
        if head is None or len(rows) < 3:
            sys.exit(f"{EXPLAINED.name}: not FILE FUNCTION: CHANGE, the line, why: {rows[0]}")
        known[(head.group(1), head.group(2), rows[1].strip(), head.group(3))] = " ".join(r.strip() for r in rows[2:])
    return known


# --- building and running -----------------------------------------------------------------------------------------------

def make(*arguments):
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True)


class Build:
    """One variant of everything, below build/mutation, and how make makes each part of it."""

    def __init__(self, name, layers, counted, jobs):
        self.folder = f"build/mutation/{name}"
        self.arguments = [f"BUILD={self.folder}", "HARDEN=", f"CFLAGS={BUILDS[name]}"]
        self.extra = [f"{self.folder}/no_sync.o"]
        programs = [program for program in make(*self.arguments, "print-unit").stdout.split()
                    if Path(program).parent.name in layers]
        self.others = [f"{self.folder}/challengectl", f"{self.folder}/tests/oracle/count"] if counted else []
        done = make(*self.arguments, f"-j{jobs}", *programs, *self.others)
        if done.returncode != 0:
            sys.exit(done.stderr)
        source = ROOT / self.folder / "no_sync.c"
        source.write_text(NO_SYNC)
        subprocess.run(["cc", "-c", "-o", self.extra[0], str(source)], cwd=ROOT, check=True)
        self.programs = {program: self.symbols(program) for program in programs}
        self.commands = self.read_commands([*programs, *self.others])

    def symbols(self, program):
        done = subprocess.run(["nm", "--defined-only", program], cwd=ROOT, capture_output=True, text=True, check=True)
        return set(re.findall(r" [TDBRV] (\w+)$", done.stdout, re.M))

    def read_commands(self, programs):
        """{what is made: the words that make it}, asked of make."""
        said = make("-n", "-B", *self.arguments, *programs).stdout.replace("\\\n", " ")
        commands = {}
        for row in said.splitlines():
            made = re.search(r" -o (\S+) ", row)
            if made is not None and not row.startswith("mkdir"):
                commands[made.group(1)] = shlex.split(row)
        return commands

    def concerned(self, file):
        """The programs of its layer that hold this file, those of its own name first."""
        own = self.symbols(f"{self.folder}/{Path(file).with_suffix('.o')}")
        layer = Path(file).parent.name
        return sorted((program for program, has in self.programs.items()
                       if Path(program).parent.name == layer and own & has),
                      key=lambda program: (not is_of(program, file), program))

    def compile(self, file, source, made, *flags):
        words = list(self.commands[f"{self.folder}/{Path(file).with_suffix('.o')}"])
        words[words.index("-o") + 1] = made
        words[-1] = source
        words.insert(1, "-w")
        return subprocess.run([*words, *flags, "-Werror=int-conversion", "-Werror=incompatible-pointer-types"],
                              cwd=ROOT, capture_output=True).returncode == 0

    def link(self, program, mutated, made):
        words = list(self.commands[program])
        at = words.index("-o")
        words[at + 1] = made
        words[at + 2:at + 2] = [mutated, *self.extra] if mutated else self.extra
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)


def is_of(program, file):
    """test_ledger is of ledger.c, ledger_mail.c and so on."""
    return Path(file).stem.startswith(Path(program).name.removeprefix("test_"))


def limited(seconds, bytes_of_memory):
    def before():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if bytes_of_memory:
            resource.setrlimit(resource.RLIMIT_AS, (bytes_of_memory, bytes_of_memory))
    return before


def passes(command, seconds, folder, memory):
    """False: it failed, used more than so many seconds of a processor, or does not end."""
    environment = dict(os.environ, ASAN_OPTIONS="hard_rss_limit_mb=1024", CMOCKA_TEST_ABORT="0")
    with open(Path(folder) / "said", "wb") as said, \
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment,
                             start_new_session=True, preexec_fn=limited(seconds, memory)) as process:
        try:
            return process.wait(10 * seconds + 20) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            try:
                os.killpg(process.pid, 9)  # the test and what it started
            except ProcessLookupError:
                pass


class Trial:
    """Everything that can kill a mutant, and what each took on the sources as they are."""

    def __init__(self, files, jobs):
        layers = {Path(file).parent.name for file in files}
        counted = any(COUNTED.search(file) for file in files)
        self.builds = {name: Build(name, layers, counted and name == "plain", jobs) for name in BUILDS}
        self.limits = {}
        self.programs = {}
        self.sources = {file: (ROOT / file).read_text(encoding="utf-8") for file in files}
        self.originals = {}
        with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
            for file in files:
                self.originals[file] = self.optimised(file, self.sources[file], folder)
                for name, build in self.builds.items():
                    programs = build.concerned(file)
                    own = [program for program in programs if is_of(program, file)]
                    self.programs[(name, file)] = own or programs if name == "san" else programs
            work = sorted({(n, p) for (n, _), programs in self.programs.items() for p in programs})
            with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                list(pool.map(self.measure, work))
            if counted:
                self.measure_oracles()

    def measure(self, what):
        name, program = what
        with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
            made = f"{folder}/test"
            self.builds[name].link(program, None, made)
            self.timed(what, [made], folder, name)

    def timed(self, key, command, folder, name="plain"):
        begun = time.monotonic()
        if not passes(command, 300, folder, MEMORY[name]):
            sys.exit(f"{key} fails before anything is changed:\n{(Path(folder) / 'said').read_text()[-2000:]}")
        self.limits[key] = 3 + int(5 * (time.monotonic() - begun))

    def measure_oracles(self):
        with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
            for oracle in ORACLES:
                self.timed(oracle[0], self.oracle(oracle, self.builds["plain"].folder), folder)

    @staticmethod
    def oracle(words, folder):
        command = ["/usr/bin/python3", "-B", str(ROOT / "tests/oracle" / words[0]), *words[1:]]
        if words[0] == "compare_counting.py":
            return [*command, "--count", f"{folder}/tests/oracle/count"]
        return [*command, "--challengectl", f"{folder}/challengectl"]

    def optimised(self, file, source, folder):
        """The code that the optimiser makes of it: the same for what is the same."""
        written, made = Path(folder) / Path(file).name, f"{folder}/optimised.o"
        written.write_text(source, encoding="utf-8")
        self.builds["plain"].compile(file, str(written), made, "-O2", "-fno-ident", "-g0")
        stripped = f"{folder}/code"
        subprocess.run(["objcopy", "-O", "binary", "--only-section=.text*", "--only-section=.rodata*",
                        "--only-section=.data*", made, stripped], cwd=ROOT, check=True)
        symbols = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", made], capture_output=True, text=True).stdout
        return Path(stripped).read_bytes(), symbols.split("\n", 3)[-1]

    def run(self, mutant):
        """What killed it; "invalid", "same", or None: nothing did."""
        source = self.sources[mutant.file]
        lines = source[mutant.start:mutant.end].count("\n") - mutant.put.count("\n")  # the others keep their numbers
        source = source[:mutant.start] + mutant.put + "\n" * lines + source[mutant.end:]
        with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
            written = Path(folder) / Path(mutant.file).name
            written.write_text(source, encoding="utf-8")
            made = {}
            for name, build in self.builds.items():
                if name == "san" and self.optimised(mutant.file, source, folder) == self.originals[mutant.file]:
                    return "same"
                made[name] = f"{folder}/{name}.o"
                if not build.compile(mutant.file, str(written), made[name]):
                    return "invalid"
                for program in self.programs[(name, mutant.file)]:
                    build.link(program, made[name], f"{folder}/test")
                    if not passes([f"{folder}/test"], self.limits[(name, program)], folder, MEMORY[name]):
                        return Path(program).name if name == "plain" else f"{Path(program).name} ({name})"
            return self.run_oracles(made["plain"], folder) if COUNTED.search(mutant.file) else None

    def run_oracles(self, mutated, folder):
        build = self.builds["plain"]
        (Path(folder) / "tests/oracle").mkdir(parents=True)
        for program in build.others:
            build.link(program, mutated, folder + program.removeprefix(build.folder))
        for oracle in ORACLES:
            if not passes(self.oracle(oracle, folder), self.limits[oracle[0]], folder, MEMORY["plain"]):
                return oracle[0]
        return None


def chosen(mutants, places):
    if not places:
        return mutants
    wanted = [place.partition(":") for place in places]
    return [m for m in mutants if any(m.file == file and line in ("", str(m.line)) for file, _, line in wanted)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="only say what would be tried")
    parser.add_argument("--verbose", action="store_true", help="say of each what killed it")
    parser.add_argument("places", nargs="*", metavar="FILE[:LINE]")
    args = parser.parse_args()
    begun = time.monotonic()
    every = [mutant for file in MODULES for mutant in Reader(file).mutants()]
    known = explanations()
    stale = sorted(set(known) - {mutant.key for mutant in every})
    for file, function, text, change in stale:
        print(f"{EXPLAINED.name}: fits nothing any more: {file} {function}: {change}: {text}")
    mutants = chosen(every, args.places)
    if not mutants:
        sys.exit("there is no such place in the files that are tried")
    if args.mutants is not None and args.mutants < len(mutants):
        mutants = sorted(random.Random(args.seed).sample(mutants, args.mutants), key=lambda m: (m.file, m.start))
    if args.list:
        print("\n".join(map(str, mutants)))
        return 0
    jobs = os.cpu_count() or 1
    trial = Trial(sorted({mutant.file for mutant in mutants}), jobs)
    counts = {"mutants": 0, "killed": 0, "explained": 0, "survived": 0, "same_code": 0, "not_compiled": 0}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for mutant, killer in zip(mutants, pool.map(trial.run, mutants)):
            if args.verbose:
                print(f"{mutant} [{killer}]", flush=True)
            if killer in ("invalid", "same"):
                counts["not_compiled" if killer == "invalid" else "same_code"] += 1
                continue
            counts["mutants"] += 1
            if killer is not None:
                counts["killed"] += 1
            elif mutant.key in known:
                counts["explained"] += 1
            else:
                counts["survived"] += 1
                print(mutant, flush=True)
    per_cent = round(100 * counts["killed"] / max(1, counts["mutants"]), 1)
    print(json.dumps({"mutation": {**counts, "killed_per_cent": per_cent, "least": LEAST, "seed": args.seed,
                                   "seconds": round(time.monotonic() - begun)}}))
    return 1 if stale or counts["killed"] * 100 < LEAST * counts["mutants"] else 0


if __name__ == "__main__":
    sys.exit(main())
