#!/usr/bin/python3
"""Two daemons on one state folder, and a daemon that is killed at random: nothing lost, nothing doubled unseen.

KILLS=10000 kills so often; SECOND=1000 plays so many rounds of two daemons. A failure prints the seed.
"""

import concurrent.futures
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import complaints_of_notices, copies, settle, told  # noqa: E402
from partnership import Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from traced import STRACE, WORKERS, Scene, make_crash_build, need_strace  # noqa: E402
from watched import Watched  # noqa: E402

KILLS = int(os.environ.get("KILLS", "150"))
ROUNDS = int(os.environ.get("SECOND", "100"))
SEED = int(os.environ.get("SEED", time.time()))
SLOW_EVERY = 5  # rounds of two daemons, one has a slow relay


def setUpModule():
    make_crash_build()
    print(f"seed {SEED}", file=sys.stderr)


def daemon_of(there):
    return subprocess.Popen([there.daemon, "--config", there.config, "--once"], env=there.environment(),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def two_at_once(seed, rounds, lock_deleted):
    """Two daemons begin together, or the second a moment later with the lock's file gone. What went wrong."""
    chance = random.Random(seed)
    scene = Scene()
    wrong, refused = [], 0
    try:
        there = scene.again()
        settle(there)
        wanted = told(there, scene.server.mails)
        for number in range(rounds):
            there = scene.again()
            if number % SLOW_EVERY == 0:  # longer than the second waits for the lock
                scene.server.fault("dot", "late", seconds=1)
            first = daemon_of(there)
            time.sleep(chance.random() * 0.06)
            if lock_deleted:
                (there.state / "lock").unlink(missing_ok=True)
            second = daemon_of(there)
            said = [process.communicate(timeout=60)[1] for process in (first, second)]
            for process, line in zip((first, second), said):
                if process.returncode not in (0, 3):
                    wrong.append(f"round {number}: status {process.returncode}: {line[-200:]}")
                if process.returncode == 3 and "another challenge-notifyd" in line:
                    refused += 1
            settle(there, (0,))
            if complaints_of_notices(there, scene.server.mails, wanted):
                settle(there, (700, 8000))
                wrong += [f"round {number}: {found}"
                          for found in complaints_of_notices(there, scene.server.mails, wanted)]
            if lock_deleted is False and any(len(same) > 1 for same in copies(scene.server.mails).values()):
                wrong.append(f"round {number}: sent twice")
    finally:
        scene.close()
    return wrong, refused


def kill_at_random(seed, kills):
    """kill -9 after 0 to 120 ms, daemon and senders, so many times. What went wrong."""
    chance = random.Random(seed)
    scene = Scene()
    wrong = []
    try:
        there = scene.again()
        settle(there)
        wanted = told(there, scene.server.mails)
        for number in range(kills):
            there = scene.again()
            process = subprocess.Popen([there.daemon, "--config", there.config, "--once"], env=there.environment(),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * 0.12)
            process.kill()
            process.wait()
            settle(there, (0,))
            if complaints_of_notices(there, scene.server.mails, wanted):
                settle(there, (700, 8000, 16000))
                wrong += [f"kill {number}: {found}"
                          for found in complaints_of_notices(there, scene.server.mails, wanted)]
    finally:
        scene.close()
    return wrong


class Second(unittest.TestCase):
    def play(self, lock_deleted):
        wrong, refused = [], 0
        with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
            share = max(1, ROUNDS // 2 // WORKERS)
            for found, count in pool.map(two_at_once, [SEED + i for i in range(WORKERS)], [share] * WORKERS,
                                         [lock_deleted] * WORKERS):
                wrong, refused = wrong + found, refused + count
        self.assertEqual(wrong, [], f"seed {SEED}")
        return refused

    def test_the_second_of_two_daemons_leaves(self):
        self.assertGreater(self.play(False), 0, "none was ever refused")

    def test_two_daemons_when_the_lock_was_deleted(self):
        self.play(True)

    def test_a_mail_that_another_daemon_settled_holds_up_no_other(self):
        folder = tempfile.TemporaryDirectory(prefix="test-second-")
        self.addCleanup(folder.cleanup)
        server = Server()
        self.addCleanup(server.stop)
        there = Partnership(folder.name, server.port)
        there.create_store()
        server.fault("dot", "late", seconds=3)
        with Watched(there) as daemon:
            daemon.ready()
            there.add_challenge("first", 71 * 3600)
            daemon.wait("the text", lambda: "DATA" in server.verbs())
            (there.state / "lock").unlink()
            self.assertIn("in doubt", there.run("--once"))
            daemon.wait("a line about it", lambda: daemon.logged("that is not recorded"))
            there.add_challenge("second", 71 * 3600)
            daemon.wait("the next mail", lambda: len(server.mails) == 2)
            self.assertEqual(daemon.stop(), 0)
        states = there.remember("SELECT state FROM mail ORDER BY id")
        self.assertEqual(states[0], ("in_doubt",))
        self.assertTrue(there.ctl("audit", "verify")["intact"])

    def test_what_a_killed_daemon_leaves_behind_does_not_have_its_lock(self):
        """A child that checks a file is stopped where it would go on for long; its alarm is held up to catch it."""
        need_strace()
        scene = Scene()
        self.addCleanup(scene.close)
        there = scene.again()
        traced = subprocess.Popen([*STRACE, str(scene.trace), "-f", "-e", "trace=flock,alarm,clone",
                                   "-e", "inject=alarm:delay_enter=500000", there.daemon, "--config", there.config,
                                   "--once"], env=there.environment(), stderr=subprocess.DEVNULL)
        self.addCleanup(traced.wait)
        daemon, child = self.daemon_that_reads_with_its_lock(scene.trace)
        time.sleep(0.2)  # the child comes to its alarm
        os.kill(child, signal.SIGSTOP)
        os.kill(daemon, signal.SIGKILL)
        try:
            there.run("--once")
        finally:
            os.kill(child, signal.SIGKILL)

    def daemon_that_reads_with_its_lock(self, trace):
        """Its process and its child's."""
        for _ in range(2000):
            found = re.search(r"^(\d+) +flock[^\n]*= 0\n(?s:.*)^\1 +clone\(.* = (\d+)",
                              trace.read_text() if trace.exists() else "", re.MULTILINE)
            if found:
                return int(found.group(1)), int(found.group(2))
            time.sleep(0.01)
        self.fail("the daemon read no file while it had its lock")

    def test_killed_at_random_moments(self):
        with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
            found = pool.map(kill_at_random, [SEED + i for i in range(WORKERS)], [KILLS // WORKERS] * WORKERS)
            wrong = sum(found, [])
        print(f"killed {KILLS // WORKERS * WORKERS} times", file=sys.stderr)
        self.assertEqual(wrong, [], f"seed {SEED}")


if __name__ == "__main__":
    unittest.main()
