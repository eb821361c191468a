#!/usr/bin/python3
"""Kills the daemon, and then its sender, at every system call of a full cycle, and counts what arrived.

strace sends SIGKILL at the Nth call, for each N there is; the shipped programs run unchanged. After each kill
the cycle is run again until nothing waits. Nothing may be lost, and a mail may arrive twice only when the ledger
says that it was in doubt, and then equal to the byte. SYSCALLS_EVERY=7 takes each 7th call only.
"""

import concurrent.futures
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import complaints, settle  # noqa: E402
from traced import WORKERS, Scene, make_crash_build, need_strace  # noqa: E402

EVERY = int(os.environ.get("SYSCALLS_EVERY", "1"))


def setUpModule():
    need_strace()
    make_crash_build()


def kill_some(victim, numbers):
    """What went wrong at these calls: a process of its own does them."""
    scene = Scene()
    wrong = []
    try:
        wanted = scene.wanted()
        for number in numbers:
            there = scene.cycle(victim, ["-e", f"inject=all:signal=SIGKILL:when={number}"])
            try:
                # Enough where nothing was in doubt; the others wait out the relay's patience.
                settle(there, (0,))
                found = complaints(there, scene.server.mails, wanted)
                if found:
                    settle(there, (700, 8000, 16000))
                    found = complaints(there, scene.server.mails, wanted)
            except Exception as error:  # an unreadable ledger is a finding, not the end of the others
                found = [repr(error)]
            if found:
                wrong.append((number, found))
    finally:
        scene.close()
    return wrong


class EverySystemCall(unittest.TestCase):
    def kill_everywhere(self, victim):
        scene = Scene()
        self.addCleanup(scene.close)
        calls = scene.calls(victim)
        self.assertGreater(calls, 50)
        numbers = list(range(1, calls + 1, EVERY))
        wrong = []
        with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
            # Slices interleave: the calls near the end cost more, and each worker has its share.
            for found in pool.map(kill_some, [victim] * WORKERS, [numbers[i::WORKERS] for i in range(WORKERS)]):
                wrong += found
        print(f"{victim}: killed at {len(numbers)} of {calls} system calls", file=sys.stderr)
        self.assertEqual(sorted(wrong), [])

    def test_the_daemon_killed_at_every_system_call(self):
        self.kill_everywhere("daemon")

    def test_the_sender_killed_at_every_system_call(self):
        self.kill_everywhere("sender")


if __name__ == "__main__":
    unittest.main()
