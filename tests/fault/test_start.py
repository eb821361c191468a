#!/usr/bin/python3
"""Starts that cannot succeed yet: the daemon waits a minute, then says so and fails; a reload meanwhile is none."""

import os
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from traced import CRASH, make_crash_build  # noqa: E402
from watched import Watched  # noqa: E402

HOUR = 3600
MINUTE = 60


class Start(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        make_crash_build()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-start-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port, daemon=CRASH)
        self.waited = self.there.folder / "waited"
        self.let_pass(0)

    def let_pass(self, seconds):
        """So many seconds more have passed since the daemon began, for all it knows."""
        new = self.waited.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self.waited)

    def start(self, **environment):
        return Watched(self.there, CHALLENGE_NOTIFYD_WAITED=str(self.waited), **environment)

    def gives_up(self, daemon, because):
        """It ends by itself, in good order, and said why; systemd was told no untruth on the way."""
        self.assertEqual(daemon.process.wait(30), 3)
        daemon.wait("its last word", lambda: daemon.told("STOPPING=1"))
        self.assertEqual(daemon.logged("gave up starting after 60 seconds: " + because), 1, daemon.lines)
        self.assertTrue(any("STATUS=TROUBLE: " + because in text for text in daemon.said), daemon.said)
        for word in ("READY=1", "RELOADING=1", "EXTEND_TIMEOUT_USEC"):
            self.assertFalse(daemon.told(word), word)

    def test_a_store_that_never_comes_fails_the_start(self):
        with self.start() as daemon:
            daemon.wait("trouble", lambda: daemon.told("STATUS=TROUBLE: the store cannot be read"))
            self.let_pass(MINUTE - 10)
            time.sleep(2.2)
            self.assertIsNone(daemon.process.poll(), "it gave up early")
            self.let_pass(MINUTE + 1)
            self.gives_up(daemon, "the store cannot be read")

    def test_a_wrong_clock_is_waited_for(self):
        self.there.create_store()
        step = self.there.folder / "step"
        step.write_text(str(86400 - int(time.time())))  # 1970, as of a machine whose clock has no battery
        with self.start(CHALLENGE_NOTIFYD_NOW=f"@{step}") as daemon:
            daemon.wait("trouble", lambda: daemon.told("STATUS=TROUBLE: the clock"))
            self.let_pass(HOUR)
            daemon.wait("the wait", lambda: daemon.told("EXTEND_TIMEOUT_USEC="))
            time.sleep(2.2)
            self.assertIsNone(daemon.process.poll(), daemon.lines)
            self.assertFalse(daemon.told("READY=1"))
            step.write_text("0")
            daemon.ready()
            self.assertEqual(daemon.stop(), 0)

    def test_a_doubted_store_is_a_start_for_a_person_is_to_act_beside_it(self):
        self.there.create_store()
        self.there.run("--once")
        self.there.add_challenge("2026-001", HOUR)
        self.there.run("--once")
        os.unlink(self.there.store)
        self.there.create_store()  # another one
        with self.start() as daemon:
            daemon.ready()
            self.assertTrue(daemon.told("STATUS=TROUBLE: the store is another one"), daemon.said)
            self.let_pass(HOUR)
            time.sleep(2.2)
            self.assertEqual(daemon.stop(), 0)

    def test_a_long_interval_between_polls_is_not_waited_for(self):
        self.there.config.write_text(self.there.config.read_text().replace('"1 second"', '"1 hour"'))
        with self.start() as daemon:
            daemon.wait("trouble", lambda: daemon.told("STATUS=TROUBLE"))
            self.there.create_store()
            daemon.ready()
            self.assertEqual(daemon.stop(), 0)

    def test_a_store_that_comes_within_the_minute_makes_it_ready(self):
        with self.start() as daemon:
            daemon.wait("trouble", lambda: daemon.told("STATUS=TROUBLE"))
            self.let_pass(MINUTE - 10)
            self.there.create_store()
            daemon.ready()
            self.assertEqual(daemon.stop(), 0)

    def test_once_it_was_ready_it_never_gives_up(self):
        self.there.create_store()
        with self.start() as daemon:
            daemon.ready()
            self.there.store.rename(self.there.folder / "away.db")
            daemon.wait("trouble", lambda: daemon.told("STATUS=TROUBLE"))
            self.let_pass(HOUR)
            time.sleep(2.2)
            (self.there.folder / "away.db").rename(self.there.store)
            daemon.wait("the store again", lambda: daemon.said[-1].startswith("STATUS=Watching"))
            self.assertEqual(daemon.stop(), 0)

    def test_a_reload_while_it_starts_is_none_that_systemd_must_wait_for(self):
        with self.start() as daemon:
            daemon.wait("trouble", lambda: daemon.told("STATUS=TROUBLE"))
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait("the reload", lambda: daemon.logged("is in use"))
            time.sleep(0.3)
            self.assertFalse(daemon.told("RELOADING=1") or daemon.told("READY=1"), daemon.said)
            self.there.create_store()
            daemon.ready()
            self.assertEqual(daemon.stop(), 0)

    def test_a_mail_in_hand_is_waited_for_when_it_gives_up(self):
        self.there.create_store()
        self.there.run("--once")
        self.there.add_challenge("in-hand", 71 * HOUR)
        self.server.fault("MAIL", "4xx")
        self.there.run("--once")  # written, and refused for now
        os.unlink(self.there.store)
        self.server.fault("dot", "late", seconds=3)
        with self.start(CHALLENGE_NOTIFYD_NOW=str(int(time.time()) + 2 * MINUTE)) as daemon:
            daemon.wait("DATA", lambda: "DATA" in self.server.verbs())
            self.let_pass(MINUTE + 1)
            self.gives_up(daemon, "the store cannot be read")
        self.assertEqual(self.there.remember("SELECT state FROM mail"), [("accepted",)])
        self.assertEqual(len(self.server.mails), 1)


if __name__ == "__main__":
    unittest.main()
