#!/usr/bin/python3
"""challengectl simulate: what another configuration would change, counted by hand."""

import contextlib
import os
import pty
import sqlite3
import subprocess
import sys
import unittest
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from trial import CALENDAR, CTL, TOP, Trial, local  # noqa: E402

STAGES = """stages = (
  { id = "first"; title = "First"; owner = "receiving.manager"; limit = "%s"; %s
    breach = { escalate_to = "second"; tell = [ "owner" ]; }; },
  { id = "second"; title = "Second"; owner = "receiving.senior_manager"; limit = "10 working days"; } );"""


def utc(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


class Simulate(unittest.TestCase):
    # Monday 2 March 2026, 10:00; no clock change before the 29th, no holiday before 3 April (Good Friday).
    NOW = "2026-03-09 10:00"

    def setUp(self):
        self.trial = Trial(self)
        self.trial.policy(STAGES % ("20 working days", ""))
        self.trial.json("init")
        self.new = self.trial.folder / "new.conf"
        self.change("2 working days")

    def change(self, limit, more="", calendar=CALENDAR):
        """Another main file beside the first, with policies of its own and the same store."""
        self.trial.configure(calendars=(calendar,), file=self.new)
        self.new.write_text(self.new.read_text().replace('policies = "policies"', 'policies = "changed"'))
        self.trial.policy(STAGES % (limit, more), folder="changed")

    def challenge(self, reference, *events, version="1"):
        with contextlib.closing(sqlite3.connect(self.trial.folder / "challenges.db", isolation_level=None)) as store:
            store.execute("INSERT OR IGNORE INTO agency (id, name) VALUES ('school', 'S'), ('council', 'C')")
            number = store.execute(
                "INSERT INTO challenge (reference, policy, policy_version, raising_agency, receiving_agency)"
                " VALUES (?, 'trial', ?, 'school', 'council')", (reference, version)).lastrowid
            for kind, at in events:
                store.execute("INSERT INTO event (challenge, kind, at) VALUES (?, ?, ?)", (number, kind, utc(at)))

    def simulate(self, *options):
        return self.trial.json("--at", self.NOW, "simulate", "--config", self.new, *options)

    def test_a_slip_of_2_for_20_shows_each_mail_that_would_go_at_once(self):
        self.challenge("A", ("raised", "2026-03-02 10:00"))
        found = self.simulate()
        (one,) = found["challenges"]
        # 20 working days after Mon 2 March: Mon 30 March; 2: Wed 4 March, both at closing.
        # From those the second stage runs its 10: to Wed 15 April (the 3rd and the 6th are holidays), and 18 March.
        self.assertEqual([(d["stage"], d["from"], d["to"], d["owed"]) for d in one["deadlines"]],
                         [("first", "2026-03-30T17:00:00+01:00", "2026-03-04T17:00:00+00:00", True),
                          ("second", "2026-04-15T17:00:00+01:00", "2026-03-18T17:00:00+00:00", True)])
        # Due already: the breach, and the escalation at the same instant.
        self.assertEqual([(e["kind"], local(e), e["to"]) for e in one["at_once"]],
                         [("breach", "2026-03-04 17:00", ["receiving.manager"]),
                          ("escalation", "2026-03-04 17:00", ["receiving.senior_manager"])])
        # The second breach and each word about the silence after it only move: neither added nor dropped.
        self.assertEqual(one["added"], [])
        self.assertEqual(one["dropped"], [])
        self.assertEqual(found["summary"], {"challenges": 1, "differing": 1, "deadlines_earlier": 2, "deadlines_later": 0,
                                            "at_once": 2, "added": 0, "dropped": 0, "problems": 0})

    def test_the_same_configuration_changes_nothing(self):
        self.challenge("A", ("raised", "2026-03-02 10:00"))
        found = self.trial.json("--at", self.NOW, "simulate", "--config", self.trial.file)
        self.assertEqual(found["challenges"], [])
        self.assertEqual(found["summary"]["challenges"], 1)
        self.assertEqual(found["summary"]["differing"], 0)

    def test_a_reminder_more_is_added_and_one_less_is_dropped(self):
        self.challenge("A", ("raised", "2026-03-02 10:00"))
        self.change("20 working days", 'remind = [ "1 working day before" ];')
        (one,) = self.simulate()["challenges"]
        # Due Mon 30 March; the working day before is Fri 27 March, at its opening.
        self.assertEqual([(e["kind"], local(e), e["to"]) for e in one["added"]],
                         [("reminder", "2026-03-27 09:00", ["receiving.manager"])])
        self.assertEqual((one["dropped"], one["at_once"], one["deadlines"]), ([], [], []))
        swapped = self.trial.run("--json", "--at", self.NOW, "--config", self.new, "simulate", "--config",
                                 self.trial.file)
        self.assertEqual(swapped.returncode, 2, "a third --config is one too many")

    def test_a_past_challenge_is_told_of_but_nothing_of_it_goes_at_once(self):
        # Answered on the third day: in time by the old limit, late by the new one.
        self.challenge("A", ("raised", "2026-02-02 10:00"), ("resolved", "2026-02-05 10:00"))
        (one,) = self.simulate()["challenges"]
        self.assertFalse(one["open"])
        self.assertEqual(one["at_once"], [])
        self.assertIn(("breach", "2026-02-04 17:00"), [(e["kind"], local(e)) for e in one["added"]])

    def test_a_new_holiday_moves_deadlines_later(self):
        self.challenge("A", ("raised", "2026-03-02 10:00"))
        closed = CALENDAR.replace("holidays =", 'closures = ( { from = "2026-03-18"; name = "Mourning"; } ); holidays =')
        self.change("20 working days", calendar=closed)
        found = self.simulate()
        (one,) = found["challenges"]
        self.assertEqual([d["to"] for d in one["deadlines"] if d["owed"]], ["2026-03-31T17:00:00+01:00"])
        self.assertEqual((one["at_once"], one["dropped"]), ([], []))
        self.assertEqual(found["summary"]["deadlines_earlier"], 0)

    def test_a_version_that_the_new_configuration_lacks_is_a_problem(self):
        self.challenge("A", ("raised", "2026-03-02 10:00"))
        (self.trial.folder / "changed" / "trial-1.conf").unlink()
        self.trial.policy(STAGES % ("2 working days", ""), version="2", folder="changed")
        found = self.simulate()
        self.assertEqual(found["problems"][0]["reference"], "A")
        self.assertEqual(found["problems"][0]["configuration"], "new")
        self.assertIn("trial@2", found["problems"][0]["text"])
        self.assertEqual(found["summary"]["dropped"], 7)  # inform, breach, escalation, breach, three times quiet

    def test_words_end_in_a_summary(self):
        self.challenge("A", ("raised", "2026-03-02 10:00"))
        ran = self.trial.run("--at", self.NOW, "simulate", "--config", self.new)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("first/first: Mon 2026-03-30 17:00 becomes Wed 2026-03-04 17:00 (earlier, owed now)", ran.stdout)
        self.assertRegex(ran.stdout, r"\n1 challenge compared, 1 differs\. .*\nMails: 0 added, 0 dropped, 2 due at "
                                     r"once; .*approve\.\n\Z")

    def test_nothing_is_written(self):
        self.challenge("A", ("raised", "2026-03-02 10:00"))
        before = {path: path.read_bytes() for path in self.trial.folder.rglob("*") if path.is_file()}
        self.simulate()
        after = {path: path.read_bytes() for path in self.trial.folder.rglob("*") if path.is_file()}
        self.assertEqual(before, after)

    def test_without_a_new_configuration_it_says_how_to_give_one(self):
        ran = self.trial.run("simulate")
        self.assertEqual((ran.returncode, ran.stdout), (2, ""))
        self.assertIn("simulate --config NEW", ran.stderr)

    def test_the_old_configuration_is_the_installed_one_when_not_named(self):
        ran = subprocess.run([CTL, "simulate", "--config", self.new], text=True, capture_output=True, timeout=30)
        self.assertEqual(ran.returncode, 3)
        self.assertIn("/challenge-notifyd/challenge-notifyd.conf", ran.stderr)

    def test_a_faulty_new_configuration_is_told_at_its_line(self):
        self.trial.policy(STAGES % ("2 workin days", ""), folder="changed")
        ran = self.trial.run("simulate", "--config", self.new)
        self.assertEqual((ran.returncode, ran.stdout), (3, ""))
        self.assertRegex(ran.stderr, r"trial-1\.conf:\d+: .*limit")


if __name__ == "__main__":
    unittest.main()
