#!/usr/bin/python3
"""challengectl's mail commands against the real daemon's ledger, a real sender process and a scripted SMTP server."""

import email
import email.policy
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import BUILD, DAY, Partnership  # noqa: E402
from smtp_server import Server, make_certificate  # noqa: E402

HOUR = 3600
DONE, NO, USAGE, COULD_NOT = 0, 1, 2, 3


class MailCommands(unittest.TestCase):
    server_settings = {}

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-mail-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.server = Server(**self.server_settings)
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)

    def words(self, *arguments, status=DONE, **environment):
        """As a person runs it, without --json: standard output."""
        done = subprocess.run([BUILD / "challengectl", "--config", self.there.config, *arguments],
                              capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              env=self.there.environment(**environment))
        self.assertEqual(done.returncode, status, done.stderr + done.stdout)
        return done.stdout

    def refused(self, status, text, *arguments):
        """One clear line on standard error, nothing on standard output."""
        done = self.there.ctl(*arguments, status=None)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertRegex(done.stderr, r"\Achallengectl: [^\n]*\n\Z")
        self.assertIn(text, done.stderr)


class TestMail(MailCommands):
    """No ledger and no store is needed."""

    def test_an_accepted_one_shows_every_step_and_is_marked(self):
        told = self.there.ctl("test-mail", "--to", "me@council.test")
        self.assertEqual(told["outcome"], "accepted")
        self.assertRegex(told["reply"], "^250 ")
        said = [step["words"].split()[0] for step in told["steps"] if step["who"] == "us"]
        self.assertEqual(said[:4], ["EHLO", "MAIL", "RCPT", "DATA"])
        heard = [step["words"][:3] for step in told["steps"] if step["who"] == "relay"]
        self.assertEqual((heard[0], heard[-2:]), ("220", ["354", "250"]))
        self.assertTrue(any(step["who"] == "note" and "Connected to" in step["words"] for step in told["steps"]))
        mail = email.message_from_bytes(self.server.mails[0]["bytes"], policy=email.policy.default)
        self.assertEqual(mail.defects, [])
        self.assertIn("TEST", mail["Subject"])
        self.assertEqual(mail["To"], "me@council.test")
        self.assertEqual(mail["Message-ID"], f"<{told['message_id']}>")
        self.assertFalse(self.there.state.exists(), "a test mail left something behind")

    def test_a_person_reads_the_conversation(self):
        said = self.words("test-mail", "--to", "me@council.test")
        for part in ("-> EHLO", "<- 220", "-> RCPT TO:<address>", "<- 354", "The relay has accepted the mail."):
            self.assertIn(part, said)

    def test_no_two_have_one_message_id(self):
        first, second = (self.there.ctl("test-mail", "--to", "me@council.test")["message_id"] for _ in range(2))
        self.assertNotEqual(first, second)

    def test_what_the_relay_says_decides_the_exit_status(self):
        rows = (("RCPT", {"kind": "reply", "reply": b"550 5.1.1 No such user\r\n"}, NO, "refused"),
                ("MAIL", {"kind": "5xx"}, NO, "refused"),
                ("dot", {"kind": "5xx"}, NO, "refused"),
                ("RCPT", {"kind": "4xx"}, NO, "refused for now"),
                ("dot", {"kind": "drop"}, COULD_NOT, "in doubt"),
                ("RCPT", {"kind": "drop"}, COULD_NOT, "no answer"))
        for step, fault, status, outcome in rows:
            with self.subTest(step=step, **fault):
                self.server.rules.clear()
                self.server.fault(step, fault["kind"], reply=fault.get("reply", b""))
                told = self.there.ctl("test-mail", "--to", "me@council.test", status=status)
                self.assertEqual(told["outcome"], outcome)

    def test_a_relay_that_is_not_there(self):
        self.server.stop()
        told = self.there.ctl("test-mail", "--to", "me@council.test", status=COULD_NOT)
        self.assertEqual(told["outcome"], "relay fault")

    def test_a_sender_that_is_not_there(self):
        done = self.there.ctl("test-mail", "--to", "me@council.test", status=None,
                              CHALLENGE_NOTIFY_SENDER="/nonexistent/sender")
        self.assertEqual((done.returncode, done.stdout), (COULD_NOT, ""))
        self.assertIn("/nonexistent/sender", done.stderr)

    def test_a_sender_that_ends_at_once(self):
        done = self.there.ctl("test-mail", "--to", "me@council.test", status=None, CHALLENGE_NOTIFY_SENDER="/bin/true")
        self.assertEqual(done.returncode, COULD_NOT)
        self.assertRegex(done.stderr, r"\Achallengectl: the sender [^\n]*\n\Z")

    def test_what_is_no_address_and_what_is_not_allowed(self):
        self.refused(USAGE, "--to ADDRESS", "test-mail")
        self.refused(USAGE, "--to", "test-mail", "--to", "me@council.test\r\nRCPT TO:<x@y.test>")
        self.refused(COULD_NOT, "allowed domain", "test-mail", "--to", "me@elsewhere.test")
        self.assertEqual(self.server.events, [])


