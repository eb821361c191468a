#!/usr/bin/python3
"""Kills the daemon between every two steps of a cycle, starts it again, and counts what arrived.

Nothing may be lost, and nothing may arrive twice unless the ledger says that it was in doubt, and then the copies
are equal to the byte. The build that dies where it is told is `make crash`.
"""

import re
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import complaints, recipients, settle  # noqa: E402
from partnership import BUILD, DAY, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from traced import CRASH, make_crash_build  # noqa: E402

HOUR = 3600
KILLED = -9


def setUpModule():
    make_crash_build()


class Kill(unittest.TestCase):
    """One scenario: an empty store was seen; then challenges whose notices are due came in."""

    def scene(self, **settings):
        folder = tempfile.TemporaryDirectory(prefix="test-kill-")
        self.addCleanup(folder.cleanup)
        server = Server()
        self.addCleanup(server.stop)
        there = Partnership(folder.name, server.port, daemon=CRASH, **settings)
        there.create_store()
        return there, server

    def fill(self, there):
        there.add_challenge("escalated", 4 * DAY)
        there.add_challenge("reminded", 71 * HOUR)
        number = there.add_challenge("danger", 60)
        there.record(number, "immediate_risk")

    def points(self, prepare):
        """The names of the crash points that one undisturbed cycle passes, in order."""
        there, _ = self.scene()
        prepare(there)
        said = there.run("--once", CHALLENGE_NOTIFYD_CRASH_LIST="1")
        return re.findall(r"^crash point \d+: (.*)$", said, re.MULTILINE), there

    def wanted(self, prepare):
        """Who is mailed, how often, when nobody is killed."""
        there, server = self.scene()
        prepare(there)
        settle(there)
        return recipients(server.mails)

    def kill_everywhere(self, prepare):
        names, _ = self.points(prepare)
        self.assertGreater(len(names), 10)
        wanted = self.wanted(prepare)
        for number, name in enumerate(names, 1):
            with self.subTest(f"{number}: {name}"):
                there, server = self.scene()
                prepare(there)
                there.run("--once", status=KILLED, CHALLENGE_NOTIFYD_CRASH_AT=str(number))
                settle(there)
                self.assertEqual(complaints(there, server.mails, wanted), [])
                server.stop()

    def test_a_cycle_with_notices_due(self):
        def prepare(there):
            there.run("--once")
            self.fill(there)
        self.kill_everywhere(prepare)

    def test_the_first_cycle_of_a_ledger(self):
        def prepare(there):
            there.add_challenge("old", 4 * DAY)
            there.add_challenge("older", 5 * DAY)
        self.kill_everywhere(prepare)

    def test_a_relay_that_refuses_an_address(self):
        """The point where a refused address falls through to the next contact is one of them, too."""
        there, server = self.scene()
        there.run("--once")
        there.add_challenge("reminded", 71 * HOUR)
        server.fault("RCPT", "reply", reply=b"550 5.1.1 No such user\r\n")
        there.run("--once", status=KILLED, CHALLENGE_NOTIFYD_CRASH_AT="outcome committed")
        settle(there, (0, 700))  # before the breach falls due
        told = sorted(address for mail in server.mails for address in mail["to"])
        self.assertEqual(told, ["colm@council.test", "inbox@partnership.test"])

    def test_dying_after_every_dot_ends_in_a_held_mail(self):
        there, server = self.scene()
        there.run("--once")
        there.add_challenge("reminded", 71 * HOUR)
        now = int(time.time())
        for later in (0, 700, 1400, 2100):
            there.run("--once", status=None, CHALLENGE_NOTIFYD_NOW=str(now + later),
                      CHALLENGE_NOTIFYD_CRASH_AT="outcome known, not recorded")
        told = [mail["to"] for mail in server.mails]
        self.assertEqual(told.count(["cora@council.test"]), 2)
        self.assertLessEqual(told.count(["it@partnership.test"]), 2)  # the alarm that one is held
        self.assertEqual(there.remember("SELECT state, doubts FROM mail")[0][0], "held")

    def test_the_shipped_program_has_no_such_points(self):
        there, _ = self.scene()
        there.daemon = BUILD / "challenge-notifyd"
        there.run("--once", CHALLENGE_NOTIFYD_CRASH_AT="1", CHALLENGE_NOTIFYD_NOW="0")


if __name__ == "__main__":
    unittest.main()
