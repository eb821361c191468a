#!/usr/bin/python3
"""scripts/update-holidays: a new list replaces the old one only when the configuration in use has no fault with it."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("BUILD", TOP / "build"))


class UpdateHolidays(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="test-holidays-"))
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(TOP / "conf", self.folder / "conf")
        self.config = self.folder / "conf" / "challenge-notifyd.conf"
        self.used = self.folder / "conf" / "bank-holidays.json"
        self.old = self.used.read_bytes()

    def update(self, text, status):
        """Offers a list; afterwards nothing but the list itself may have changed."""
        offered = self.folder / "offered.json"
        offered.write_bytes(text)
        before = sorted(path.name for path in self.config.parent.iterdir())
        done = subprocess.run([TOP / "scripts" / "update-holidays", "--config", self.config, "--from", offered,
                               "--no-reload"], capture_output=True, text=True,
                              env={**os.environ, "CHALLENGECTL": str(BUILD / "challengectl")})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(sorted(path.name for path in self.config.parent.iterdir()), before, "something was left")
        self.assertEqual(self.used.read_bytes(), text if status == 0 else self.old)
        return done.stdout + done.stderr

    def with_dates(self, change):
        document = json.loads(self.old)
        for division in document.values():
            division["events"] = change(division["events"])
        return json.dumps(document).encode()

    def test_a_longer_list_is_taken(self):
        more = {"title": "New Year’s Day", "date": "2031-01-01", "notes": "", "bunting": True}
        self.assertIn("ends on 2031-01-01", self.update(self.with_dates(lambda events: [*events, more]), 0))
        self.assertEqual(self.used.stat().st_mode & 0o777, 0o644)

    def test_the_same_list_is_nothing_new(self):
        self.assertIn("nothing new", self.update(self.old, 0))

    def test_a_list_that_ends_sooner_is_refused(self):
        self.assertIn("the list in use stays", self.update(self.with_dates(lambda events: events[:3]), 1))

    def test_a_page_that_is_no_list_is_refused(self):
        self.assertIn("stays", self.update(b"<html>Sorry, there is a problem with the service 2099</html>", 1))

    def test_a_list_without_our_division_is_refused_with_the_fault(self):
        document = json.loads(self.old)
        del document["england-and-wales"]
        self.assertIn("england-and-wales", self.update(json.dumps(document).encode(), 1))

    def test_a_list_that_is_far_too_long_is_refused(self):
        self.assertIn("too long", self.update(self.old + b" " * (1 << 20), 1))

    def test_a_file_that_is_not_there(self):
        done = subprocess.run([TOP / "scripts" / "update-holidays", "--config", self.config, "--from",
                               self.folder / "none.json"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(self.used.read_bytes(), self.old)

    def test_an_unknown_option_is_usage(self):
        done = subprocess.run([TOP / "scripts" / "update-holidays", "--frmo", "x"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage", done.stderr)


if __name__ == "__main__":
    unittest.main()