class TestMailWithLogin(MailCommands):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="test-mail-certificate-")
        cls.addClassCleanup(folder.cleanup)
        cls.certificate = make_certificate(folder.name, "relay")
        cls.server_settings = {"tls": "starttls", "certificate": cls.certificate, "users": {"u": "s3cret-word"}}

    def setUp(self):
        super().setUp()
        (self.folder / "smtp").write_text("s3cret-word\n")
        self.there.configure(login=f'ca = "{self.certificate[0]}"; login = {{ user = "u"; mechanism = "PLAIN";'
                                   ' credential = "smtp"; };')
        text = self.there.config.read_text().replace("smtp://127.0.0.1", "smtp://localhost")
        self.there.config.write_text(text)

    def test_the_login_works_and_is_never_shown(self):
        for mechanism in ("PLAIN", "LOGIN"):
            with self.subTest(mechanism):
                self.there.config.write_text(self.there.config.read_text().replace('"PLAIN"', f'"{mechanism}"'))
                told = self.there.ctl("test-mail", "--to", "me@council.test", "--credentials", self.folder)
                self.assertEqual(told["outcome"], "accepted")
                words = "\n".join(step["words"] for step in told["steps"])
                self.assertIn(f"AUTH {mechanism}", words)
                self.assertIn("235", words)
                for secret in ("s3cret", "czNjcmV0", "AHUAczNjcmV0"):  # base64 as well
                    self.assertNotIn(secret, words)
                self.assertIn("SSL connection using", words)

    def test_a_credential_that_is_not_given_says_how_to_give_it(self):
        said = self.words("test-mail", "--to", "me@council.test", status=COULD_NOT)
        self.assertIn("--credentials FOLDER", said)

    def test_a_wrong_password(self):
        (self.folder / "smtp").write_text("guessed\n")
        told = self.there.ctl("test-mail", "--to", "me@council.test", status=COULD_NOT,
                              CREDENTIALS_DIRECTORY=str(self.folder))
        self.assertEqual(told["outcome"], "relay fault")
        self.assertIn("535", told["reply"])


WHO = ("--by", "A. Person", "--why", "asked by telephone")


