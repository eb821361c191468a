#!/usr/bin/python3
"""One cycle of the real daemon, against a real store, a real sender process and a scripted SMTP server."""

import os
import subprocess
import sys
import tempfile
import unittest
from email import policy
from email.parser import BytesParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import BUILD, DAY, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

HOUR = 3600


class Once(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-once-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)

    def start_following(self):
        """An empty store has been seen: from now on nothing is adopted."""
        self.there.create_store()
        self.there.run("--once")

    def mails(self):
        """(recipient, parsed mail) in order of arrival."""
        return [(", ".join(mail["to"]),
                 BytesParser(policy=policy.default).parsebytes(mail["bytes"]))
                for mail in self.server.mails]

    def told(self):
        return sorted(recipient for recipient, _ in self.mails())

    def test_tells_everybody_once(self):
        self.start_following()
        self.there.add_challenge("2026-014", 4 * DAY)
        self.there.run("--once")
        # Who was late, and whom the matter has come to.
        self.assertEqual(self.told(), ["colm@council.test", "cora@council.test"])
        before = len(self.server.events)
        self.there.run("--once")
        self.assertEqual(len(self.server.events), before, "a second cycle connected to the relay")

    def test_mail_is_whole_and_names_the_reference(self):
        self.start_following()
        self.there.add_challenge("2026-014", 4 * DAY)
        self.there.run("--once")
        for _, mail in self.mails():
            self.assertIn("2026-014", mail["Subject"])
            self.assertIn("2026-014", mail.get_body(("plain",)).get_content())
            self.assertTrue(mail["Message-ID"] and mail["Date"])
            self.assertNotIn("2026-014", mail["Message-ID"])

    def test_only_the_latest_reminder_goes(self):
        self.start_following()
        self.there.add_challenge("late", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.told(), ["cora@council.test"])
        states = dict(self.there.remember("SELECT step, reason FROM notice WHERE kind = 'reminder'"))
        self.assertEqual(states["24 hours before"], "later reminder due")
        self.assertFalse(states["12 hours before"])

    def test_new_ledger_adopts_what_is_past_and_tells_the_inbox_once(self):
        self.there.create_store()
        self.there.add_challenge("old", 4 * DAY)
        self.assertIn("mail 1: accepted (250 2.0.0)", self.there.run("--once"))
        self.assertEqual(self.told(), ["inbox@partnership.test"])
        reasons = {reason for reason, in self.there.remember("SELECT reason FROM notice")}
        self.assertEqual(reasons, {"adopted"})
        self.there.add_challenge("new with old dates", 4 * DAY)
        self.there.run("--once")
        self.assertEqual(self.told(), ["colm@council.test", "cora@council.test", "inbox@partnership.test"])

    def test_an_answer_takes_back_what_has_not_gone(self):
        self.start_following()
        self.server.fault("MAIL", "4xx", times=100)
        challenge = self.there.add_challenge("2026-014", 4 * DAY)
        self.there.run("--once")
        self.there.record(challenge, "resolved", value="changed")
        self.there.run("--once")
        self.assertEqual(self.mails(), [])
        states = {state for state, in self.there.remember("SELECT state FROM mail")}
        self.assertEqual(states, {"cancelled"})

    def test_those_told_are_stood_down(self):
        self.start_following()
        challenge = self.there.add_challenge("2026-014", 4 * DAY)
        self.there.run("--once")
        self.there.record(challenge, "resolved", value="changed")
        self.there.run("--once")
        last = [mail["Subject"] for _, mail in self.mails()[2:]]
        self.assertTrue(last)
        for subject in last:
            self.assertIn("Nothing more needed", subject)

    def test_refused_address_falls_through_in_the_same_run(self):
        self.start_following()
        self.server.fault("RCPT", "reply", reply=b"550 5.1.1 No such user\r\n")
        self.there.add_challenge("2026-014", 71 * HOUR)
        said = self.there.run("--once")
        self.assertIn("refused", said)
        self.assertEqual(self.told(), ["colm@council.test", "inbox@partnership.test"])

    def test_relay_fault_pauses_and_refunds(self):
        self.start_following()
        self.there.add_challenge("2026-014", 4 * DAY)
        self.server.stop()
        said = self.there.run("--once")
        self.assertEqual(said.count("sending is paused"), 1)
        self.assertIn("(2026-014): ready", said)
        self.assertEqual(set(self.there.remember("SELECT attempts FROM mail")), {(0,)})

    def test_drop_after_the_text_is_in_doubt(self):
        self.start_following()
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("dot", "drop")
        said = self.there.run("--once")
        self.assertIn("in_doubt", said)
        self.assertEqual(self.there.remember("SELECT state, attempts, doubts FROM mail"), [("in_doubt", 1, 1)])
        arrived = len(self.server.mails)
        self.there.run("--once")
        self.assertEqual(len(self.server.mails), arrived, "the wait before a resend was not kept")

    def test_unknown_policy_version_is_that_challenges_fault_alone(self):
        self.start_following()
        self.there.add_challenge("strange", 4 * DAY, policy_version="9")
        self.there.add_challenge("good", 71 * HOUR)
        said = self.there.run("--once")
        self.assertIn("strange", said)
        self.assertEqual(self.told(), ["cora@council.test"])

    def test_several_notices_for_one_person_are_one_mail(self):
        self.start_following()
        for number in range(5):
            self.there.add_challenge(f"2026-{number}", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.told(), ["cora@council.test"])
        body = self.mails()[0][1].get_body(("plain",)).get_content()
        for number in range(5):
            self.assertIn(f"2026-{number}", body)

    def test_ceiling_spares_people_but_no_escalation(self):
        self.start_following()
        self.there.configure(ceiling=1)
        self.there.add_challenge("first", 71 * HOUR)
        self.there.run("--once")
        self.there.add_challenge("second", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.told(), ["cora@council.test"])
        self.there.add_challenge("third", 4 * DAY)
        self.there.run("--once")
        self.assertEqual(self.told(), ["colm@council.test", "cora@council.test", "cora@council.test"])
        self.assertIn("second", self.mails()[-1][1].as_string() + self.mails()[-2][1].as_string())

    def test_risk_goes_alone(self):
        self.start_following()
        challenge = self.there.add_challenge("danger", 60)
        self.there.add_challenge("late", 4 * DAY)
        self.there.record(challenge, "immediate_risk")
        self.there.run("--once")
        to_manager = [mail["Subject"] for to, mail in self.mails() if to == "colm@council.test"]
        self.assertEqual(len(to_manager), 2)
        self.assertEqual(sum("mmediate risk" in subject for subject in to_manager), 1)

    def test_store_that_is_not_there_is_said_with_what_to_do(self):
        said = self.there.run("--once", status=3)
        self.assertIn("challengectl init", said)

    def test_second_daemon_is_refused(self):
        self.start_following()
        with open(self.there.state / "lock", "r+") as lock:
            import fcntl
            fcntl.flock(lock, fcntl.LOCK_EX)
            said = self.there.run("--once", status=3)
        self.assertIn("another", said)

    def test_bad_configuration_is_status_78(self):
        self.there.config.write_text("store = 3;")
        self.there.run("--once", status=78)
        self.there.run("--check-config", status=1)

    def test_good_configuration_passes_the_check(self):
        self.there.run("--check-config", status=0)

    def test_unknown_option_is_usage(self):
        self.there.run("--what", status=2)

    def test_a_missing_sender_pauses_and_loses_nothing(self):
        self.start_following()
        self.there.add_challenge("2026-014", 71 * HOUR)
        said = self.there.run("--once", CHALLENGE_NOTIFY_SENDER="/nonexistent/sender")
        self.assertIn("sending is paused", said)
        self.there.run("--once")
        self.assertEqual(self.told(), ["cora@council.test", "it@partnership.test"])
        alarms = [mail["Subject"] for to, mail in self.mails() if to == "it@partnership.test"]
        self.assertEqual(alarms, ["Challenge reminders need attention: Mails could not be sent"])

    def test_ledger_is_private(self):
        self.start_following()
        self.assertEqual(os.stat(self.there.state).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(self.there.ledger).st_mode & 0o777, 0o600)


class Lean(unittest.TestCase):
    def test_daemon_does_not_carry_libcurl(self):
        linked = subprocess.run(["ldd", BUILD / "challenge-notifyd"], capture_output=True, text=True, check=True)
        self.assertNotIn("libcurl", linked.stdout)
        self.assertNotIn("libssl", linked.stdout)
        self.assertIn("libcurl", subprocess.run(["ldd", BUILD / "challenge-notify-sender"], capture_output=True,
                                                text=True, check=True).stdout)


if __name__ == "__main__":
    unittest.main()
