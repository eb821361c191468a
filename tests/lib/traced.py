"""A partnership whose daemon or sender runs under strace, to be killed or failed at any system call."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from delivered import recipients, settle
from partnership import BUILD, DAY, TOP, Partnership
from smtp_server import Server

CRASH = BUILD / "crash" / "challenge-notifyd"
WORKERS = max(2, os.cpu_count() or 1)
STRACE = ["strace", "-qq", "-o"]


def make_crash_build():
    """The build may be there already; make says so at once. Tests run side by side: one builds, the others wait."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "crash.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "crash", f"BUILD={BUILD}"], cwd=TOP, check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "MAKEFLAGS": ""})


def need_strace():
    if shutil.which("strace") is None:
        raise unittest.SkipTest("strace is not installed")
    probe = subprocess.run([*STRACE, "/dev/null", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        raise unittest.SkipTest(f"strace may not trace here: {probe.stderr.strip()}")


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
        self.ended = subprocess.run(daemon, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                    timeout=120, check=False, text=True, errors="replace")
        return there

    def calls(self, victim):
        self.cycle(victim, [])
        return sum(1 for line in self.trace.read_text(errors="replace").splitlines() if "(" in line)
