#!/usr/bin/python3
"""The store is other people's file: locked, killed over, replaced, spoilt in every way, while the daemon runs.

Whatever becomes of it: no wrong mail, nothing lost, one line that says what to do, and all goes on by itself.
"""

import concurrent.futures
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import copies  # noqa: E402
from partnership import DAY, PEOPLE, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from watched import Watched  # noqa: E402

HOUR = 3600
MAY_BE_TOLD = {email for *_, email in PEOPLE} | {"inbox@partnership.test"}

# A writer in a process of its own, holding the store until it is told to end or is killed.
WRITER = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA cache_size = 1")
store.execute("BEGIN EXCLUSIVE")
store.executemany("INSERT INTO agency (id, name) VALUES (?, ?)", ((f"x{i}", "x" * 1000) for i in range(500)))
print("holding", flush=True)
sys.stdin.readline()
store.execute(sys.argv[2])
"""


class Scene(unittest.TestCase):
    """Most of a scene is waiting for the next poll, so all of them play side by side."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-store-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.there.create_store()
        self.daemon = None

    def start(self):
        self.daemon = Watched(self.there)
        self.addCleanup(self.daemon.__exit__)
        return self.daemon.ready()

    def writer(self, end="COMMIT"):
        process = subprocess.Popen([sys.executable, "-c", WRITER, self.there.store, end], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "holding\n")
        return process

    def sql(self, script):
        with self.there.open_store() as store:
            store.executescript(script)

    def mailed_once(self, reference):
        """A new challenge is mailed of, to the right person, and nothing else ever was."""
        before = len(self.server.mails)
        self.there.add_challenge(reference, 71 * HOUR)
        self.daemon.wait(f"the mail of {reference}", lambda: len(self.server.mails) > before)
        self.assertEqual(self.server.mails[-1]["to"], ["cora@council.test"])

    def nothing_wrong(self, mails):
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(len(self.server.mails), mails)
        self.assertEqual([name for name, same in copies(self.server.mails).items() if len(same) > 1], [])

    def trouble(self, text):
        self.daemon.wait(f"a line with \"{text}\"", lambda: self.daemon.logged(text))

    def back(self):
        self.daemon.wait("store-back", lambda: self.daemon.logged("the store can be read again"))

    def scene_locked_for_long_by_a_writer(self):
        self.start()
        writer = self.writer("ROLLBACK")
        self.trouble("another program holds it")
        time.sleep(1)
        self.assertEqual(self.daemon.logged("another program holds it"), 1, self.daemon.lines)
        writer.stdin.write("\n")
        writer.stdin.flush()
        self.back()
        self.mailed_once("2026-001")
        self.nothing_wrong(1)

    def scene_a_writer_that_is_stopped_in_its_transaction_and_then_killed(self):
        """It leaves a hot journal behind, which whoever reads next must roll back."""
        self.start()
        writer = self.writer()
        os.kill(writer.pid, signal.SIGSTOP)
        self.trouble("another program holds it")
        os.kill(writer.pid, signal.SIGKILL)
        self.back()
        with self.there.open_store() as store:
            self.assertEqual(store.execute("SELECT count(*) FROM agency").fetchone(), (3,))
        self.mailed_once("2026-001")
        self.nothing_wrong(1)

    def scene_a_hot_journal_left_before_the_start(self):
        self.there.run("--once")
        writer = self.writer()
        writer.kill()
        writer.wait()
        self.assertGreater(Path(f"{self.there.store}-journal").stat().st_size, 0)
        self.start()
        self.mailed_once("2026-001")
        self.nothing_wrong(1)

    def scene_an_older_copy_put_back(self):
        self.there.run("--once")
        self.there.add_challenge("2026-001", 71 * HOUR)
        copy = self.there.folder / "copy.db"
        shutil.copy(self.there.store, copy)
        self.start()
        self.daemon.wait("the first mail", lambda: len(self.server.mails) == 1)
        self.mailed_once("2026-002")
        os.rename(copy, self.there.store)
        self.trouble("opened anew")
        self.trouble("the store is an older copy")
        time.sleep(1.2)
        self.assertEqual([mail["to"] for mail in self.server.mails[2:]], [["it@partnership.test"]])
        self.there.ctl("approve", "store", "--by", "A. Person", "--why", "the disk failed")
        self.mailed_once("2026-003")
        self.nothing_wrong(4)

    def scene_switched_to_wal_and_back(self):
        self.start()
        self.sql("PRAGMA journal_mode = WAL")
        self.mailed_once("2026-001")
        self.trouble("journal_mode=TRUNCATE")
        self.daemon.wait("calm", lambda: self.daemon.logged("accepted"))
        for _ in range(50):  # whoever switches needs the file for himself
            try:
                self.sql("PRAGMA journal_mode = TRUNCATE")
                break
            except sqlite3.OperationalError:
                time.sleep(0.1)
        self.mailed_once("2026-002")
        self.assertEqual(self.daemon.logged("journal_mode=TRUNCATE"), 1)
        self.nothing_wrong(2)

    def spoil_and_mend(self, spoil, mend, text):
        self.start()
        self.mailed_once("2026-001")
        self.daemon.wait("its outcome", lambda: self.daemon.logged("accepted"))
        spoil()
        self.trouble(text)
        time.sleep(1.2)
        self.assertEqual(self.daemon.logged(text), 1, self.daemon.lines)
        self.assertEqual(len(self.server.mails), 1)
        mend()
        self.back()
        self.mailed_once("2026-002")
        self.nothing_wrong(2)

    def scene_another_application_id(self):
        self.spoil_and_mend(lambda: self.sql("PRAGMA application_id = 7"),
                            lambda: self.sql(f"PRAGMA application_id = {0x43484E44}"), "not a challenge store")

    def scene_a_newer_version(self):
        self.spoil_and_mend(lambda: self.sql("PRAGMA user_version = 2"),
                            lambda: self.sql("PRAGMA user_version = 1"), "update it first")

    def scene_a_dropped_table(self):
        with self.there.open_store() as store:
            made, = store.execute("SELECT sql FROM sqlite_schema WHERE name = 'counter'").fetchone()
        self.spoil_and_mend(lambda: self.sql("CREATE TABLE kept AS SELECT * FROM counter; DROP TABLE counter;"),
                            lambda: self.sql(f"{made}; INSERT INTO counter SELECT * FROM kept; DROP TABLE kept;"),
                            "\"counter\" is missing")

    def scene_a_schema_without_its_triggers(self):
        with self.there.open_store() as store:
            made, = store.execute("SELECT sql FROM sqlite_schema WHERE name = 'event_inserted'").fetchone()
        self.spoil_and_mend(lambda: self.sql("DROP TRIGGER event_inserted"), lambda: self.sql(made),
                            "\"event_inserted\" is missing")

    def scene_truncated(self):
        whole = self.there.folder / "whole.db"

        def cut():
            shutil.copy(self.there.store, whole)
            with open(self.there.store, "r+b") as file:
                file.truncate(4096)
                file.seek(24)  # the change counter: else nobody looks before the next commit
                counter = int.from_bytes(file.read(4), "big")
                file.seek(24)
                file.write((counter + 1).to_bytes(4, "big"))
        self.spoil_and_mend(cut, lambda: shutil.copyfile(whole, self.there.store), "the store cannot be read")

    def scene_removed(self):
        aside = self.there.folder / "aside.db"
        self.spoil_and_mend(lambda: os.rename(self.there.store, aside), lambda: os.rename(aside, self.there.store),
                            "challengectl init")

    def scene_a_folder_in_its_place(self):
        aside = self.there.folder / "aside.db"

        def replace():
            os.rename(self.there.store, aside)
            self.there.store.mkdir()

        def mend():
            self.there.store.rmdir()
            os.rename(aside, self.there.store)
        self.spoil_and_mend(replace, mend, "not a regular file")

    def scene_a_symbolic_link_to_it(self):
        aside = self.there.folder / "aside.db"
        os.rename(self.there.store, aside)
        self.there.store.symlink_to(aside)
        self.start()
        self.mailed_once("2026-001")
        self.nothing_wrong(1)

    def scene_a_text_of_a_gigabyte(self):
        """It fits no memory limit, spoils its own challenge and no other."""
        self.start()
        number = self.there.add_challenge("huge", 71 * HOUR)
        self.daemon.wait("its mail", lambda: len(self.server.mails) == 1)
        with self.there.open_store() as store:
            store.execute("PRAGMA synchronous = OFF")
            store.execute("PRAGMA journal_mode = MEMORY")
            # As large as one text may be in this SQLite; the pages are there, so the file is not sparse.
            store.execute("UPDATE challenge SET category = CAST(zeroblob(100000000) AS TEXT) WHERE id = ?",
                          (number,))
        self.trouble("passed over")
        self.mailed_once("2026-002")
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
        self.assertLess(peak, 40000, "kB at most")
        self.nothing_wrong(2)

    def scene_a_stray_control_character_quiets_nothing(self):
        number = self.there.add_challenge("stray", 71 * HOUR)
        self.there.record(number, "discussed", value="shared\x07")
        self.sql(f"UPDATE challenge SET category = 'drift' || char(1), urgency = char(7) WHERE id = {number}")
        self.start()
        self.daemon.wait("its mail", lambda: len(self.server.mails) == 1)
        self.trouble("challenge stray: its value cannot be shown")
        self.trouble("challenge stray: its urgency is not one of the policy's")
        self.assertFalse(self.daemon.logged("is not watched"))
        problems = [each["what"] for each in self.there.ctl("status", status=1)["problems"]]
        self.assertIn("1 challenge has a value that is not fit to be read and counts as unknown (first stray: value)",
                      problems)
        self.nothing_wrong(1)

    def scene_a_row_that_becomes_unreadable_spoils_no_other(self):
        self.there.run("--once")
        number = self.there.add_challenge("bad", 71 * HOUR)
        self.start()
        self.daemon.wait("its mail", lambda: len(self.server.mails) == 1)
        self.sql(f"UPDATE challenge SET policy = char(7) WHERE id = {number}")
        self.trouble("control characters")
        self.mailed_once("2026-002")
        self.assertFalse(self.daemon.logged("the store cannot be read:"))
        self.sql(f"UPDATE challenge SET policy = 'test' WHERE id = {number}")
        self.mailed_once("2026-003")
        self.nothing_wrong(3)

    def scene_more_bad_rows_at_once_than_a_transaction_looks_at(self):
        self.start()
        self.sql("INSERT INTO challenge (reference, policy, policy_version, raising_agency, receiving_agency)"
                 " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5100)"
                 " SELECT 'from a spreadsheet ' || i, 'test', '1' || char(13), 'health', 'council' FROM n")
        self.trouble("control characters")
        self.mailed_once("2026-001")
        self.nothing_wrong(1)


