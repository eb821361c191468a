#!/usr/bin/python3
"""Holds the daemon's counting (build/tests/oracle/count) against counting.py on random cases.

compare_counting.py [--cases N] [--seed S] [--count PROGRAM] [--holidays FILE] [--no-zones]
Prints the seed; on a difference prints the calendar, the question and both answers, exit 1.
"""

import argparse
import multiprocessing
import pathlib
import random
import subprocess
import sys
import time

import counting
from counting import OutOfRange

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DIVISIONS = ["england-and-wales", "scotland", "northern-ireland"]
ZONES = ["Europe/London", "Europe/London", "Europe/London", "Europe/Dublin", "UTC",
         "America/New_York"]
BATCH = 2500
FROM, TO = 1704067200, 1861920000  # 2024-01-01 .. 2029-01-01
# Both clock changes of every year, leap days, year ends, Easter and Christmas of 2024-2028.
INTERESTING = ([counting.day_of(f"{y}-12-24") for y in range(2024, 2029)]
               + [counting.day_of(t) for t in
                  ("2024-02-29", "2028-02-29", "2024-03-29", "2025-04-18", "2026-04-03",
                   "2027-03-26", "2028-04-14", "2024-03-31", "2025-03-30", "2026-03-29",
                   "2027-03-28", "2028-03-26", "2024-10-27", "2025-10-26", "2026-10-25",
                   "2027-10-31", "2028-10-29", "2026-03-08", "2026-11-01")])
HOURS = [
    ["09:00-17:00"] * 5 + ["", ""],
    ["09:00-17:00"] * 4 + ["09:00-12:30,13:30-16:30", "", ""],
    ["08:30-12:00,13:00-17:15"] * 5 + ["10:00-13:00", ""],
    ["", "10:00-16:00", "07:15-11:45,12:00-18:00,20:00-22:30", "", "00:00-24:00", "", ""],
    ["00:00-24:00"] * 7,
    ["22:00-24:00"] * 3 + ["00:00-06:00,09:00-17:00"] * 2 + ["00:00-05:00", "00:00-06:00"],
    ["", "", "", "", "", "", "00:30-03:30,09:00-12:00"],
    ["", "", "09:00-17:00", "", "", "", ""],
]


def some_hours(rng):
    if rng.random() < 0.6:
        return rng.choice(HOURS)
    while True:
        week = []
        for _ in range(7):
            # Quarter hours, in order and apart.
            marks = sorted(rng.sample(range(0, 97), 2 * rng.choice([0, 1, 1, 1, 2, 3])))
            week.append(",".join(f"{a // 4:02}:{a % 4 * 15:02}-{b // 4:02}:{b % 4 * 15:02}"
                                 for a, b in zip(marks[::2], marks[1::2])))
        if any(week):
            return week


def some_closures(rng):
    closures = []
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        start = rng.choice(INTERESTING) + rng.randint(-10, 10) if rng.random() < 0.5 else \
            rng.randint(FROM // 86400, TO // 86400)
        end = start + rng.choice([0, 1, 3, 9, 30])
        closures.append((start, end))
    return closures


def some_instant(rng, calendar):
    if rng.random() < 0.45:
        day = rng.choice(INTERESTING) + rng.randint(-12, 8)
    else:
        day = rng.randint(FROM // 86400, TO // 86400 - 1)
    kind = rng.random()
    if kind < 0.35 and calendar.working(day):
        edge = rng.choice([calendar.opens(day), calendar.closes(day)]
                          + [t for pair in calendar.ranges(day) for t in pair])
        return edge + rng.choice([-1, 0, 0, 1, -60, 60])
    if kind < 0.6:
        return day * 86400 + rng.randrange(0, 86400, 1800)
    return day * 86400 + rng.randrange(86400)


def some_pauses(rng, start):
    pauses = []
    at = start + rng.choice([-40000, -200000, 0, 3600, 30000, 90000])
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])):
        at += rng.choice([0, 1, 1800, 8 * 3600, 86400]) + rng.randrange(100000)
        end = at + rng.choice([1, 3600, 40000, 86400, 86400 * 5]) + rng.randrange(50000)
        pauses.append((at, end))
        at = end + 1
    return pauses


