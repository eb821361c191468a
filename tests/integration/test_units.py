#!/usr/bin/python3
"""The units as they are installed: each setting of the hardening table, and what one relies on in another or in code.

systemd-analyze weighs only some of them: a core file, a start limit or a swallowed exit status has no weight there.
"""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
DAEMON = "challenge-notifyd.service"
YES = ("ProtectHome PrivateTmp PrivateDevices PrivateMounts PrivateUsers ProtectClock ProtectHostname ProtectKernelLogs "
       "ProtectKernelModules ProtectKernelTunables ProtectControlGroups NoNewPrivileges RestrictSUIDSGID "
       "RestrictRealtime LockPersonality MemoryDenyWriteExecute RemoveIPC RestrictNamespaces").split()
TABLE = {
    **{name: ["yes"] for name in YES},
    "Type": ["notify"], "NotifyAccess": ["main"], "User": ["challenge-notifyd"], "Group": ["challenge-store"],
    "UMask": ["0077"], "StateDirectory": ["challenge-notifyd"], "StateDirectoryMode": ["0700"],
    "ProtectSystem": ["strict"], "ReadWritePaths": ["-/var/lib/challenge-store"], "ProtectProc": ["invisible"],
    "ProcSubset": ["pid"], "DevicePolicy": ["closed"], "CapabilityBoundingSet": [""], "AmbientCapabilities": [""],
    "KeyringMode": ["private"], "RestrictAddressFamilies": ["AF_UNIX AF_INET AF_INET6"],
    "SystemCallArchitectures": ["native"], "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "SystemCallErrorNumber": ["EPERM"], "IPAddressDeny": ["any"], "IPAddressAllow": ["localhost"],
    "LimitCORE": ["0"], "LimitNOFILE": ["256"], "MemoryMax": ["256M"], "TasksMax": ["16"],
    "LoadCredential": ["smtp-password:/etc/challenge-notifyd/smtp-password"],
    "Restart": ["on-failure"], "RestartSec": ["20s"], "RestartPreventExitStatus": ["78"],
    "StartLimitIntervalSec": ["10min"], "StartLimitBurst": ["5"],
    "WatchdogSec": ["180"], "TimeoutStartSec": ["120"], "TimeoutStopSec": ["30"],
    "ExecReload": ["/usr/sbin/challenge-notifyd --check-config",
                   "+systemctl kill --kill-whom=main --signal=HUP %n"],
    "OnFailure": ["challenge-notifyd-alert@%N.service challenge-notifyd-revive.timer"],
    "After": ["network-online.target nss-lookup.target time-sync.target"],
}


