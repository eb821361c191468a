"""A configuration in a temporary folder, to try policies out with challengectl: main file, policies, store.

The calendar is the shipped one's plan, written out here so that a count on paper can be read beside it: Monday to
Friday 09:00-17:00 in Europe/London, the government's holidays of England and Wales.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
CTL = Path(os.environ.get("BUILD", TOP / "build")).resolve() / "challengectl"
WEEK = " ".join(f'{day} = "09:00-17:00";' for day in ("monday", "tuesday", "wednesday", "thursday", "friday"))
CALENDAR = ('{ id = "england"; zone = "Europe/London"; hours = { ' + WEEK + ' };'
            ' holidays = { file = "bank-holidays.json"; division = "england-and-wales"; }; }')
ROLES = ("practitioner", "manager", "designated_lead", "senior_manager", "head_of_service", "director",
         "business_unit", "chair")
MAIN = """store = "challenges.db"; state = "state"; policies = "policies"; templates = "%s";
calendars = ( %s );
roles = ( %s );
partnership = { agency = "partnership"; inbox = "inbox@partnership.test"; emergency = "Telephone 999."; };
mail = { relay = "smtp://127.0.0.1:25"; from = "P <noreply@partnership.test>";
         allow_domains = [ "partnership.test", "council.test" ]; };
alarm = { to = [ "it@partnership.test" ]; };
%s
"""
RETENTION = 'retention = { bodies = "90 days"; challenges = "6 years"; contacts = "1 year"; ledger = "6 years"; };'
HEAD = """policy = { id = "%s"; version = "%s"; title = "Trial"; calendar = "%s";
  immediate = { tell = [ "both.designated_lead" ]; };
  %s
"""
QUIET = 'quiet = { after = "5 working days"; tell = [ "partnership.business_unit" ]; };'


class Trial:
    def __init__(self, test):
        self.folder = Path(tempfile.mkdtemp(prefix="trial-"))
        test.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "policies").mkdir()
        shutil.copy(TOP / "conf" / "bank-holidays.json", self.folder)
        self.file = self.folder / "challenge-notifyd.conf"
        self.configure()

    def configure(self, calendars=(CALENDAR,), more=RETENTION, file=None):
        (file or self.file).write_text(MAIN % (
            TOP / "conf" / "templates", ", ".join(calendars), ", ".join(f'{{ id = "{role}"; title = "{role}"; }}' for role in ROLES), more))

    def policy(self, body, *, id="trial", version="1", calendar="england", quiet=QUIET, head="", folder="policies"):
        """`body` holds the stages and what else the policy has; `head` what stands before it."""
        (self.folder / folder).mkdir(exist_ok=True)
        file = self.folder / folder / f"{id}-{version}.conf"
        file.write_text(HEAD % (id, version, calendar, quiet) + head + body + "\n};\n")
        return file

    def run(self, *arguments):
        return subprocess.run([CTL, "--config", self.file, *map(str, arguments)], text=True, capture_output=True,
                              timeout=60, stdin=subprocess.DEVNULL)

    def json(self, *arguments):
        ran = self.run("--json", *arguments)
        if ran.returncode != 0:
            raise AssertionError(f"{arguments}: status {ran.returncode}\n{ran.stderr}{ran.stdout}")
        return json.loads(ran.stdout)

    def timeline(self, *events, policy="trial", options=()):
        """Events as `raised@2026-03-02 10:00`; the entries of `timeline --json`."""
        words = [word for event in events for word in ("--event", event)]
        return self.json("timeline", "--policy", policy, *words, *options)


def local(entry, key="at"):
    return entry[key][:16].replace("T", " ")


def rows(entries, kinds=("reminder", "breach", "escalation", "overdue", "risk", "cleared")):
    """`2026-03-05 17:00 breach practitioner/practitioner` for each entry of these kinds."""
    return [f"{local(e)} {e['kind']} {e['stage'] or '-'}/{e['obligation'] or '-'}"
            for e in entries if e["kind"] in kinds]