class Queue(MailCommands):
    """One mail to cora, in whatever state a fault of the relay leaves it."""

    def setUp(self):
        super().setUp()
        self.there.create_store()
        self.there.run("--once")
        self.there.add_challenge("2026-014", 71 * HOUR)

    def settle(self, step=None, kind="4xx", **how):
        if step:
            self.server.fault(step, kind, **how)
        self.there.run("--once")
        return self.mails()[0]["state"]

    def mails(self, *arguments):
        return self.there.ctl("queue", "list", *arguments)

    def test_list_has_the_fields_of_the_contract(self):
        self.settle("RCPT")
        mail, = self.mails()
        self.assertEqual(set(mail), {"id", "state", "reference", "kind", "recipient", "message_id", "attempts",
                                     "next_attempt", "reply", "updated"})
        self.assertEqual((mail["state"], mail["reference"], mail["recipient"], mail["attempts"]),
                         ("retry", ["2026-014"], "cora@council.test", 1))
        self.assertIn("reminder", mail["kind"])
        self.assertIn("450", mail["reply"])
        self.assertIsNotNone(mail["next_attempt"])
        self.assertEqual(len(self.mails("--state", "retry")), 1)
        self.assertEqual(self.mails("--state", "held"), [])
        self.refused(USAGE, 'no state "lost"; there are: ready, attempting, ', "queue", "list", "--state", "lost")
        self.refused(USAGE, '"queue" is followed by one of: cancel, hold, list, release, retry, show', "queue")
        said = self.words("queue", "list")
        for part in ("retry", "2026-014", "cora@council.test"):
            self.assertIn(part, said)

    def test_show_has_the_text_and_what_happened(self):
        self.settle("RCPT")
        self.assertIn("Subject:", self.there.ctl("queue", "show", "1")["text"])
        said = self.words("queue", "show", "1")
        for part in ("rendered", "attempting", "retry", "Subject:", "450"):
            self.assertIn(part, said)
        # As the reader sees it: nothing encoded, no HTML, no JSON; the bytes when asked.
        mail = email.message_from_bytes(self.there.ctl("queue", "show", "1")["text"].encode(),
                                        policy=email.policy.default)
        self.assertIn(f"\nSubject: {mail['Subject']}\n\n", said)
        self.assertTrue(said.endswith("\n\n" + mail.get_body(("plain",)).get_content().replace("\r\n", "\n")), said)
        for part in ("=?UTF-8", "=E2=80=93", "<html", "{"):
            self.assertNotIn(part, said)
        for part in ("=?UTF-8", "<html"):
            self.assertIn(part, self.words("queue", "show", "1", "--source"))
        self.refused(COULD_NOT, "no mail 99", "queue", "show", "99")
        self.refused(USAGE, "not a positive number", "queue", "show", "first")

    def test_a_daemon_that_never_ran_has_no_queue(self):
        self.there.forget_everything()
        self.refused(COULD_NOT, "The daemon makes it", "queue", "list")

    def test_hold_release_retry_and_cancel_do_what_they_say(self):
        self.assertEqual(self.settle("RCPT"), "retry")
        rows = (("hold", "held"), ("release", "ready"), ("hold", "held"), ("retry", "ready"), ("cancel", "cancelled"))
        for word, state in rows:
            self.assertEqual(self.there.ctl("queue", word, "1", *WHO), {"id": 1, "state": state})
            self.assertEqual(self.mails()[0]["state"], state)
        self.there.run("--once")
        self.assertEqual(self.server.mails, [])
        self.assertTrue(self.there.ctl("audit", "verify")["intact"])

    def test_a_held_mail_is_not_tried_and_a_released_one_is(self):
        self.settle("RCPT")
        self.there.ctl("queue", "hold", "1", *WHO)
        before = len(self.server.seen("connect"))
        self.there.run("--once", later=2 * HOUR)
        self.assertEqual(self.mails()[0]["attempts"], 1)
        self.there.ctl("queue", "release", "1", *WHO)
        self.there.run("--once", later=2 * HOUR + 1)
        self.assertEqual((self.mails()[0]["state"], self.mails()[0]["attempts"]), ("accepted", 2))
        self.assertGreater(len(self.server.seen("connect")), before)

    def test_retry_does_not_wait(self):
        self.settle("RCPT")
        self.there.ctl("queue", "retry", "1", *WHO)
        self.there.run("--once")
        self.assertEqual(self.mails()[0]["state"], "accepted")

    def test_who_and_why_are_in_the_chain(self):
        self.settle("RCPT")
        self.there.ctl("queue", "cancel", "1", "--by", "B. Unit", "--why", "answered on paper")
        said = self.words("queue", "show", "1")
        self.assertIn("B. Unit", said)
        self.assertIn("answered on paper", said)
        self.assertIn("B. Unit", str(self.there.ctl("audit", "export", "2026-014")))

    def test_who_and_why_are_needed(self):
        self.settle("RCPT")
        for word in ("hold", "release", "retry", "cancel"):
            for given in ((), ("--by", "A"), ("--why", "x"), ("--by", "A", "--why", "")):
                self.refused(USAGE, "who decides and why", "queue", word, "1", *given)
        self.assertEqual(self.mails()[0]["state"], "retry")

    def test_what_is_over_cannot_be_decided_any_more(self):
        self.assertEqual(self.settle(), "accepted")
        for word in ("hold", "release", "retry", "cancel"):
            self.refused(COULD_NOT, "mail 1 is accepted", "queue", word, "1", *WHO)
        self.assertEqual(self.mails()[0]["state"], "accepted")

    def test_each_state_refuses_what_makes_no_sense_in_it(self):
        self.assertEqual(self.settle("dot", "drop"), "in_doubt")
        self.refused(COULD_NOT, "mail 1 is in_doubt", "queue", "release", "1", *WHO)
        self.there.ctl("queue", "hold", "1", *WHO)
        self.refused(COULD_NOT, "mail 1 is held", "queue", "hold", "1", *WHO)
        self.there.ctl("queue", "cancel", "1", *WHO)
        for word in ("hold", "release", "retry", "cancel"):
            self.refused(COULD_NOT, "mail 1 is cancelled", "queue", word, "1", *WHO)
        self.refused(COULD_NOT, "no mail 99", "queue", "hold", "99", *WHO)

    def test_a_mail_that_is_being_attempted_is_left_alone(self):
        self.server.fault("greeting", "hang", seconds=30)
        daemon = self.there.start()
        try:
            for _ in range(100):
                mails = self.mails() if self.there.ledger.exists() else []
                if mails and mails[0]["state"] == "attempting":
                    break
                time.sleep(0.05)
            for word in ("hold", "retry", "cancel"):
                self.refused(COULD_NOT, "being attempted", "queue", word, "1", *WHO)
        finally:
            daemon.kill()
            daemon.communicate()