def number(file, name):
    """A constant of the code."""
    return int(re.search(rf"\b{name} = (\d+)", (TOP / "daemon" / file).read_text()).group(1))


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="test-units-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        subprocess.run(["make", "-s", "units", "PREFIX=/usr", "SYSCONFDIR=/etc", f"UNITS_INTO={folder.name}"], cwd=TOP,
                       check=True, stdout=subprocess.DEVNULL)
        cls.units = {path.name: cls.read(path) for path in cls.folder.iterdir()}
        cls.daemon = cls.units[DAEMON]

    @staticmethod
    def read(path):
        """{name: [values in order]}."""
        settings = {}
        for name, value in re.findall(r"(?m)^([A-Za-z]+)=(.*)$", path.read_text()):
            settings.setdefault(name, []).append(value)
        return settings

    def seconds(self, name):
        value, unit = re.fullmatch(r"(\d+)(s|min)?", self.daemon[name][0]).groups()
        return int(value) * (60 if unit == "min" else 1)

    def test_the_daemon_is_hardened_as_the_table_says(self):
        self.assertEqual({name: self.daemon.get(name) for name in TABLE}, TABLE)

    def test_it_requires_nothing_that_could_keep_it_from_starting(self):
        for name in ("Requires", "Requisite", "BindsTo", "PartOf"):
            self.assertNotIn(name, self.daemon)

    def test_failures_reach_the_limit_that_tells_an_administrator(self):
        one = number("service/service.c", "START_SECONDS") + number("service/service.c", "STOP_SECONDS")
        self.assertLess((one + self.seconds("RestartSec")) * int(self.daemon["StartLimitBurst"][0]),
                        self.seconds("StartLimitIntervalSec"))

    def test_what_the_daemon_waits_for_ends_before_systemd_ends_it(self):
        stop = number("service/service.c", "STOP_SECONDS")
        self.assertLess(stop, self.seconds("TimeoutStopSec"))
        self.assertLess(number("service/service.c", "START_SECONDS") + number("service/service.c", "START_POLL") + stop,
                        self.seconds("TimeoutStartSec"))

    def test_the_alert_needs_nothing_of_ours_that_can_be_broken(self):
        alert = self.units["challenge-notifyd-alert@.service"]
        script = (TOP / "systemd" / "unit-failed").read_text()
        for name in ("LoadCredential", "LoadCredentialEncrypted", "User", "Requires", "ConditionPathExists"):
            self.assertNotIn(name, alert)
        for word in ("/etc/challenge-notifyd", "smtp-password", "challengectl", "/var/lib/challenge"):
            self.assertNotIn(word, script.replace("challenge-notifyd-alert", ""))
        self.assertNotIn("OnFailure", alert, "an alert that fails must not alert")

    def test_every_unit_that_works_unattended_tells_of_its_failure(self):
        for name in ("challenge-notifyd.service", "challenge-notifyd-backup.service", "challenge-notifyd-holidays.service"):
            self.assertIn("challenge-notifyd-alert@%N.service", " ".join(self.units[name]["OnFailure"]), name)

    def test_the_revival_is_an_hour_later_and_only_of_what_has_failed(self):
        timer, service = (self.units[f"challenge-notifyd-revive.{kind}"] for kind in ("timer", "service"))
        self.assertEqual(timer["OnActiveSec"], ["1h"])
        self.assertNotIn("WantedBy", timer, "only a failure starts it")
        self.assertEqual(service["ExecCondition"], [f"systemctl --quiet is-failed {DAEMON}"])


class Catalog(unittest.TestCase):
    """What `journalctl -x` says: test_journal.c holds ids against code, this what an entry is worth."""

    @classmethod
    def setUpClass(cls):
        text = (TOP / "systemd" / "challenge-notifyd.catalog").read_text()
        cls.entries = dict(re.findall(r"(?ms)^-- ([0-9a-f]{32})\n(.*?)(?=^-- |\Z)", text))
        source = (TOP / "daemon" / "adapter" / "journal.c").read_text()
        cls.ids = dict(re.findall(r'\[(JOURNAL_\w+)\] = \{\s*"([0-9a-f]{32})"', source))

    def test_every_entry_says_what_it_means_and_what_to_do(self):
        self.assertGreater(len(self.entries), 30)
        for identity, entry in self.entries.items():
            head, *paragraphs = [part for part in entry.strip().split("\n\n")]
            self.assertRegex(head, r"\ASubject: .+\nDefined-By: challenge-notifyd\nDocumentation: man:challenge-notifyd\(8\)",
                             identity)
            self.assertGreaterEqual(len(paragraphs), 2, head)
            self.assertTrue(all(paragraph.rstrip().endswith((".", '"', "?")) or "\n" in paragraph
                                for paragraph in paragraphs), head)

    def test_every_field_that_an_entry_names_is_sent_where_its_event_is(self):
        """By the same file, at least: some choose the event in one function and send it in another."""
        sources = [path.read_text() for path in sorted((TOP / "daemon" / "service").glob("*.c"))]
        for event, identity in self.ids.items():
            sent = {field for text in sources if re.search(rf"\b{event}\b", text)
                    for field in re.findall(r'\{\s*"([A-Z_]+)",', text)}
            self.assertEqual(set(re.findall(r"@([A-Z_]+)@", self.entries[identity])) - sent, set(), event)

    def test_every_event_is_sent_by_somebody(self):
        code = "".join(path.read_text() for path in (TOP / "daemon").glob("*/*.c"))
        for event in self.ids:
            self.assertGreaterEqual(len(re.findall(rf"\b{event}\b", code)), 2, event)


if __name__ == "__main__":
    unittest.main()
