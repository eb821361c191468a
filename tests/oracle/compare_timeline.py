#!/usr/bin/python3
"""Holds `challengectl timeline --json` against timeline.py on random policies and histories.

compare_timeline.py [--cases N] [--seed S] [--challengectl PROGRAM] [--holidays FILE] [--odd]
One configuration holds many policies, so that a process a case is the only cost. --odd adds
histories that nobody should write: events after the end, a second raised. On a difference
prints the policy, the command line and both lists; one batch is repeated with its seed and
--cases 1. Without the program it says so and exits 77.
"""

import argparse
import json
import multiprocessing
import pathlib
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime

import compare_counting
import counting
import timeline

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
POLICIES, HISTORIES = 6, 8          # in one batch: so many policies, so many histories each
ROLES = ["practitioner", "manager", "senior_manager", "designated_lead", "business_unit", "chair"]
HOURS = [["09:00-17:00"] * 5 + ["", ""],
         ["09:00-17:00"] * 4 + ["09:00-12:30,13:30-16:30", "", ""],
         ["08:30-12:00,13:00-17:15"] * 5 + ["10:00-13:00", ""],
         ["", "10:00-16:00", "09:00-18:00", "", "08:00-12:00", "", ""],
         ["00:00-24:00"] * 7]


# -- writing libconfig -----------------------------------------------------------------------

def written(value, indent=1):
    """A Python value in libconfig's words: dicts are groups, tuples lists, lists arrays."""
    pad = "  " * indent
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        inner = "".join(f"{pad}{key} = {written(part, indent + 1)};\n"
                        for key, part in value.items())
        return "{\n" + inner + pad[2:] + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(written(part, indent + 1) for part in value) + ")"
    return "[ " + ", ".join(written(part) for part in value) + " ]"


def write_configuration(folder, calendar, policies, holidays):
    """The main file, its folder of policies, and the holiday file; answers the main file."""
    folder = pathlib.Path(folder)
    (folder / "policies").mkdir()
    (folder / "templates").mkdir()
    (folder / "state").mkdir()
    (folder / "bank-holidays.json").write_bytes(pathlib.Path(holidays).read_bytes())
    main = {
        "store": "challenges.db", "state": "state", "policies": "policies",
        "templates": "templates", "calendars": (calendar,),
        "roles": tuple({"id": role, "title": role.replace("_", " ").capitalize()}
                       for role in ROLES),
        "partnership": {"agency": "partnership", "inbox": "unit@partnership.example",
                        "emergency": "Telephone the duty team."},
        "mail": {"relay": "smtps://relay.example:465",
                 "from": "Professional Challenge <noreply@partnership.example>",
                 "allow_domains": ["partnership.example"]},
        "alarm": {"to": ["duty@partnership.example"], "daily": "08:30"}}
    text = "".join(f"{key} = {written(part)};\n" for key, part in main.items())
    path = folder / "challenge-notifyd.conf"
    path.write_text(text, encoding="utf-8")
    for policy in policies:
        (folder / "policies" / f"{policy['id']}.conf").write_text(
            f"policy = {written(policy)};\n", encoding="utf-8")
    return path


def calendar_of(group, holidays):
    """The oracle's calendar from the same group that the main file holds."""
    part = group.get("holidays")
    return counting.Calendar(group["zone"], group["hours"], holidays,
                             part["division"] if part else None,
                             [(c["from"], c["to"]) for c in group.get("closures", ())])


# -- random policies -------------------------------------------------------------------------

def some_calendar(rng):
    hours = dict(zip(counting.WEEKDAYS, rng.choice(HOURS)))
    group = {"id": "here", "zone": rng.choice(["Europe/London"] * 3 + ["Europe/Dublin"]),
             "hours": {day: text for day, text in hours.items() if text},
             "holidays": {"file": "bank-holidays.json",
                          "division": rng.choice(compare_counting.DIVISIONS)}}
    closures = []
    for _ in range(rng.choice([0, 1, 2])):
        start = rng.choice(compare_counting.INTERESTING) + rng.randint(-8, 8)
        end = start + rng.choice([0, 2, 4])
        if all(end < a or start > b for a, b in closures):
            closures.append((start, end))
    if closures:
        group["closures"] = tuple({"from": str(counting.date_of(a)), "to":
                                   str(counting.date_of(b)), "name": "Closure"}
                                  for a, b in sorted(closures))
    return group


