#!/usr/bin/python3
"""Two hundred reloads while mails go out, half of them of a configuration that nobody can use.

The last good one stays in use as a whole, nothing grows, and the daemon never ends. RELOADS=1000 plays more.
"""

import email
import email.policy
import os
import re
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import copies  # noqa: E402
from partnership import Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from watched import Watched  # noqa: E402

HOUR = 3600
RELOADS = int(os.environ.get("RELOADS", "200"))
EVERY_CHALLENGE = 20  # reloads


class Reload(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-reload-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.there.create_store()
        self.good = self.there.config.read_text()
        self.policy = self.there.folder / "policies" / "test.conf"
        self.generation = 0

    def put(self, text):
        """As an editor does that is careful: whole, in one moment."""
        self.clear()
        new = self.there.config.with_suffix(".new")
        new.write_text(text)
        new.rename(self.there.config)

    def clear(self):
        if self.there.config.is_dir():
            self.there.config.rmdir()
        else:
            self.there.config.unlink(missing_ok=True)

    def marked(self, generation):
        """A good configuration, told from others by two places that must never be mixed."""
        return self.good.replace('telephone = "01632 960000"', f'telephone = "01632 {960000 + generation}"') \
                        .replace("Telephone 999.", f"Telephone 999 ({generation}).")

    def write_good(self):
        self.generation += 1
        self.put(self.marked(self.generation + 100))

    def write_misspelt(self):
        self.put(self.marked(99).replace("per_minute", "per_minuet"))

    def write_half(self):
        text = self.marked(98)
        self.clear()
        self.there.config.write_text(text[:len(text) // 2])

    def write_include(self):
        self.put(f'@include "{self.policy}"\n' + self.marked(97))

    def write_nul(self):
        self.put(self.marked(96) + "\0")

    def write_huge(self):
        self.clear()
        self.there.config.touch()
        os.truncate(self.there.config, 2 << 30)

    def write_pipe(self):
        self.clear()
        os.mkfifo(self.there.config)

    def write_folder(self):
        self.clear()
        self.there.config.mkdir()

    def write_loop(self):
        self.clear()
        self.there.config.symlink_to(self.there.config)

    def write_bad_policy(self):
        self.put(self.marked(95))
        self.kept = self.policy.read_text()
        self.policy.write_text(self.kept.replace("72 hours", "72 ours"))

    def mend(self):
        if getattr(self, "kept", None):
            self.policy.write_text(self.kept)
            self.kept = None

    def mails(self):
        """Those about challenges: refusals may alarm others."""
        return [mail for mail in self.server.mails if mail["to"] == ["cora@council.test"]]

    def size(self, daemon):
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    def descriptors(self, daemon):
        return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))

    def test_reloads_while_mails_go_out(self):
        bad = [self.write_misspelt, self.write_half, self.clear, self.write_include, self.write_nul, self.write_huge,
               self.write_pipe, self.write_folder, self.write_loop, self.write_bad_policy]
        refused, challenges, sizes, descriptors = 0, 0, [], []
        with Watched(self.there) as daemon:
            daemon.ready()
            for number in range(RELOADS):
                if number % EVERY_CHALLENGE == 0:
                    self.there.add_challenge(f"2026-{number:03}", 71 * HOUR)
                    challenges += 1
                if number % 2 == 0:
                    self.write_good()
                else:
                    bad[number // 2 % len(bad)]()
                    refused += 1
                daemon.reload()
                self.mend()
                if number % EVERY_CHALLENGE == EVERY_CHALLENGE - 1:
                    daemon.wait("the mails", lambda: len(self.mails()) == challenges)
                    daemon.wait("an idle moment", lambda: daemon.logged("accepted") >= min(challenges, 1))
                    sizes.append(self.size(daemon))
                    descriptors.append(self.descriptors(daemon))
            self.write_good()
            daemon.reload()
            time.sleep(0.5)
            told = daemon.logged("refused, the one in use goes on")
            self.assertTrue(told == refused or 0 < told < refused and daemon.logged("left out"), f"{told} of {refused}")
            self.assertEqual(daemon.stop(), 0)
        self.assertEqual([name for name, same in copies(self.server.mails).items() if len(same) > 1], [])
        bad_ones = {960095 + i for i in range(5)}
        for mail in self.mails():
            text = email.message_from_bytes(mail["bytes"], policy=email.policy.default).get_body(("plain",))
            numbers = {int(found) for found in re.findall(r"01632 (96\d{4})", text.get_content())}
            self.assertEqual(len(numbers), 1, "one configuration, and no other")
            self.assertFalse(numbers & bad_ones, "sent under a bad configuration")
        print(f"reload: {RELOADS} reloads, {refused} refused; resident {sizes} kB, descriptors {descriptors}",
              file=sys.stderr)
        self.assertLessEqual(max(descriptors[1:]), descriptors[0] + 2)  # a sender or two may have come
        self.assertLess(sizes[-1], sizes[1] * 1.1 + 300)


if __name__ == "__main__":
    unittest.main()
