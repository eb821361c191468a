#!/usr/bin/python3
"""challengectl status: what it says of a daemon that runs, of one that does not, and of everything that is wrong."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))
from partnership import BUILD, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

CTL = BUILD.resolve() / "challengectl"
HOUR, DAY = 3600, 86400


class Status(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="test-status-")
        self.addCleanup(self.folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.partnership = Partnership(self.folder.name, self.server.port)

    def ctl(self, *arguments, **environment):
        return subprocess.run([CTL, "--config", self.partnership.config, *arguments], text=True, timeout=30,
                              capture_output=True, env={**self.partnership.environment(), **environment})

    def status(self, exits=1):
        ran = self.ctl("status", "--json")
        self.assertEqual((ran.returncode, ran.stderr), (exits, ""))
        return json.loads(ran.stdout)

    def problems(self, status=None):
        return " | ".join(p["what"] for p in (status or self.status())["problems"])

    def prepare(self):
        self.partnership.create_store()
        self.partnership.state.mkdir(mode=0o700)

    def test_nothing_is_there_yet(self):
        said = self.status()
        self.assertFalse(said["running"])
        self.assertIn("not running", self.problems(said))
        self.assertIn("the store cannot be read", self.problems(said))
        self.assertIn("ledger", self.problems(said))
        self.assertTrue(all(problem["do"] for problem in said["problems"]))

    def test_challenges_are_counted_as_open_due_and_overdue(self):
        self.prepare()
        self.partnership.add_challenge("NEW", 60)  # its 72 hours end past the next day's end
        self.partnership.add_challenge("DUE", 50 * HOUR)
        late = self.partnership.add_challenge("LATE", 80 * HOUR)
        done = self.partnership.add_challenge("DONE", 100 * HOUR)
        self.partnership.record(done, "closed")
        said = self.status()
        self.assertEqual(said["challenges"], {"open": 3, "due": 1, "overdue": 1})
        self.partnership.record(late, "closed")
        self.assertEqual(self.status()["challenges"], {"open": 2, "due": 1, "overdue": 0})

    def test_a_running_daemon_with_nothing_wrong_exits_0(self):
        self.prepare()
        self.partnership.run("--once")
        self.partnership.add_challenge("ONE", 60)
        daemon = self.partnership.start()
        self.addCleanup(daemon.communicate)
        self.addCleanup(daemon.terminate)
        for _ in range(100):
            said = json.loads(self.ctl("status", "--json").stdout)
            if said["running"] and not said["problems"]:
                break
            time.sleep(0.1)
        self.assertEqual((said["running"], said["problems"]), (True, []))
        self.assertEqual(said["store"]["seen"], said["store"]["changes"])
        self.assertEqual(said["configuration"]["files"], said["configuration"]["in_force"])
        self.assertIsNotNone(said["next_event"])
        self.assertIsNotNone(said["last_written"])
        words = self.ctl("status")
        self.assertEqual(words.returncode, 0)
        self.assertIn("No problems.", words.stdout)
        self.assertNotIn("\033", words.stdout)

    def test_what_is_wrong_is_told(self):
        self.prepare()
        self.partnership.run("--once")
        self.partnership.add_challenge("LOST", 60, policy_version="none")
        with self.partnership.open_store() as store:
            store.execute("INSERT INTO challenge (reference, policy, policy_version, raising_agency,"
                          " receiving_agency) VALUES ('SILENT', 'test', '1', 'health', 'council')")
        self.partnership.configure(ceiling=7)
        told = self.problems()
        self.assertIn("1 challenge names a policy that is not loaded", told)
        self.assertIn("1 challenge was never raised", told)
        self.assertIn("configuration files are not those", told)

    def test_a_held_mail_is_a_problem(self):
        self.prepare()
        self.partnership.run("--once")
        self.server.stop()  # so that the mail waits
        self.partnership.add_challenge("HELD", 60)
        self.partnership.run("--once", status=None)
        (mail,), = self.partnership.remember("SELECT max(id) FROM mail")
        held = self.ctl("queue", "hold", str(mail), "--by", "T. Ester", "--why", "test")
        self.assertEqual(held.returncode, 0, held.stderr)
        self.assertIn("1 mail or notice is held", self.problems())

    def test_arguments_are_refused(self):
        ran = self.ctl("status", "all")
        self.assertEqual((ran.returncode, ran.stdout), (2, ""))


if __name__ == "__main__":
    unittest.main()
