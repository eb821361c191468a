#!/usr/bin/python3
"""What the unit tests of a coverage build have executed, as gcov counted it: lines and branches.

    tests/lib/coverage.py FOLDER               one row for each layer, one for each module that decides
    tests/lib/coverage.py FOLDER FILE...       every branch of these files that no test has taken

FOLDER is where `make cover` built (build/cover). A branch is one way out of a condition, as gcc sees it: `a && b`
has four. Standard library only.
"""

import collections
import json
import subprocess
import sys
from pathlib import Path

# What decides whom is told what, and when: here every branch counts that is not out of memory.
DECIDING = ("core/policy.c", "core/calendar.c", "core/timescale.c", "core/timeline.c", "core/timeline_clock.c",
            "core/timeline_event.c", "core/delivery.c", "core/address.c", "core/template.c", "core/recipient.c",
            "service/decide.c", "adapter/ledger_mail.c")


def measured(folder):
    """{file: {line: (executed, [taken, ...])}}; a line in several objects (a header's) counts once."""
    data = sorted(str(path) for path in Path(folder, "daemon").rglob("*.gcno"))
    if not data:
        sys.exit(f"coverage: {folder} holds nothing that gcov can read: make cover")
    said = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *data],
                          check=True, capture_output=True, text=True).stdout
    files = collections.defaultdict(dict)
    for document in said.splitlines():
        for file in json.loads(document)["files"]:
            if not file["file"].startswith("daemon/"):
                continue
            lines = files[file["file"]]
            for line in file["lines"]:
                number, taken = line["line_number"], [branch["count"] > 0 for branch in line["branches"]]
                executed, before = lines.get(number, (False, []))
                if len(before) == len(taken):
                    taken = [a or b for a, b in zip(before, taken)]
                lines[number] = (executed or line["count"] > 0, taken if len(taken) >= len(before) else before)
    return files


def figures(lines_of_files):
    """(lines executed, lines, branches taken, branches)."""
    lines = [line for file in lines_of_files for line in file.values()]
    branches = [taken for _, ways in lines for taken in ways]
    return sum(executed for executed, _ in lines), len(lines), sum(branches), len(branches)


def row(name, lines_of_files):
    executed, lines, taken, branches = figures(lines_of_files)
    share = lambda part, whole: 100 * part / whole if whole else 100
    return (f"{name:26}{share(executed, lines):6.1f} % of {lines:6} lines"
            f"{share(taken, branches):8.1f} % of {branches:6} branches")


def show_missing(name, lines):
    source = Path(name).read_text().splitlines()
    for number, (_, ways) in sorted(lines.items()):
        if not all(ways):
            print(f"{name}:{number}: {ways.count(False)} of {len(ways)}: {source[number - 1].strip()}")


def main(folder, *names):
    files = measured(folder)
    if names:
        for name in names:
            show_missing(name, files[name])
        return
    layers = collections.defaultdict(list)
    for name, lines in files.items():
        layers[name.split("/")[1]].append(lines)
    for layer in ("base", "core", "adapter", "service", "sender", "ctl"):
        if layer in layers:
            print(row(layer, layers[layer]))
    print(row("all", list(files.values())))
    for name in DECIDING:
        if f"daemon/{name}" in files:
            print(row(f"  {name}", [files[f"daemon/{name}"]]))


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["build/cover"]))
