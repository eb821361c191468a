#!/usr/bin/python3
"""A real ledger of version 1 under a daemon that knows a version more: killed at every system call of the migration,
given too little disk, started beside another, and refused by the daemon and challengectl of before (T40).

The version more is this test's own; only a test build of the daemon takes it. MIGRATION_EVERY=7 takes each 7th
system call only.
"""

import concurrent.futures
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import BUILD, TOP, Partnership  # noqa: E402
from traced import CRASH, STRACE, WORKERS, make_crash_build, need_strace  # noqa: E402

OLD = TOP / "tests" / "unit" / "adapter" / "ledger-version-1.sql"
EVERY = int(os.environ.get("MIGRATION_EVERY", "1"))
STEP = """
CREATE TABLE refused_new (contact INTEGER PRIMARY KEY, at INTEGER NOT NULL, mail INTEGER NOT NULL,
                          reply TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO refused_new (contact, at, mail) SELECT contact, at, mail FROM refused;
DROP TABLE refused;
ALTER TABLE refused_new RENAME TO refused;
ALTER TABLE mail ADD COLUMN relay TEXT NOT NULL DEFAULT '';
UPDATE mail SET relay = 'unknown';
CREATE INDEX notice_reference ON notice (reference);
"""
WRITES = ("openat", "pwrite64", "write", "ftruncate", "unlink", "rename", "fsync", "fdatasync")


def setUpModule():
    make_crash_build()


class Machine:
    """A partnership whose ledger is the committed one; nothing in its store, no relay: opening is all there is."""

    def __init__(self, folder):
        self.there = Partnership(folder, 9, daemon=CRASH)
        self.there.create_store()
        self.step = Path(folder, "step.sql")
        self.step.write_text(STEP)
        self.there.state.mkdir(mode=0o700)
        self.environment = self.there.environment(CHALLENGE_NOTIFYD_STEP=str(self.step))
        self.model = Path(folder, "model.db")
        with sqlite3.connect(self.model) as ledger:
            ledger.executescript(OLD.read_text())
        ledger.close()

    def put(self):
        for path in self.there.state.iterdir():
            path.unlink()
        shutil.copy(self.model, self.there.ledger)
        os.chmod(self.there.ledger, 0o600)

    def once(self, prefix=(), daemon=CRASH, environment=None):
        """One cycle at a time when nothing of the old ledger is due; the clock is the committed ledger's."""
        now = self.number("SELECT latest + 60 FROM head", self.model)
        return subprocess.run([*prefix, daemon, "--config", self.there.config, "--once"], capture_output=True, text=True,
                              errors="replace", timeout=60,
                              env={**(environment or self.environment), "CHALLENGE_NOTIFYD_NOW": str(now)})

    def number(self, sql, file=None):
        ledger = sqlite3.connect(f"file:{file or self.there.ledger}", uri=True)
        try:
            return ledger.execute(sql).fetchone()[0]
        finally:
            ledger.close()

    def complaints(self, file=None):
        """What is wrong with a ledger, of either version."""
        wrong = []
        if self.number("PRAGMA integrity_check", file) != "ok":
            wrong.append("integrity_check")
        version = self.number("PRAGMA user_version", file)
        for table, count in (("chain", 30), ("notice", 13), ("body", 5), ("payload", 30)):
            if self.number(f"SELECT count(*) FROM {table}", file) < count:
                wrong.append(f"{table} lost rows")
        columns = self.number("SELECT count(*) FROM pragma_table_info('mail') WHERE name = 'relay'", file)
        if version not in (1, 2) or columns != version - 1:
            wrong.append(f"version {version} with {columns} of its columns")
        return wrong

    def verify(self):
        """By challengectl, which knows version 1: as far as the chain goes, the versions of this test are alike."""
        kept = self.there.state / "kept"
        shutil.copy(self.there.ledger, kept)
        with sqlite3.connect(self.there.ledger) as ledger:
            ledger.execute("PRAGMA user_version = 1")
        ledger.close()
        done = self.there.ctl("audit", "verify", status=None)
        kept.rename(self.there.ledger)
        return done.returncode == 0 and '"intact": true' in done.stdout

    def finish(self):
        """The next start brings it to the end: what is wrong then."""
        done = self.once()
        wrong = [f"status {done.returncode}: {done.stderr[-300:]}"] if done.returncode else []
        wrong += self.complaints() + self.complaints(self.there.state / "ledger-version-1.db")
        if self.number("PRAGMA user_version") != 2:
            wrong.append("it is not of version 2")
        if list(self.there.state.glob("*.new*")):
            wrong.append("half a copy is left")
        if not self.verify():
            wrong.append("its chain does not verify")
        return wrong


def trace(machine, log, inject=()):
    return machine.once([*STRACE, log, "-e", "trace=" + ",".join(WRITES), *inject])


def kill_some(numbers):
    wrong, before = [], 0
    with tempfile.TemporaryDirectory(prefix="test-migration-") as folder:
        machine = Machine(folder)
        for call, number in numbers:
            machine.put()
            trace(machine, "/dev/null", ["-e", f"inject={call}:signal=SIGKILL:when={number}"])
            before += machine.number("PRAGMA user_version") == 1
            found = machine.complaints()
            found += machine.finish()
            if found:
                wrong.append((call, number, found))
    return wrong, before


