#!/usr/bin/python3
"""Four programs write 200 times a second to the store while the daemon polls: none is refused, nothing is passed over.

CONTENTION=600 goes on for so many seconds.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import copies  # noqa: E402
from partnership import BUILD, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from watched import Watched  # noqa: E402

SECONDS = float(os.environ.get("CONTENTION", "6"))
PACE = 4 / 200  # seconds between two writes of one program; without a pause a lock is a lottery, and 5 s may lose it
HOUR = 3600


class Writers:
    """Each adds challenges, and knows what it was promised."""

    def __init__(self, there):
        self.there, self.until = there, time.monotonic() + SECONDS
        self.promised, self.refused, self.lock = set(), [], threading.Lock()

    def note(self, reference, problem=None):
        with self.lock:
            if problem:
                self.refused.append(f"{reference}: {problem}")
            else:
                self.promised.add(reference)

    def repeat(self, name, write):
        number = 0
        while time.monotonic() < self.until:
            number += 1
            next_at = time.monotonic() + PACE
            reference = f"{name}-{number:05}"
            try:
                write(reference)
                self.note(reference)
            except (AssertionError, sqlite3.Error, subprocess.SubprocessError) as problem:
                self.note(reference, problem)
            time.sleep(max(0.0, next_at - time.monotonic()))

    def by_python(self, reference):
        self.there.add_challenge(reference, 71 * HOUR)

    def by_shell(self, reference):
        """As a case system's script may. Where a journal looks left behind SQLite does not wait: it asks again."""
        sql = (f".timeout 5000\nPRAGMA foreign_keys = ON;\nBEGIN IMMEDIATE;\nINSERT INTO challenge (reference, policy,"
               f" policy_version, raising_agency, receiving_agency) VALUES ('{reference}', 'test', '1', 'health',"
               f" 'council');\nINSERT INTO event (challenge, kind, at) VALUES (last_insert_rowid(), 'raised',"
               f" unixepoch() - {71 * HOUR});\nCOMMIT;\n")
        for _ in range(5):
            done = subprocess.run(["sqlite3", "-batch", "-bail", self.there.store], input=sql, capture_output=True,
                                  text=True, timeout=60)
            if "locked" not in done.stderr:
                break
        if done.returncode != 0 or done.stderr:
            raise AssertionError(done.stderr)

    def by_command(self, reference):
        raised = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 71 * HOUR))
        self.there.ctl("raise", "--reference", reference, "--policy", "test", "--raising", "health",
                       "--receiving", "council", "--at", raised)

    def run(self):
        writers = (("python", self.by_python), ("again", self.by_python), ("shell", self.by_shell),
                   ("command", self.by_command))
        threads = [threading.Thread(target=self.repeat, args=writer) for writer in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class Contention(unittest.TestCase):
    def test_four_writers_and_a_daemon(self):
        folder = tempfile.TemporaryDirectory(prefix="test-contention-")
        self.addCleanup(folder.cleanup)
        server = Server()
        self.addCleanup(server.stop)
        there = Partnership(folder.name, server.port)
        there.configure(hold_above=0)
        there.create_store()
        with Watched(there) as daemon:
            daemon.ready()
            writers = Writers(there)
            writers.run()
            self.assertEqual(writers.refused, [])
            kinds = {reference.split("-")[0] for reference in writers.promised}
            self.assertEqual(kinds, {"python", "again", "shell", "command"})
            daemon.wait("a decision about each", lambda: self.decided(there) >= writers.promised, 10)
            self.assertEqual(daemon.logged("the store cannot be read"), 0, daemon.lines)
            self.assertEqual(daemon.logged("the ledger"), 0, daemon.lines)
            self.assertEqual(daemon.stop(), 0)
        self.assertEqual([name for name, same in copies(server.mails).items() if len(same) > 1], [])
        print(f"contention: {len(writers.promised)} transactions of four programs in {SECONDS:.0f} s", file=sys.stderr)

    def decided(self, there):
        try:
            return {reference for reference, in there.remember("SELECT DISTINCT reference FROM notice")}
        except sqlite3.OperationalError:  # the daemon is at it
            return set()


if __name__ == "__main__":
    unittest.main()