class Adopt(MailCommands):
    def setUp(self):
        super().setUp()
        self.there.create_store()
        self.there.run("--once")

    def told(self):
        return sorted(address for mail in self.server.mails for address in mail["to"])

    def test_what_is_past_is_never_mailed(self):
        for number in range(3):
            self.there.add_challenge(f"2026-{number}", 4 * DAY)
        told = self.there.ctl("adopt", "--yes", *WHO)
        self.assertEqual((told["adopted"], told["passed_over"]), (15, 0))
        self.there.run("--once")
        self.assertEqual(self.told(), [])
        self.assertEqual(self.there.remember("SELECT DISTINCT state, reason FROM notice"), [("cancelled", "adopted")])
        self.assertEqual(self.there.ctl("adopt", "--yes", *WHO)["adopted"], 0)
        self.there.add_challenge("new", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.told(), ["cora@council.test"])
        self.assertTrue(self.there.ctl("audit", "verify")["intact"])

    def test_a_ledger_from_a_backup_mails_no_history(self):
        self.there.add_challenge("2026-0", 71 * HOUR)
        before = self.there.ledger.read_bytes()
        self.there.run("--once")
        self.assertEqual(self.told(), ["cora@council.test"])
        self.there.ledger.write_bytes(before)
        self.there.ctl("adopt", "--yes", *WHO)
        self.there.run("--once")
        self.assertEqual(self.told(), ["cora@council.test"])

    def test_what_a_flood_held_is_left_unsent_and_the_flood_is_over(self):
        for number in range(20):
            self.there.add_challenge(f"2026-{number}", 4 * DAY)
        self.there.run("--once")
        held = self.there.remember("SELECT count(*) FROM notice WHERE state = 'held'")[0][0]
        self.assertGreater(held, 50)
        self.assertEqual(self.there.ctl("adopt", "--yes", *WHO)["adopted"], held)
        self.server.mails.clear()
        self.there.add_challenge("new", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.told(), ["cora@council.test"])

    def test_who_and_why_are_needed_and_kept(self):
        self.refused(USAGE, "who decides and why", "adopt")
        self.refused(USAGE, "say --yes", "adopt", *WHO)
        self.refused(USAGE, "too many", "adopt", "2026-0", *WHO)
        self.refused(USAGE, "future", "adopt", "--at", "2099-01-01 10:00", *WHO)
        self.there.ctl("adopt", "--yes", *WHO)
        trail = self.there.remember("SELECT text FROM payload JOIN chain USING (seq) WHERE kind = 'adopted'")
        self.assertIn("asked by telephone", trail[0][0])

    def test_without_a_ledger_there_is_nothing_to_adopt(self):
        self.there.forget_everything()
        self.refused(COULD_NOT, "The daemon makes it", "adopt", "--yes", *WHO)


