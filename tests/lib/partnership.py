"""A partnership in a temporary folder, for tests of the real programs: configuration, store, ledger.

Its calendar is open at every hour of every day, so that what is due may go now, whenever the test runs.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("BUILD", TOP / "build"))
DAY = 86400
HOURS = " ".join(f'{day} = "00:00-24:00";' for day in
                 ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))

MAIN = """store = "challenges.db";
state = "state";
poll = "1 second";
policies = "policies";
templates = "{templates}";
calendars = ( {{ id = "england"; zone = "Europe/London"; hours = {{ {hours} }}; }} );
roles = ( {{ id = "practitioner"; title = "Practitioner"; instead = [ "manager" ]; }},
          {{ id = "manager"; title = "Line manager"; instead = [ "senior_manager" ]; }},
          {{ id = "senior_manager"; title = "Senior manager"; }},
          {{ id = "designated_lead"; title = "Designated safeguarding lead"; }},
          {{ id = "head_of_service"; title = "Head of service"; }},
          {{ id = "director"; title = "Director"; }},
          {{ id = "business_unit"; title = "Business unit"; }},
          {{ id = "chair"; title = "Independent chair"; }} );
partnership = {{ agency = "partnership"; name = "Example Partnership"; inbox = "inbox@partnership.test";
                telephone = "01632 960000"; emergency = "Telephone 999."; }};
mail = {{ relay = "{relay}://127.0.0.1:{port}"; {login} from = "Professional Challenge <noreply@partnership.test>";
         connections = {connections}; per_minute = 0; per_person_per_day = {ceiling}; hold_above = {hold_above};
         allow_domains = [ "partnership.test", "council.test", "health.test" ]; }};
alarm = {{ to = [ "it@partnership.test" ]; }};
"""

POLICY = """policy = {
  id = "test"; version = "1"; title = "Test policy"; calendar = "england";
  urgencies = [ "standard" ];
  quiet = { after = "5 working days"; tell = [ "partnership.business_unit" ]; };
  immediate = { tell = [ "receiving.manager", "partnership.business_unit" ]; };
  stages = (
    { id = "practitioner"; title = "Stage 1"; owner = "receiving.practitioner";
      limit = { standard = "72 hours"; }; remind = [ "24 hours before", "12 hours before" ];
      breach = { escalate_to = "manager"; tell = [ "owner" ]; }; },
    { id = "manager"; title = "Stage 2"; owner = "receiving.manager";
      limit = { standard = "2400 hours"; }; }
  );
};
"""

PEOPLE = (("partnership", "business_unit", "Unit", "unit@partnership.test"),
          ("council", "practitioner", "Cora", "cora@council.test"),
          ("council", "manager", "Colm", "colm@council.test"),
          ("health", "practitioner", "Hal", "hal@health.test"),
          ("health", "manager", "Hope", "hope@health.test"))


def faketime():
    """The library of Debian's package faketime; senders never see it, their environment is their own."""
    found = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        raise RuntimeError("the package faketime is not installed: scripts/deps test")
    return str(found[0])


class Partnership:
    """Use as a context manager; the folder goes with it."""

    def __init__(self, folder, port, *, connections=1, ceiling=0, policy=POLICY, daemon=None):
        self.folder = Path(folder)
        self.config = self.folder / "challenge-notifyd.conf"
        self.store = self.folder / "challenges.db"
        self.state = self.folder / "state"
        self.ledger = self.state / "ledger.db"
        self.daemon = Path(daemon) if daemon else BUILD / "challenge-notifyd"
        self.settings = {"port": port, "connections": connections, "ceiling": ceiling, "hours": HOURS,
                         "relay": "smtp", "login": "", "hold_above": 50,
                         "templates": TOP / "conf" / "templates"}
        (self.folder / "policies").mkdir()
        (self.folder / "policies" / "test.conf").write_text(policy)
        self.configure()

    def configure(self, **changes):
        self.settings.update(changes)
        self.config.write_text(MAIN.format(**self.settings))

    def create_store(self):
        with self.open_store() as store:
            store.executescript((TOP / "conf" / "store.sql").read_text())
            store.executemany("INSERT INTO agency (id, name) VALUES (?, ?)",
                              (("partnership", "Partnership"), ("council", "Council"), ("health", "Health")))
            store.executemany("INSERT INTO contact (agency, role, name, email) VALUES (?, ?, ?, ?)", PEOPLE)

    @contextlib.contextmanager
    def open_store(self):
        store = sqlite3.connect(self.store, isolation_level=None)
        try:
            yield store
        finally:
            store.close()

    def add_challenge(self, reference, raised_ago, policy_version="1", recorded_ago=0):
        """Health raises against the council, so many seconds ago."""
        now = int(time.time())
        with self.open_store() as store:
            store.execute("BEGIN IMMEDIATE")
            number = store.execute(
                "INSERT INTO challenge (reference, policy, policy_version, raising_agency, receiving_agency)"
                " VALUES (?, 'test', ?, 'health', 'council')", (reference, policy_version)).lastrowid
            store.execute("INSERT INTO event (challenge, kind, at, recorded_at) VALUES (?, 'raised', ?, ?)",
                          (number, now - raised_ago, now - recorded_ago))
            store.execute("COMMIT")
        return number

    def record(self, challenge, kind, ago=0, **columns):
        names = ["challenge", "kind", "at", *columns]
        with self.open_store() as store:
            store.execute(f"INSERT INTO event ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                          (challenge, kind, int(time.time()) - ago, *columns.values()))

    def environment(self, **more):
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "ASAN_OPTIONS") if name in os.environ}
        return {**kept, "CHALLENGE_NOTIFY_SENDER": str(BUILD / "challenge-notify-sender"), **more}

    def run(self, *arguments, status=0, timeout=60, later=0, **environment):
        """Runs the daemon to its end, so many seconds from now; its standard error, once its status is as wanted."""
        if later:
            environment = {"LD_PRELOAD": faketime(), "FAKETIME": f"{later:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                           **environment}
        done = subprocess.run([self.daemon, "--config", self.config, *arguments], capture_output=True,
                              text=True, timeout=timeout, env=self.environment(**environment))
        if status is not None and done.returncode != status:
            raise AssertionError(f"status {done.returncode}, not {status}:\n{done.stderr}{done.stdout}")
        return done.stderr

    def ctl(self, *arguments, status=0, text=None, **environment):
        """Runs challengectl with --json; the document that it prints (None: none), or with status=None the
        finished process."""
        done = subprocess.run([BUILD / "challengectl", "--config", self.config, "--json", *map(str, arguments)],
                              capture_output=True, text=True, timeout=60, input=text,
                              env=self.environment(**environment))
        if status is None:
            return done
        if done.returncode != status:
            raise AssertionError(f"status {done.returncode}, not {status}:\n{done.stderr}{done.stdout}")
        return json.loads(done.stdout) if done.stdout else None

    def start(self, **environment):
        return subprocess.Popen([self.daemon, "--config", self.config], stderr=subprocess.PIPE, text=True,
                                env=self.environment(**environment))

    def remember(self, query, *values):
        """Rows of the ledger."""
        ledger = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
        try:
            return ledger.execute(query, values).fetchall()
        finally:
            ledger.close()

    def forget_everything(self):
        shutil.rmtree(self.state, ignore_errors=True)
