#!/usr/bin/python3
"""The file of metrics: its figures, its form by promtool, and that it holds nothing of anybody."""

import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from watched import Watched  # noqa: E402

HOUR = 3600
PREFIX = "challenge_notifyd_"


class Metrics(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-metrics-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.there.create_store()
        self.collected = self.there.folder / "collected"
        self.collected.mkdir()
        self.file = self.collected / "challenge_notifyd.prom"
        self.there.config.write_text(f'metrics = "{self.file}";\n{self.there.config.read_text()}')

    def figures(self):
        found = {}
        for line in self.file.read_text().splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name.removeprefix(PREFIX)] = int(value)
        return found

    def test_its_figures(self):
        before = int(time.time())
        self.there.run("--once")
        self.there.add_challenge("NEW", 60)
        self.there.add_challenge("LATE", 3000 * HOUR)
        self.there.record(self.there.add_challenge("DONE", 50 * HOUR), "closed")
        self.there.run("--once")
        found = self.figures()
        (notices,), (mails,), (accepted,) = (self.there.remember(query)[0] for query in (
            "SELECT count(*) FROM notice", "SELECT count(*) FROM mail",
            "SELECT count(*) FROM mail WHERE state = 'accepted'"))
        for name in ("last_good_poll_timestamp_seconds", "start_time_seconds", "last_proof_timestamp_seconds"):
            self.assertTrue(before <= found.pop(name) <= time.time(), name)
        next_event = found.pop("next_event_timestamp_seconds")
        self.assertEqual([(next_event,)], self.there.remember("SELECT min(next) FROM schedule"))
        self.assertNotIn("oldest_queued_mail_timestamp_seconds", found)
        digest = self.there.ctl("status", status=None).stdout
        digest = re.search(r'"in_force": *"(\w{64})"', digest)[1]
        self.assertGreater(notices, 2)
        self.assertEqual(found, {
            'build_info{version="0.1.0"}': 1, f'config_info{{digest="{digest}"}}': 1,
            "config_approved": 1, "config_last_reload_successful": 1, "poll_interval_seconds": 1,
            "promise_kept": 1, "challenges_unwatched": 0, "challenges_open": 2, "challenges_due_today": 0,
            "challenges_overdue": 1, "flood_held_notices": 0, "sending_paused": 0,
            "notices_decided_total": notices, "mails_written_total": mails,
            "mails_accepted_total": accepted, "mails_refused_total": 0,
            **{f'queue_items{{state="{state}"}}': 0
               for state in ("decided", "ready", "attempting", "retry", "in_doubt", "held")}})
        self.assertGreater(accepted, 0)

    def test_prometheus_finds_no_fault_in_its_form(self):
        promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool is not installed (package prometheus)")
        self.server.stop()  # so that a mail waits, and each figure there can be is there
        self.there.config.write_text(
            self.there.config.read_text()
            .replace('to = [ "it@partnership.test" ];', 'to = [ "it@partnership.test" ];'
                     f' heartbeat = {{ url = "http://127.0.0.1:{self.server.port}/"; }};')
            .replace("hours = {", 'holidays = { file = "h.json"; division = "england-and-wales"; }; hours = {', 1))
        shutil.copy(Path(__file__).resolve().parents[2] / "conf" / "bank-holidays.json", self.there.folder / "h.json")
        self.there.run("--once", status=None)
        self.there.add_challenge("NEW", 60)
        self.there.run("--once", status=None)
        self.there.run("--once", status=None)
        found = self.figures()
        self.assertIn("oldest_queued_mail_timestamp_seconds", found)
        self.assertIn('holidays_known_until_timestamp_seconds{calendar="england"}', found)
        self.assertIn("heartbeat_failing", found)
        checked = subprocess.run([promtool, "check", "metrics"], input=self.file.read_text(), text=True,
                                 capture_output=True, timeout=60)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))

    def test_a_broken_promise_shows(self):
        self.there.run("--once")
        self.there.add_challenge("LOST", 60, policy_version="7")
        self.there.run("--once")
        found = self.figures()
        self.assertEqual((found["promise_kept"], found["challenges_unwatched"]), (0, 1))

    def test_it_tells_nothing_of_anybody(self):
        canary = "CANARY-2026"
        self.there.run("--once")
        with self.there.open_store() as store:
            store.execute("UPDATE contact SET name = ?", (canary,))
            store.execute("UPDATE agency SET name = ?", (canary,))
        self.there.record(self.there.add_challenge(canary, 80 * HOUR), "discussed", note=canary)
        self.there.add_challenge(canary + "-LOST", 60, policy_version="7")
        self.there.run("--once")
        text = self.file.read_text()
        self.assertNotIn("CANARY", text)
        self.assertNotIn("@", text)

    def test_others_may_read_it_and_nothing_lies_beside_it(self):
        self.there.run("--once")
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o644)
        self.assertEqual([path.name for path in self.collected.iterdir()], [self.file.name])

    def test_a_fault_is_told_once_and_holds_nothing_up(self):
        shutil.rmtree(self.collected)
        daemon = Watched(self.there)
        self.addCleanup(daemon.__exit__)
        daemon.ready()
        daemon.wait("the fault", lambda: daemon.logged("the metrics could not be written"))
        self.there.add_challenge("NEW", 60)
        daemon.wait("its mail", lambda: self.server.mails)
        self.assertEqual(daemon.logged("the metrics"), 1)
        self.collected.mkdir()
        daemon.reload()  # a minute need not be waited for
        daemon.wait("the end of it", lambda: daemon.logged("the metrics are written again"))
        self.assertTrue(self.file.exists())
        self.assertEqual(daemon.stop(), 0)

    def test_while_the_store_is_away_nothing_is_said_of_challenges(self):
        daemon = Watched(self.there)
        self.addCleanup(daemon.__exit__)
        daemon.ready()
        daemon.wait("figures", lambda: self.file.exists() and self.figures().get("promise_kept") == 1)
        good = self.figures()["last_good_poll_timestamp_seconds"]
        self.there.store.rename(self.there.folder / "away")
        daemon.wait("the trouble", lambda: daemon.logged("the store cannot be read"))
        self.file.unlink()
        daemon.reload()
        daemon.wait("figures", self.file.exists)
        found = self.figures()
        self.assertNotIn("promise_kept", found)
        self.assertNotIn("challenges_open", found)
        self.assertLess(found["last_good_poll_timestamp_seconds"] - good, 5)

    def test_under_a_wrong_clock_nothing_is_said_of_challenges(self):
        self.there.run("--once", status=3, later=int(1e9 - time.time()))
        self.assertNotIn("last_proof_timestamp_seconds", self.figures())

    def test_it_grows_old_when_no_poll_is_good(self):
        self.there.run("--once")
        before = self.figures()["last_good_poll_timestamp_seconds"]
        sqlite3.connect(self.there.store).close()
        self.there.store.rename(self.there.folder / "away")
        time.sleep(1.1)
        self.there.run("--once", status=3)
        after = self.figures()
        self.assertNotIn("last_good_poll_timestamp_seconds", after)
        self.assertNotIn("promise_kept", after)
        self.assertGreater(after["start_time_seconds"], before)


if __name__ == "__main__":
    unittest.main()
