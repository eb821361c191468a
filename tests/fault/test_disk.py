#!/usr/bin/python3
"""A full disk and one that became read-only, under the ledger and under the store: held, told, and then made good.

The disks are small tmpfs in a mount namespace of their own, which takes root; a file size limit takes nothing.
"""

import concurrent.futures
import ctypes
import os
import resource
import shutil
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
from traced import Scene, make_crash_build  # noqa: E402
from watched import Watched  # noqa: E402

HOUR = 3600
CLONE_NEWNS = 0x20000
LEVELS = 25
STEP = 4096


def setUpModule():
    make_crash_build()


def own_mounts():
    """From here on this process mounts for itself alone; "" or why not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        return "only root may mount"
    if libc.unshare(CLONE_NEWNS) != 0:
        return f"no mount namespace: {os.strerror(ctypes.get_errno())}"
    done = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode != 0 else ""


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def once(there, **limits):
    return subprocess.run([there.daemon, "--config", there.config, "--once"], capture_output=True, text=True,
                          timeout=60, env=there.environment(), **limits)


def wrong_status(done, level):
    if done.returncode not in (0, 3):
        return [f"{level}: status {done.returncode}: {done.stderr[-300:]}"]
    if done.returncode == 3 and "<" not in done.stderr:
        return [f"{level}: status 3 without a word"]
    return []


def fill_levels():
    """The ledger's disk has room for so many pages more, from none on: one cycle, then space again."""
    why = own_mounts()
    if why:
        return why, [], 0
    scene = Scene()
    wrong, held = [], 0
    try:
        there = scene.again()
        settle(there)
        wanted = told(there, scene.server.mails)
        for level in range(0, LEVELS):
            there = scene.again()
            kept = there.folder / "kept"
            there.state.rename(kept)
            there.state.mkdir(mode=0o700)
            used = sum(-(-file.stat().st_size // STEP) * STEP for file in kept.iterdir())
            mount("-t", "tmpfs", "-o", f"size={used + level * STEP},mode=0700", "none", there.state)
            for file in kept.iterdir():
                shutil.copy(file, there.state)
            done = once(there)
            held += done.returncode == 3
            wrong += wrong_status(done, f"{level} pages")
            mount("-o", "remount,size=64m", there.state)
            settle(there, (0,))
            if complaints_of_notices(there, scene.server.mails, wanted):
                settle(there, (700, 8000, 16000))
                wrong += [f"{level} pages: {found}"
                          for found in complaints_of_notices(there, scene.server.mails, wanted)]
            subprocess.run(["umount", there.state], check=True, capture_output=True)
    finally:
        scene.close()
    return "", wrong, held


def while_it_runs(which):
    """(why not, what went wrong) of one daemon whose ledger's or store's disk fills up, or becomes read-only."""
    why = own_mounts()
    if why:
        return why, ""
    with tempfile.TemporaryDirectory(prefix="test-disk-") as folder:
        server = Server()
        try:
            mount("-t", "tmpfs", "-o", "size=2m", "none", folder)
            there = Partnership(folder, server.port)
            there.create_store()
            there.state.mkdir(mode=0o700)
            if which.startswith("ledger"):
                mount("-t", "tmpfs", "-o", "size=400k,mode=0700", "none", there.state)
            return "", play(which, there, server)
        except (AssertionError, subprocess.SubprocessError) as wrong:
            return "", f"{which}: {wrong}"
        finally:
            server.stop()
            subprocess.run(["umount", "-l", Path(folder, "state")], capture_output=True)
            subprocess.run(["umount", "-l", folder], capture_output=True)


def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(STEP))
        except OSError:
            pass


def ledger_fills_up(there, server):
    with Watched(there) as daemon:
        daemon.ready()
        there.add_challenge("first", 71 * HOUR)
        daemon.wait("the first mail", lambda: daemon.logged("accepted") == 1)
        fill(there.state)
        there.add_challenge("second", 71 * HOUR)
        daemon.wait("a line that says what to do", lambda: daemon.logged("check the space and the permissions"))
        time.sleep(2.2)
        if len(server.mails) != 1:
            return f"{len(server.mails)} mails without a ledger"
        if daemon.logged("check the space and the permissions") != 1:
            return f"told more than once: {daemon.lines}"
        (there.state / "filler").unlink()
        daemon.wait("the second mail", lambda: len(server.mails) == 2)
        return f"status {daemon.process.returncode}" if daemon.stop() != 0 else ""


def ledger_is_read_only(there, server):
    """Only at its start can a daemon meet that: a file open for writing keeps its disk writable."""
    there.run("--once")
    there.add_challenge("first", 71 * HOUR)
    mount("-o", "remount,ro", there.state)
    done = once(there)
    if done.returncode != 3 or "cannot start" not in done.stderr or server.mails:
        return f"status {done.returncode}: {done.stderr}"
    mount("-o", "remount,rw", there.state)
    there.run("--once")
    return "" if len(server.mails) == 1 else f"{len(server.mails)} mails"


def store_is_read_only(there, server):
    mount("-o", "remount,ro", there.store.parent)
    with Watched(there) as daemon:
        daemon.wait("a line that says what to do", lambda: daemon.logged("check the file and the permissions"))
        time.sleep(1.2)
        if daemon.told("READY=1"):
            return "ready without a store"
        mount("-o", "remount,rw", there.store.parent)
        daemon.ready()
        there.add_challenge("first", 71 * HOUR)
        daemon.wait("its mail", lambda: len(server.mails) == 1)
        return f"status {daemon.process.returncode}" if daemon.stop() != 0 else ""


def play(scene):
    """(why not, what went wrong) of one scene, its ledger and its store on disks of their own."""
    why = own_mounts()
    if why:
        return why, ""
    with tempfile.TemporaryDirectory(prefix="test-disk-") as folder, Server() as server:
        there = Partnership(folder, server.port)
        there.store = there.folder / "theirs" / "challenges.db"
        there.config.write_text(there.config.read_text().replace('"challenges.db"', '"theirs/challenges.db"'))
        mounted = (there.state, there.store.parent)
        try:
            for place in mounted:
                place.mkdir(mode=0o700)
                mount("-t", "tmpfs", "-o", "size=600k,mode=0700", "none", place)
            there.create_store()
            wrong = scene(there, server)
            doubles = [name for name, same in copies(server.mails).items() if len(same) > 1]
            return "", wrong or ("sent twice" if doubles else "")
        except (AssertionError, subprocess.SubprocessError) as failed:
            return "", str(failed)
        finally:
            for place in mounted:
                subprocess.run(["umount", "-l", place], capture_output=True)


def apart(function, *arguments):
    """In a process of its own, whose mounts end with it."""
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result(timeout=120)


class Disk(unittest.TestCase):
    def test_every_fill_level_of_the_ledger_s_disk(self):
        why, wrong, held = apart(fill_levels)
        if why:
            self.skipTest(why)
        print(f"disk: {LEVELS} fill levels, {held} of them too full for the cycle", file=sys.stderr)
        self.assertGreater(held, 3)
        self.assertLess(held, LEVELS)
        self.assertEqual(wrong, [])

    def test_disks_that_fill_up_or_are_read_only(self):
        for scene in (ledger_fills_up, ledger_is_read_only, store_is_read_only):
            with self.subTest(scene.__name__):
                why, wrong = apart(play, scene)
                if why:
                    self.skipTest(why)
                self.assertEqual(wrong, "")

    def test_a_ledger_that_is_read_damaged_and_then_whole(self):
        """SQLite writes no more to what it found damaged: the daemon ends, to be started again."""
        folder = tempfile.TemporaryDirectory(prefix="test-damage-")
        self.addCleanup(folder.cleanup)
        server = Server()
        self.addCleanup(server.stop)
        there = Partnership(folder.name, server.port)
        there.create_store()
        with Watched(there) as daemon:
            daemon.ready()
            there.add_challenge("first", 71 * HOUR)
            daemon.wait("the first mail", lambda: daemon.logged("accepted") == 1)
            time.sleep(1.2)  # idle: its pages are given back
            whole = there.ledger.read_bytes()
            with open(there.ledger, "r+b") as file:
                file.seek(STEP)
                file.write(b"\xff" * (len(whole) - STEP))
            there.add_challenge("second", 71 * HOUR)
            self.assertEqual(daemon.process.wait(timeout=20), 3)
            daemon.wait("a line that says what to do", lambda: daemon.logged("put back a backup") == 1)
        there.ledger.write_bytes(whole)
        with Watched(there) as daemon:
            daemon.wait("the second mail", lambda: len(server.mails) == 2)
            self.assertEqual(daemon.stop(), 0)
        self.assertTrue(there.ctl("audit", "verify")["intact"])

    def test_a_limit_of_the_size_of_files(self):
        scene = Scene()
        self.addCleanup(scene.close)
        there = scene.again()
        settle(there)
        wanted = told(there, scene.server.mails)
        for pages in range(0, 60, 6):
            with self.subTest(pages=pages):
                there = scene.again()
                done = once(there, preexec_fn=lambda most=pages * STEP: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (most, most)))
                self.assertEqual(wrong_status(done, pages), [])
                settle(there, (0,))
                if complaints_of_notices(there, scene.server.mails, wanted):
                    settle(there, (700, 8000, 16000))
                self.assertEqual(complaints_of_notices(there, scene.server.mails, wanted), [])


if __name__ == "__main__":
    unittest.main()