class Store(unittest.TestCase):
    def test_scenes(self):
        names = [name for name in dir(Scene) if name.startswith("scene_")]

        def play(name):
            scene = Scene(name)
            try:
                scene.setUp()
                getattr(scene, name)()
            except Exception as wrong:  # the other scenes go on
                return f"{name}: {wrong}"
            finally:
                scene.doCleanups()
            return None
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            wrong = [found for found in pool.map(play, names) if found]
        print(f"store: {len(names)} scenes", file=sys.stderr)
        self.assertEqual(wrong, [], "\n".join(wrong))


class Header(unittest.TestCase):
    """Every byte of the file's first hundred, inverted."""

    def test_every_byte_of_the_header(self):
        folder = tempfile.TemporaryDirectory(prefix="test-header-")
        self.addCleanup(folder.cleanup)
        server = Server()
        self.addCleanup(server.stop)
        there = Partnership(folder.name, server.port)
        there.create_store()
        there.run("--once")
        there.add_challenge("2026-001", 4 * DAY)
        whole = there.store.read_bytes()
        state = there.folder / "kept"
        shutil.copytree(there.state, state)
        outcomes = {}
        for place in range(100):
            spoilt = bytearray(whole)
            spoilt[place] ^= 0xFF
            shutil.rmtree(there.state)
            shutil.copytree(state, there.state)
            there.store.write_bytes(spoilt)
            server.mails.clear()
            done = subprocess.run([there.daemon, "--config", there.config, "--once"], capture_output=True, text=True,
                                  timeout=60, env=there.environment())
            outcomes[done.returncode] = outcomes.get(done.returncode, 0) + 1
            told = sorted(address for mail in server.mails for address in mail["to"])
            with self.subTest(byte=place):
                self.assertIn(done.returncode, (0, 3), done.stderr)
                # Either the file still says what it said, or it says nothing.
                self.assertIn(told, ([], ["colm@council.test", "cora@council.test"]), done.stderr)
                if done.returncode == 3:
                    self.assertIn("the store cannot be read", done.stderr)
                    self.assertEqual(told, [])
        print(f"header: 100 bytes inverted, outcomes {outcomes}", file=sys.stderr)


if __name__ == "__main__":
    unittest.main()
