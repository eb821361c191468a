#!/usr/bin/python3
"""Mails as another program reads them: Python's email parser finds no defect in any message
that the unit test writes, exactly the headers that belong there, and the text as it was."""

import email
import email.policy
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("BUILD", "build")
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from mail_form import defects_of  # noqa: E402

ALWAYS = [
    "Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted",
    "X-Auto-Response-Suppress", "MIME-Version", "Content-Language", "Content-Type",
    "Content-Transfer-Encoding",
]


def read_fields(path):
    """The key=value lines that the unit test left beside a message."""
    lines = path.read_bytes().decode().split("\n")
    return dict(line.split("=", 1) for line in lines if line)


def joined(name):
    """A display name of several encoded words: Python 3.11 keeps the blank between them, which
    RFC 2047 6.2 takes away."""
    return name.replace(" ", "") if len(name) > 60 else name


class MessageTest(unittest.TestCase):
    """One sub-test for each message."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run(
            [str(ROOT / BUILD / "tests/unit/core/test_message")], check=True, cwd=ROOT,
            env={**os.environ, "MESSAGES": cls.folder.name}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=60)
        cls.paths = sorted(pathlib.Path(cls.folder.name).glob("*.eml"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def messages(self):
        """Each message's bytes, its parsed form, what should be in it, and its path."""
        self.assertGreater(len(self.paths), 20)
        for path in self.paths:
            raw = path.read_bytes()
            fields = read_fields(path.with_suffix(".fields"))
            parsed = email.message_from_bytes(raw, policy=email.policy.default)
            yield raw, parsed, fields, path

    def test_no_defects(self):
        for _, message, fields, _ in self.messages():
            with self.subTest(fields["name"]):
                self.assertEqual(defects_of(message), [])

    def test_exactly_the_expected_headers(self):
        for _, message, fields, _ in self.messages():
            with self.subTest(fields["name"]):
                wanted = list(ALWAYS)
                if fields["reply_to"]:
                    wanted.append("Reply-To")
                if fields["root"]:
                    wanted += ["In-Reply-To", "References", "Thread-Index"]
                if fields["important"] == "1":
                    wanted.append("Importance")
                self.assertEqual(sorted(message.keys()), sorted(wanted))

    def test_headers_read_as_they_were_meant(self):
        for _, message, fields, _ in self.messages():
            with self.subTest(fields["name"]):
                (sender,) = message["From"].addresses
                (recipient,) = message["To"].addresses
                self.assertEqual(sender.display_name, fields["from_name"])
                self.assertEqual(sender.addr_spec, fields["from"])
                self.assertEqual(joined(recipient.display_name), fields["to_name"])
                self.assertEqual(recipient.addr_spec, fields["to"])
                self.assertEqual(message["Subject"], fields["subject"])
                self.assertEqual(message["Date"].datetime.timestamp(), int(fields["date"]))
                self.assertEqual(message["Message-ID"], f"<{fields['message_id']}>")
                self.assertEqual(message["Content-Language"], fields["language"])
                self.assertEqual(message["Auto-Submitted"], "auto-generated")
                self.assertEqual(message["X-Auto-Response-Suppress"],
                                 "DR, RN, NRN, OOF, AutoReply")
                if fields["root"]:
                    self.assertEqual(message["References"], f"<{fields['root']}>")
                    self.assertEqual(message["In-Reply-To"], f"<{fields['root']}>")

    def test_bodies_come_through(self):
        for _, message, fields, path in self.messages():
            with self.subTest(fields["name"]):
                text = path.with_suffix(".text").read_bytes().decode()
                html = path.with_suffix(".html").read_bytes().decode()
                if message.get_content_type() == "multipart/mixed":
                    message, calendar = message.iter_parts()
                    self.assertEqual(calendar.get_content_type(), "text/calendar")
                    self.assertEqual(calendar.get_content(), "BEGIN:VCALENDAR\r\nSUMMARY:é\r\n")
                if not html:
                    self.assertEqual(message.get_content_type(), "text/plain")
                    self.assertEqual(message.get_content().replace("\r\n", "\n"), text)
                    continue
                self.assertEqual(message.get_content_type(), "multipart/alternative")
                first, second = message.iter_parts()
                self.assertEqual(first.get_content_type(), "text/plain")
                self.assertEqual(second.get_content_type(), "text/html")
                self.assertEqual(first.get_content().replace("\r\n", "\n"), text)
                self.assertEqual(second.get_content().replace("\r\n", "\n"), html)

    def test_bytes_are_fit_for_any_relay(self):
        for raw, _, fields, _ in self.messages():
            with self.subTest(fields["name"]):
                self.assertTrue(raw.endswith(b"\r\n"))
                self.assertTrue(raw.isascii())
                bare = raw.replace(b"\r\n", b"")
                self.assertNotIn(b"\r", bare)
                self.assertNotIn(b"\n", bare)
                self.assertLessEqual(max(map(len, raw.split(b"\r\n"))), 78)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
