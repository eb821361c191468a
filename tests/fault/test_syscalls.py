#!/usr/bin/python3
"""Kills the daemon, and then its sender, at every system call of a full cycle, and counts what arrived.

strace sends SIGKILL at the Nth call, for each N there is; the shipped programs run unchanged. After each kill
the cycle is run again until nothing waits. Nothing may be lost, and a mail may arrive twice only when the ledger
says that it was in doubt, and then equal to the byte. SYSCALLS_EVERY=7 takes each 7th call only.
"""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import complaints, recipients, settle  # noqa: E402
from partnership import BUILD, DAY, TOP, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

HOUR = 3600
CRASH = BUILD / "crash" / "challenge-notifyd"
EVERY = int(os.environ.get("SYSCALLS_EVERY", "1"))
WORKERS = max(2, os.cpu_count() or 1)
STRACE = ["strace", "-qq", "-o"]


def setUpModule():
    """The build may be there already; make says so at once."""
    if shutil.which("strace") is None:
        raise unittest.SkipTest("strace is not installed")
    probe = subprocess.run([*STRACE, "/dev/null", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        raise unittest.SkipTest(f"strace may not trace here: {probe.stderr.strip()}")
    subprocess.run(["make", "-s", "crash", f"BUILD={BUILD}"], cwd=TOP, check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "MAKEFLAGS": ""})


class Scene:
    """A partnership whose next cycle decides, renders, sends and records; copied for every kill."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="test-syscalls-")
        self.server = Server()
        model = Path(self.folder, "model")
        model.mkdir()
        there = Partnership(model, self.server.port, daemon=CRASH)
        there.create_store()
        there.run("--once")
        there.add_challenge("escalated", 4 * DAY)
        there.record(there.add_challenge("danger", 60), "immediate_risk")
        self.model = there
        self.trace = Path(self.folder, "trace")

    def close(self):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def again(self):
        """The model as it was; its relay has seen nothing."""
        self.server.mails.clear()
        shutil.rmtree(Path(self.folder, "there"), ignore_errors=True)
        shutil.copytree(self.model.folder, Path(self.folder, "there"))
        there = Partnership.__new__(Partnership)
        there.__dict__.update(self.model.__dict__)
        there.folder = Path(self.folder, "there")
        for name in ("config", "store", "state", "ledger"):
            setattr(there, name, there.folder / getattr(self.model, name).relative_to(self.model.folder))
        return there

    def wanted(self):
        settle(self.again())
        return recipients(self.server.mails)

    def cycle(self, victim, options):
        """One cycle of the shipped programs with the victim under strace."""
        there = self.again()
        strace = [*STRACE, str(self.trace), *options]
        daemon = [str(BUILD / "challenge-notifyd"), "--config", str(there.config), "--once"]
        environment = there.environment()
        if victim == "sender":
            wrapper = Path(self.folder, "sender")
            wrapper.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in strace) +
                               f" '{BUILD}/challenge-notify-sender' \"$@\"\n")
            wrapper.chmod(0o755)
            environment["CHALLENGE_NOTIFY_SENDER"] = str(wrapper)
        else:
            daemon = [*strace, *daemon]
        subprocess.run(daemon, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=120, check=False)
        return there

    def calls(self, victim):
        self.cycle(victim, [])
        return sum(1 for line in self.trace.read_text(errors="replace").splitlines() if "(" in line)


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
