#!/usr/bin/python3
"""scripts/demo shows the same at any hour, its last cycle sends nothing, and it leaves only the mails behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from datetime import datetime, timezone
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
DEMO = TOP / "scripts" / "demo"
sys.path.insert(0, str(TOP / "tests" / "lib"))
import mail_form  # noqa: E402

HOURS = ("2027-06-30T10:00:00Z",  # a working day in summer
         "2027-01-03T03:00:00Z",  # a Sunday, at night
         "2027-03-28T00:40:00Z",  # just before the clocks change
         "2026-12-25T23:57:40Z",  # Christmas, in the last minutes of the day
         "2026-12-26T00:00:20Z")  # and in the first


class Demo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def start(self, *prefix):
        return subprocess.Popen([*prefix, DEMO], env={**os.environ, "TMPDIR": str(self.folder)},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def run_demo(self, *prefix):
        demo = self.start(*prefix)
        said, _ = demo.communicate(timeout=60)
        self.assertEqual(demo.returncode, 0, said)
        self.assert_nothing_runs(demo.pid)
        return said

    def assert_nothing_runs(self, group):
        for _ in range(20):
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        os.killpg(group, signal.SIGKILL)
        self.fail("the demo left a process running")

    def test_it_sends_once_and_leaves_only_the_mails(self):
        said = self.run_demo()
        self.assertEqual(re.findall(r"--once: (\d+) mails", said)[::2], ["0", "0"])
        kept = [path for place in self.folder.iterdir() for path in place.iterdir()]
        self.assertEqual([path.name for path in kept], ["mails"])
        self.assertIn(str(kept[0]), said)
        mails = [path.read_bytes() for path in kept[0].glob("new/*")]
        self.assertEqual(len(mails), int(re.findall(r"(\d+) arrived", said)[0]))
        self.assertEqual([fault for mail in mails for fault in mail_form.faults(mail)], [])

    def test_it_shows_the_same_states_and_mails_at_any_hour(self):
        if not shutil.which("faketime"):
            self.skipTest("faketime is not installed")
        shown = {}
        for hour in HOURS:
            ahead = (datetime.fromisoformat(hour) - datetime.now(timezone.utc)).total_seconds()
            said = self.run_demo("faketime", "-f", f"{ahead:+.0f}s")
            states = re.findall(r"(?m)^(2026-1\d\d) +(\w+(?:, \w+)?) +(\S+) .* example@\S+$", said)
            mails = re.findall(r"(?m)^(\S+@\S+) +(\S+) +(2026-[\d ]+?) {2,}", said)
            self.assertEqual(len(states), 13, said)
            self.assertGreater(len(mails), 10, said)
            shown[hour] = (states, mails)
        for hour in HOURS[1:]:
            self.assertEqual(shown[hour], shown[HOURS[0]], hour)

    def test_ended_early_it_ends_its_mail_server_too(self):
        demo = self.start()
        for _ in range(200):
            if list(self.folder.glob("*/port")):
                break
            time.sleep(0.05)
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=30)
        self.assertNotEqual(demo.returncode, 0)
        self.assert_nothing_runs(demo.pid)


if __name__ == "__main__":
    unittest.main()
