#!/usr/bin/python3
"""Writes a challenge store with as many open challenges as asked for, in seconds: for make bench only.

usage: make_store.py FILE CHALLENGES [--early N] [--at SECONDS]

Every challenge has one `raised` event, within the hour before now or --at. --early: so many of them were raised earlier
than the rest, all at one instant, so that they fall due together before any other does. The first 20,000 have each a
receiving practitioner of their own, so that each mail goes to another person.
"""

import argparse
import sqlite3
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
AGENCIES = 2000
PEOPLE = 10  # practitioners of each agency
HOUR = 3600


def contacts():
    yield ("partnership", "business_unit", "Unit", "unit@partnership.example")
    for agency in range(AGENCIES):
        yield (f"a{agency}", "manager", f"Manager {agency}", f"manager{agency}@council.example")
        for person in range(PEOPLE):
            yield (f"a{agency}", "practitioner", f"Person {agency} {person}", f"p{person}.a{agency}@council.example")


def challenge(number):
    agency = number % AGENCIES
    practitioner = 3 + agency * (PEOPLE + 1) + number // AGENCIES % PEOPLE
    return (number + 1, f"R-{number:07}", "example", "2026-01", f"a{(agency + 1) % AGENCIES}", f"a{agency}", practitioner,
            2 * (number + 1))


def fill(store, count, early, now):
    store.executemany("INSERT INTO agency (id, name, telephone) VALUES (?, ?, '01632 960000')",
                      [("partnership", "Partnership"), *((f"a{n}", f"Agency {n}") for n in range(AGENCIES))])
    store.executemany("INSERT INTO contact (agency, role, name, email) VALUES (?, ?, ?, ?)", contacts())
    store.executemany(
        "INSERT INTO challenge (id, reference, policy, policy_version, raising_agency, receiving_agency,"
        " receiving_contact, change_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (challenge(n) for n in range(count)))
    store.executemany(
        "INSERT INTO event (challenge, kind, at, recorded_at) VALUES (?, 'raised', ?, ?)",
        ((n + 1, at, at) for n in range(count)
         for at in [now - 10 * HOUR if n < early else now - n % HOUR]))
    store.execute("UPDATE counter SET change_seq = ?", (2 * count,))


def make(path, count, early=0, now=None):
    """The triggers would number every row: they are set aside meanwhile, and the numbers written as they would."""
    Path(path).unlink(missing_ok=True)
    store = sqlite3.connect(path, isolation_level=None)
    store.executescript((TOP / "conf" / "store.sql").read_text())
    triggers = store.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    store.execute("PRAGMA synchronous = OFF")
    store.execute("PRAGMA foreign_keys = OFF")
    store.execute("BEGIN IMMEDIATE")
    for name, _ in triggers:
        store.execute(f"DROP TRIGGER {name}")
    fill(store, count, early, int(time.time()) if now is None else now)
    for _, sql in triggers:
        store.execute(sql)
    store.execute("COMMIT")
    store.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("challenges", type=int)
    parser.add_argument("--early", type=int, default=0)
    parser.add_argument("--at", type=int)
    given = parser.parse_args()
    make(given.file, given.challenges, given.early, given.at)


if __name__ == "__main__":
    main()