class Migration(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-migration-")
        self.addCleanup(folder.cleanup)
        self.machine = Machine(folder.name)
        self.machine.put()

    def test_killed_at_every_call_that_writes(self):
        need_strace()
        log = self.machine.there.folder / "trace"
        trace(self.machine, log)
        counts, numbers = {}, []
        for line in log.read_text(errors="replace").splitlines():
            if 'challenges.db"' in line:
                break  # the ledger is open: what follows is the cycle, which test_syscalls kills
            call = line.split("(")[0]
            if call in WRITES:
                counts[call] = counts.get(call, 0) + 1
                numbers.append((call, counts[call]))
        numbers = numbers[::EVERY]
        self.assertGreater(len(numbers), 100 // EVERY)
        wrong, before = [], 0
        with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
            for found, early in pool.map(kill_some, [numbers[i::WORKERS] for i in range(WORKERS)]):
                wrong += found
                before += early
        print(f"killed at {len(numbers)} system calls, {before} of them before the commit", file=sys.stderr)
        self.assertEqual(wrong, [])
        self.assertGreater(before, len(numbers) // 2)
        self.assertLess(before, len(numbers))

    def test_a_disk_that_is_too_small(self):
        """A tmpfs of every size between the ledger alone and room for all: refused with a line, or migrated."""
        if os.geteuid() != 0:
            self.skipTest("only root may mount")
        probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
        if probe.returncode != 0:
            self.skipTest(f"no mount namespace: {probe.stderr.strip()}")
        pages = -(-self.machine.model.stat().st_size // 4096)
        script = ('mount -t tmpfs -o size=$1,mode=0700 none "$2/state" && cp "$2/model.db" "$2/state/ledger.db" &&'
                  ' "$3" --config "$4" --once; status=$?; cp "$2/state/"* "$2/seen/" 2>/dev/null; exit $status')
        refused = {"copy": 0, "migration": 0}
        seen = self.machine.there.folder / "seen"
        now = str(self.machine.number("SELECT latest + 60 FROM head"))
        for size in range(pages + 1, 3 * pages + 30, 2):
            shutil.rmtree(seen, ignore_errors=True)
            seen.mkdir()
            done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", str(size * 4096),
                                   self.machine.there.folder, CRASH, self.machine.there.config], capture_output=True,
                                  text=True, timeout=60, env={**self.machine.environment, "CHALLENGE_NOTIFYD_NOW": now})
            ledger = seen / "ledger.db"
            version = self.machine.number("PRAGMA user_version", ledger)
            self.assertEqual(self.machine.complaints(ledger), [], size)
            if version == 2:
                continue  # its own cycle may still have found no room, which is another test's matter
            self.assertEqual(done.returncode, 3, (size, done.stderr))
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, (size, done.stderr))
            self.assertIn("stays at version 1", done.stderr)
            refused["copy" if "no copy of it could be made" in done.stderr else "migration"] += 1
            self.assertEqual([path.name for path in seen.glob("*.new*")], [], size)
        print(f"no room: {refused}, then enough", file=sys.stderr)
        self.assertGreater(refused["copy"], 3)
        self.assertGreater(refused["migration"], 0)
        self.assertEqual(version, 2)

    def test_systemd_waits_and_is_told_why(self):
        path = self.machine.there.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(str(path))
            heard.settimeout(10)
            done = self.machine.once(environment={**self.machine.environment, "NOTIFY_SOCKET": str(path)})
            self.assertEqual(done.returncode, 0, done.stderr)
            said = heard.recv(4096).decode()
        self.assertIn("EXTEND_TIMEOUT_USEC=120000000\n", said)
        self.assertIn("STATUS=Bringing the ledger from version 1 to 2", said)
        self.assertIn("ledger-version-1.db", done.stderr)
        self.assertEqual((self.machine.there.state / "ledger-version-1.db").stat().st_mode & 0o777, 0o600)

    def test_a_second_daemon_keeps_away(self):
        environment = {**self.machine.environment, "CHALLENGE_NOTIFYD_NOW":
                       str(self.machine.number("SELECT latest + 60 FROM head"))}
        command = [CRASH, "--config", self.machine.there.config, "--once"]
        for _ in range(10):
            self.machine.put()
            both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
            said = [process.communicate(timeout=60)[1] for process in both]
            self.assertIn(sorted(process.returncode for process in both), ([0, 0], [0, 3]), said)
            self.assertEqual("".join(said).count("brought from version 1 to 2"), 1, said)
            self.assertEqual(self.machine.complaints(), [])

    def test_the_programs_of_before_refuse_it(self):
        self.assertEqual(self.machine.once().returncode, 0)
        before = self.machine.there.ledger.read_bytes()
        for daemon in (CRASH, BUILD / "challenge-notifyd"):
            done = self.machine.once(daemon=daemon, environment=self.machine.there.environment())
            self.assertEqual(done.returncode, 78, done.stderr)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1)
            self.assertIn("version 2 was written by a newer challenge-notifyd (this one knows 1)", done.stderr)
            self.assertIn("install that version again", done.stderr)
        for command in (("queue", "list"), ("audit", "verify"), ("queue", "hold", "1", "--by", "A", "--why", "x"),
                        ("backup", self.machine.there.folder / "copy")):
            done = self.machine.there.ctl(*command, status=None)
            self.assertEqual((done.returncode, done.stdout), (3, ""), command)
            self.assertIn("newer challenge-notifyd", done.stderr)
            self.assertIn("Use the challengectl of that version", done.stderr)
        problems = self.machine.there.ctl("status", status=1)["problems"]
        self.assertIn("Use the challengectl of that version.", [problem["do"] for problem in problems])
        self.assertEqual(self.machine.there.ledger.read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
