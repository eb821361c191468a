#!/usr/bin/python3
"""challengectl's store commands as a person or a program uses them: run whole, on a store in a folder of its own."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
CTL = Path(os.environ.get("BUILD", TOP / "build")).resolve() / "challengectl"

DONE, NO, USAGE, COULD_NOT = 0, 1, 2, 3


class StoreCommands(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="test-store-"))
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(TOP / "conf", self.folder, dirs_exist_ok=True)
        main = self.folder / "challenge-notifyd.conf"
        text = re.sub(r'(?m)^store = .*', 'store = "challenges.db";', main.read_text())
        text = re.sub(r'(?m)^state = .*', 'state = "state";', text)
        main.write_text(text)
        self.store = self.folder / "challenges.db"

    def ctl(self, *arguments):
        return subprocess.run([CTL, "--config", self.folder / "challenge-notifyd.conf", *arguments], text=True,
                              capture_output=True, timeout=30, stdin=subprocess.DEVNULL)

    def done(self, *arguments):
        """Runs it with --json: the document that it prints."""
        ran = self.ctl("--json", *arguments)
        self.assertEqual((ran.returncode, ran.stderr), (DONE, ""), arguments)
        return json.loads(ran.stdout)

    def refused(self, status, text, *arguments):
        """One clear line on standard error, nothing on standard output, and nothing written."""
        before = self.contents()
        for options in ((), ("--json",)):
            ran = self.ctl(*options, *arguments)
            self.assertEqual(ran.returncode, status, (arguments, ran.stderr))
            self.assertEqual(ran.stdout, "")
            self.assertRegex(ran.stderr, r"\Achallengectl: [^\n]*\n\Z")
            self.assertIn(text, ran.stderr)
        self.assertEqual(self.contents(), before)

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(self.store)) as db:
            return db.execute(sql).fetchall()

    def contents(self):
        if not self.store.exists():
            return None
        return [self.query(f"SELECT * FROM {table}") for table in ("agency", "contact", "challenge", "event")]

    def fill(self):
        self.done("init")
        self.done("agency", "add", "school", "--name", "Example School", "--telephone", "01632 960001")
        self.done("agency", "add", "social-care", "--name", "Social Care", "--calendar=england")
        self.done("contact", "add", "--agency", "school", "--role", "practitioner",
                  "--email", "a.teacher@partnership.example", "--name", "A. Teacher")
        self.done("contact", "add", "--agency", "social-care", "--role", "manager",
                  "--email", "team@partnership.example", "--shared", "--deputy", "1")

    def raise_one(self, *more):
        return self.done("raise", "--policy", "example", "--raising", "school", "--receiving", "social-care",
                         "--at", "2026-06-01 10:00", *more)

    # --- init ----------------------------------------------------------------------------------------

    def test_init_makes_a_store_once(self):
        self.assertEqual(Path(self.done("init")["store"]).name, "challenges.db")
        self.assertEqual(self.store.stat().st_mode & 0o777, 0o660)
        self.assertEqual(self.query("PRAGMA application_id"), [(0x43484E44,)])
        self.refused(COULD_NOT, "already", "init")

    def test_without_a_store_every_command_says_what_to_do(self):
        for command in (["list"], ["show", "x"], ["agency", "list"], ["record", "x", "responded"]):
            self.refused(COULD_NOT, "challengectl init", *command)

    def test_an_unreadable_configuration_could_not(self):
        ran = subprocess.run([CTL, "--config", self.folder / "none.conf", "list"], text=True, capture_output=True)
        self.assertEqual((ran.returncode, ran.stdout), (COULD_NOT, ""))
        self.assertIn("none.conf", ran.stderr)

    # --- agencies and contacts -------------------------------------------------------------------------

    def test_agencies_and_contacts_come_back_as_written(self):
        self.fill()
        self.assertEqual(self.done("agency", "list")[0],
                         {"id": "school", "name": "Example School", "telephone": "01632 960001", "calendar": "",
                          "cover": None})
        first, second = self.done("contact", "list")
        self.assertEqual((first["id"], first["role"], first["email"], first["language"], first["shared"]),
                         (1, "practitioner", "a.teacher@partnership.example", "en", False))
        self.assertEqual((second["shared"], second["deputy"]), (True, 1))
        self.assertEqual(len(self.done("contact", "list", "--agency", "school")), 1)

    def test_wrong_people_are_refused(self):
        self.fill()
        add = ("contact", "add", "--agency", "school", "--role", "manager", "--email", "b@partnership.example")
        self.refused(COULD_NOT, 'the nearest is "school"', *add[:3], "shcool", *add[4:])
        self.refused(COULD_NOT, 'the nearest is "manager"', *add[:5], "manger", *add[6:])
        self.refused(USAGE, "--email", *add[:7], "b@partnership.example\r\nRCPT TO:<x@y.example>")
        self.refused(USAGE, "--email", *add[:7], "not-an-address")
        self.refused(COULD_NOT, "b@elsewhere.example", *add[:7], "b@elsewhere.example")
        self.refused(COULD_NOT, "no contact 9", *add, "--deputy", "9")
        self.refused(USAGE, "needs", "contact", "add", "--agency", "school")
        self.refused(COULD_NOT, "already", "agency", "add", "school", "--name", "Again")
        self.refused(COULD_NOT, "calendar", "agency", "add", "new", "--name", "New", "--calendar", "englnd")

    def test_away_and_back(self):
        self.fill()
        self.done("contact", "away", "2", "--from", "2026-07-01 09:00", "--until", "2026-07-15")
        self.assertEqual(self.done("contact", "list")[1]["away_from"], "2026-07-01T09:00:00+01:00")
        self.done("contact", "away", "2", "--back")
        self.assertIsNone(self.done("contact", "list")[1]["away_from"])
        self.refused(COULD_NOT, "no contact 7", "contact", "away", "7")
        self.refused(COULD_NOT, "before", "contact", "away", "2", "--from", "2026-07-02", "--until", "2026-07-01")

    # --- raising ---------------------------------------------------------------------------------------

    def test_a_contact_is_corrected_confirmed_and_put_out_of_use(self):
        self.fill()
        before = self.done("contact", "list")[1]
        self.done("contact", "change", "2", "--email", "duty@partnership.example", "--name", "Duty", "--role",
                  "senior_manager", "--language", "cy", "--shared", "no", "--deputy", "none")
        after = self.done("contact", "list")[1]
        self.assertEqual(after, {**before, "email": "duty@partnership.example", "name": "Duty", "deputy": None,
                                 "role": "senior_manager", "language": "cy", "shared": False,
                                 "confirmed_at": after["confirmed_at"]})
        self.done("contact", "change", "2", "--active", "no", "--at", "2026-06-01 10:00")
        gone = self.done("contact", "list")[1]
        self.assertEqual((gone["active"], gone["confirmed_at"]), (False, "2026-06-01T10:00:00+01:00"))
        self.assertEqual({**gone, "active": True, "confirmed_at": None}, {**after, "confirmed_at": None})
        self.done("contact", "change", "2", "--confirm", "--at", "2026-06-02 10:00")
        self.assertEqual(self.done("contact", "list")[1]["confirmed_at"], "2026-06-02T10:00:00+01:00")
        self.done("contact", "change", "2", "--name", "Team")
        self.assertEqual(self.done("contact", "list")[1]["confirmed_at"], "2026-06-02T10:00:00+01:00")
        for status, text, arguments in (
                (USAGE, "needs what is to be changed", ["2"]),
                (COULD_NOT, "no contact 9", ["9", "--name", "X"]),
                (COULD_NOT, "own", ["2", "--deputy", "2"]),
                (COULD_NOT, 'the nearest is "manager"', ["2", "--role", "manger"]),
                (USAGE, "--email", ["2", "--email", "nobody"]),
                (COULD_NOT, "allowed domain", ["2", "--email", "a@elsewhere.example"]),
                (USAGE, "yes or no", ["2", "--active", "perhaps"])):
            with self.subTest(arguments):
                self.refused(status, text, "contact", "change", *arguments)

    def test_dates_may_be_written_as_people_here_write_them(self):
        self.fill()
        self.done("contact", "away", "1", "--from", "24/12/2026", "--until", "2027-01-04")
        self.assertEqual(self.query("SELECT away_from, away_until FROM contact WHERE id = 1"),
                         [(1798070400, 1799020800)])
        self.assertEqual(self.ctl("contact", "away", "2", "--from", "24/12/2026 12:00", "--deputy", "1").stdout,
                         "contact 2: away from Thu 2026-12-24 12:00 until further notice; deputy: 1\n")
        self.done("raise", "--policy", "example", "--raising", "school", "--receiving", "social-care",
                  "--at", "03/02/2026 10:00", "--reference", "R1")
        self.assertEqual(self.query("SELECT at FROM event"), [(1770112800,)])

    def test_a_usage_error_names_the_help_of_its_command(self):
        self.fill()
        self.refused(USAGE, "(see challengectl contact away --help)", "contact", "away", "1", "--from", "24/13/2026")
        self.refused(USAGE, "(see challengectl --help)", "no-such-command")

    def test_a_challenge_is_raised_with_its_event(self):
        self.fill()
        made = self.raise_one("--urgency", "urgent", "--raising-contact", "1", "--immediate")
        self.assertEqual(made, {"reference": "2026-001", "id": 1, "policy": "example", "policy_version": "2026-01"})
        self.assertEqual(self.query("SELECT kind, at FROM event ORDER BY id"),
                         [("raised", 1780304400), ("immediate_risk", 1780304400)])
        self.assertEqual(self.query("SELECT urgency, raising_contact, concerns FROM challenge"),
                         [("urgent", 1, "child")])
        self.assertEqual(self.raise_one()["reference"], "2026-002")
        self.assertEqual(self.raise_one("--reference", "MY/7")["reference"], "MY/7")

    def test_one_that_is_resolved_already_has_ended_or_owes_feedback_only(self):
        self.fill()
        self.raise_one("--already-resolved", "--outcome", "changed")
        self.assertEqual(self.query("SELECT kind, value FROM event ORDER BY id"),
                         [("raised", None), ("resolved", "changed")])
        self.assertFalse(self.done("list")[0]["open"])

    def test_wrong_challenges_are_refused(self):
        self.fill()
        self.raise_one("--reference", "2026-014")
        base = ["raise", "--policy", "example", "--raising", "school", "--receiving", "social-care"]
        for status, text, change in (
                (COULD_NOT, "example@2026-01", ["--policy", "exmple"]),
                (COULD_NOT, "example@2026-01", ["--policy", "example@1999"]),
                (COULD_NOT, 'the nearest is "social-care"', ["--receiving", "socialcare"]),
                (COULD_NOT, 'the nearest is "urgent"', ["--urgency", "urgnt"]),
                (COULD_NOT, 'the nearest is "referral criteria"', ["--category", "referal criteria"]),
                (COULD_NOT, "already", ["--reference", "2026-014"]),
                (USAGE, "--reference", ["--reference", "2026 014"]),
                (USAGE, "child, adult or both", ["--concerns", "nobody"]),
                (COULD_NOT, "works for", ["--raising-contact", "2"]),
                (COULD_NOT, "no contact 99", ["--receiving-contact", "99"]),
                (USAGE, "positive number", ["--receiving-contact", "two"]),
                (USAGE, "--at", ["--at", "31.12.2026"]),
                (USAGE, "future", ["--at", "2059-01-01 10:00"]),
                (USAGE, "--protect-by", ["--protect-by", "soon"]),
                (USAGE, "lies before the raising", ["--at", "2026-06-02", "--protect-by", "2026-06-01"]),
                (USAGE, "--outcome", ["--already-resolved"]),
                (COULD_NOT, 'the nearest is "changed"', ["--already-resolved", "--outcome", "chnged"]),
                (USAGE, "--nosuch", ["--nosuch", "x"])):
            with self.subTest(change):
                kept = list(base)
                if change[0] in kept:
                    at = kept.index(change[0])
                    del kept[at:at + 2]
                self.refused(status, text, *kept, *change)

    # --- recording -------------------------------------------------------------------------------------

    def test_events_are_recorded_and_shown_in_order(self):
        self.fill()
        self.raise_one()
        self.done("record", "2026-001", "acknowledged", "--at", "2026-06-01 11:00", "--by", "B. Clerk")
        made = self.done("record", "2026-001", "stage", "--stage", "manager", "--at", "2026-06-02 09:00",
                         "--note", "a name that nobody else needs")
        self.assertEqual(made, {"reference": "2026-001", "event": 3, "kind": "stage"})
        self.done("record", "2026-001", "paused", "--until", "2026-06-05", "--at", "2026-06-02 10:00")
        shown = self.done("show", "2026-001", "--at", "2026-06-02 12:00")
        self.assertEqual([event["kind"] for event in shown["events"]], ["raised", "acknowledged", "stage", "paused"])
        self.assertEqual((shown["stage"], shown["open"], shown["paused"], shown["ended"]),
                         ("manager", True, True, False))
        self.assertEqual(shown["raised_at"], "2026-06-01T10:00:00+01:00")
        self.assertNotIn("note", shown["events"][2])
        noted = self.done("show", "2026-001", "--notes")
        self.assertEqual(noted["events"][2]["note"], "a name that nobody else needs")
        self.assertEqual(noted["events"][1]["by"], "B. Clerk")
        self.assertNotIn("nobody else needs", self.ctl("show", "2026-001").stdout)
        self.assertIn("nobody else needs", self.ctl("show", "2026-001", "--notes").stdout)

    def test_what_was_taken_back_is_marked_and_counts_no_more(self):
        self.fill()
        self.raise_one()
        self.done("record", "2026-001", "withdrawn", "--at", "2026-06-01 12:00")
        self.assertTrue(self.done("list", "--at", "2026-06-01 13:00")[0]["ended"])
        self.done("record", "2026-001", "voided", "--voids", "2")
        self.assertFalse(self.done("list", "--at", "2026-06-01 13:00")[0]["ended"])
        events = self.done("show", "2026-001")["events"]
        self.assertEqual([event["voided"] for event in events], [False, True, False])
        self.assertIn("(taken back)", self.ctl("show", "2026-001").stdout)

    def test_what_is_said_twice_is_recorded_with_a_warning(self):
        self.fill()
        self.raise_one()
        resolved = ("record", "2026-001", "resolved", "--value", "stands")
        self.done(*resolved)
        again = self.ctl(*resolved)
        self.assertEqual((again.returncode, again.stdout), (DONE, "2026-001: event 3, resolved\n"))
        self.assertIn("warning: event 2 says resolved already; to take it back: challengectl record 2026-001 voided"
                      " --voids 2\n", again.stderr)
        for number in (2, 3):
            self.done("record", "2026-001", "voided", "--voids", str(number))
        self.done(*resolved)  # without a warning
        self.done("record", "2026-001", "reopened")
        self.done(*resolved)
        self.done("record", "2026-001", "responded")
        self.done("record", "2026-001", "responded")

    def test_the_stage_in_effect_is_derived_when_time_ran_out(self):
        self.fill()
        self.raise_one()
        now, later = (self.done("list", "--at", at)[0] for at in ("2026-06-01 12:00", "2026-06-15 12:00"))
        self.assertEqual((now["stage"], now["derived"]), ("practitioner", False))
        self.assertNotEqual(later["stage"], "practitioner")
        self.assertTrue(later["derived"])

    def test_a_list_says_what_is_due_next_and_who_owes_it(self):
        self.fill()
        for reference in ("B2", "A10", "C3"):
            self.raise_one("--reference", reference)
        self.done("record", "C3", "withdrawn", "--at", "2026-06-01 12:00")
        self.done("record", "A10", "acknowledged", "--at", "2026-06-01 12:00")  # the last that changed
        first, second, ended = self.done("list", "--at", "2026-06-01 13:00")
        self.assertEqual([first["reference"], second["reference"], ended["reference"]], ["A10", "B2", "C3"])
        self.assertEqual((first["due"], first["owed_by"], first["overdue"]),
                         ("2026-06-04T17:00:00+01:00", ["receiving.practitioner"], False))
        self.assertEqual((ended["due"], ended["owed_by"], ended["overdue"]), (None, [], False))
        later = ("--at", "2026-06-05 10:00")
        late = self.done("list", "--overdue", *later)
        self.assertEqual([one["reference"] for one in late], ["A10", "B2"])
        self.assertEqual((late[0]["due"], late[0]["owed_by"], late[0]["stage"]),
                         ("2026-06-08T17:00:00+01:00", ["receiving.manager"], "manager"))
        words = self.ctl("list", *later).stdout
        self.assertRegex(words, r"(?m)^A10 +open, overdue +manager +Mon 2026-06-08 17:00 +receiving.manager ")
        self.assertRegex(words, r"(?m)^C3 +ended +practitioner +- +- ")
        self.assertEqual(self.done("list", "--overdue", "--at", "2026-06-01 13:00"), [])
        # From the very instant on, as the notice of it is.
        self.assertEqual(self.done("list", "--overdue", "--at", "2026-06-04 16:59:59"), [])
        self.assertEqual(len(self.done("list", "--overdue", "--at", "2026-06-04 17:00")), 2)
        self.assertEqual([one["reference"] for one in self.done("list", "--open", *later)], ["A10", "B2"])

    def test_before_it_was_raised_it_was_not(self):
        self.fill()
        self.raise_one()
        self.done("record", "2026-001", "resolved", "--value", "stands", "--at", "2026-06-01 12:00")
        early = ("--at", "2026-05-31 12:00")
        self.assertEqual((self.done("list", *early)[0]["state"], self.done("show", "2026-001", *early)["state"]),
                         ("not raised", "not raised"))
        self.assertEqual(self.done("list", "--at", "2026-06-01 11:00")[0]["state"], "open")

    def test_wrong_events_are_refused(self):
        self.fill()
        self.raise_one()
        self.raise_one()
        for status, text, arguments in (
                (COULD_NOT, 'the nearest is "2026-001"', ["2026-01", "responded"]),
                (COULD_NOT, 'the nearest is "responded"', ["2026-001", "respnded"]),
                (COULD_NOT, 'the nearest is "manager"', ["2026-001", "stage", "--stage", "manger"]),
                (USAGE, "--stage", ["2026-001", "stage"]),
                (USAGE, "--stage", ["2026-001", "responded", "--stage", "manager"]),
                (USAGE, "--until", ["2026-001", "paused"]),
                (USAGE, "end after", ["2026-001", "paused", "--until", "2020-01-01"]),
                (USAGE, "--value", ["2026-001", "resolved"]),
                (COULD_NOT, 'the nearest is "stands"', ["2026-001", "resolved", "--value", "stand"]),
                (USAGE, "--voids", ["2026-001", "voided"]),
                (COULD_NOT, "not one of this challenge", ["2026-001", "voided", "--voids", "2"]),
                (USAGE, "not a time", ["2026-001", "responded", "--at", "yesterday"]),
                (USAGE, "future", ["2026-001", "responded", "--at", "2059-01-01T10:00:00Z"]),
                (USAGE, "too few", ["2026-001"]),
                (USAGE, "too many", ["2026-001", "responded", "more"])):
            with self.subTest(arguments):
                self.refused(status, text, "record", *arguments)
        self.refused(COULD_NOT, "no challenge", "show", "nothing-like-it")

    # --- rows that others wrote ------------------------------------------------------------------------

    def test_a_plain_insert_is_a_valid_challenge(self):
        self.fill()
        with contextlib.closing(sqlite3.connect(self.store)) as db:
            db.execute("INSERT INTO challenge (reference, policy, policy_version, raising_agency, receiving_agency)"
                       " VALUES ('X-1', 'example', '2026-01', 'school', 'social-care')")
            db.execute("INSERT INTO event (challenge, kind, at) VALUES (1, 'raised', 1780304400)")
            db.commit()
        self.assertEqual([(row["reference"], row["state"]) for row in self.done("list", "--at", "2026-06-01 12:00")],
                         [("X-1", "open")])

    def test_an_unknown_policy_spoils_its_challenge_alone(self):
        self.fill()
        self.raise_one()
        with contextlib.closing(sqlite3.connect(self.store)) as db:
            db.execute("INSERT INTO challenge (reference, policy, policy_version, raising_agency, receiving_agency)"
                       " VALUES ('X-1', 'gone', '1', 'school', 'social-care')")
            db.commit()
        states = {row["reference"]: row["state"] for row in self.done("list", "--at", "2026-06-01 12:00")}
        self.assertEqual(states, {"2026-001": "open", "X-1": "no policy"})
        self.refused(COULD_NOT, "gone", "record", "X-1", "responded")

    def test_hostile_rows_never_reach_a_terminal(self):
        self.fill()
        self.raise_one()
        with contextlib.closing(sqlite3.connect(self.store)) as db:
            db.execute("INSERT INTO event (challenge, kind, at) VALUES (1, 'a' || char(27) || '[2J', 1)")
            db.commit()
        for command in (("list",), ("show", "2026-001"), ("explain", "2026-001")):
            ran = self.ctl(*command)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertIn("2026-001", ran.stdout)
            self.assertNotIn("\033", ran.stdout + ran.stderr)
        with contextlib.closing(sqlite3.connect(self.store)) as db:
            db.execute("UPDATE challenge SET policy = 'a' || char(27) || '[2J'")
            db.commit()
        for command in (("list",), ("show", "2026-001")):
            ran = self.ctl(*command)
            self.assertEqual(ran.returncode, COULD_NOT)
            self.assertIn("control characters", ran.stderr)
            self.assertNotIn("\033", ran.stdout + ran.stderr)

    def test_a_note_tells_a_terminal_nothing(self):
        self.fill()
        self.raise_one()
        with contextlib.closing(sqlite3.connect(self.store)) as db:
            db.execute("INSERT INTO event (challenge, kind, at, by, note) VALUES (1, 'discussed', 1780000000, ?, ?)",
                       ("B\u009b2J", "one\u009b31m\ntwo\u202e\x1b[2J"))
            db.commit()
        said = self.ctl("show", "2026-001", "--notes").stdout
        self.assertIn("by B?2J\n         | one?31m\n         | two??[2J\n", said)

    def test_a_store_that_is_held_by_another_is_told(self):
        self.fill()
        with contextlib.closing(sqlite3.connect(self.store, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            ran = self.ctl("list")
            db.execute("ROLLBACK")
        self.assertEqual(ran.returncode, COULD_NOT)
        self.assertIn("locked", ran.stderr)

    def test_the_shell_of_sqlite_can_write_to_it(self):
        shell = shutil.which("sqlite3")
        if shell is None:
            self.skipTest("no sqlite3 program is installed")
        self.fill()
        self.raise_one()
        subprocess.run([shell, self.store, "UPDATE challenge SET urgency = 'urgent';"], check=True, timeout=30)
        self.assertEqual(self.query("SELECT change_seq FROM challenge"), [(3,)])
        refused = subprocess.run([shell, self.store, "DELETE FROM event;"], capture_output=True, text=True, timeout=30)
        self.assertIn("recorded purge", refused.stderr)


if __name__ == "__main__":
    unittest.main()
