#!/usr/bin/python3
"""The sender against a real Postfix: STARTTLS and implicit TLS, logins, refusals, and the mail itself."""

import email
import email.policy
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))

import postfix  # noqa: E402
from sender_driver import Sender, plain_mail, verdict  # noqa: E402


@unittest.skipIf(postfix.why_not(), postfix.why_not())
class RealPostfix(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = postfix.Postfix()
        cls.addClassCleanup(cls.relay.stop)
        cls.credentials = Path(tempfile.mkdtemp(prefix="credentials-"))
        cls.addClassCleanup(shutil.rmtree, cls.credentials)
        (cls.credentials / "right").write_text(postfix.PASSWORD + "\n")
        (cls.credentials / "wrong").write_text("guessed\n")

    def sender(self, implicit=False, **settings):
        url = (f"smtps://localhost:{self.relay.tls_port}" if implicit
               else f"smtp://localhost:{self.relay.port}")
        settings = {"login": "PLAIN", "user": postfix.USER, "credential": "right",
                    "ca": self.relay.certificate, "connect_seconds": 10, "reply_seconds": 10,
                    "dot_seconds": 20, **settings}
        return Sender(credentials=self.credentials, url=url, **settings)

    def deliver(self, **settings):
        """One mail through; it must be in the mailbox and say what it said."""
        before = len(self.relay.arrived(0, 0))
        text = f"Reply needed by Thursday 26 November, 17:00.\r\n.one dot\r\n{settings}\r\n"
        body = plain_mail(os.urandom(4).hex(), text)
        with self.sender(**settings) as sender:
            result = sender.send(body=body)
        self.assertEqual(verdict(result), "accepted", f"{result}\n{self.relay.log()}")
        self.assertRegex(result["reply"], r"^250 2\.0\.0 Ok: queued as \w+$")
        arrived = self.relay.arrived(before + 1)
        self.assertEqual(len(arrived), before + 1)
        sent = email.message_from_bytes(body, policy=email.policy.default)
        got = [m for m in (email.message_from_bytes(a, policy=email.policy.default)
                           for a in arrived) if m["Message-ID"] == sent["Message-ID"]]
        self.assertEqual(len(got), 1)
        self.assertEqual(got[0].defects, [])
        for header in ("Subject", "Date", "From", "To"):
            self.assertEqual(got[0][header], sent[header])
        self.assertEqual(got[0].get_content(), text.replace("\r\n", "\n"))
        return got[0]

    def test_starttls_and_plain(self):
        mail = self.deliver()
        self.assertEqual(mail["Return-Path"], "<noreply@partnership.test>")
        self.assertRegex(str(mail["Received"]), "ESMTPSA")

    def test_starttls_and_login(self):
        self.deliver(login="LOGIN")

    def test_implicit_tls_and_plain(self):
        self.deliver(implicit=True)

    def test_five_mails_over_one_connection(self):
        before = len(self.relay.arrived(0, 0))
        with self.sender() as sender:
            results = [sender.send() for _ in range(5)]
        self.assertEqual([verdict(r) for r in results], ["accepted"] * 5, self.relay.log())
        self.assertEqual([r["reused"] for r in results], [False] + [True] * 4)
        self.assertEqual(len(self.relay.arrived(before + 5)), before + 5)

    def test_a_refused_address_and_a_grey_one_do_not_touch_the_others(self):
        rows = (("bad@council.test", "address"), ("grey@council.test", "retry"),
                ("manager@council.test", "accepted"), ("bad@council.test", "address"))
        with self.sender() as sender:
            for recipient, expected in rows:
                with self.subTest(recipient):
                    result = sender.send(recipient=recipient)
                    self.assertEqual(verdict(result), expected, result)
                    self.assertNotIn("@", result["reply"])

    def test_a_wrong_password_is_a_fault_of_the_relay(self):
        for implicit in (False, True):
            with self.subTest(implicit), self.sender(implicit, credential="wrong") as sender:
                result = sender.send()
                self.assertEqual((verdict(result), result["reply_code"]), ("relay_fault", 535))

    def test_a_relay_of_unknown_authority_is_told_nothing(self):
        for implicit in (False, True):
            with self.subTest(implicit), self.sender(implicit, ca="") as sender:
                result = sender.send()
                self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 60))

    def test_tls_of_the_wrong_kind_is_a_fault_of_the_relay(self):
        url = f"smtps://localhost:{self.relay.port}"
        with Sender(credentials=self.credentials, url=url, ca=self.relay.certificate,
                    connect_seconds=5) as sender:
            self.assertEqual(verdict(sender.send()), "relay_fault")

    def test_without_a_login_the_relay_refuses_and_the_mail_is_not_lost(self):
        with self.sender(login="", user="", credential="") as sender:
            result = sender.send()
            self.assertEqual(verdict(result), "hold", result)
            self.assertEqual(result["reply_code"] // 100, 5)


if __name__ == "__main__":
    unittest.main()
