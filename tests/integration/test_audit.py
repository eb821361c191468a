#!/usr/bin/python3
"""The ledger as evidence, through the command line: what a decision rested on, and that nobody can edit it unseen."""

import hashlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import BUILD, DAY, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402
from terminal import shown  # noqa: E402

HOUR = 3600
# These can be worked out anew at any time, or only guard the clock: no evidence.
NOT_CHAINED = ("meta", "schedule")
NO_EVIDENCE = {"head": ("latest",)}
SEED = 20261123


class Audit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="test-audit-")
        cls.addClassCleanup(cls.folder.cleanup)
        with Server() as server:
            there = cls.there = Partnership(cls.folder.name, server.port)
            there.create_store()
            there.run("--once")
            there.add_challenge("escalated", 4 * DAY)
            there.add_challenge("reminded", 71 * HOUR)
            there.run("--once")
            with there.open_store() as store:
                store.execute("INSERT INTO event (challenge, kind, at) SELECT id, 'withdrawn', unixepoch()"
                              " FROM challenge WHERE reference = 'reminded'")
            there.run("--once")

    def challengectl(self, *arguments, status=0):
        done = subprocess.run([BUILD / "challengectl", "--config", self.there.config, "--json", *arguments],
                              capture_output=True, text=True, timeout=60, env=self.there.environment())
        self.assertEqual(done.returncode, status, done.stderr + done.stdout)
        return json.loads(done.stdout)

    def decisions(self, reference):
        entries = self.challengectl("audit", "export", reference)["entries"]
        return [entry for entry in entries if entry["kind"] == "decided"]

    def test_every_decision_names_what_it_rested_on(self):
        policy = hashlib.sha256((self.there.folder / "policies" / "test.conf").read_bytes()).hexdigest()
        zone = hashlib.sha256(Path("/usr/share/zoneinfo/Europe/London").read_bytes()).hexdigest()
        calendars = set()
        for reference in ("escalated", "reminded"):
            self.assertGreater(len(self.decisions(reference)), 1)
            for entry in self.decisions(reference):
                self.assertEqual(entry["said"]["policy_digest"], policy)
                self.assertEqual(entry["said"]["zone_version"], zone)
                calendars.add(entry["said"]["calendar_version"])
        self.assertEqual(len(calendars), 1)
        self.assertRegex(calendars.pop(), "^[0-9a-f]{64}$")

    def test_a_decision_not_to_send_is_there_with_its_reason(self):
        silent = [entry["said"]["reason"] for entry in self.decisions("reminded") if entry["state"] == "cancelled"]
        self.assertIn("later reminder due", silent)

    def test_who_waits_on_a_terminal_sees_how_far_it_is(self):
        strace = shutil.which("strace")
        if strace is None:
            self.skipTest("strace is not installed")
        with tempfile.TemporaryDirectory(prefix="test-audit-") as folder, Server() as server:
            there = Partnership(folder, server.port)
            there.create_store()
            with there.open_store() as store:
                store.execute("BEGIN")
                store.executemany(
                    "INSERT INTO challenge (id, reference, policy, policy_version, raising_agency, receiving_agency)"
                    " VALUES (?, ?, 'test', '1', 'health', 'council')", [(n, f"R-{n}") for n in range(1, 701)])
                store.executemany("INSERT INTO event (challenge, kind, at) VALUES (?, 'raised', unixepoch() - 864000)",
                                  [(n,) for n in range(1, 701)])
                store.execute("COMMIT")
            there.run("--once")
            command = [BUILD / "challengectl", "--config", there.config, "audit", "verify"]
            slow = [strace, "-f", "-o", "/dev/null", "-e", "trace=pread64",
                    "-e", "inject=pread64:delay_enter=40000:when=40..70", *command]
            progress, answer = shown(slow, there.environment(), "stderr")
            self.assertRegex(progress, r"^\rrows checked: \d{4,}")
            self.assertTrue(progress.endswith("\r\033[K"), repr(progress))  # wiped when it is done
            self.assertIn("intact", answer)
            self.assertEqual(shown(command, there.environment(), "stderr")[0], "")  # in no time: not a word

    def tables(self, ledger):
        names = [name for name, in ledger.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return [name for name in names if name not in NOT_CHAINED]

    def rowid(self, name):
        """What tells one row of the table from another: WITHOUT ROWID tables have none of their own."""
        return "mail * 100000 + notice" if name == "mail_notice" else "rowid"

    def spoil(self, chance, ledger):
        """One edit, deletion, swap or truncation by somebody who can write to the file. Says what it was."""
        table = chance.choice([name for name in self.tables(ledger)
                               if ledger.execute(f"SELECT count(*) FROM {name}").fetchone()[0] > 0])
        key = self.rowid(table)
        rows = [row for row, in ledger.execute(f"SELECT {key} FROM {table}")]
        row = chance.choice(rows)
        how = chance.choice(("edit", "edit", "edit", "delete", "swap", "truncate"))
        if how == "delete":
            ledger.execute(f"DELETE FROM {table} WHERE {key} = ?", (row,))
        elif how == "truncate":
            ledger.execute(f"DELETE FROM {table} WHERE {key} >= ?", (row,))
        else:
            columns = [name for _, name, *_ in ledger.execute(f"PRAGMA table_info({table})")
                       if name not in NO_EVIDENCE.get(table, ())]
            column = chance.choice(columns)
            old = ledger.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (row,)).fetchone()[0]
            if how == "swap":
                new = ledger.execute(f"SELECT {column} FROM {table} WHERE {key} = ?",
                                     (chance.choice(rows),)).fetchone()[0]
            elif isinstance(old, bytes):
                place = chance.randrange(len(old)) if old else 0
                new = old[:place] + bytes([old[place] ^ 1 << chance.randrange(8)]) + old[place + 1:] if old else b"x"
            elif isinstance(old, str):
                new = chance.choice((old + "x", old[:-1], "2026-015"))
            else:
                new = (old or 0) + chance.choice((-1, 1, 86400))
            if new == old:
                return None
            ledger.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {key} = ?", (new, row))
        return f"{how} in {table}, row {row}" if ledger.total_changes else None

    def test_any_single_change_is_found(self):
        whole = self.challengectl("audit", "verify")
        self.assertTrue(whole["intact"])
        chance = random.Random(SEED)
        kept = self.there.folder / "kept.db"
        shutil.copy(self.there.ledger, kept)
        self.addCleanup(shutil.copy, kept, self.there.ledger)
        tried, missed = 0, []
        for _ in range(400):
            shutil.copy(kept, self.there.ledger)
            ledger = sqlite3.connect(self.there.ledger)
            ledger.execute("PRAGMA ignore_check_constraints = ON")
            ledger.execute("PRAGMA synchronous = OFF")
            try:
                what = self.spoil(chance, ledger)
                ledger.commit()
            except sqlite3.IntegrityError:
                continue  # the schema itself refuses it
            finally:
                ledger.close()
            if what is None:
                continue
            tried += 1
            done = subprocess.run([BUILD / "challengectl", "--config", self.there.config, "audit", "verify"],
                                  capture_output=True, text=True, timeout=60, env=self.there.environment())
            if done.returncode not in (1, 3) or not (done.stdout + done.stderr).strip():
                missed.append((what, done.returncode, done.stdout))
        print(f"audit: {tried} single changes, {tried - len(missed)} found (seed {SEED})", file=sys.stderr)
        self.assertGreater(tried, 200)
        self.assertEqual(missed, [])


if __name__ == "__main__":
    unittest.main()
