#!/usr/bin/python3
"""Runs the hand-counted timelines of paper/policies/*.conf through `challengectl timeline`.

test_paper.py [--challengectl PROGRAM] [--holidays FILE] [--oracle]
--oracle asks timeline.py instead of the program. Exit 77: the program is not built.
"""

import argparse
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime

import counting
import timeline

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOKEN = re.compile(r'\s+|#[^\n]*|("(?:[^"\\]|\\.)*")|([A-Za-z_][\w]*)|(\d+)|([{}()\[\]=;,:])')


def read_libconfig(text):
    """As much of libconfig as the paper policies use: groups, lists, arrays, strings."""
    tokens = [m.group(0) for m in TOKEN.finditer(text) if m.lastindex]
    place = 0

    def settings(end):
        nonlocal place
        group = {}
        while place < len(tokens) and tokens[place] != end:
            name = tokens[place]
            place += 2
            group[name] = value()
            if place < len(tokens) and tokens[place] in ";,":
                place += 1
        place += 1
        return group

    def value():
        nonlocal place
        token = tokens[place]
        place += 1
        if token == "{":
            return settings("}")
        if token in "([":
            end, items = {"(": ")", "[": "]"}[token], []
            while tokens[place] != end:
                items.append(value())
                if tokens[place] == ",":
                    place += 1
            place += 1
            return items
        if token.startswith('"'):
            return token[1:-1]
        return {"true": True, "false": False}[token] if token.isalpha() else int(token)

    return settings(None)


def cases(path):
    """(command line words, expected rows) of one policy file."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# $ "):
            found.append((shlex.split(line[4:]), []))
        elif line.startswith("# = "):
            row = [part.strip() for part in line[4:].split("|")]
            if row[1] == "same":
                row[1] = row[0]
            found[-1][1].append(row)
    return found


def rows(entries):
    """Entries as the rows of the paper: local times are read off the printed offset."""
    answer = []
    for e in entries:
        at, send_at = (e[key][:16].replace("T", " ") for key in ("at", "send_at"))
        answer.append([at, send_at, e["kind"], e["stage"] or "-", e["obligation"] or "-",
                       e["step"] or "-", str(e["occurrence"]), " ".join(e["to"]),
                       "firm" if e["firm"] else "soft",
                       "provisional" if e["provisional"] else "sure"])
    return answer


def in_order(found):
    return sorted(found, key=lambda row: (row[0], timeline.ORDER.index(row[2]), row))


def ask_oracle(main, policy, words, published):
    group = next(c for c in main["calendars"] if c["id"] == policy["calendar"])
    calendar = counting.Calendar(group["zone"], group["hours"], published,
                                 group["holidays"]["division"],
                                 [(c["from"], c["to"]) for c in group.get("closures", ())])

    def instant(text):
        typed = datetime.fromisoformat(text)
        return calendar.zone.instant(counting.day_of(text[:10]), typed.hour * 3600
                                     + typed.minute * 60)

    events, options = [], {}
    words = list(words)
    while words:
        option = words.pop(0)
        if option == "--immediate":
            raised = next(e for e in events if e["kind"] == "raised")
            events.append({"kind": "immediate_risk", "at": raised["at"]})
        elif option == "--event":
            kind, when = words.pop(0).split("@")
            kind, _, stage = kind.partition(":")
            when, _, due = when.partition("/")
            event = {"kind": kind, "at": instant(when)}
            if stage:
                event["stage"] = stage
            if due:
                event["due"] = instant(due)
            events.append(event)
        else:
            options[option] = words.pop(0)
    protect_by = options.get("--protect-by")
    entries = timeline.timeline(policy, calendar, events, instant(options["--until"]),
                                options.get("--urgency"), protect_by and instant(protect_by))
    return timeline.printed(entries, calendar)


def ask_program(program, config, policy, words):
    line = [program, "--config", str(config), "timeline", "--policy", policy, *words, "--json"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise SystemExit(f"exit {done.returncode}: {done.stderr}{shlex.join(line)}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--challengectl", default=str(ROOT / "build/challengectl"))
    parser.add_argument("--holidays", default=str(ROOT / "conf/bank-holidays.json"))
    parser.add_argument("--oracle", action="store_true")
    args = parser.parse_args()
    if not args.oracle and not pathlib.Path(args.challengectl).exists():
        print(f"{args.challengectl} is not built")
        return 77
    settings = read_libconfig((HERE / "paper/challenge-notifyd.conf").read_text(encoding="utf-8"))
    wrong = done = 0
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / "paper", folder, dirs_exist_ok=True)
        shutil.copy(args.holidays, pathlib.Path(folder) / "bank-holidays.json")
        for name in ("templates", "state"):
            (pathlib.Path(folder) / name).mkdir()
        for path in sorted((HERE / "paper/policies").glob("*.conf")):
            policy = read_libconfig(path.read_text(encoding="utf-8"))["policy"]
            for words, expected in cases(path):
                if args.oracle:
                    published = counting.published_holidays(args.holidays)
                    entries = ask_oracle(settings, policy, words, published)
                else:
                    entries = ask_program(args.challengectl, pathlib.Path(folder)
                                          / "challenge-notifyd.conf", policy["id"], words)
                done += 1
                expected, got = in_order(expected), in_order(rows(entries))
                if expected == got:
                    continue
                wrong += 1
                print(f"{path.name}: {shlex.join(words)}")
                for row in expected:
                    if row not in got:
                        print("  missing    " + " | ".join(row))
                for row in got:
                    if row not in expected:
                        print("  not on paper " + " | ".join(row))
    print(f"{done} timelines, {wrong} differ")
    return 1 if wrong or not done else 0


if __name__ == "__main__":
    sys.exit(main())