class Restart(MailCommands):
    """Health raised them long ago; by silence they have come to the last stage."""

    def setUp(self):
        super().setUp()
        self.there.create_store()
        self.there.run("--once")
        self.old = self.there.add_challenge("old", 30 * DAY)

    def told(self):
        return sorted(address for mail in self.server.mails for address in mail["to"])

    def moment(self, ago=0):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))

    def events(self):
        with self.there.open_store() as store:
            return store.execute("SELECT c.reference, e.kind, e.stage, e.by, e.note FROM event e JOIN challenge c"
                                 " ON c.id = e.challenge WHERE e.kind <> 'raised' ORDER BY e.id").fetchall()

    def restart(self, *arguments, at=None, **how):
        return self.there.ctl("adopt", "--restart", "--at", at or self.moment(), *WHO, *arguments, **how)

    def test_fresh_clocks_at_the_stage_that_was_recorded(self):
        told = self.restart("--yes")
        self.assertEqual(told["challenges"], [{"reference": "old", "stage": "practitioner", "event": "stage"}])
        self.assertTrue(told["restarted"])
        self.assertEqual(self.events(), [("old", "stage", "practitioner", "A. Person", "asked by telephone")])
        self.there.run("--once")
        sent = self.there.remember("SELECT kind, stage FROM notice WHERE state = 'decided'")
        self.assertEqual(sent, [("inform", "practitioner")] if sent else [])
        self.assertNotIn("colm@council.test", self.told())
        self.there.run("--once", later=61 * HOUR)  # 12 hours before the fresh limit of 72
        self.assertIn("cora@council.test", self.told())
        self.assertNotIn("colm@council.test", self.told())
        self.there.run("--once", later=73 * HOUR)
        self.assertIn("colm@council.test", self.told())

    def test_what_it_shows_is_what_is_mailed(self):
        told = self.restart("--yes")
        shown = {(mail["kind"], mail["at"][:16], role) for mail in told["mails"] for role in mail["to"]}
        self.there.run("--once")
        for later in (1, 2, 3, 4):
            self.there.run("--once", later=later * DAY)
        sent = {(kind, time.strftime("%Y-%m-%dT%H:%M", time.gmtime(at)), role) for kind, at, role in
                self.there.remember("SELECT kind, at, role FROM notice WHERE reason <> 'adopted'")}
        self.assertTrue(sent)
        self.assertEqual(sent, {row for row in shown if row[1] <= max(at for _, at, _ in sent)})

    def test_a_look_changes_nothing(self):
        told = self.restart()
        self.assertFalse(told["restarted"])
        self.assertTrue(told["mails"])
        self.assertEqual(self.events(), [])
        self.assertEqual(self.there.remember("SELECT count(*) FROM notice"), [(0,)])

    def test_nobody_to_ask_is_said(self):
        done = subprocess.run([BUILD / "challengectl", "--config", self.there.config, "adopt", "--restart", "--at",
                               self.moment(), *WHO], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertIn("fresh clocks at stage practitioner", done.stdout)
        self.assertEqual(self.events(), [])

    def test_the_stage_in_effect_gets_a_new_visit(self):
        young = self.there.add_challenge("young", HOUR)
        told = self.restart("--yes", "young")
        self.assertEqual(told["challenges"], [{"reference": "young", "stage": "practitioner", "event": "reopened"}])
        self.assertEqual([row[:2] for row in self.events()], [("young", "reopened")])
        self.assertTrue(any(mail["kind"] == "breach" for mail in told["mails"]))
        self.assertEqual(young, 2)

    def test_a_stage_that_was_recorded_is_kept(self):
        self.there.record(self.old, "stage", ago=20 * DAY, stage="manager")
        told = self.restart("--yes")
        self.assertEqual(told["challenges"][0]["stage"], "manager")

    def test_ended_challenges_are_left_alone(self):
        self.there.record(self.old, "closed", ago=DAY)
        self.assertEqual(self.restart("--yes")["challenges"], [])
        said = subprocess.run([BUILD / "challengectl", "--config", self.there.config, "adopt", "--restart", "--at",
                               self.moment(), *WHO], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual((said.returncode, said.stdout),
                         (0, "Nothing to restart: no challenge that is open was raised by that time.\n"))
        self.refused(COULD_NOT, "old is not open", "adopt", "--restart", "--at", self.moment(), "--yes", *WHO, "old")

    def test_from_a_time_to_come(self):
        when = self.moment(-2 * DAY)
        self.restart("--yes", at=when)
        self.there.run("--once", later=DAY)
        self.assertEqual(self.told(), [])
        self.there.run("--once", later=6 * DAY)
        self.assertIn("colm@council.test", self.told())

    def test_a_time_is_needed(self):
        self.refused(USAGE, "--at TIME", "adopt", "--restart", *WHO)
        self.refused(USAGE, "--at", "adopt", "--restart", "--at", "soon", *WHO)
        self.refused(COULD_NOT, "no challenge", "adopt", "--restart", "--at", self.moment(), *WHO, "nothing")

    def test_without_a_ledger_the_first_cycle_adopts_the_rest(self):
        self.there.forget_everything()
        self.restart("--yes")
        self.there.run("--once")
        self.assertEqual(self.told(), ["inbox@partnership.test"])
        listed = subprocess.run([BUILD / "challengectl", "--config", self.there.config, "queue", "list"],
                                capture_output=True, text=True).stdout
        self.assertRegex(listed, r" -  +-  +inbox@partnership.test")  # about no challenge
        self.there.forget_everything()
        self.refused(COULD_NOT, "Start the daemon once", "adopt", "--restart", "--yes", "--at", self.moment(-DAY), *WHO)


if __name__ == "__main__":
    unittest.main()