def some_pauses_at_edges(rng, calendar, start):
    """Like some_pauses, but with ends at openings and closings, where rules meet."""
    result, last = [], None
    for stop, go in some_pauses(rng, start):
        if rng.random() < 0.4 and calendar.working(calendar.day(stop)):
            stop = calendar.closes(calendar.day(stop)) + rng.choice([-1, 0, 1])
        if rng.random() < 0.4 and calendar.working(calendar.day(go)):
            go = rng.choice([calendar.closes, calendar.opens])(calendar.day(go))
        if stop < go and (last is None or stop > last):
            result.append((stop, go))
            last = go
    return result


def text_of(amount, unit):
    if unit in ("none", "same working day", "end of next working day", "as agreed"):
        return unit
    return f"{amount} {unit[:-1] if amount == 1 else unit}"


def pairs(pause_list):
    return ",".join(f"{a}:{b}" for a, b in pause_list) or "-"


def calendar_case(rng, published):
    zone, hours = rng.choice(ZONES), some_hours(rng)
    division = rng.choice(DIVISIONS + ["-"]) if rng.random() < 0.9 else "-"
    closures = some_closures(rng)
    named = dict(zip(counting.WEEKDAYS, hours))
    dates = [(str(counting.date_of(a)), str(counting.date_of(b))) for a, b in closures]
    calendar = counting.Calendar(zone, named, published, None if division == "-" else division,
                                 dates)
    line = " ".join(["calendar", zone, division, pairs(closures)]
                    + [pairs(counting.parse_hours(text)) for text in hours])
    return calendar, line


def question(rng, calendar):
    """A line for the program and the answer of the oracle as a call."""
    start = some_instant(rng, calendar)
    draw = rng.random()
    if draw < 0.66:
        unit = rng.choice(["working days"] * 4 + ["working hours"] * 3 + ["working weeks", "hours",
                          "days", "weeks", "same working day", "same working day",
                          "end of next working day", "end of next working day", "as agreed",
                          "none"])
        amount = {"working hours": rng.choice([1, 2, 8, 16, 40, 100]), "working weeks":
                  rng.randint(1, 6), "weeks": rng.randint(1, 6), "hours":
                  rng.choice([1, 4, 24, 48, 72, 500])}.get(unit, rng.choice([1, 1, 2, 3, 5, 10, 20,
                                                                            45]))
        rules = {"first_day": rng.choice(["next", "same"]),
                 "late_arrival": rng.choice(["same_day", "next_working_day"]),
                 "due": rng.choice(["close", "same_time"])}
        derived = rng.random() < 0.2
        agreed = start + rng.randrange(10 ** 6) if rng.random() < 0.7 else None
        stops = some_pauses_at_edges(rng, calendar, start)
        line = (f"due {rules['first_day']} {rules['late_arrival']} {rules['due']} {start} "
                f"{int(derived)} {'-' if agreed is None else agreed} {pairs(stops)} "
                f"{text_of(amount, unit).replace(' ', '_')}")
        return line, lambda: counting.due((amount, unit), calendar, rules, start, derived, agreed,
                                          stops)
    unit = rng.choice(["working days", "working days", "working weeks", "working hours", "hours",
                       "days", "weeks"])
    amount = rng.choice([1, 1, 2, 3, 5, 8])
    if draw < 0.76:
        if rng.random() < 0.15:
            unit = "months"
        k = rng.randint(1, 8)
        stops = some_pauses_at_edges(rng, calendar, start)
        return (f"repeat {k} {start} {pairs(stops)} {text_of(amount, unit).replace(' ', '_')}",
                lambda: counting.repeat((amount, unit), k, calendar, start, stops))
    if draw < 0.84:
        stops = some_pauses_at_edges(rng, calendar, start - amount * 100000)
        return (f"before {start} {pairs(stops)} {text_of(amount, unit).replace(' ', '_')}",
                lambda: counting.before((amount, unit), calendar, start, stops))
    if draw < 0.92:
        share = rng.choice([50, 50, 75, 80, 90, rng.randint(1, 99)])
        end = start + rng.randrange(10 ** 6)
        stops = some_pauses_at_edges(rng, calendar, start)
        return (f"percent {share} {start} {end} {pairs(stops)}",
                lambda: counting.percent(share, calendar, start, end, stops))
    if draw < 0.98:
        return f"send {start}", lambda: calendar.send_at(start)
    start += rng.choice([0, 86400 * 366])
    return f"provisional {start}", lambda: int(calendar.provisional(start))


