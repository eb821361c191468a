#!/usr/bin/python3
"""challengectl check: each thing that it has to find, found at its line, one test for each."""

import contextlib
import sqlite3
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from trial import CALENDAR, QUIET, Trial  # noqa: E402

# Its own lines begin at 4 of the file: the three before are the policy's head.
STAGES = """stages = (
  { id = "first"; title = "First"; owner = "receiving.manager";
    limit = "2 working days";
    remind = [ "50%" ];
    breach = { escalate_to = "second"; tell = [ "owner" ]; }; },
  { id = "second"; title = "Second"; owner = "receiving.senior_manager";
    limit = "5 working days"; repeat = { every = "1 working day"; }; } );"""
HEAD_LINES = 3


class Check(unittest.TestCase):
    def setUp(self):
        self.trial = Trial(self)
        self.file = self.trial.policy(STAGES)

    def says(self, status, line, *parts, at="2026-03-02 10:00"):
        """One line of the answer names the policy's file, that line of it (of STAGES), and each part."""
        ran = self.trial.run("check", "--at", at)
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        where = f"{self.file}:{line + HEAD_LINES}: "
        found = [said for said in ran.stdout.splitlines()
                 if said.startswith(where) and all(part in said for part in parts)]
        self.assertTrue(found, f"{where} {parts} in:\n{ran.stdout}")

    def spoil(self, old, new):
        self.assertIn(old, STAGES)
        self.trial.policy(STAGES.replace(old, new))

    def test_a_sound_policy_is_told_in_plain_english(self):
        ran = self.trial.run("check", "--at", "2026-03-02 10:00")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        for sentence in ("No faults.", "2 working days", "The day of the start is not counted",
                         "Reminds after 50% of the time", "and goes to Second", "After that asks again every 1 working day"):
            self.assertIn(sentence, ran.stdout)
        self.assertNotIn("warning", ran.stdout)

    def test_a_misspelt_key_names_the_nearest_known_one(self):
        self.spoil("remind =", "remimd =")
        self.says(1, 4, "remimd", "no such setting", '"remind"')

    def test_an_unknown_role(self):
        self.spoil('owner = "receiving.manager"', 'owner = "receiving.manger"')
        self.says(1, 2, "owner", "manger", '"manager"')

    def test_an_unknown_stage(self):
        self.spoil('escalate_to = "second"', 'escalate_to = "secund"')
        self.says(1, 5, "escalate_to", "no such stage", '"second"')

    def test_an_unknown_calendar(self):
        self.trial.policy(STAGES, calendar="engalnd")
        self.says(1, 1 - HEAD_LINES, "calendar", "engalnd", '"england"')

    def test_an_unknown_unit(self):
        self.spoil('"2 working days"', '"2 workin days"')
        self.says(1, 3, "limit", "workin", "working days")

    def test_a_stage_that_no_silence_reaches(self):
        self.spoil('escalate_to = "second"; ', "")
        self.says(0, 6, "warning", "no escalation leads to this stage")

    def test_a_stage_in_which_silence_ends(self):
        self.spoil('escalate_to = "second"; ', "")
        self.says(0, 2, "warning", "no escalation leads out of this stage")

    def test_a_reminder_before_its_start(self):
        self.spoil('[ "50%" ]', '[ "3 working days before" ]')
        self.says(0, 4, "warning", "3 working days before", "falls before the start")

    def test_48_hours_are_not_two_working_days(self):
        self.spoil('"2 working days"', '"48 hours"')
        self.says(0, 3, "warning", "48 hours", "2 working days is something else")

    def test_a_limit_that_is_none(self):
        self.spoil('limit = "2 working days";\n    remind = [ "50%" ];\n    breach = '
                   '{ escalate_to = "second"; tell = [ "owner" ]; };', "")
        self.says(0, 2, "warning", "none", "nobody is ever late or reminded")

    def test_silence_without_an_answer_is_a_warning(self):
        self.file = self.trial.policy(STAGES, quiet="")
        ran = self.trial.run("check", "--at", "2026-03-02 10:00")
        self.assertEqual(ran.returncode, 0)
        self.assertRegex(ran.stdout, r"quiet: warning: left out: .*5 working days")

    def test_two_versions_with_one_name(self):
        second = self.trial.folder / "policies" / "zz.conf"
        second.write_text(self.file.read_text())
        ran = self.trial.run("check", "--at", "2026-03-02 10:00")
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stdout, rf'(?m)^{second}:1: policy\.version: "1" of "trial" is in .*trial-1\.conf as well')

    def test_a_calendar_without_a_working_day(self):
        self.trial.configure(calendars=('{ id = "england"; zone = "Europe/London"; hours = { }; }',))
        ran = self.trial.run("check", "--at", "2026-03-02 10:00")
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stdout, r"challenge-notifyd\.conf:\d+: calendars.*: no day of the week")

    def test_holidays_that_end_too_soon_for_the_moment_given(self):
        ran = self.trial.run("check", "--at", "2026-03-02 10:00")
        self.assertNotIn("holidays of", ran.stdout)
        late = self.trial.run("check", "--at", "2045-03-02 10:00")
        self.assertEqual(late.returncode, 0)
        self.assertRegex(late.stdout, r"challenge-notifyd\.conf:\d+: calendars\.holidays: warning: .*ended on 20\d\d-12-31")

    def store(self, *people):
        self.trial.json("init")
        with contextlib.closing(sqlite3.connect(self.trial.folder / "challenges.db", isolation_level=None)) as store:
            for agency, role in people:
                store.execute("INSERT OR IGNORE INTO agency (id, name) VALUES (?, ?)", (agency, agency))
                store.execute("INSERT INTO contact (agency, role, name, email) VALUES (?, ?, 'N', ?)",
                              (agency, role, f"{role}@council.test"))

    def test_a_role_that_no_agency_in_the_store_can_fill(self):
        self.store(("council", "manager"), ("partnership", "business_unit"), ("council", "designated_lead"))
        self.says(0, 6, "warning", '"receiving.senior_manager"', "nobody in the store holds")

    def test_roles_that_some_agency_fills_are_not_named(self):
        self.store(("council", "manager"), ("school", "senior_manager"), ("partnership", "business_unit"),
                   ("council", "designated_lead"))
        self.assertNotIn("nobody in the store", self.trial.run("check", "--at", "2026-03-02 10:00").stdout)

    def test_without_a_store_nothing_is_said_of_people(self):
        self.assertNotIn("nobody in the store", self.trial.run("check").stdout)
        self.trial.json("init")
        self.assertNotIn("nobody in the store", self.trial.run("check").stdout, "nor of an empty one")

    def test_every_fault_is_told_and_not_only_the_first(self):
        self.trial.policy(STAGES.replace('"2 working days"', '"2 workin days"').replace("remind", "remimd"))
        self.says(1, 3, "limit")
        self.says(1, 4, "remimd")


if __name__ == "__main__":
    unittest.main()
