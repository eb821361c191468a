#!/usr/bin/python3
"""challengectl's mail commands against the real daemon's ledger, a real sender process and a scripted SMTP server."""

import email
import email.policy
import subprocess
import sys
import tempfile
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


if __name__ == "__main__":
    unittest.main()
