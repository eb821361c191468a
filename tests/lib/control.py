"""A store in a folder of its own, with the configuration that ships, for tests of challengectl."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
CTL = Path(os.environ.get("BUILD", TOP / "build")).resolve() / "challengectl"
DONE, NO, USAGE, COULD_NOT = 0, 1, 2, 3
TABLES = ("agency", "contact", "challenge", "event", "purge")


def complaint_of(ran):
    """Its standard error, but for what a build that counts for gcov says where it may not write the counts down."""
    return "".join(line for line in ran.stderr.splitlines(True) if not line.startswith("profiling:"))


def run_meanwhile(store, statements, command, **more):
    """Runs the command while another writer has the store, who commits these only when the command waits for it."""
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for statement in statements:
            other.execute(statement)
        running = subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, **more)
        time.sleep(0.8)
        waits = running.poll() is None
        other.execute("COMMIT")
    said, complaint = running.communicate(timeout=60)
    assert waits, f"it did not wait: {said}{complaint}"
    return subprocess.CompletedProcess(command, running.returncode, said, complaint)


class Control(unittest.TestCase):
    """Each test has self.folder with the main file and, once init has run, self.store."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="test-control-"))
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(TOP / "conf", self.folder, dirs_exist_ok=True)
        self.main = self.folder / "challenge-notifyd.conf"
        self.configure(r'(?m)^store = .*', 'store = "challenges.db";')
        self.configure(r'(?m)^state = .*', 'state = "state";')
        self.store = self.folder / "challenges.db"

    def configure(self, pattern, text):
        self.main.write_text(re.sub(pattern, text, self.main.read_text()))

    def ctl(self, *arguments, **more):
        return subprocess.run([CTL, "--config", self.main, *arguments], text=True, capture_output=True, timeout=60,
                              stdin=subprocess.DEVNULL, **more)

    def said(self, *arguments, exits=DONE):
        """Runs it with --json: the document that it prints."""
        ran = self.ctl("--json", *arguments)
        self.assertEqual((ran.returncode, ran.stderr), (exits, ""), (arguments, ran.stdout))
        return json.loads(ran.stdout)

    def refused(self, status, text, *arguments):
        """One clear line on standard error, nothing on standard output, and nothing written."""
        before = self.contents()
        for options in ((), ("--json",)):
            ran = self.ctl(*options, *arguments)
            self.assertEqual(ran.returncode, status, (arguments, ran.stdout, ran.stderr))
            self.assertEqual(ran.stdout, "")
            self.assertRegex(ran.stderr, r"\Achallengectl: [^\n]*\n\Z")
            self.assertIn(text, ran.stderr)
        self.assertEqual(self.contents(), before)

    def query(self, sql, *values):
        with contextlib.closing(sqlite3.connect(self.store)) as db:
            rows = db.execute(sql, values).fetchall()
            db.commit()
            return rows

    def contents(self):
        if not self.store.exists():
            return None
        return [self.query(f"SELECT * FROM {table}") for table in TABLES]

    def people(self):
        """A store with two agencies and four people in it."""
        self.said("init")
        self.said("agency", "add", "school", "--name", "Example School", "--telephone", "01632 960001")
        self.said("agency", "add", "social-care", "--name", "Social Care", "--calendar=england")
        for agency in ("school", "social-care"):
            for role in ("practitioner", "manager"):
                self.said("contact", "add", "--agency", agency, "--role", role,
                          "--email", f"{role}.{agency}@partnership.example", "--name", f"A. {role.title()}")

    def write(self, name, *lines):
        path = self.folder / name
        path.write_text("\r\n".join(lines) + "\r\n")
        return path