def some_roles(rng, owner=True):
    pool = [f"{side}.{role}" for side in ("raising", "receiving", "both") for role in ROLES[:4]]
    pool += ["partnership.business_unit", "partnership.chair"] + (["owner"] * 4 if owner else [])
    return list(dict.fromkeys(rng.sample(pool, rng.randint(1, 3))))


def some_scale(rng):
    n = rng.choice([1, 1, 2, 3, 5])
    unit = rng.choice(["working day"] * 5 + ["hour", "hour", "working hour", "day", "week",
                                             "working week"])
    if "hour" in unit:
        n = rng.choice([1, 4, 8, 24, 48])
    if "week" in unit:
        n = rng.choice([1, 2])
    return f"{n} {unit}{'s' if n > 1 else ''}"


def some_limit(rng):
    draw = rng.random()
    if draw < 0.12:
        return "same working day"
    if draw < 0.24:
        return "end of next working day"
    if draw < 0.32:
        return "as agreed"
    return some_scale(rng)


def some_reminders(rng):
    pool = ["50%", "80%", "25%", "1 working day before", "2 working days before", "4 hours before",
            "2 working hours before", "1 day before"]
    return rng.sample(pool, rng.choice([0, 1, 1, 2, 3]))


def obligation_parts(rng, group, urgencies, later):
    """Limit, reminders, breach, repeat into a group; `later`: stages it may escalate to."""
    if rng.random() < 0.9:
        group["limit"] = some_limit(rng) if rng.random() < 0.6 else \
            {urgency: some_limit(rng) for urgency in urgencies}
        reminders = some_reminders(rng)
        if reminders:
            group["remind"] = reminders
        breach = {}
        if later and rng.random() < 0.6:
            breach["escalate_to"] = rng.choice(later[:2] + later[-1:])
        if rng.random() < 0.6:
            breach["tell"] = some_roles(rng)
        if breach:
            group["breach"] = breach
        repeats = 0.4
    else:
        repeats = 0.9
    if rng.random() < repeats:
        group["repeat"] = {"every": rng.choice(["1 month", "1 week", "1 working day", "1 working "
                                                "day", "2 working days", "3 days", "24 hours",
                                                "6 working hours"])}
        if rng.random() < 0.6:
            group["repeat"]["times"] = rng.randint(1, 4)


def some_obligation(rng, name, urgencies, later, starts):
    begin = rng.choice(starts)
    ends = [kind for kind in ("acknowledged", "responded", "agreed", "not_agreed", "meeting_held",
                              "outcome_shared", "discussed", "resolved", "closed")
            if kind != begin]
    group = {"id": name, "starts": begin, "ends": rng.sample(ends, rng.randint(1, 2))}
    if rng.random() < 0.4:
        group["firm"] = rng.random() < 0.5
    if rng.random() < 0.4:
        group["owner"] = rng.choice(["raising.practitioner", "receiving.manager", "both.manager"])
    obligation_parts(rng, group, urgencies, later)
    return group


def some_policy(rng, name):
    urgencies = ["standard", "urgent"][:rng.choice([1, 2, 2])]
    ids = [f"stage{n}" for n in range(1, rng.randint(2, 5))]
    stages = []
    for number, stage_id in enumerate(ids):
        later = ids[number + 1:]
        stage = {"id": stage_id, "title": stage_id.capitalize(),
                 "owner": rng.choice(["receiving.practitioner", "receiving.manager",
                                      "both.senior_manager", "partnership.chair"])}
        if rng.random() < 0.5:
            stage["inform"] = some_roles(rng, False)
        if rng.random() < 0.55:
            obligation_parts(rng, stage, urgencies, later)
        else:
            starts = ["stage", "stage", "not_agreed", "meeting_held", "responded", "discussed",
                      "decision_received", "raised"]
            stage["obligations"] = tuple(
                some_obligation(rng, f"{stage_id}_{letter}", urgencies, later, starts)
                for letter in "abc"[:rng.randint(1, 3)])
        stages.append(stage)
    policy = {
        "id": name, "version": "1", "title": "Random", "guidance": "https://partnership.example",
        "learning": {"title": "Slides", "url": "https://partnership.example/learning"},
        "causes": ["service"], "outcomes": ["changed", "stands"], "calendar": "here",
        "urgencies": urgencies,
        "counting": {"first_day": rng.choice(["next", "same"]),
                     "late_arrival": rng.choice(["same_day", "next_working_day"]),
                     "due": rng.choice(["close", "same_time"])},
        "immediate": {"tell": some_roles(rng, False)},
        "quiet": {"after": rng.choice(["5 working days", "2 working days", "36 hours", "1 week",
                                       "10 working hours"]), "tell": some_roles(rng, False)},
        "stages": tuple(stages)}
    if rng.random() < 0.4:
        policy["acknowledge"] = {"mutes": rng.choice(["1 working day", "24 hours", "4 working "
                                                      "hours", "3 days"])}
    starts = ["raised", "responded", "resolved", "resolved", "decision_received", "closed"]
    overall = tuple(some_obligation(rng, f"overall_{letter}", urgencies,
                                    ids[-1:] if rng.random() < 0.3 else [], starts)
                    for letter in "ab"[:rng.choice([0, 1, 2])])
    if overall:
        policy["overall"] = overall
    return policy


