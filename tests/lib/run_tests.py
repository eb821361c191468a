#!/usr/bin/python3
"""Builds, runs every test that the tree holds, counts them, and says so in one last line.

What counts as one test: a cmocka test, a method of a Python unittest, a build, a script under
shellcheck, a unit file under systemd-analyze. Programs that only run again, instrumented (ASan and
UBSan, valgrind), count once each and not once per test in them, or the total would flatter.

Standard library only. Everything printed by a test program goes to build/test-logs/; what failed
is shown in full, what passed not at all. Called by scripts/test, from the top folder.
"""

import collections
import concurrent.futures
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

LOGS = Path("build/test-logs")
JOBS = os.cpu_count() or 1
# What a seed alone decides is the same at every run, so that none fails by luck; by hand, or in the environment, others.
SEED = "1"
SEEDS_OF_TESTS = ("TEST_SEED", "HOSTILE_SEED")
# Random cases of each comparison: enough for every change, not for a night. Where a case is a process, fewer.
ORACLE_CASES = {"compare_counting.py": "500000"}
ORACLE_CASES_ELSE = "1000"
# Half a minute each on two cores, or less: what they say at their heads tells how to play more.
SIMULATIONS = (("simulate", {"SIM_FIRST": SEED}), ("power", {"POWER_SEED": SEED}),
               ("faults", {"FAULTS_EVERY": "11", "FAULTS_FIRST": SEED}, "disk"),
               ("faults", {"FAULTS_EVERY": "211", "FAULTS_FIRST": SEED}, "memory"),
               ("sender_faults", {"FAULTS_EVERY": "211", "FAULTS_FIRST": SEED}, "clear"),
               ("sender_faults", {"FAULTS_EVERY": "4001", "FAULTS_FIRST": SEED}, "starttls"),
               ("sender_faults", {"FAULTS_EVERY": "4001", "FAULTS_FIRST": SEED}, "heartbeat-tls"))
FUZZ_SECONDS = 30  # for each fuzzer: under two minutes for seven on two cores, besides building
SKIP_STATUS = 77  # of a program that could not run here; its last line says why

Result = collections.namedtuple("Result", "passed failed skipped log")
"""One program: number passed, names that failed, (name, reason) of those skipped, and its output."""


# --- running one program -------------------------------------------------------------------------

def run(command, limit, environment=None):
    """Runs a command with a time limit in a process group of its own; returns (status, output).

    Status 124 stands for "ran out of time". Whatever the program left running ends with it.
    """
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, **(environment or {})})
    except OSError as error:
        return 127, f"{command[0]}: {error.strerror}\n"
    try:
        output, _ = process.communicate(timeout=limit)
        status = process.returncode
    except subprocess.TimeoutExpired:
        end_group(process.pid)
        try:
            output, _ = process.communicate(timeout=10)
        except subprocess.TimeoutExpired as still:  # a descendant left the group and holds the pipe
            output = still.output or b""
        output += f"\nstopped after {limit} s\n".encode()
        status = 124
    except BaseException:
        end_group(process.pid)
        raise
    end_group(process.pid)
    return status, output.decode("utf-8", "replace")


