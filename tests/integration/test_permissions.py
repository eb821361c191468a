#!/usr/bin/python3
"""Who may open the store after whom: two users, the folder setgid or not, two journal modes, three umasks, and the
first one still there, gone, or killed in the middle of writing (T43).

One user writes (Python's SQLite, as any other system would), then the other comes: the daemon's user runs the daemon
for a cycle, the person runs challengectl. What is to be found stands in expected(). It takes root to be two users.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))
from partnership import BUILD, Partnership  # noqa: E402

STORE_GROUP, PEOPLE_GROUP = 61010, 61011
# The daemon's own group is the store's, as in its unit; a person has another one first, as on any machine.
USERS = {"daemon": {"user": 61001, "group": STORE_GROUP, "extra_groups": []},
         "person": {"user": 61002, "group": PEOPLE_GROUP, "extra_groups": [STORE_GROUP]}}
SETGID = {"setgid": 0o2770, "plain": 0o770}
JOURNALS = ("truncate", "wal")
UMASKS = (0o022, 0o027, 0o077)
SITUATIONS = ("first opener", "hot journal")

def expected(first, setgid, journal, _, situation):
    """With setgid it does not matter who comes first: that is why tmpfiles.d makes the folder so. Without, what SQLite
    leaves beside the store belongs to the group of whoever wrote: the daemon's is the store's, so everybody may; a
    person's is another, and the daemon cannot open a store beside which it has to read that. A journal that was
    emptied nobody has to read. The umask never matters: SQLite gives these files the store's own mode.
    And whoever has the store open in WAL mode keeps challengectl from switching it back, which it always does."""
    if first == "daemon" and journal == "wal" and situation == "first opener":
        return "busy"
    if first == "person" and setgid == "plain" and (journal == "wal" or situation == "hot journal"):
        return "refused"
    return "opened"


WRITER = """
import os, sqlite3, sys
os.umask(int(sys.argv[2], 8))
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA synchronous = EXTRA")
mode = store.execute(f"PRAGMA journal_mode = {sys.argv[3]}").fetchone()[0]
assert mode == sys.argv[3], mode
store.execute("INSERT INTO agency (id, name) VALUES ('before', 'committed')")
if sys.argv[4] == "hot journal":
    store.execute("PRAGMA cache_size = 1")
    store.execute("BEGIN IMMEDIATE")
    store.executemany("INSERT INTO agency (id, name) VALUES (?, ?)", ((f"x{i}", "x" * 1000) for i in range(500)))
print("written", flush=True)
sys.stdin.readline()
"""


class Permissions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root may be two users")
        # What other users run and read: copies, for the tree itself may be closed to them.
        cls.model = Path(tempfile.mkdtemp(prefix="test-permissions-"))
        cls.addClassCleanup(shutil.rmtree, cls.model)
        os.chmod(cls.model, 0o755)
        for program in ("challenge-notifyd", "challengectl", "challenge-notify-sender"):
            shutil.copy(BUILD / program, cls.model)
        shutil.copytree(TOP / "conf" / "templates", cls.model / "templates")
        for path in (cls.model / "templates").rglob("*"):
            os.chmod(path, 0o755 if path.is_dir() else 0o644)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="test-permissions-"))
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.there = Partnership(self.folder, 9)
        self.there.configure(templates=self.model / "templates")
        self.there.config.write_text(self.there.config.read_text().replace('"challenges.db"', '"store/challenges.db"'))
        for path in (self.there.config, *(self.folder / "policies").iterdir()):
            os.chmod(path, 0o644)
        os.chmod(self.folder / "policies", 0o755)
        self.there.store = self.folder / "store" / "challenges.db"

    def begin(self, mode):
        """An empty store as `challengectl init` makes it, in a folder as tmpfiles.d makes it, or not setgid."""
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        shutil.rmtree(self.there.state, ignore_errors=True)
        (self.folder / "store").mkdir()
        self.there.create_store()
        for path in (self.folder / "store").iterdir():
            if path != self.there.store:
                path.unlink()  # root's own journal
        os.chown(self.there.store, USERS["daemon"]["user"], STORE_GROUP)
        os.chmod(self.there.store, 0o660)
        os.chown(self.folder / "store", 0, STORE_GROUP)
        os.chmod(self.folder / "store", mode)
        self.there.state.mkdir(mode=0o700)
        os.chown(self.there.state, USERS["daemon"]["user"], STORE_GROUP)

    def write(self, who, umask, journal, situation):
        """The first user's process: still there, or killed over a transaction that had reached the file."""
        writer = subprocess.Popen([sys.executable, "-c", WRITER, self.there.store, oct(umask), journal, situation],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  cwd="/", **USERS[who])
        self.addCleanup(writer.communicate)
        self.addCleanup(writer.kill)
        if writer.stdout.readline() != "written\n":
            raise AssertionError(writer.communicate()[1])
        if situation == "hot journal":
            writer.kill()
            writer.wait()
        return writer

    def come(self, who, umask):
        """The other user with the program that is its own: "opened", or a line that says why not."""
        if who == "daemon":
            command = ["challenge-notifyd", "--config", self.there.config, "--once"]
        else:
            command = ["challengectl", "--config", self.there.config, "agency", "add", "after", "--name", "After"]
        done = subprocess.run([self.model / command[0], *command[1:]], capture_output=True, text=True, timeout=60,
                              cwd="/", umask=umask, env={"PATH": "/usr/bin:/bin", "CHALLENGE_NOTIFY_SENDER":
                                                         str(self.model / "challenge-notify-sender")}, **USERS[who])
        if done.returncode == 0:
            return "opened"
        self.assertEqual(done.returncode, 3, done.stderr)
        if "has it open in WAL mode" in done.stderr:
            return "busy"
        self.assertIn("unable to open database file", done.stderr)
        if who == "daemon":
            self.assertIn("the permissions of its folder", done.stderr)
        return "refused"

    def committed(self):
        """Whether the store is whole for root, who may do everything: what was committed, and no more."""
        with self.there.open_store() as store:
            rows = {row[0] for row in store.execute("SELECT id FROM agency")}
            return (store.execute("PRAGMA integrity_check").fetchone()[0] == "ok" and "before" in rows and
                    not any(name.startswith("x") for name in rows))

    def test_48_cells(self):
        cells = list(itertools.product(USERS, SETGID, JOURNALS, UMASKS, SITUATIONS))
        self.assertEqual(len(cells), 48)
        found = {}
        for first, setgid, journal, umask, situation in cells:
            self.begin(SETGID[setgid])
            writer = self.write(first, umask, journal, situation)
            other = "person" if first == "daemon" else "daemon"
            found[first, setgid, journal, umask, situation] = self.come(other, umask)
            beside = [path for path in (self.folder / "store").iterdir() if path != self.there.store]
            for path in beside:
                # challenge-store(5): the store's mode, whatever the umask; with setgid the store's group.
                self.assertEqual(path.stat().st_mode & 0o777, 0o660, (path.name, oct(umask)))
                if setgid == "setgid":
                    self.assertEqual(path.stat().st_gid, STORE_GROUP, path.name)
            if writer.poll() is None:
                writer.communicate("\n", timeout=10)
            self.assertTrue(self.committed(), (first, setgid, journal, umask, situation))
        wrong = {cell: result for cell, result in found.items() if result != expected(*cell)}
        counts = {result: list(found.values()).count(result) for result in ("opened", "refused", "busy")}
        print(f"48 cells: {counts}", file=sys.stderr)
        self.assertEqual(wrong, {})


if __name__ == "__main__":
    unittest.main()