# -- random histories ------------------------------------------------------------------------

def some_history(rng, policy, calendar, odd):
    """Events in order of time, ids in order of entry; answers (events, protect_by)."""
    at = compare_counting.some_instant(rng, calendar)
    events = []
    if rng.random() < 0.3:
        events.append({"kind": rng.choice(["decision_received", "discussed"]),
                       "at": at - rng.choice([60, 3600, 90000, 400000])})
    raised = {"kind": "raised", "at": at}
    if rng.random() < 0.4:
        raised["due"] = at + rng.randrange(3600, 10 ** 6)
    events.append(raised)
    ids = [stage["id"] for stage in policy["stages"]]
    if rng.random() < 0.1:
        events.append({"kind": "stage", "stage": rng.choice(ids), "at": at})
    kinds = ["stage", "stage", "acknowledged", "discussed", "responded", "agreed", "not_agreed",
             "meeting_held", "outcome_shared", "paused", "paused", "resumed", "immediate_risk",
             "decision_received", "learned"]
    open_now = True
    for _ in range(rng.choice([0, 1, 2, 3, 5, 8])):
        at += rng.choice([0, 1800, 30000, 86400, 200000, 600000])
        if rng.random() < 0.5:
            at += rng.randrange(50000)
        elif rng.random() < 0.5 and calendar.working(calendar.day(at)):
            day = calendar.day(at)
            at = max(at, rng.choice([calendar.opens, calendar.closes])(day))
        draw = rng.random()
        if not open_now and not odd:
            kind = "reopened" if draw < 0.35 else rng.choice(["outcome_shared", "learned",
                                                              "closed"])
            if kind == "closed" and any(e["kind"] in ("closed", "withdrawn") for e in events):
                continue
        elif draw < 0.1:
            kind = rng.choice(["resolved", "resolved", "closed", "withdrawn"])
        elif draw < 0.14:
            kind = "reopened"
        else:
            kind = rng.choice(kinds + (["raised"] if odd else []))
        if kind in timeline.TERMINAL:
            open_now = False
        elif kind == "reopened":
            open_now = True
        event = {"kind": kind, "at": at}
        if kind == "stage":
            event["stage"] = rng.choice(ids)
        if kind == "paused" and rng.random() < 0.9:
            event["due"] = at + rng.choice([3600, 86400, 200000, 700000]) + rng.randrange(40000)
        elif kind != "resumed" and rng.random() < 0.4:
            event["due"] = at + rng.randrange(-7200, 10 ** 6)
        events.append(event)
    if rng.random() < 0.1:
        rng.shuffle(events)
    protect = rng.choice(events)["at"] + rng.randrange(-100000, 10 ** 6) \
        if rng.random() < 0.25 else None
    return events, protect


