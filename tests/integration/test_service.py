#!/usr/bin/python3
"""The daemon's loop, watched through a notify socket as systemd would: readiness, mails, reload, stopping."""

import os
import signal
import socket
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import DAY, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

HOUR = 3600
PATIENCE = 15


class Service(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-service-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(str(self.there.folder / "notify"))
        self.notify.settimeout(0.2)
        self.said = []
        self.daemon = None

    def start(self, **environment):
        self.daemon = self.there.start(NOTIFY_SOCKET=str(self.there.folder / "notify"), **environment)
        self.addCleanup(self.end)

    def end(self):
        if self.daemon.poll() is None:
            self.daemon.kill()
        self.daemon.wait()
        if not self.daemon.stderr.closed:
            self.daemon.stderr.close()

    def listen(self):
        try:
            self.said.append(self.notify.recv(65536).decode())
        except TimeoutError:
            pass

    def wait_for(self, what, true):
        until = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > until or (self.daemon.poll() is not None and not true()):
                self.fail(f"{what} did not happen; the daemon said {self.said}")
            self.listen()

    def heard(self, word):
        return any(line == word for message in self.said for line in message.split("\n"))

    def said_of(self, name):
        """The values that a variable was given, in order."""
        return [line.split("=", 1)[1] for message in self.said for line in message.split("\n")
                if line.startswith(name + "=")]

    def ready(self):
        self.wait_for("READY=1", lambda: self.heard("READY=1"))

    def stop(self, by=signal.SIGTERM):
        self.daemon.send_signal(by)
        said = self.daemon.communicate(timeout=40)[1]
        self.assertEqual(self.daemon.returncode, 0, said)
        return said

    def test_ready_then_mails_as_soon_as_something_is_recorded_then_stops(self):
        self.there.create_store()
        self.start()
        self.ready()
        self.there.add_challenge("2026-014", 4 * DAY)
        self.wait_for("two mails", lambda: len(self.server.mails) == 2)
        said = self.stop()
        self.wait_for_nothing_left()
        self.assertIn("stopping", said)
        self.assertTrue(self.heard("STOPPING=1"))

    def wait_for_nothing_left(self):
        for _ in range(10):
            self.listen()

    def test_not_ready_while_the_store_is_missing_and_heals_by_itself(self):
        self.start()
        self.wait_for("a status", lambda: any("challengectl init" in message for message in self.said))
        time.sleep(1.2)
        self.assertFalse(self.heard("READY=1"))
        self.assertEqual(self.said_of("EXTEND_TIMEOUT_USEC"), [], "whoever waits for the start is to get an answer")
        self.assertIn("TROUBLE: the store cannot be read", self.said_of("STATUS")[-1])
        self.there.create_store()
        self.ready()
        said = self.stop()
        self.assertEqual(said.count("the store cannot be read"), 1, said)
        self.assertIn("can be read again", said)

    def test_reload_pairs_and_keeps_the_last_good_configuration(self):
        self.there.create_store()
        self.start()
        self.ready()
        good = self.there.config.read_text()
        self.there.config.write_text(good.replace("per_minute", "per_minuet"))
        self.said.clear()
        self.daemon.send_signal(signal.SIGHUP)
        self.wait_for("READY=1 again", lambda: self.heard("RELOADING=1") and self.heard("READY=1"))
        self.wait_for("the refusal in the status", lambda: any("REFUSED" in message for message in self.said))
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.wait_for("a mail under the old configuration", lambda: self.server.mails)
        self.there.config.write_text(good.replace("1 second", "2 seconds"))
        self.said.clear()
        self.daemon.send_signal(signal.SIGHUP)
        self.wait_for("READY=1 again", lambda: self.heard("RELOADING=1") and self.heard("READY=1"))
        said = self.stop()
        self.assertIn("refused, the one in use goes on", said)
        self.assertIn("per_minuet", said)

    def test_watchdog_is_pinged_while_polls_succeed(self):
        self.there.create_store()
        self.start(WATCHDOG_USEC="3000000")
        self.ready()
        self.said.clear()
        self.wait_for("three pings", lambda: sum("WATCHDOG=1" in message for message in self.said) >= 3)
        self.stop()

    def test_a_relay_that_hangs_does_not_trip_the_watchdog_but_a_stuck_process_does(self):
        self.there.create_store()
        self.server.fault("MAIL", "hang", seconds=30)
        self.start(WATCHDOG_USEC="3000000")
        self.ready()
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.wait_for("MAIL", lambda: "MAIL" in self.server.verbs())
        self.wait_for("the mail in the status", lambda: any("being sent" in text for text in self.said_of("STATUS")))
        self.said.clear()
        self.wait_for("pings while the relay hangs", lambda: len(self.said_of("WATCHDOG")) >= 3)
        self.daemon.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        while True:  # what was said before
            before = len(self.said)
            self.listen()
            if len(self.said) == before:
                break
        self.said.clear()
        begun = time.monotonic()
        while time.monotonic() - begun < 3.5:
            self.listen()
        self.assertEqual(self.said, [])
        self.daemon.send_signal(signal.SIGCONT)
        self.wait_for("pings again", lambda: self.said_of("WATCHDOG"))

    def test_without_a_watchdog_nothing_is_pinged(self):
        self.there.create_store()
        self.start()
        self.ready()
        time.sleep(2)
        self.wait_for_nothing_left()
        self.assertEqual(self.said_of("WATCHDOG"), [])
        self.assertRegex(self.said_of("STATUS")[-1], r"^Watching the store; 0 mails ready")
        self.stop()

    def test_a_credential_that_was_not_given_is_told_and_pauses_the_queue(self):
        self.there.create_store()
        self.there.configure(login='login = { user = "noreply"; mechanism = "PLAIN"; credential = "smtp-password"; };')
        self.start()
        self.ready()  # what it watches is there; mails wait
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.wait_for("the pause", lambda: any("sending is PAUSED" in text for text in self.said_of("STATUS")))
        self.assertIn("LoadCredential=smtp-password:FILE", self.said_of("STATUS")[-1])
        said = self.stop()
        self.assertEqual(said.count("LoadCredential=smtp-password:FILE"), 1, said)
        self.assertEqual(self.there.remember("SELECT state, attempts FROM mail"), [("ready", 0)])

    def test_a_bad_configuration_is_never_ready_and_ends_with_78(self):
        self.there.create_store()
        self.there.config.write_text(self.there.config.read_text().replace("per_minute", "per_minuet"))
        self.start()
        said = self.daemon.communicate(timeout=20)[1]
        self.assertEqual(self.daemon.returncode, 78, said)
        self.assertIn("per_minuet", said)
        self.wait_for_nothing_left()
        self.assertFalse(self.heard("READY=1"))

    def test_a_second_daemon_on_the_same_ledger_is_refused(self):
        self.there.create_store()
        self.start()
        self.ready()
        said = self.there.run(status=3)
        self.assertIn("another", said)
        self.stop()

    def test_stopping_waits_for_the_answer_to_the_final_dot(self):
        self.there.create_store()
        self.server.fault("dot", "late", seconds=3)
        self.start()
        self.ready()
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.wait_for("the text", lambda: self.server.seen("dot") or self.server.seen("data")
                      or "DATA" in self.server.verbs())
        time.sleep(0.5)
        self.stop()
        self.assertEqual(self.there.remember("SELECT state FROM mail"), [("accepted",)])
        self.assertEqual(len(self.server.mails), 1)
        self.there.run("--once")
        self.assertEqual(len(self.server.mails), 1, "it was sent again")

    def test_a_sender_that_is_killed_loses_nothing(self):
        self.there.create_store()
        self.server.fault("MAIL", "hang", seconds=30)
        self.start()
        self.ready()
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.wait_for("MAIL", lambda: "MAIL" in self.server.verbs())
        children = Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children").read_text().split()
        self.assertEqual(len(children), 1)
        os.kill(int(children[0]), signal.SIGKILL)
        self.wait_for("a retry", lambda: self.there.remember("SELECT 1 FROM mail WHERE attempts = 1"
                                                             " AND next_attempt > updated"))
        self.stop()

    def test_interrupt_stops_it_too(self):
        self.there.create_store()
        self.start()
        self.ready()
        self.stop(signal.SIGINT)

    def test_a_store_put_in_place_of_the_old_one_is_read_anew(self):
        self.there.create_store()
        self.start()
        self.ready()
        os.rename(self.there.store, self.there.folder / "old.db")
        self.there.create_store()
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.wait_for("its mail", lambda: self.server.mails)
        self.assertIn("another", self.stop())


if __name__ == "__main__":
    unittest.main()