def spoken(call):
    try:
        value = call()
    except OutOfRange:
        return "range"
    return "never" if value is None else str(value)


def batch(job):
    """One calendar, many questions; answers the differences as texts."""
    seed, program, holidays = job
    rng = random.Random(seed)
    calendar, line = calendar_case(rng, counting.published_holidays(holidays))
    asked = [question(rng, calendar) for _ in range(BATCH)]
    text = "\n".join([line] + [a for a, _ in asked]) + "\n"
    done = subprocess.run([program, holidays], input=text, capture_output=True, text=True,
                          timeout=120, check=False)
    if done.returncode != 0:
        return [f"seed {seed}: {program} exit {done.returncode}: {done.stderr}\n  {line}"]
    answers = done.stdout.split()
    if len(answers) != len(asked):
        return [f"seed {seed}: {len(answers)} answers to {len(asked)} questions\n  {line}"]
    found = []
    for (words, call), theirs in zip(asked, answers):
        ours = spoken(call)
        if ours != theirs:
            found.append(f"seed {seed}\n  {line}\n  {words}\n  oracle  {shown(calendar, ours)}\n"
                         f"  program {shown(calendar, theirs)}")
    return found


def shown(calendar, value):
    if not value.lstrip("-").isdigit() or len(value) < 6:
        return value
    day, second = calendar.zone.local(int(value))
    where = counting.date_of(day)
    return (f"{value} {where:%a %Y-%m-%d} {second // 3600:02}:{second // 60 % 60:02}:"
            f"{second % 60:02} local")


def zone_runs(name, start, end):
    """What `count zone` prints, from zoneinfo, at every half hour."""
    zone = counting.Zone(name)

    def runs(value):
        out, last = [], None
        for index, at in enumerate(range(start, end, 1800)):
            now = value(at)
            if now != last:
                out.append(f"{index}:{now}")
                last = now
        return " ".join(out)

    def local(at):
        day, second = zone.local(at)
        return day * 86400 + second - at

    return " | ".join([runs(zone.offset), runs(local),
                       runs(lambda at: at - zone.instant(at // 86400, at % 86400))])


def compare_zone(job):
    name, program, holidays = job
    start, end = counting.day_of("2024-01-01") * 86400, counting.day_of("2100-01-01") * 86400
    asked = f"zone {name} {start} {end} 1800\n"
    done = subprocess.run([program, holidays], input=asked, capture_output=True, text=True,
                          timeout=120, check=False)
    if done.stdout.strip() == zone_runs(name, start, end).strip() and done.returncode == 0:
        return []
    return [f"zone {name} differs from zoneinfo in 2024-2099 {done.stderr}"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=500000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--count", default=str(ROOT / "build/tests/oracle/count"))
    parser.add_argument("--holidays", default=str(ROOT / "conf/bank-holidays.json"))
    parser.add_argument("--no-zones", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", type=int, default=5, help="differences shown")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10 ** 9)
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    # --seed of a difference alone repeats exactly its batch when --cases is at most BATCH.
    batches = max(1, -(-args.cases // BATCH))
    jobs = [(seed + n, args.count, args.holidays) for n in range(batches)]
    differences = []
    with multiprocessing.Pool(args.processes) as pool:
        if not args.no_zones:
            names = ["Europe/London", "Europe/Dublin", "UTC", "America/New_York"]
            zones = [(name, args.count, args.holidays) for name in names]
            for found in pool.imap_unordered(compare_zone, zones):
                differences += found
        for found in pool.imap_unordered(batch, jobs):
            differences += found
    for text in differences[:args.show]:
        print(text)
    print(f"{batches * BATCH} cases, {len(differences)} differences, "
          f"{time.monotonic() - began:.1f} s")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