def zulu(at):
    return datetime.fromtimestamp(at, counting.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def command_line(program, config, policy, events, urgency, protect_by, until):
    line = [program, "--config", str(config), "timeline", "--policy", policy["id"]]
    for event in events:
        stage = ":" + event["stage"] if "stage" in event else ""
        due = "/" + zulu(event["due"]) if "due" in event else ""
        line += ["--event", f"{event['kind']}{stage}@{zulu(event['at'])}{due}"]
    if urgency:
        line += ["--urgency", urgency]
    if protect_by is not None:
        line += ["--protect-by", zulu(protect_by)]
    return line + ["--until", zulu(until), "--json"]


def comparable(entries):
    """Lines that must be the same; order within one instant is not promised beyond the kinds."""
    def seconds(value):
        return value if isinstance(value, int) else int(datetime.fromisoformat(value).timestamp())
    rows = []
    for e in entries:
        rows.append((seconds(e["at"]), timeline.ORDER.index(e["kind"]), e["stage"] or "",
                     e["obligation"] or "", e["step"] or "", e["occurrence"],
                     seconds(e["send_at"]), " ".join(e["to"]), e["firm"], e["provisional"]))
    return sorted(rows)


def readable(calendar, rows):
    return [f"{timeline.rfc3339(calendar, r[0])} {timeline.ORDER[r[1]]} stage={r[2]} "
            f"obligation={r[3]} step={r[4]} #{r[5]} send={timeline.rfc3339(calendar, r[6])} "
            f"to={r[7]} firm={r[8]} provisional={r[9]}" for r in rows]


def marks(rows, others, sign):
    """Each row, marked where the other list has it less often."""
    left = Counter(others)
    marked = []
    for row in rows:
        marked.append(f"  {' ' if left[row] > 0 else sign} {row}")
        left[row] -= 1
    return marked


def compare(program, config, policy, calendar, history, urgency, until):
    events, protect_by = history
    line = command_line(program, config, policy, events, urgency, protect_by, until)
    ours = timeline.timeline(policy, calendar, events, until, urgency, protect_by)
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        return f"exit {done.returncode}: {done.stderr}\n{shlex.join(line)}\n{written(policy)}"
    theirs = json.loads(done.stdout)
    rough = [(int(datetime.fromisoformat(e["at"]).timestamp()), timeline.ORDER.index(e["kind"]))
             for e in theirs]
    disorder = "not in order of time\n" if [r[0] for r in rough] != sorted(r[0] for r in rough) \
        else ""
    ours, theirs = comparable(ours), comparable(theirs)
    offsets_wrong = [e for e in json.loads(done.stdout) if e["at"] != timeline.rfc3339(
        calendar, int(datetime.fromisoformat(e["at"]).timestamp()))]
    if ours == theirs and not disorder and not offsets_wrong:
        return None
    a, b = readable(calendar, ours), readable(calendar, theirs)
    marked = marks(a, b, "-") + ["program:"] + marks(b, a, "+")
    return (f"{disorder}policy = {written(policy)};\n"
            f"hours {calendar.week} closures {calendar.closures} {calendar.zone.name}\n"
            f"{shlex.join(line)}\noracle:\n" + "\n".join(marked))


def batch(job):
    seed, program, holidays, odd = job
    rng = random.Random(seed)
    group = some_calendar(rng)
    calendar = calendar_of(group, counting.published_holidays(holidays))
    policies = [some_policy(rng, f"policy{n}") for n in range(POLICIES)]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        config = write_configuration(folder, group, policies, holidays)
        for policy in policies:
            for _ in range(HISTORIES):
                events, protect_by = some_history(rng, policy, calendar, odd)
                until = max(e["at"] for e in events) + rng.choice([20, 60, 100]) * 86400
                urgency = rng.choice([None] + policy["urgencies"])
                text = compare(program, config, policy, calendar, (events, protect_by), urgency,
                               until)
                if text:
                    found.append(f"seed {seed}\n{text}")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--challengectl", default=str(ROOT / "build/challengectl"))
    parser.add_argument("--holidays", default=str(ROOT / "conf/bank-holidays.json"))
    parser.add_argument("--odd", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", type=int, default=2, help="differences shown in full")
    args = parser.parse_args()
    if not pathlib.Path(args.challengectl).exists():
        print(f"{args.challengectl} is not built")
        return 77
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10 ** 9)
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    batches = max(1, -(-args.cases // (POLICIES * HISTORIES)))
    jobs = [(seed + n, args.challengectl, args.holidays, args.odd) for n in range(batches)]
    found = []
    with multiprocessing.Pool(args.processes) as pool:
        for differences in pool.imap_unordered(batch, jobs):
            found += differences
    for text in found[:args.show]:
        print(text + "\n")
    print(f"{batches * POLICIES * HISTORIES} cases, {len(found)} differences, "
          f"{time.monotonic() - began:.1f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
