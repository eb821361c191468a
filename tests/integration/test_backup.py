#!/usr/bin/python3
"""challengectl backup: copies made while the daemon works, put back, lose nothing; scripts/backup keeps so many (T41)."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))
from partnership import BUILD, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

CTL = BUILD.resolve() / "challengectl"
HOUR = 3600
KEY = "SELECT challenge, event, stage, obligation, kind, step, occurrence, role FROM notice"


class Backup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-backup-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.there.create_store()
        self.there.run("--once")

    def ctl(self, *arguments):
        return subprocess.run([CTL, "--config", self.there.config, *arguments], text=True, timeout=60,
                              capture_output=True, env=self.there.environment())

    def backup(self, name="copy"):
        ran = self.ctl("--json", "backup", self.folder / name)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return json.loads(ran.stdout)

    def restore(self, name="copy"):
        """As challenge-notifyd(8) says."""
        for path in (*self.there.state.glob("ledger.db*"), *self.folder.glob("challenges.db*")):
            path.unlink()
        shutil.copy(self.folder / name / "ledger.db", self.there.ledger)
        shutil.copy(self.folder / name / "challenges.db", self.there.store)

    def sent(self):
        """Recipient and Message-ID of every mail that arrived, in order."""
        return [(str(mail["to"]), line.decode()) for mail in self.server.mails
                for line in mail["bytes"].split(b"\r\n\r\n")[0].split(b"\r\n") if line.startswith(b"Message-ID:")]

    def people(self):
        """What arrived but for alarms, which are about the service itself."""
        return [one for one in self.sent() if one[0] != "['it@partnership.test']"]

    def work_and_copy_meanwhile(self):
        """Six challenges are being mailed of; a copy; three more; then all is lost. What the ledger had come to."""
        self.server.fault("dot", "slow", seconds=0.05, times=3)  # or all were sent before the copy
        daemon = self.there.start()
        try:
            for number in range(6):
                self.there.add_challenge(f"BEFORE-{number}", 73 * HOUR)
            deadline = time.monotonic() + 30
            while not self.sent() and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertTrue(self.backup()["intact"])  # in the middle of the sending
            for number in range(3):
                self.there.add_challenge(f"AFTER-{number}", 73 * HOUR)
            while len(self.there.remember("SELECT 1 FROM notice n JOIN mail m ON m.id = n.mail WHERE reference LIKE"
                                          " 'AFTER%' AND m.state = 'accepted' LIMIT 1")) == 0:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
        finally:
            daemon.terminate()
            daemon.communicate()
        with sqlite3.connect(self.folder / "copy" / "ledger.db") as copy:
            return {row[0] for row in copy.execute("SELECT message_id FROM mail WHERE state = 'accepted'")}

    def test_a_copy_of_a_working_daemon_loses_nothing_when_put_back(self):
        accepted = self.work_and_copy_meanwhile()
        told = set(self.there.remember(KEY + " WHERE reference LIKE 'BEFORE%'"))
        self.assertGreater(len(told), 6)
        before = self.people()
        self.restore()
        self.assertIn("the ledger is a copy that was put back", self.problems())
        said = self.there.run("--once")
        self.assertIn("what fell due by now may have been sent, and is held", said)
        self.there.run("--once")
        self.assertEqual(self.people(), before, "something went out before anybody had looked")
        self.assertEqual(len([one for one in self.server.mails if b"The ledger was put back from a copy" in
                              one["bytes"].replace(b"=\r\n", b"")]), 1)
        self.assertIn("notices that may have been sent are held", self.problems())
        self.assertEqual(self.there.remember("SELECT count(*) FROM notice WHERE state = 'decided' AND mail IS NULL"),
                         [(0,)])
        self.assertEqual(set(self.there.remember(KEY + " WHERE reference LIKE 'BEFORE%'")), told,
                         "a decision was lost")
        self.assertEqual(self.ctl("audit", "verify").returncode, 0)

        self.ctl("queue", "release", "--all", "--by", "A. Person", "--why", "looked at each")
        for (number,) in self.there.remember("SELECT id FROM mail WHERE state = 'held'"):
            self.ctl("queue", "release", str(number), "--by", "A. Person", "--why", "looked at it")
        self.there.run("--once")
        again = self.people()[len(before):]
        repeated = [one for one in again if any(one[1].find(known) >= 0 for known in accepted)]
        self.assertEqual(repeated, [], "what the copy knew as accepted was sent again")
        self.assertNotEqual(again, [], "nothing had to be held: no test")
        self.assertEqual(self.there.remember(
            "SELECT count(*) FROM notice n LEFT JOIN mail m ON m.id = n.mail WHERE n.reference LIKE 'BEFORE%'"
            " AND n.state <> 'cancelled' AND m.state IS NOT 'accepted'"), [(0,)], "a notice was lost")
        self.assertEqual([problem for problem in self.problems().splitlines() if "copy" in problem], [])
        self.assertEqual(self.ctl("audit", "verify").returncode, 0)

    def test_what_falls_due_after_a_restore_goes_out(self):
        self.there.add_challenge("ONE", 73 * HOUR)
        soon = self.there.add_challenge("SOON", 47 * HOUR + HOUR // 2)  # its first reminder comes in half an hour
        self.backup()
        self.there.run("--once")
        sent = self.people()
        self.assertNotEqual(sent, [])
        self.restore()
        self.there.record(soon, "immediate_risk")
        self.there.run("--once")
        risk = self.people()[len(sent):]
        self.assertEqual(len(risk), 2, "immediate risk waits for nobody")
        self.there.run("--once", later=HOUR)
        late = self.people()[len(sent) + len(risk):]
        self.assertEqual([one[0] for one in late], ["['cora@council.test']"])
        self.assertGreater(self.there.remember("SELECT count(*) FROM notice WHERE state = 'held'")[0][0], 0)

    def test_immediate_risk_that_waited_in_the_copy_goes_out(self):
        self.there.add_challenge("ONE", 73 * HOUR)
        at_risk = self.there.add_challenge("RISK", 60)
        self.there.record(at_risk, "immediate_risk")
        self.server.fault("RCPT", "4xx", times=20)
        self.there.run("--once")
        waiting = ("SELECT m.id FROM mail m JOIN notice n ON n.mail = m.id WHERE m.state = 'retry' AND"
                   " n.kind {} 'risk'")
        risk, other = (self.there.remember(waiting.format(sign)) for sign in ("=", "<>"))
        self.assertEqual((len(risk), len(other) > 0), (2, True))
        self.backup()
        self.server.rules.clear()
        self.restore()
        self.there.run("--once")
        self.there.run("--once", later=HOUR)  # past the time of the next attempt
        states = dict(self.there.remember("SELECT id, state FROM mail"))
        self.assertEqual({states[number] for (number,) in risk}, {"accepted"})
        self.assertEqual({states[number] for (number,) in other}, {"cancelled"})
        self.assertEqual(sorted(to for to, _ in self.people()), ["['colm@council.test']", "['unit@partnership.test']"])
        for reference in ("ONE", "RISK"):
            told = self.ctl("explain", reference).stdout
            self.assertIn("held: the ledger was put back from a copy", told)
            self.assertNotIn("more fell due", told)
        self.ctl("queue", "release", "--all", "--by", "A. Person", "--why", "looked at each")
        self.there.run("--once", later=HOUR)
        self.assertEqual(self.there.remember("SELECT count(*) FROM notice WHERE state = 'held'"), [(0,)])

    def test_a_restore_with_nothing_to_hold_is_over_by_itself(self):
        self.there.add_challenge("ONE", 73 * HOUR)
        self.there.run("--once")
        sent = self.sent()
        self.backup()
        self.restore()
        self.there.run("--once")
        self.assertEqual(self.sent(), sent)
        self.assertNotIn("copy", self.problems())
        self.there.add_challenge("TWO", 73 * HOUR)
        self.there.run("--once")
        self.assertGreater(len(self.sent()), len(sent))

    def problems(self):
        return "\n".join(problem["what"] for problem in json.loads(self.ctl("--json", "status").stdout)["problems"])

    def test_after_a_restore_adopt_keeps_what_was_sent_meanwhile_from_going_twice(self):
        self.there.add_challenge("ONE", 73 * HOUR)
        self.backup()
        self.there.run("--once")
        sent = self.people()
        self.assertNotEqual(sent, [])
        for adopt_first in (True, False):
            self.restore()
            if not adopt_first:
                self.there.run("--once")
            adopted = self.ctl("adopt", "--yes", "--by", "A. Person", "--why", "the copy of this morning")
            self.assertEqual(adopted.returncode, 0, adopted.stderr)
            self.there.run("--once")
            self.assertEqual(self.people(), sent)
            self.assertNotIn("copy", self.problems())

    # --- the store alone is put back --------------------------------------------------------------

    def lose_the_newest(self, record=()):
        """One is known to both, TWO to the ledger alone; what is recorded then, before the daemon has looked."""
        self.there.add_challenge("ONE", 73 * HOUR)
        self.there.run("--once")
        self.backup()
        self.there.add_challenge("TWO", 73 * HOUR)
        self.there.run("--once")
        shutil.copy(self.folder / "copy" / "challenges.db", self.there.store)
        time.sleep(1.1)  # times are of seconds
        for reference in record:
            self.there.add_challenge(reference, 74 * HOUR)
        return self.people()

    def assert_doubted(self, sent, why="the store is an older copy: event 2, which was seen in it, is not there"):
        for _ in range(2):
            self.assertIn(why, self.there.run("--once", status=3))
        self.assertEqual(self.people(), sent, "acted on")
        alarms = [one for one in self.server.mails if b"The challenge store is an older copy" in
                  one["bytes"].replace(b"=\r\n", b"")]
        self.assertEqual(len(alarms), 1)
        self.assertIn("the store is an older copy, or another one", self.problems())

    def approve(self, status=0):
        return self.there.ctl("approve", "store", "--by", "A. Person", "--why", "the disk failed", status=status)

    def assert_told_of(self, reference, sent, besides=()):
        self.there.run("--once")
        new = self.people()[len(sent):]
        self.assertIn("['colm@council.test']", [one[0] for one in new])
        self.assertEqual({row[0] for row in self.there.remember(
            "SELECT n.reference FROM notice n JOIN mail m ON m.id = n.mail WHERE m.message_id IN"
            f" ({','.join('?' * len(new))})", *(one[1].split("<")[1].rstrip(">") for one in new))}, {reference, *besides})
        self.assertNotIn("older copy", self.problems())
        self.assertEqual(self.ctl("audit", "verify").returncode, 0)

    def test_an_older_store_is_not_acted_on_and_approved_numbers_anew(self):
        sent = self.lose_the_newest()
        self.assert_doubted(sent)
        self.assertEqual(self.approve(), {"approved": True, "reused": []})
        self.there.run("--once")
        self.assertEqual(self.people(), sent, "what had been told of ONE was told again")
        self.assertEqual(self.there.add_challenge("THREE", 74 * HOUR), 3, "the number of TWO was given again")
        self.assert_told_of("THREE", sent)

    def test_a_ledger_of_an_older_program_knows_its_store_from_the_first_look_on(self):
        self.there.add_challenge("ONE", 73 * HOUR)
        self.backup()
        self.there.add_challenge("TWO", 73 * HOUR)
        self.there.run("--once")
        ledger = sqlite3.connect(self.there.ledger, isolation_level=None)
        ledger.execute("DELETE FROM meta WHERE name = 'store_witness'")  # it kept none
        ledger.close()
        self.there.run("--once")  # nothing has changed
        sent = self.people()
        shutil.copy(self.folder / "copy" / "challenges.db", self.there.store)
        self.assert_doubted(sent)

    def test_approval_may_come_before_the_daemon_has_looked(self):
        sent = self.lose_the_newest()
        self.assertEqual(self.approve(), {"approved": True, "reused": []})
        self.there.add_challenge("THREE", 74 * HOUR)
        self.assert_told_of("THREE", sent)

    def test_what_got_a_lost_number_is_named_and_told_once_it_was_recorded_again(self):
        """As many changes as were lost: the counter of changes alone would show nothing."""
        sent = self.lose_the_newest(["THREE"])
        self.assert_doubted(sent)
        self.assertEqual(self.approve(1), {"approved": False, "reused": [
            {"reference": "THREE", "event": 2, "kind": "raised"}]})
        self.assert_doubted(sent)
        said = self.ctl("approve", "store", "--by", "A", "--why", "x")
        self.assertEqual(said.returncode, 1)
        self.assertIn("THREE: event 2 (raised) has a number that the ledger knows", said.stdout)
        self.there.ctl("record", "THREE", "voided", "--voids", "2")
        self.there.record(2, "raised", 74 * HOUR)
        self.assertEqual(self.approve(), {"approved": True, "reused": []})
        # What bore the number 2 is stood down: its event is gone.
        self.assert_told_of("THREE", sent, ["TWO"])

    def test_what_another_system_recorded_with_a_time_of_its_own_is_named_too(self):
        """Its recorded_at lies before the loss: only that it was not there when the daemon looked gives it away."""
        sent = self.lose_the_newest()
        self.assert_doubted(sent)
        self.there.add_challenge("THREE", 74 * HOUR, recorded_ago=2 * HOUR)
        self.assert_doubted(sent)
        self.assertEqual(self.approve(1)["reused"], [{"reference": "THREE", "event": 2, "kind": "raised"}])
        self.there.ctl("record", "THREE", "voided", "--voids", "2")
        self.there.record(2, "raised", 74 * HOUR)
        self.assertEqual(self.approve(), {"approved": True, "reused": []})
        self.assert_told_of("THREE", sent, ["TWO"])

    def test_of_two_older_copies_the_one_that_is_there_counts(self):
        empty = self.folder / "empty.db"
        shutil.copy(self.there.store, empty)
        sent = self.lose_the_newest()
        self.assert_doubted(sent)
        shutil.copy(empty, self.there.store)  # an older one still
        self.assert_doubted(sent)
        self.there.add_challenge("THREE", 74 * HOUR, recorded_ago=2 * HOUR)
        self.assertEqual(self.approve(1)["reused"], [{"reference": "THREE", "event": 1, "kind": "raised"}])

    def test_more_was_recorded_than_was_lost(self):
        sent = self.lose_the_newest(["THREE", "FOUR", "FIVE"])
        self.assert_doubted(sent)

    def test_the_right_store_put_back_goes_on(self):
        right = self.folder / "right.db"
        self.there.add_challenge("ONE", 73 * HOUR)
        self.there.run("--once")
        shutil.copy(self.there.store, right)
        sent = self.lose_the_newest_of(right)
        self.assert_doubted(sent)
        right.rename(self.there.store)
        before = self.there.remember("SELECT count(*) FROM chain")
        said = self.ctl("approve", "store", "--by", "A", "--why", "x")
        self.assertEqual((said.returncode, said.stdout),
                         (0, "Nothing to approve: it is the store that the ledger knows.\n"))
        self.assertEqual(self.there.remember("SELECT count(*) FROM chain"), before)
        self.there.run("--once")
        self.assertNotIn("older copy", self.problems())
        self.there.add_challenge("THREE", 74 * HOUR)
        self.assert_told_of("THREE", sent)

    def lose_the_newest_of(self, right):
        older = self.folder / "older.db"
        shutil.copy(self.there.store, older)
        self.there.add_challenge("TWO", 73 * HOUR)
        self.there.run("--once")
        shutil.copy(self.there.store, right)
        older.rename(self.there.store)
        return self.people()

    def test_another_store_wants_a_ledger_of_its_own(self):
        self.there.add_challenge("ONE", 73 * HOUR)
        self.there.run("--once")
        sent = self.people()
        self.there.store.unlink()
        self.there.create_store()
        self.there.add_challenge("OTHER", 73 * HOUR)
        self.assert_doubted(sent, "the store is another one than the ledger knows")
        self.assertEqual(self.approve(1)["approved"], False)
        self.assertIn("begin a ledger for this store", self.ctl("approve", "store", "--by", "A", "--why", "x").stdout)
        self.there.store.unlink()
        self.there.create_store()
        self.assertEqual(self.approve(), {"approved": True, "reused": []})
        self.there.add_challenge("OTHER", 73 * HOUR)
        self.assert_told_of("OTHER", sent)

    def test_a_recorded_purge_of_the_newest_is_no_doubt(self):
        number = self.there.add_challenge("ONE", 73 * HOUR)
        self.there.run("--once")
        with self.there.open_store() as store:
            store.execute("BEGIN IMMEDIATE")
            store.execute("INSERT INTO purge (challenge, rule) VALUES (?, 'asked for')", (number,))
            store.execute("DELETE FROM event WHERE challenge = ?", (number,))
            store.execute("DELETE FROM challenge WHERE id = ?", (number,))
            store.execute("COMMIT")
        self.there.run("--once")
        sent = self.people()
        self.there.add_challenge("TWO", 73 * HOUR)
        self.assert_told_of("TWO", sent)

    def test_it_refuses_to_overwrite(self):
        (self.folder / "copy").mkdir()
        ran = self.ctl("backup", self.folder / "copy")
        self.assertEqual((ran.returncode, ran.stdout), (3, ""))
        self.assertIn("never overwritten", ran.stderr)
        (self.folder / "file").write_text("mine")
        self.assertEqual(self.ctl("backup", self.folder / "file").returncode, 3)
        self.assertEqual((self.folder / "file").read_text(), "mine")
        self.assertEqual(list(self.folder.glob("*.new-*")), [])

    def test_nobody_else_may_read_it(self):
        os.umask(0o022)
        self.backup()
        self.assertEqual((self.folder / "copy").stat().st_mode & 0o777, 0o700)
        self.assertEqual({path.name: path.stat().st_mode & 0o777 for path in (self.folder / "copy").iterdir()},
                         {"ledger.db": 0o600, "challenges.db": 0o600})

    def test_a_failure_leaves_nothing_behind(self):
        self.there.store.rename(self.folder / "elsewhere")
        ran = self.ctl("backup", self.folder / "copy")
        self.assertEqual(ran.returncode, 3)
        self.assertEqual([path.name for path in self.folder.glob("copy*")], [])

    def test_a_ledger_that_was_tampered_with_is_told(self):
        self.there.add_challenge("ONE", 73 * HOUR)
        self.there.run("--once")
        with sqlite3.connect(self.there.ledger) as ledger:
            ledger.execute("UPDATE mail SET recipient = 'else@council.test' WHERE id = 1")
        ran = self.ctl("backup", self.folder / "copy")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("NOT intact", ran.stdout)

    def test_the_script_keeps_so_many(self):
        copies = self.folder / "copies"
        old = [copies / f"2020-01-0{day}T000000Z" for day in (1, 2, 3)]
        for path in old:
            path.mkdir(parents=True)
            (path / "ledger.db").touch()
        (copies / "mine").mkdir()
        environment = {**self.there.environment(), "CHALLENGECTL": f"{CTL} --config {self.there.config}"}
        ran = subprocess.run([TOP / "scripts" / "backup", "--keep", "2", copies], text=True, capture_output=True,
                             env=environment)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        left = sorted(path.name for path in copies.iterdir())
        self.assertEqual((len(left), left[0], left[-1]), (3, "2020-01-03T000000Z", "mine"))
        self.assertEqual(sorted(path.name for path in (copies / left[1]).iterdir()), ["challenges.db", "ledger.db"])
        for wrong in ((), ("--keep",), ("--keep", "0", copies), ("--keep", "x", copies), (copies, "more")):
            ran = subprocess.run([TOP / "scripts" / "backup", *wrong], capture_output=True, env=environment)
            self.assertEqual(ran.returncode, 2, wrong)


if __name__ == "__main__":
    unittest.main()
