#!/usr/bin/python3
"""Signs of life: they are given while every open challenge is watched, and stay away when one is not."""

import json
import sqlite3
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


class Room(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-proof-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.there.create_store()

    def start(self, **environment):
        daemon = Watched(self.there, **environment)
        self.addCleanup(daemon.__exit__)
        return daemon.ready()

    def status(self, *arguments, **environment):
        return json.loads(self.there.ctl("status", *arguments, status=None, **environment).stdout)

    def forget(self, challenge):
        """The ledger loses its plan, as by a fault of ours or a hand in the file."""
        ledger = sqlite3.connect(self.there.ledger, timeout=10, isolation_level=None)
        ledger.execute("DELETE FROM schedule WHERE challenge = ?", (challenge,))
        ledger.close()


class Promise(Room):
    def test_a_forgotten_challenge_is_told_loudly_named_and_taken_up_again(self):
        daemon = self.start()
        number = self.there.add_challenge("2026-014", 50 * HOUR)
        self.there.add_challenge("2026-015", 50 * HOUR)
        daemon.wait("mails", lambda: self.server.mails)
        daemon.wait("a proof", lambda: self.status()["poll"]["promise"] == "kept")
        self.forget(number)
        daemon.wait("the journal", lambda: daemon.logged(
            "<2>challenge 2026-014 is not watched: the ledger has no plan to look at it again"))
        daemon.wait("the status", lambda: daemon.told("1 open challenges are NOT WATCHED: challengectl status"))
        said = self.status()
        self.assertEqual(said["unwatched"], [{"challenge": "2026-014",
                                              "why": "the ledger has no plan to look at it again"}])
        self.assertEqual(said["poll"]["promise"], "broken")
        self.assertIn("1 open challenge is not watched", " ".join(p["what"] for p in said["problems"]))
        self.assertEqual(daemon.logged("2026-015 is not watched"), 0)
        time.sleep(2.5)  # told once, not at every poll
        self.assertEqual(daemon.logged("is not watched"), 1)
        self.there.record(number, "acknowledged")  # what the catalog advises
        daemon.wait("the end of it", lambda: daemon.logged("every open challenge is watched again"))
        self.assertEqual(self.status()["unwatched"], [])
        self.assertEqual(daemon.stop(), 0)

    def test_a_policy_that_is_not_loaded_breaks_it_too(self):
        daemon = self.start()
        self.there.add_challenge("LOST", 60, policy_version="7")
        daemon.wait("the journal", lambda: daemon.logged("LOST is not watched: its policy version is not loaded"))
        self.assertEqual([one["challenge"] for one in self.status()["unwatched"]], ["LOST"])

    def test_once_says_it_as_well(self):
        self.there.run("--once")
        number = self.there.add_challenge("2026-014", 50 * HOUR)
        self.there.run("--once")
        self.forget(number)
        self.assertIn("challenge 2026-014 is not watched", self.there.run("--once"))

    def test_the_daily_mail_stays_away_until_all_are_watched(self):
        """A new ledger begins with the next turn, which is tomorrow's."""
        config = self.there.config.read_text()
        hour = time.strftime("%H:%M", time.gmtime(time.time() - 120))
        self.there.config.write_text(config.replace('to = [ "it@partnership.test" ];',
                                                    f'to = [ "it@partnership.test" ]; daily = "{hour}";'))
        self.there.run("--once")
        number = self.there.add_challenge("2026-014", 5 * HOUR)
        self.there.run("--once")
        before = self.daily()
        self.forget(number)
        self.assertIn("is not watched", self.there.run("--once", later=24 * HOUR))
        self.assertEqual(self.daily(), before)
        self.there.record(number, "acknowledged")
        self.there.run("--once", later=24 * HOUR)
        self.assertEqual(self.daily(), before + 1)

    def daily(self):
        return sum(b"Challenge reminders are running" in mail["bytes"] for mail in self.server.mails)


class Pulse(Room):
    def test_status_tells_of_the_last_good_poll(self):
        self.assertIsNone(self.status()["poll"])
        daemon = self.start()
        daemon.wait("a poll", lambda: (self.status()["poll"] or {}).get("last_good"))
        poll = self.status()["poll"]
        self.assertEqual((poll["pid"], poll["stale"]), (daemon.process.pid, False))
        self.assertLessEqual(poll["seconds_ago"], 5)
        time.sleep(3)
        self.assertLessEqual(self.status()["poll"]["seconds_ago"], 2)  # it goes on
        words = self.there.ctl("status", status=None)
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))
        old = self.status("--at", later)
        self.assertTrue(old["poll"]["stale"])
        self.assertIn("the last good poll was 1", " ".join(p["what"] for p in old["problems"]))
        self.assertEqual(words.returncode, 0, words.stdout)
        daemon.stop()
        self.assertFalse(self.status()["running"])
        self.assertTrue(self.status()["poll"]["last_good"])

    def test_the_page_lies_in_the_runtime_folder_where_there_is_one(self):
        runtime = self.there.folder / "run"
        runtime.mkdir()
        daemon = self.start(RUNTIME_DIRECTORY=str(runtime))
        self.assertTrue((runtime / "pulse").exists())
        self.assertFalse((self.there.state / "pulse").exists())
        daemon.wait("a poll", lambda: (self.status(RUNTIME_DIRECTORY=str(runtime))["poll"] or {}).get("last_good"))

    def test_while_the_store_is_away_no_poll_is_good(self):
        daemon = self.start()
        daemon.wait("a poll", lambda: (self.status()["poll"] or {}).get("last_good"))
        self.there.store.rename(self.there.folder / "away")
        daemon.wait("the trouble", lambda: daemon.logged("the store cannot be read"))
        time.sleep(2.5)
        self.assertGreaterEqual(self.status()["poll"]["seconds_ago"], 2)

    def test_a_daemon_that_never_had_its_store_says_that_no_poll_was_good_yet(self):
        self.there.store.rename(self.there.folder / "away")
        daemon = Watched(self.there)
        self.addCleanup(daemon.__exit__)
        daemon.wait("the trouble", lambda: daemon.logged("the store cannot be read"))
        said = self.status()
        self.assertEqual((said["poll"]["last_good"], said["poll"]["pid"]), (None, daemon.process.pid))
        self.assertNotIn("cannot be read: " + str(self.there.state), json.dumps(said["problems"]))
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))
        self.assertIn("there was no good poll since the daemon began", json.dumps(self.status("--at", later)["problems"]))

    def test_beside_another_store_no_poll_is_good_and_nothing_is_named(self):
        self.there.run("--once")
        self.there.add_challenge("2026-014", 50 * HOUR)
        daemon = self.start()
        daemon.wait("a proof", lambda: (self.status()["poll"] or {}).get("promise") == "kept")
        self.there.store.rename(self.there.folder / "the-right-one")
        self.there.create_store()
        self.there.add_challenge("OTHER", 3000 * HOUR)
        daemon.wait("the doubt", lambda: daemon.logged("the store is another one than the ledger knows"))
        time.sleep(2.5)
        said = self.status()
        self.assertGreaterEqual(said["poll"]["seconds_ago"], 2)
        self.assertEqual(said["unwatched"], [])

    def test_without_its_page_the_daemon_works_and_says_so(self):
        daemon = self.start(RUNTIME_DIRECTORY="/nowhere")
        self.assertEqual(daemon.logged("will not know when the last good poll was"), 1)
        self.there.add_challenge("2026-014", 50 * HOUR)
        daemon.wait("its mail", lambda: self.server.mails)
        self.assertEqual(daemon.stop(), 0)

    def test_a_page_that_is_not_to_be_believed_is_a_problem(self):
        self.there.state.mkdir(mode=0o700)
        (self.there.state / "pulse").write_bytes(b"\xff" * 4096)
        said = self.status()
        self.assertIsNone(said["poll"])
        self.assertIn("when the last good poll was cannot be read", " ".join(p["what"] for p in said["problems"]))


if __name__ == "__main__":
    unittest.main()
