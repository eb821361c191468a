#!/usr/bin/python3
"""`challengectl explain`, `forecast` and `timeline` as a person and a program read them, on the shipped configuration.

The days are counted by hand in the comments: Monday 2026-12-21, the example policy's 3 working days, Christmas.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from control import CTL, TOP, complaint_of  # noqa: E402


class Views(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="test-explain-"))
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(TOP / "conf", self.folder, dirs_exist_ok=True)
        main = self.folder / "challenge-notifyd.conf"
        text = re.sub(r'(?m)^store = .*', 'store = "challenges.db";', main.read_text())
        main.write_text(re.sub(r'(?m)^state = .*', 'state = "state";', text))
        self.ctl("init")
        store = sqlite3.connect(self.folder / "challenges.db")
        store.executescript("""
            INSERT INTO agency (id, name) VALUES ('council', 'Council'), ('health', 'Health');
            INSERT INTO challenge (reference, policy, policy_version, raising_agency, receiving_agency)
              VALUES ('A-1', 'example', '2026-01', 'health', 'council'), ('A-2', 'example', '2026-01', 'health', 'council');
            -- Monday 2026-12-21 10:00 in London.
            INSERT INTO event (challenge, kind, at) VALUES (1, 'raised', unixepoch('2026-12-21 10:00'));
            INSERT INTO event (challenge, kind, at) VALUES (2, 'raised', unixepoch('2026-12-21 10:00'));
            INSERT INTO event (challenge, kind, at) VALUES (2, 'resolved', unixepoch('2026-12-22 10:00'));
            """)
        store.close()

    def ctl(self, *arguments, status=0):
        ran = subprocess.run([CTL, "--config", self.folder / "challenge-notifyd.conf", *arguments], text=True,
                             capture_output=True, timeout=30, stdin=subprocess.DEVNULL)
        self.assertEqual(ran.returncode, status, ran.stderr)
        return ran.stderr if status else ran.stdout

    def explain(self, reference, at):
        return json.loads(self.ctl("explain", reference, "--at", at, "--json"))

    def test_each_day_with_its_reason(self):
        """3 working days after Monday 21: 22, 23, 24 December (Thursday)."""
        owed = self.explain("A-1", "2026-12-22 12:00")["owed"]
        first = next(one for one in owed if one["obligation"] == "practitioner")
        self.assertEqual(first["due"], "2026-12-24T17:00:00+00:00")
        self.assertEqual([(day["date"], day["number"], day["reason"]) for day in first["days"]],
                         [("2026-12-21", 0, "day of the start: not counted"), ("2026-12-22", 1, None),
                          ("2026-12-23", 2, None), ("2026-12-24", 3, None)])
        line = Path(first["file"]).read_text().splitlines()[first["line"] - 1]
        self.assertIn("3 working days", line)

    def test_holidays_and_closures_are_named(self):
        """20 working days for the cap, over Christmas: weekends, bank holidays and the closure are not counted."""
        owed = self.explain("A-1", "2026-12-22 12:00")["owed"]
        cap = next(one for one in owed if one["obligation"] == "cap")
        reasons = {day["date"]: (day["reason"], day["name"]) for day in cap["days"] if day["reason"]}
        self.assertEqual(reasons["2026-12-25"], ("bank holiday", "Christmas Day"))
        self.assertEqual(reasons["2026-12-28"][0], "bank holiday")
        self.assertEqual(reasons["2026-12-26"], ("closed", None))
        self.assertEqual(max(day["number"] for day in cap["days"]), 20)

    def test_working_hours_are_counted_day_by_day_and_pauses_named(self):
        """12 working hours from Friday 20 February, 18:30: Monday 9 to 12, Wednesday 10 to 17, Thursday 9 to 11."""
        (self.folder / "policies" / "hours.conf").write_text("""policy = { id = "hours"; version = "1"; title = "Hours";
          calendar = "england"; stages = ( { id = "one"; title = "One"; owner = "receiving.practitioner"; obligations = (
            { id = "worked"; starts = "stage"; ends = [ "responded" ]; limit = "12 working hours"; },
            { id = "elapsed"; starts = "stage"; ends = [ "responded" ]; limit = "100 hours"; } ); } ); };""")
        self.ctl("raise", "--policy", "hours", "--raising", "health", "--receiving", "council", "--reference", "H-1",
                 "--at", "2026-02-20 18:30")
        self.ctl("record", "H-1", "paused", "--at", "2026-02-23 12:00", "--until", "2026-02-25 10:00")
        at = "2026-02-25 12:00"
        worked, elapsed = (one for one in self.explain("H-1", at)["owed"] if one["stage"] == "one")
        self.assertEqual(worked["due"], "2026-02-26T11:00:00+00:00")
        self.assertEqual([(day["date"][-2:], day["seconds"], day["reason"]) for day in worked["days"]],
                         [("20", 0, "outside opening hours"), ("21", 0, "closed"), ("22", 0, "closed"),
                          ("23", 3 * 3600, "paused for a part of it"), ("24", 0, "paused"),
                          ("25", 7 * 3600, "paused for a part of it"), ("26", 2 * 3600, None)])
        self.assertEqual(elapsed["days"], [])
        words = self.ctl("explain", "H-1", "--at", at)
        self.assertIn("Thu 2026-02-26   2 h 00 min\n", words)
        self.assertEqual(words.count("paused from Mon 2026-02-23 12:00 to Wed 2026-02-25 10:00: that does not count"), 1)

    def test_without_the_right_to_read_the_ledger_the_count_is_shown(self):
        """An officer has the store's group, and not the daemon's file."""
        state = self.folder / "state"
        state.mkdir(mode=0)
        self.addCleanup(state.chmod, 0o700)
        more = {}
        if os.geteuid() == 0:
            self.folder.chmod(0o777)
            (self.folder / "challenges.db").chmod(0o666)
            program = self.folder / "challengectl"  # the tree may lie where nobody else may look
            shutil.copy(CTL, program)
            more = {"user": 65534, "group": 65534, "extra_groups": []}
        else:
            program = CTL
        ask = [program, "--config", self.folder / "challenge-notifyd.conf", "explain", "A-1", "--at", "2026-12-22 12:00"]
        said = subprocess.run(ask, text=True, capture_output=True, timeout=30, **more)
        self.assertEqual((said.returncode, complaint_of(said)), (0, ""))
        self.assertIn("due     Thu 2026-12-24 17:00", said.stdout)
        self.assertIn("Decided so far: only root and the daemon's user may see that", said.stdout)
        document = json.loads(subprocess.run([*ask, "--json"], capture_output=True, timeout=30, **more).stdout)
        self.assertIsNone(document["decided"])
        self.assertEqual(self.explain("A-2", "2026-12-22 12:00")["decided"], [] if os.geteuid() == 0 else None)

    def test_words_say_the_same(self):
        said = self.ctl("explain", "A-1", "--at", "2026-12-22 12:00")
        self.assertIn("Thu 2026-12-24    3", said)
        self.assertIn("due     Thu 2026-12-24 17:00", said)
        coming = said.split("Comes next")[1]
        self.assertRegex(coming, r"(?m)^  \S+ \S+ \S+  reminder +practitioner +to receiving\.practitioner$")
        self.assertRegex(coming, r"(?m)^  \S+ \S+ \S+  escalation +manager/practitioner +to receiving\.manager, ")
        self.assertRegex(said, r"rule    \S+policies/example\.conf:\d+: 3 working days")
        self.assertIn("stops   when one of these is recorded: a move to another stage, resolved, withdrawn or closed", said)
        self.assertIn("Comes next", said)
        self.assertIn("the daemon has no ledger yet", said)

    def test_after_the_time_ran_out_the_stage_has_moved_by_itself(self):
        view = self.explain("A-1", "2027-01-04 12:00")
        self.assertEqual((view["stage"], view["derived"], view["open"]), ("manager", True, True))
        late = next(one for one in view["owed"] if one["obligation"] == "practitioner")
        self.assertTrue(late["passed"])

    def test_what_was_resolved_owes_feedback(self):
        view = self.explain("A-2", "2026-12-22 12:00")
        self.assertFalse(view["open"])
        self.assertEqual([one["obligation"] for one in view["owed"]], ["feedback"])
        self.assertEqual(view["owed"][0]["ends"], ["outcome_shared", "closed"])
        # Neither a withdrawal nor a second resolution gives the feedback that is owed.
        self.assertIn("recorded: outcome_shared or closed\n", self.ctl("explain", "A-2", "--at", "2026-12-22 12:00"))

    def test_an_unknown_reference_is_one_line(self):
        said = self.ctl("explain", "A-3", "--at", "2026-12-22 12:00", status=3)
        self.assertRegex(said, r"\Achallengectl: [^\n]*A-3[^\n]*\n\Z")

    def test_a_forecast_is_what_the_timelines_bring(self):
        rows = json.loads(self.ctl("forecast", "--days", "3", "--at", "2026-12-22 08:00", "--json"))
        self.assertEqual([(row["send_at"], row["reference"], row["kind"]) for row in rows],
                         [("2026-12-23T09:00:00+00:00", "A-1", "reminder"),
                          ("2026-12-23T09:30:00+00:00", "A-1", "reminder")])
        self.assertEqual(json.loads(self.ctl("forecast", "--at", "2020-01-01 08:00", "--json")), [])
        self.assertEqual(self.ctl("forecast", "--at", "2020-01-01 08:00"), "Nothing is said in that time.\n")

    def test_a_forecast_of_no_days_is_refused(self):
        for days in ("0", "-1", "x", "99999"):
            self.assertIn("--days", self.ctl("forecast", "--days", days, status=2))

    def test_timeline_refuses_what_it_does_not_know(self):
        for arguments, word in ((("--event", "rased@2026-12-21 10:00"), "raised"),
                                (("--event", "stage:manger@2026-12-21 10:00"), "manager"),
                                (("--event", "raised@soon"), "not a time"), (("--event", "raised"), "KIND"),
                                ((), "--event"), (("--event", "agreed@2026-12-21", "--immediate"), "raised")):
            with self.subTest(arguments):
                self.assertIn(word, self.ctl("timeline", "--policy", "example", *arguments, status=2))

    def test_timeline_takes_british_dates_beside_the_slash_of_an_agreed_one(self):
        said = [self.ctl("timeline", "--policy", "example", "--event", f"raised@{raised}", "--event",
                         f"paused@{paused}/{until}", "--json")
                for raised, paused, until in (("2026-12-21 10:00", "2026-12-22", "2026-12-23 12:00"),
                                              ("21/12/2026 10:00", "22/12/2026", "23/12/2026 12:00"),
                                              ("21/12/2026 10:00", "2026-12-22", "23/12/2026 12:00"))]
        self.assertIn("breach", said[0])
        self.assertEqual(said, [said[0]] * 3)

    def test_timeline_warns_of_an_unknown_urgency(self):
        ran = subprocess.run([CTL, "--config", self.folder / "challenge-notifyd.conf", "timeline", "--policy", "example",
                              "--event", "raised@2026-12-21 10:00", "--urgency", "soon", "--json"], text=True,
                             capture_output=True, timeout=30)
        self.assertEqual(ran.returncode, 0)
        self.assertIn("shortest limits", ran.stderr)
        # The urgent limit, 1 working day: Tuesday 22 December at closing.
        self.assertEqual(next(row["at"] for row in json.loads(ran.stdout) if row["kind"] == "breach"),
                         "2026-12-22T17:00:00+00:00")


if __name__ == "__main__":
    unittest.main()
