#!/usr/bin/python3
"""Two people at one store: what one of them writes while the other's command runs is neither lost nor overlooked."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from control import COULD_NOT, CTL, DONE, NO, Control, complaint_of, run_meanwhile  # noqa: E402

WHO = ("--by", "A. Person")


class TwoWriters(Control):
    def setUp(self):
        super().setUp()
        self.people()

    def meanwhile(self, statements, *arguments, exits=DONE):
        ran = run_meanwhile(self.store, statements, [CTL, "--config", self.main, *arguments])
        self.assertEqual(ran.returncode, exits, ran)
        return ran.stdout + ran.stderr

    def contact(self, number, columns):
        return self.query(f"SELECT {columns} FROM contact WHERE id = ?", number)[0]

    def test_a_contact_is_changed_in_the_columns_named_alone(self):
        self.meanwhile(["UPDATE contact SET email = 'new@partnership.example', active = 0, away_from = 1798070400,"
                        " language = 'cy', deputy = 2 WHERE id = 1"], "contact", "change", "1", "--name", "B. Teacher")
        self.assertEqual(self.contact(1, "name, email, active, away_from, language, deputy"),
                         ("B. Teacher", "new@partnership.example", 0, 1798070400, "cy", 2))

    def test_what_is_not_named_stays_however_strange_it_is(self):
        """Another system wrote what this one would refuse: it must not hinder putting the contact out of use."""
        self.query("UPDATE contact SET email = 'no address', name = NULL, language = '', away_until = 7, deputy = 1"
                   " WHERE id = 1")
        self.said("contact", "change", "1", "--active", "no")
        self.assertEqual(self.contact(1, "email, name, language, away_until, deputy, active"),
                         ("no address", None, "", 7, 1, 0))

    def test_a_deputy_who_has_gone_meanwhile_is_refused(self):
        for verb in ("change", "away"):
            number, = self.query("INSERT INTO contact (agency, role, email) VALUES ('school', 'manager', 'x@partnership.example')"
                                 " RETURNING id")[0]
            self.assertIn(f"there is no contact {number}",
                          self.meanwhile([f"DELETE FROM contact WHERE id = {number}"],
                                         "contact", verb, "1", "--deputy", str(number), exits=COULD_NOT))
        self.assertEqual(self.contact(1, "deputy, away_from"), (None, None))

    def test_an_agency_is_changed_in_the_columns_named_alone(self):
        self.meanwhile(["UPDATE agency SET calendar = 'england', cover = 1 WHERE id = 'school'"],
                       "agency", "change", "school", "--telephone", "01632 960009")
        self.assertEqual(self.query("SELECT name, telephone, calendar, cover FROM agency WHERE id = 'school'"),
                         [("Example School", "01632 960009", "england", 1)])
        self.said("agency", "change", "school", "--calendar", "none", "--cover", "none", "--name", "School")
        self.assertEqual(self.query("SELECT name, telephone, calendar, cover FROM agency WHERE id = 'school'"),
                         [("School", "01632 960009", None, None)])

    def test_a_file_changes_the_columns_that_it_has_alone(self):
        self.query("UPDATE contact SET language = '', away_until = 7 WHERE id = 1")
        file = self.write("people.csv", "id,name", "1,B. Teacher")
        self.meanwhile(["UPDATE contact SET role = 'manager' WHERE id = 1"],
                       "import", "contacts", file, "--update")
        self.assertEqual(self.contact(1, "name, role, language, away_until"), ("B. Teacher", "manager", "", 7))

    def raise_one(self, *options):
        return self.said("raise", "--policy", "example", "--raising", "school", "--receiving", "social-care",
                         "--at", "2026-06-01 10:00", *options)

    def test_a_file_changes_a_challenge_whose_person_another_system_took_away(self):
        self.raise_one("--receiving-contact", "4")
        self.query("DELETE FROM contact WHERE id = 4")
        self.said("import", "challenges", self.write("c.csv", "reference,urgency", "2026-001,urgent"), "--update")
        self.assertEqual(self.query("SELECT urgency, receiving_contact FROM challenge"), [("urgent", 4)])

    def test_who_reads_through_the_faults_of_a_file_keeps_nobody_out(self):
        file = self.write("a.csv", "id,name", *(f"a{i}," for i in range(5000)))
        with subprocess.Popen([CTL, "--config", self.main, "import", "agencies", file], text=True,
                              stdout=subprocess.PIPE) as running:
            self.assertIn("must not be empty", running.stdout.readline())
            self.said("contact", "change", "1", "--name", "B. Teacher")
            self.assertIsNone(running.poll(), "all of it went into the pipe")
            self.assertIn("Nothing was written.", running.communicate(timeout=60)[0])
        self.assertEqual(running.returncode, NO)

    def test_a_challenge_is_raised_to_people_who_are_there_still(self):
        self.assertIn('contact 4 works for "school"',
                      self.meanwhile(["UPDATE contact SET agency = 'school' WHERE id = 4"],
                                     "raise", "--policy", "example", "--raising", "school", "--receiving", "social-care",
                                     "--receiving-contact", "4", exits=COULD_NOT))
        self.assertEqual(self.query("SELECT count(*) FROM challenge"), [(0,)])

    def test_an_event_is_checked_by_the_policy_that_holds_when_it_is_written(self):
        self.raise_one()
        self.assertIn("example@2031",
                      self.meanwhile(["UPDATE challenge SET policy_version = '2031'"], "record", "2026-001", "responded",
                                     exits=COULD_NOT))
        self.assertEqual(self.query("SELECT count(*) FROM event"), [(1,)])

    def test_clocks_are_restarted_only_where_nothing_has_happened_since_they_were_shown(self):
        self.raise_one()
        self.raise_one()
        self.assertIn("2026-002 has changed meanwhile",
                      self.meanwhile(["INSERT INTO event (challenge, kind) VALUES (2, 'withdrawn')"],
                                     "adopt", "--restart", "--yes", "--at", "2026-06-02 10:00", *WHO, "--why", "x",
                                     exits=COULD_NOT))
        self.assertEqual(self.query("SELECT kind FROM event ORDER BY id"), [("raised",), ("raised",), ("withdrawn",)])

    def test_a_store_that_another_keeps_is_named_and_nothing_is_written(self):
        with contextlib.closing(sqlite3.connect(self.store, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for command in (["contact", "change", "1", "--name", "X"],
                            ["import", "agencies", self.write("a.csv", "id,name", "a,A")]):
                ran = self.ctl(*command)
                self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (
                    COULD_NOT, "", f"challengectl: {self.store}: another program has it for more than 5 seconds; nothing"
                    " was written, try again\n"))

    @unittest.skipIf(os.geteuid() != 0, "only root may be another user")
    def test_who_may_not_open_it_is_told_who_may(self):
        os.chmod(self.folder, 0o755)
        shutil.copy(CTL, self.folder)
        for mode, why in ((0o660, "this user may not open it"), (0o664, "this user may not write to it")):
            os.chmod(self.store, mode)
            for command in (["agency", "list"], ["agency", "add", "a", "--name", "A"]):
                ran = subprocess.run([self.folder / CTL.name, "--config", self.main, *command], text=True,
                                     capture_output=True, timeout=60, user=65534, group=65534, extra_groups=[], cwd="/")
                self.assertEqual((ran.returncode, ran.stdout, complaint_of(ran)), (
                    COULD_NOT, "", f"challengectl: {self.store}: {why}. It takes the group that the store's folder"
                    " belongs to, or root.\n"))

    @unittest.skipIf(os.geteuid() != 0, "only root may mount")
    def test_a_full_disk_is_named_and_nothing_is_written(self):
        """A small tmpfs in a mount namespace of its own, filled to the last byte under the store."""
        rows = self.write("a.csv", "id,name", *(f"a{i},A" for i in range(300)))
        self.configure(r'(?m)^store = .*', f'store = "{self.folder}/disk/challenges.db";')
        (self.folder / "disk").mkdir()
        script = (f"mount -t tmpfs -o size=80k tmpfs {self.folder}/disk && cp {self.store} {self.folder}/disk &&"
                  f" {{ cat /dev/zero > {self.folder}/disk/full 2>/dev/null; \"$@\"; status=$?;"
                  f" cp {self.folder}/disk/challenges.db {self.folder}/after.db; exit $status; }}")
        for command in (["contact", "change", "1", "--name", "X"], ["import", "agencies", rows]):
            ran = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", CTL, "--config", self.main, *command],
                                 text=True, capture_output=True, timeout=60)
            self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (
                COULD_NOT, "", f"challengectl: {self.folder}/disk/challenges.db: the disk is full; nothing was written\n"))
            self.assertEqual((self.folder / "after.db").read_bytes(), self.store.read_bytes())


if __name__ == "__main__":
    unittest.main()
