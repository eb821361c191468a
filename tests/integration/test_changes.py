#!/usr/bin/python3
"""A configuration that changes under the running daemon: reload, hold, approve, and new time zone data."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import BUILD, POLICY, Partnership  # noqa: E402

PATIENCE = 15
HOUR = 3600


class Changes(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="changes-"))
        self.addCleanup(shutil.rmtree, self.folder)
        # Nothing listens there: what is decided is asked of the ledger, nothing is delivered.
        self.partnership = Partnership(self.folder, 9)
        self.partnership.create_store()
        self.said, self.status = [], ""
        self.zones = self.folder / "zones"
        (self.zones / "Europe").mkdir(parents=True)
        shutil.copy("/usr/share/zoneinfo/Europe/London", self.zones / "Europe")

    def start(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(str(self.folder / "notify"))
        listener.settimeout(0.2)
        daemon = self.partnership.start(NOTIFY_SOCKET=str(self.folder / "notify"), TZDIR=str(self.zones))
        reader = threading.Thread(target=lambda: self.said.extend(iter(daemon.stderr.readline, "")), daemon=True)
        reader.start()
        self.listener, self.daemon, self.reader = listener, daemon, reader
        self.addCleanup(self.stop)
        self.until(lambda: "Watching" in self.status, "it is ready")

    def stop(self):
        if self.daemon.stderr.closed:
            return
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.reader.join(5)
        self.daemon.stderr.close()
        self.listener.close()

    def until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited for: {what}\n{self.status}\n{''.join(self.said)}")
            try:
                said = re.search(r"^STATUS=(.*)", self.listener.recv(4096).decode(), re.M)
                self.status = said.group(1) if said else self.status
            except TimeoutError:
                pass

    def edit(self, old, new):
        (self.folder / "policies" / "test.conf").write_text(POLICY.replace(old, new))
        self.daemon.send_signal(signal.SIGHUP)

    def notices(self):
        return dict(self.partnership.remember("SELECT kind || ' ' || role, state FROM notice"))

    def ctl(self, *arguments):
        return subprocess.run([BUILD / "challengectl", "--config", self.partnership.config, *arguments],
                              text=True, capture_output=True, timeout=30)

    def test_a_slip_is_held_and_approved(self):
        self.start()
        self.partnership.add_challenge("2026-001", 30 * HOUR)
        self.until(lambda: self.notices().get("inform receiving.practitioner"), "the challenge is seen")
        self.edit('"72 hours"', '"29 hours"')
        self.until(lambda: "NOT APPROVED" in self.status, "STATUS says so")
        self.assertEqual(self.notices()["breach receiving.practitioner"], "held")
        self.assertEqual(self.notices()["escalation receiving.manager"], "held")
        # And the reminder of 12 hours before, which replaces that of 24 hours before.
        self.assertIn("3 notices that it alone makes due at once are HELD", self.status)
        digest = re.search(r"challengectl approve (\w+)", self.status).group(1)
        self.until(lambda: any("HELD" in line and digest in line for line in self.said), "the journal, too")
        # Of the challenge's own trail.
        moved = self.partnership.remember("SELECT text FROM payload JOIN chain USING (seq) WHERE kind = 'moved'")
        self.assertEqual([json.loads(text)["obligation"] for (text,) in moved], ["practitioner"])

        wrong = self.ctl("approve", "0123456789ab")
        self.assertEqual((wrong.returncode, wrong.stdout), (3, ""))
        self.assertIn(digest, wrong.stderr)
        self.assertEqual(self.ctl("approve", "0123").returncode, 2)
        done = self.ctl("approve", digest, "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["released"]), (0, 3), done.stderr)
        self.assertTrue(json.loads(self.ctl("approve", digest, "--json").stdout)["already"])
        self.until(lambda: "APPROVED" not in self.status, "STATUS says no more")
        self.assertNotEqual(self.notices()["breach receiving.practitioner"], "held")
        self.stop()
        self.assertEqual(self.ctl("audit", "verify").returncode, 0)

    def test_a_slip_that_is_corrected_takes_back_what_was_held(self):
        self.start()
        self.partnership.add_challenge("2026-001", 30 * HOUR)
        self.until(lambda: self.notices().get("inform receiving.practitioner"), "the challenge is seen")
        self.edit('"72 hours"', '"29 hours"')
        self.until(lambda: self.notices().get("breach receiving.practitioner") == "held", "it is held")
        self.edit('"72 hours"', '"72 hours"')
        self.until(lambda: self.notices()["breach receiving.practitioner"] == "cancelled", "it is taken back")
        self.assertEqual(self.notices()["escalation receiving.manager"], "cancelled")
        self.stop()
        self.assertEqual(self.ctl("audit", "verify").returncode, 0)

    def test_a_change_that_makes_nothing_due_is_approved_by_itself(self):
        self.start()
        self.partnership.add_challenge("2026-001", 30 * HOUR)
        self.until(lambda: self.notices().get("inform receiving.practitioner"), "the challenge is seen")
        self.edit('"72 hours"', '"96 hours"')
        self.until(lambda: any("is approved" in line for line in self.said), "it is approved")
        self.assertNotIn("APPROVED", self.status)
        ((first,), (second,)) = self.partnership.remember(
            "SELECT value FROM meta WHERE name IN ('configuration', 'approved')")
        self.assertEqual(first, second)

    def test_a_refused_reload_keeps_the_last_good_one_and_says_so(self):
        self.start()
        self.edit('"72 hours"', '"72 hrs"')
        self.until(lambda: "REFUSED" in self.status, "STATUS says so")
        self.until(lambda: any("test.conf:" in line and "72 hrs" in line for line in self.said), "the journal, too")
        self.edit('"72 hours"', '"72 hours"')
        self.until(lambda: "REFUSED" not in self.status, "the next good one is taken")

    def test_new_tzdata_are_read_without_being_asked(self):
        self.start()
        (before,) = self.partnership.remember("SELECT value FROM meta WHERE name = 'configuration'")
        # As dpkg does it: another file under the same name.
        shutil.copy("/usr/share/zoneinfo/Europe/Dublin", self.zones / "Europe" / "new")
        (self.zones / "Europe" / "new").rename(self.zones / "Europe" / "London")
        self.until(lambda: self.partnership.remember("SELECT value FROM meta WHERE name = 'configuration'") != [before],
                   "the new zone is in use")
        self.until(lambda: any("is in use" in line for line in self.said), "it says so")


if __name__ == "__main__":
    unittest.main()
