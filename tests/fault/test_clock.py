#!/usr/bin/python3
"""Sets the clock of a running daemon to where it cannot be, and back: no mail meanwhile, each mail once afterwards."""

import concurrent.futures
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import copies  # noqa: E402
from partnership import BUILD, DAY, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from traced import CRASH, make_crash_build  # noqa: E402
from watched import Watched  # noqa: E402

HOUR = 3600
NOW = int(time.time())
# Steps of the clock, and whether they may be acted on.
STEPS = {
    "a second forward": (1, True), "a second back": (-1, True), "an hour forward": (HOUR, True),
    "an hour back": (-HOUR, False), "a day back": (-DAY, False), "two days forward": (2 * DAY, False),
    "400 days forward": (400 * DAY, False), "back to 1970": (-NOW, False),
    "back to before 2026": (1767225599 - NOW - 60, False), "to the end of 32 bits": (2 ** 31 - NOW, False),
    "to 2100": (4102444800 - NOW, False), "to the year 9999": (253402300000 - NOW, False),
}


class Scene:
    def __init__(self, folder):
        self.server = Server()
        self.there = Partnership(folder, self.server.port, daemon=CRASH)
        self.there.create_store()
        self.step = self.there.folder / "step"
        self.set(0)

    def set(self, seconds):
        new = self.step.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self.step)

    def start(self):
        return Watched(self.there, CHALLENGE_NOTIFYD_NOW=f"@{self.step}")

    def recipients(self):
        return sorted(mail["to"][0] for mail in self.server.mails)

    def doubles(self):
        return [name for name, same in copies(self.server.mails).items() if len(same) > 1]


def mailed_wrongly(step):
    """A challenge is recorded while the clock is off by that much; then it is set right. What went wrong."""
    seconds, may_act = STEPS[step]
    with tempfile.TemporaryDirectory(prefix="test-clock-") as folder:
        scene = Scene(folder)
        try:
            with scene.start() as daemon:
                daemon.ready()
                scene.there.add_challenge("before", 71 * HOUR)
                daemon.wait("the first mail", lambda: len(scene.server.mails) == 1)
                daemon.wait("its outcome", lambda: daemon.logged("accepted"))
                scene.set(seconds)
                if not may_act:
                    daemon.wait("a line about the clock", lambda: daemon.logged("the clock shows"), 5)
                scene.there.add_challenge("meanwhile", 72 * HOUR - 1800)
                time.sleep(0 if may_act else 2.2)  # two polls
                if not may_act and len(scene.server.mails) > 1:
                    return f"{step}: mailed under a wrong clock: {scene.recipients()}"
                scene.set(0)
                daemon.wait("the second challenge's mail", lambda: len(scene.server.mails) >= 2, 6)
                time.sleep(1.2)
                if daemon.logged("the clock shows") != (not may_act):
                    return f"{step}: {daemon.logged('the clock shows')} lines about the clock"
                if daemon.logged("the clock is right again") != (not may_act):
                    return f"{step}: not told that the clock is right again"
                if daemon.stop() != 0:
                    return f"{step}: status {daemon.process.returncode}"
            if scene.doubles():
                return f"{step}: sent twice: {scene.doubles()}"
        finally:
            scene.server.stop()
    return None


class Clock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        make_crash_build()

    def scene(self):
        folder = tempfile.TemporaryDirectory(prefix="test-clock-")
        self.addCleanup(folder.cleanup)
        scene = Scene(folder.name)
        self.addCleanup(scene.server.stop)
        return scene

    def test_a_clock_that_is_set_wrong_and_right_again(self):
        with concurrent.futures.ThreadPoolExecutor(len(STEPS)) as pool:
            wrong = [found for found in pool.map(mailed_wrongly, STEPS) if found]
        print(f"clock: {len(STEPS)} steps of the clock", file=sys.stderr)
        self.assertEqual(wrong, [])

    def test_a_jump_is_confirmed_by_a_person_and_all_goes_on(self):
        scene = self.scene()
        with scene.start() as daemon:
            daemon.ready()
            scene.set(3 * DAY)
            daemon.wait("the jump", lambda: daemon.logged("approve clock"))
            scene.there.add_challenge("later", -2 * DAY)  # raised yesterday, by the new time
            time.sleep(1.5)
            self.assertEqual(scene.server.mails, [])
            confirm = ["faketime", "-f", "+3d", BUILD / "challengectl", "--config", scene.there.config,
                       "approve", "clock", "--by", "A. Person", "--why", "the battery was replaced"]
            done = subprocess.run(confirm, capture_output=True, text=True, timeout=30, env=scene.there.environment())
            self.assertEqual(done.returncode, 0, done.stderr)
            daemon.wait("a mail", lambda: scene.server.mails)
            self.assertEqual(daemon.stop(), 0)
        self.assertEqual(scene.there.remember("SELECT count(*) FROM chain WHERE kind = 'clock_confirmed'"), [(1,)])

    def test_a_step_while_a_mail_is_being_sent_records_it_once(self):
        """By the right time: an outcome from the future would bar whatever comes after it."""
        for step in (-NOW, 400 * DAY):
            with self.subTest(step):
                self.step_while_sending(step)

    def step_while_sending(self, step):
        scene = self.scene()
        scene.server.fault("dot", "late", seconds=3)
        with scene.start() as daemon:
            daemon.ready()
            scene.there.add_challenge("slow", 71 * HOUR)
            daemon.wait("DATA", lambda: "DATA" in scene.server.verbs())
            scene.set(step)
            daemon.wait("a line about the clock", lambda: daemon.logged("the clock shows"))
            daemon.wait("the relay's answer", lambda: scene.server.seen("accepted"))
            daemon.wait("the outcome", lambda: scene.there.remember("SELECT 1 FROM mail WHERE state = 'accepted'"))
            recorded, = scene.there.remember("SELECT updated FROM mail WHERE id = 1")
            self.assertLess(abs(recorded[0] - time.time()), 60)
            scene.set(0)
            scene.there.add_challenge("afterwards", 71 * HOUR)
            daemon.wait("the next mail", lambda: len(scene.server.mails) == 2)
            self.assertEqual(daemon.stop(), 0)
        self.assertEqual(scene.doubles(), [])

    def test_no_time_at_boot_and_then_the_right_one(self):
        scene = self.scene()
        scene.there.run("--once")
        scene.there.add_challenge("waiting", 71 * HOUR)
        scene.set(-NOW)
        with scene.start() as daemon:
            daemon.wait("a line about the clock", lambda: daemon.logged("the clock shows 1970"))
            time.sleep(1.2)
            self.assertEqual(scene.server.mails, [])
            self.assertFalse(daemon.told("READY=1"))
            scene.set(0)
            daemon.ready()
            daemon.wait("its mail", lambda: len(scene.server.mails) == 1)
            self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
