#!/usr/bin/python3
"""clang-tidy and cppcheck over daemon/: what they find must be mended, or reviewed in tests/lib/reviewed_findings.

    tests/lib/analysis.py clang-tidy|cppcheck FLAG...       the compiler's flags; `make tidy` gives them

A finding is known by its check, its file and the text of its line, so that it stays reviewed when lines move, and is
looked at again when the line changes. Status 1 when one is not reviewed.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

REVIEWED = Path(__file__).resolve().parent / "reviewed_findings"
SOURCES = sorted(str(path) for path in Path("daemon").glob("*/*.c"))

# Left out as a whole: they do not understand __attribute__((cleanup)) (leaks are proved by LeakSanitizer and valgrind),
# or ask for Annex K, which glibc has not; recursion, the order of parameters and a cast that drops const (by way of
# uintptr_t, for a library's void *) are for review.
CHECKS = ",".join((
    "-*", "clang-analyzer-*", "bugprone-*", "cert-*", "misc-*", "performance-*", "portability-*",
    "-clang-analyzer-unix.Malloc", "-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling",
    "-clang-analyzer-optin.performance.Padding", "-bugprone-implicit-widening-of-multiplication-result",
    "-bugprone-easily-swappable-parameters", "-misc-no-recursion", "-performance-no-int-to-ptr"))
SUPPRESSED = ("memleak", "internalAstError")  # the same; and a file with #include in an initialiser
# A quarter of the analyzer's own limit: it finds nearly the same in less than half of the time.
LIMIT = ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=50000")


def reviewed():
    """{(check, file, text of the line)} of REVIEWED."""
    known = set()
    for line in REVIEWED.read_text().splitlines():
        if line and not line.startswith("#"):
            check, file, text = line.split(" ", 2)
            known.add((check, file.rstrip(":"), text.strip()))
    return known


def text_of(file, number):
    return Path(file).read_text().splitlines()[number - 1].strip()


def clang_tidy(source, flags):
    done = subprocess.run(["clang-tidy", "--quiet", f"--checks={CHECKS}", source, "--", *flags, *LIMIT],
                          capture_output=True, text=True)
    found = re.findall(r"(?m)^(\S+?):(\d+):\d+: (?:warning|error): (.*) \[([\w.,-]+)\]$", done.stdout)
    if done.returncode != 0 and not found:
        sys.exit(f"clang-tidy {source}: {done.stdout}{done.stderr}")
    return [(check, os.path.relpath(file), int(line), said) for file, line, said, check in found]


def cppcheck():
    done = subprocess.run(["cppcheck", "--quiet", "--std=c11", "--inline-suppr", "-Idaemon",
                           "--template={file}:{line}: {message} [{id}]",
                           *(f"--suppress={what}" for what in SUPPRESSED), "daemon"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cppcheck: {done.stdout}{done.stderr}")
    return [(check, file, int(line), said)
            for file, line, said, check in re.findall(r"(?m)^(\S+?):(\d+): (.*) \[(\w+)\]$", done.stderr)]


def findings(tool, flags):
    if tool == "cppcheck":
        return cppcheck()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [found for one in pool.map(lambda source: clang_tidy(source, flags), SOURCES) for found in one]


def main(tool, *flags):
    known, new = reviewed(), []
    for check, file, line, said in sorted(set(findings(tool, flags)), key=lambda found: found[1:3]):
        if (check, file, text_of(file, line)) not in known:
            new.append(f"{file}:{line}: {said} [{check}]\n    reviewed it would be: {check} {file}: {text_of(file, line)}")
    print("\n".join(new) if new else f"{tool}: nothing that is not reviewed")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