def end_group(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def log_of(block, name, output):
    log = LOGS / block / (re.sub(r"[^\w.-]+", "_", name) + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(output)
    return log


# --- reading what a program said ------------------------------------------------------------------

CMOCKA = re.compile(r"\[ (RUN     | {6}OK| FAILED | SKIPPED| ERROR  ) \] (.*)")


def count_cmocka(name, status, output):
    """Counts a cmocka program; a test that began and never ended (a crash) failed."""
    started, ended, order, planned = None, {}, [], 0
    for line in output.splitlines():
        plan = re.search(r"\[==========\] Running (\d+) test", line)
        planned += int(plan.group(1)) if plan else 0
        match = CMOCKA.search(line)
        if not match:
            continue
        word, test = match.group(1).strip(), match.group(2)
        if word == "RUN":
            started = (len(order), test)
            order.append(started)
        elif started and started not in ended and test == started[1]:
            ended[started] = word
    failed = [f"{name}: {test[1]}" for test in order if ended.get(test) not in ("OK", "SKIPPED")]
    skipped = [(f"{name}: {test[1]}", reason_before_skip(output, test[1]))
               for test in order if ended.get(test) == "SKIPPED"]
    if len(order) < planned:
        failed.append(f"{name}: ended after {len(order)} of {planned} tests")
    elif not order:
        failed.append(f"{name}: ran no test ({status_in_words(status)})")
    elif status != 0 and not failed:
        failed.append(f"{name}: {status_in_words(status)}")
    return sum(word == "OK" for word in ended.values()), failed, skipped


def reason_before_skip(output, test):
    """The line that a test printed before it skipped itself."""
    inside = output.split(f"] {test}\n", 1)[-1].split("[  SKIPPED ]", 1)[0].strip()
    return inside.splitlines()[-1] if inside else "no reason given"


def count_program(name, status, output):
    """Counts any other program: by its own last line `N passed, N failed`, else by its status."""
    lines = output.strip().splitlines()
    last = lines[-1].strip() if lines else ""
    if status == SKIP_STATUS:
        return 0, [], [(name, last.removeprefix("SKIPPED").strip(" :") or "no reason given")]
    own = re.fullmatch(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", last)
    if not own:
        return (1, [], []) if status == 0 else (0, [f"{name}: {status_in_words(status)}"], [])
    passed, bad, skips = (int(number or 0) for number in own.groups())
    failed = [f"{name}: {bad} of its tests"] * bad
    if status != 0 and not failed:
        failed = [f"{name}: {status_in_words(status)}"]
    if passed + bad + skips == 0:
        failed = [f"{name}: ran no test"]
    reason = next((line for line in lines if "skip" in line.lower()), "see its log")
    return passed, failed, [(name, reason)] * skips


def status_in_words(status):
    if status == 124:
        return "ran out of time"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"exit status {status}"


class Recorder(unittest.TextTestResult):
    """Counts per method: a method with several failing sub-tests failed once."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.begun = []

    def startTest(self, test):
        super().startTest(test)
        self.begun.append(test.id())


def run_unittest(path, report):
    """Runs one Python test file in this process; a child of the runner does this."""
    path = Path(path).resolve()
    sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Recorder).run(suite)
    whole = lambda test: getattr(test, "test_case", test).id()
    bad = sorted({whole(test) for test, _ in result.failures + result.errors}
                 | {whole(test) for test in result.unexpectedSuccesses})
    skipped = [(whole(test), reason) for test, reason in result.skipped if whole(test) not in bad]
    skip_names = {name for name, _ in skipped}
    passed = [name for name in result.begun if name not in bad and name not in skip_names]
    Path(report).write_text(json.dumps({"passed": len(passed), "failed": bad, "skipped": skipped}))


# --- the things that are run ------------------------------------------------------------------------

def python_file(block, path, limit, *arguments, environment=None):
    """A unittest file is counted by its methods, any other program by what it says of itself."""
    name = path.name
    if "import unittest" not in path.read_text(errors="replace"):
        return program(block, name, [str(path.resolve()), *arguments], limit, environment)
    report = LOGS / block / (path.stem + ".json")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    status, output = run([sys.executable, "-B", __file__, "--unittest", str(path), str(report)],
                         limit, environment)
    log = log_of(block, name, output)
    if not report.exists():
        return Result(0, [f"{name}: {status_in_words(status)} before it had run"], [], log)
    said = json.loads(report.read_text())
    failed = [f"{name}: {test}" for test in said["failed"]]
    if not failed and said["passed"] + len(said["skipped"]) == 0:
        failed = [f"{name}: ran no test"]
    if status != 0 and not failed:
        failed = [f"{name}: {status_in_words(status)} at its end"]
    return Result(said["passed"], failed, [(f"{name}: {n}", why) for n, why in said["skipped"]], log)


def program(block, name, command, limit, environment=None):
    status, output = run(command, limit, environment)
    return Result(*count_program(name, status, output), log_of(block, name, output))


def cmocka(block, path, limit):
    name = path.name
    status, output = run([str(path.resolve())], limit)
    return Result(*count_cmocka(name, status, output), log_of(block, name, output))


def once(block, path, limit, prefix=(), environment=None, arguments=()):
    """A cmocka program run again under a tool: one test, which passes when nothing is found."""
    status, output = run([*prefix, str(path.resolve()), *arguments], limit, environment)
    failed = [] if status == 0 else [f"{path.name}: {status_in_words(status)}"]
    return Result(1 if status == 0 else 0, failed, [], log_of(block, path.name, output))


def make(block, what, *arguments):
    return program(block, what, ["make", "-s", "--no-print-directory", "-k", f"-j{JOBS}", *arguments], 900)


def unit_programs(build="build", layers=None):
    """The unit test programs, in the order of the layers; those of some layers only if named."""
    sources = sorted(Path("tests/unit").glob("*/test_*.c"))
    return [Path(build) / source.with_suffix("") for source in sources
            if layers is None or source.parent.name in layers]


def executables(pattern):
    """Test files that may be run; one that lacks its x bit is a fault, found by `not_executable`."""
    return sorted(path for path in Path("tests").glob(pattern) if path.is_file())


def together(work, items, jobs=JOBS):
    with concurrent.futures.ThreadPoolExecutor(max(1, jobs)) as pool:
        yield from pool.map(work, items)


# --- the blocks ---------------------------------------------------------------------------------------

SANITIZE = ("BUILD=build/san", "HARDEN=", "EXTRA_CFLAGS=-Werror",
            "CFLAGS=-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all")


# Leaks it cannot judge: it does not understand __attribute__((cleanup)). LeakSanitizer and valgrind do.
ANALYZE = "EXTRA_CFLAGS=-Werror -fanalyzer -Wno-analyzer-malloc-leak"


def block_build(block):
    yield make(block, "gcc -fanalyzer, warnings are errors", ANALYZE, "all")
    yield make(block, "gcc, warnings are errors", "EXTRA_CFLAGS=-Werror", "all", "unit-tests")
    yield make(block, "layering", "EXTRA_CFLAGS=-Werror", "layering")


def block_unit(block):
    yield from together(lambda path: cmocka(block, path, 120), unit_programs())


def block_san(block):
    yield make(block, "build with ASan and UBSan", *SANITIZE, "unit-tests")
    environment = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    yield from together(lambda path: once(block, path, 300, environment=environment),
                        unit_programs("build/san"))


def block_clang(block):
    yield make(block, "clang, warnings are errors", "clang")


# In the words of the source, and as symbols of the objects, where no macro hides them.
BANNED = ("mktime", "gmtime", "localtime", "ctime", "asctime", "sprintf", "vsprintf", "strcpy", "strcat", "strtok",
          "atoi", "atol", "atoll", "atof", "system", "popen", "tmpnam", "mktemp", "gets", "signal")
BANNED_WORDS = re.compile(rf"\b({'|'.join(BANNED)})\s*\(|VERIFY(?:PEER|HOST),\s*0")


def block_static(block):
    """Calls that this code does without, the hardening of the programs, and the layout of the sources."""
    hits = [f"{path}:{number}: {line.strip()}"
            for path in sorted(Path("daemon").glob("*/*.[ch]"))
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
            if BANNED_WORDS.search(line) and not line.lstrip().startswith(("*", "/*", "//"))]
    yield found_nothing(block, "banned calls in the sources", hits)
    yield found_nothing(block, "banned symbols in the objects", banned_symbols())
    for path in ("build/challenge-notifyd", "build/challenge-notify-sender", "build/challengectl"):
        yield hardening(block, path)
    yield make(block, "make fmt changes nothing", "fmt-check")


def found_nothing(block, name, hits):
    log = log_of(block, name, "".join(hit + "\n" for hit in hits))
    return Result(0 if hits else 1, [name] if hits else [], [], log)


def banned_symbols():
    """What an object takes from libc: __sprintf_chk is sprintf, as _FORTIFY_SOURCE names it."""
    objects = sorted(Path("build/daemon").glob("*/*.o"))
    status, output = run(["nm", "-A", "-u", *map(str, objects)], 60)
    if status != 0 or len(objects) < len(list(Path("daemon").glob("*/*.c"))):
        return [f"only {len(objects)} objects could be looked at: {output}"]
    return [line for line in output.splitlines()
            if re.fullmatch(r"(?:__)?(\w+?)(?:_chk)?(?:@\S+)?", line.split()[-1]).group(1) in BANNED]


def hardening(block, path):
    """As checksec does it, for what the Makefile asks for and the compiler may silently leave out."""
    _, output = run(["readelf", "-W", "-h", "-l", "-d", "-s", path], 60)
    wanted = {"position independent": "Type:\\s+DYN", "read-only relocations": "GNU_RELRO",
              "bound at start": "\\b(BIND_)?NOW\\b", "stack canary": "__stack_chk_fail",
              "stack not executable": "GNU_STACK.* RW ", "checked copies (FORTIFY)": "__(mem|vs?n?printf|f?printf|s)\\w*_chk"}
    lacking = [f"lacks: {what}" for what, sign in wanted.items() if not re.search(sign, output)]
    return found_nothing(block, f"hardening of {Path(path).name}", lacking)


def block_tidy(block):
    yield make(block, "clang-tidy and cppcheck find nothing that is not reviewed", "tidy")


def block_scripts(block):
    """shellcheck on every file that begins with a shell's name."""
    found = [path for top in ("scripts", ".ci", "tests", "systemd", "conf", "daemon")
             for path in sorted(Path(top).rglob("*")) if path.is_file() and is_shell(path)]
    yield from together(lambda path: program(block, str(path), ["shellcheck", str(path)], 60), found)


def is_shell(path):
    with path.open("rb") as file:
        return re.match(rb"#!\s*/(usr/)?bin/(env )?(ba|da)?sh\b", file.read(40)) is not None


UNIT_PLACES = ("PREFIX=/usr", "SYSCONFDIR=/etc")
EXPOSURE_MOST = 10  # tenths, as `systemd-analyze security` wants its threshold


def block_units(block):
    """Unit files as they are installed: their syntax, and how far the daemon is shut in."""
    units = [path.name for path in sorted(Path("systemd").glob("*"))
             if path.suffix in (".service", ".timer", ".socket", ".path", ".target")]
    if not shutil.which("systemd-analyze"):
        yield Result(0, [], [(name, "systemd-analyze is not installed") for name in units], None)
        return
    folder = (LOGS / block / "files").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    yield make(block, "rendered", *UNIT_PLACES, f"UNITS_INTO={folder}", "units")
    for name in units:  # with programs replaced by one that is installed everywhere
        text = re.sub(r"(?m)^(Exec\w+=[-@:+!]*)/\S+", r"\1/bin/true", (folder / name).read_text())
        (folder / name).write_text(text)
    for name in units:
        # A template is verified as an instance of it.
        shown = folder / name.replace("@.", "@example.")
        if shown.name != name:
            shutil.copy(folder / name, shown)
        yield program(block, name, ["systemd-analyze", "verify", "--man=no", str(shown)], 60,
                      {"SYSTEMD_UNIT_PATH": f"{folder}:"})
    yield exposure(block, "with a relay on this machine", folder)
    drop_in = folder / "challenge-notifyd.service.d"
    drop_in.mkdir()
    shutil.copy("systemd/remote-relay.conf", drop_in)
    yield exposure(block, "with a relay elsewhere", folder)
    for name in ("heartbeat.conf", "metrics.conf"):
        shutil.copy(f"systemd/{name}", drop_in)
    yield exposure(block, "with a heartbeat and metrics", folder)


def exposure(block, name, folder):
    """The figure of systemd-analyze security; the whole list is in the log."""
    unit = folder / "challenge-notifyd.service"
    drop_ins = sorted((folder / "challenge-notifyd.service.d").glob("*.conf"))
    whole = folder / name.replace(" ", "-") / unit.name  # the tool reads one file, without its drop-ins
    whole.parent.mkdir()
    whole.write_text("".join(path.read_text() for path in (unit, *drop_ins)))
    return program(block, f"exposure {name}", ["systemd-analyze", "security", "--offline=true", "--no-pager",
                                               f"--threshold={EXPOSURE_MOST}", str(whole)], 60)


def block_integration(block):
    """Mostly they wait, for a daemon or a relay; each has folders and ports of its own, and only build/ together."""
    built = make(block, "what they run", "EXTRA_CFLAGS=-Werror", "all")
    if built.failed:
        yield built
        return
    yield from together(lambda path: runnable(block, path, 300), executables("integration/test_*.py"), 2 * JOBS)


def block_fault(block):
    """Two at a time: one runs a cycle for every system call, and takes as long as all the others."""
    longest_first = sorted(executables("fault/test_*.py"), key=lambda path: path.name != "test_syscalls.py")
    yield from together(lambda path: runnable(block, path, 600), longest_first)


def block_sim(block):
    """Programs with a disk in memory and a relay of their own (tests/sim): each uses both cores."""
    yield make(block, "build the simulations", "sim")
    for name, environment, *arguments in SIMULATIONS:
        yield program(block, " ".join((name, *arguments)), [f"build/tests/sim/{name}", *arguments], 600, environment)


def block_oracle(block):
    for source in sorted(Path("tests/oracle").glob("*.c")):  # what the comparisons ask
        yield make(block, f"build {source.stem}", f"build/{source.with_suffix('')}")
    for path in executables("oracle/test_*.py"):
        yield runnable(block, path, 300)
    for path in executables("oracle/compare_*.py"):
        yield runnable(block, path, 300, "--seed", SEED, "--cases", ORACLE_CASES.get(path.name, ORACLE_CASES_ELSE))


def block_system(block):
    for path in executables("system/test_*"):
        yield runnable(block, path, 600)


def runnable(block, path, limit, *arguments):
    if not os.access(path, os.X_OK):
        return Result(0, [f"{path.name}: not executable"], [], log_of(block, path.name, ""))
    if path.suffix == ".py":
        return python_file(block, path, limit, *arguments)
    return program(block, path.name, [str(path.resolve()), *arguments], limit)


def fuzz(block, source):
    name = source.stem.removeprefix("fuzz_")
    found = Path("build/fuzz/corpus") / name
    found.mkdir(parents=True, exist_ok=True)
    return once(block, Path("build/fuzz") / source.with_suffix(""), FUZZ_SECONDS + 60, arguments=(
        f"-max_total_time={FUZZ_SECONDS}", "-timeout=1", "-rss_limit_mb=1024", "-max_len=8192",
        "-artifact_prefix=build/fuzz/", str(found), f"tests/fuzz/corpus/{name}"))


def block_fuzz(block):
    """Each fuzzer for half a minute, as many at a time as there are cores; `make fuzz FUZZ_TIME=...` gives longer."""
    yield make(block, "build the fuzzers", "fuzzers")
    yield from together(lambda source: fuzz(block, source), sorted(Path("tests/fuzz").glob("fuzz_*.c")))


def block_valgrind(block):
    tool = ("valgrind", "-q", "--leak-check=full", "--errors-for-leak-kinds=definite", "--error-exitcode=99")
    yield from together(lambda path: once(block, path, 600, tool, {"UNDER_VALGRIND": "1"}), unit_programs())


def block_cover(block):
    """Unit and integration tests once more, counted by gcov; the figures are printed, and are no gate."""
    yield make(block, "unit tests with gcov", "cover")
    built = {"BUILD": str(Path("build/cover").resolve())}
    results = together(lambda path: python_file(block, path, 300, environment=built),
                       executables("integration/test_*.py"), 2 * JOBS)
    failed = [name for result in results for name in result.failed]
    yield found_nothing(block, "integration tests with gcov", failed)
    _, figures = run(["tests/lib/coverage.py", "build/cover"], 60)
    print("".join(f"   {line}\n" for line in figures.splitlines()), end="")


BLOCKS = {
    "build": ("gcc and its analyzer, and the layers of the code", block_build),
    "unit": ("unit tests", block_unit),
    "san": ("unit test programs under ASan and UBSan", block_san),
    "clang": ("clang", block_clang),
    "static": ("banned calls, hardening of the programs, layout of the sources", block_static),
    "tidy": ("clang-tidy, cppcheck", block_tidy),
    "scripts": ("shellcheck", block_scripts),
    "units": ("systemd-analyze verify and security", block_units),
    "integration": ("integration tests", block_integration),
    "fault": ("fault tests", block_fault),
    "sim": ("simulated months, power failures, every operation and allocation failing", block_sim),
    "oracle": ("comparison with independent calculations", block_oracle),
    "system": ("system tests", block_system),
    "fuzz": ("fuzzers, half a minute each", block_fuzz),
    "valgrind": ("unit test programs under valgrind", block_valgrind),
    "cover": ("lines and branches that unit and integration tests execute", block_cover),
}


def run_block(block):
    title, work = BLOCKS[block]
    print(f"== {block}: {title}", flush=True)
    begun, results = time.monotonic(), []
    for result in work(block):
        results.append(result)
        if result.failed:
            show_failure(result)
    passed = sum(result.passed for result in results)
    failed = sum(len(result.failed) for result in results)
    skipped = sum(len(result.skipped) for result in results)
    print(f"   {count_line(passed, failed, skipped)}  ({time.monotonic() - begun:.1f} s)", flush=True)
    return results


def show_failure(result):
    for name in result.failed:
        print(f"   FAILED  {name}")
    text = result.log.read_text(errors="replace") if result.log else ""
    print("".join(f"   | {line}\n" for line in text.splitlines()), end="", flush=True)


def count_line(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def main(arguments):
    if arguments[:1] == ["--unittest"]:
        return run_unittest(*arguments[1:3])
    if arguments == ["--list"]:
        print("".join(f"{name:12}{title}\n" for name, (title, _) in BLOCKS.items()), end="")
        return 0
    unknown = [name for name in arguments if name not in BLOCKS]
    if unknown:
        print(f"scripts/test: no block named {unknown[0]}; --list names them", file=sys.stderr)
        return 2
    # A test must not depend on who runs it, or on where: these would change what programs print or read.
    for name in ("CONFIGURATION_DIRECTORY", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET",
                 "TZ", "CDPATH", "MAKEFLAGS"):
        os.environ.pop(name, None)
    os.environ.update(LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")
    for name in SEEDS_OF_TESTS:
        os.environ.setdefault(name, SEED)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    begun = time.monotonic()
    results = [result for block in (arguments or BLOCKS) for result in run_block(block)]
    return summary(results, time.monotonic() - begun)


def summary(results, seconds):
    failed = [(name, result.log) for result in results for name in result.failed]
    skipped = [skip for result in results for skip in result.skipped]
    passed = sum(result.passed for result in results)
    print(f"== all of it took {seconds / 60:.1f} minutes; output is in {LOGS}/")
    for name, log in failed:
        print(f"   FAILED  {name}  ({log})")
    for name, reason in skipped:
        print(f"   SKIPPED {name}: {' '.join(reason.split())}")
    print(count_line(passed, len(failed), len(skipped)), flush=True)
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
