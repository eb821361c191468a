#!/usr/bin/python3
"""Far more is due than anybody should be mailed: at first contact, after a long silence, and all of a sudden."""

import resource
import socket
import sys
import tempfile
import time
import unittest
from collections import Counter
from email import policy
from email.parser import BytesParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import DAY, POLICY, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

HOUR = 3600
STORE = 100_000
STORE_SECONDS = 15  # of CPU: other work on the machine is no fault of the daemon's
LEAN = POLICY.replace('remind = [ "24 hours before", "12 hours before" ];', "")
CRITICAL = "<2>"  # LOG_CRIT
PEOPLE = {"cora@council.test", "colm@council.test", "hal@health.test", "hope@health.test", "unit@partnership.test"}


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Floods(unittest.TestCase):
    policy = POLICY

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-floods-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port, policy=self.policy)
        self.there.create_store()

    def told(self):
        """Without the addresses of alarms, which are told of troubles of every kind."""
        return Counter(address for mail in self.server.mails for address in mail["to"]
                       if address != "it@partnership.test")

    def add(self, count, ago, stem="old"):
        """Many challenges at once, raised so many seconds ago."""
        now = int(time.time())
        with self.there.open_store() as store:
            store.execute("PRAGMA synchronous = OFF")
            store.execute("BEGIN IMMEDIATE")
            first = store.execute("SELECT coalesce(max(id), 0) FROM challenge").fetchone()[0] + 1
            store.executemany(
                "INSERT INTO challenge (id, reference, policy, policy_version, raising_agency, receiving_agency)"
                " VALUES (?, ?, 'test', '1', 'health', 'council')",
                ((number, f"{stem}-{number}") for number in range(first, first + count)))
            store.executemany("INSERT INTO event (challenge, kind, at) VALUES (?, 'raised', ?)",
                              ((number, now - ago) for number in range(first, first + count)))
            store.execute("COMMIT")

    def held(self):
        return self.there.remember("SELECT count(*) FROM notice WHERE state = 'held' AND mail IS NULL")[0][0]

    def status(self, seconds=10, **environment):
        """What the daemon tells systemd, once it has been through a cycle."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = str(self.there.folder / "notify")
            notify.bind(path)
            notify.settimeout(seconds)
            daemon = self.there.start(NOTIFY_SOCKET=path, **environment)
            try:
                while True:
                    for line in notify.recv(65536).decode().splitlines():
                        if line.startswith("STATUS=") and "READY" not in line:
                            return line
            finally:
                daemon.terminate()
                self.said = daemon.communicate(timeout=30)[1]


class FirstContact(Floods):
    policy = LEAN

    def test_a_store_of_100000_overdue_challenges_mails_one_summary(self):
        self.add(STORE, 40 * DAY)
        before, begun = cpu_of_children(), time.monotonic()
        said = self.there.run("--once", timeout=120)
        took = cpu_of_children() - before
        print(f"first contact with {STORE} overdue challenges: {took:.1f} s of CPU,"
              f" {time.monotonic() - begun:.1f} s in all", file=sys.stderr)
        self.assertEqual(self.told(), {"inbox@partnership.test": 1})
        self.assertEqual(said.count("the ledger is new"), 1)
        states = self.there.remember("SELECT state, reason, count(*) FROM notice GROUP BY state, reason")
        self.assertEqual([row[:2] for row in states], [("cancelled", "adopted")])
        self.assertGreaterEqual(states[0][2], 2 * STORE)
        self.assertLess(took, STORE_SECONDS)


class LongSilence(Floods):
    def test_after_a_month_one_mail_for_each_person_and_every_escalation(self):
        self.there.run("--once")
        for number in range(5):
            self.there.add_challenge(f"2026-{number}", HOUR)
        self.there.run("--once")
        self.server.mails.clear()
        self.there.run("--once", later=30 * DAY)
        for person, count in self.told().items():
            self.assertLessEqual(count, 5, f"{person}: more than one mail for each challenge")
        decided = self.there.remember("SELECT kind, reference FROM notice WHERE state = 'decided'")
        self.assertEqual(sum(kind == "escalation" for kind, _ in decided), 5)
        self.assertEqual(sum(kind == "breach" for kind, _ in decided), 5)
        text = "".join(BytesParser(policy=policy.default).parsebytes(mail["bytes"]).get_body(("plain",)).get_content()
                       for mail in self.server.mails if "colm@council.test" in mail["to"])
        for number in range(5):
            self.assertIn(f"2026-{number}", text)


class AllOfASudden(Floods):
    def flood(self, count=1000):
        self.there.run("--once")
        self.add(count, 4 * DAY, "sudden")
        return self.there.run("--once", timeout=120)

    def test_a_thousand_due_are_held_and_alarmed(self):
        said = self.flood()
        self.assertIn(CRITICAL + "far more fell due than usual", said)
        self.assertEqual(self.told(), {"inbox@partnership.test": 1})
        self.assertTrue([mail for mail in self.server.mails if "it@partnership.test" in mail["to"]])
        self.assertGreaterEqual(self.held(), 2000)
        self.assertIn(f"{self.held()} notices are held", said)
        self.there.run("--once")
        self.assertEqual(self.told(), {"inbox@partnership.test": 1}, "the alarm went twice")
        self.assertEqual(self.there.ctl("audit", "verify")["intact"], True)

    def test_the_alarm_is_repeated_on_the_next_day_and_the_status_says_it(self):
        self.flood(60)
        self.assertRegex(self.status(), r"\d+ notices are HELD: challengectl queue release --all")
        self.assertEqual(self.told()["inbox@partnership.test"], 1)
        self.assertIn("far more fell due than usual", self.there.run("--once", later=DAY))
        self.assertEqual(self.told()["inbox@partnership.test"], 2)

    def test_what_comes_later_is_held_too_but_never_immediate_risk(self):
        self.flood(60)
        before = self.held()
        self.there.add_challenge("later", 71 * HOUR)
        danger = self.there.add_challenge("danger", 60)
        self.there.record(danger, "immediate_risk")
        self.there.run("--once")
        self.assertGreater(self.held(), before)
        self.assertEqual({address for mail in self.server.mails for address in mail["to"]
                          if b"mmediate risk" in mail["bytes"]} & PEOPLE, {"colm@council.test", "unit@partnership.test"})

    def test_risk_among_the_flood_goes_at_once(self):
        self.there.run("--once")
        danger = self.there.add_challenge("danger", 60)
        self.there.record(danger, "immediate_risk")
        self.add(60, 4 * DAY)
        self.there.run("--once")
        self.assertEqual(set(self.told()) & PEOPLE, {"colm@council.test", "unit@partnership.test"})

    def test_an_answer_cancels_what_is_held(self):
        self.flood(60)
        before = self.held()
        self.there.record(1, "resolved", value="changed")
        self.there.run("--once")
        self.assertLess(self.held(), before)

    def test_a_person_lets_them_go_and_the_day_goes_on(self):
        self.flood(60)
        held = self.held()
        told = self.there.ctl("queue", "release", "--all", "--by", "A. Person", "--why", "they are right")
        self.assertEqual(told, {"released": held})
        self.there.run("--once")
        self.assertEqual(self.held(), 0)
        self.assertEqual(set(self.told()) & PEOPLE, {"cora@council.test", "colm@council.test"})
        self.there.add_challenge("later", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.held(), 0, "the rest of the day is held against yesterday's flood")
        trail = self.there.ctl("audit", "export", "sudden-1")
        self.assertIn("they are right", str(trail))
        self.assertIn("A. Person", str(trail))
        self.assertEqual(self.there.ctl("queue", "release", "--all", "--by", "A", "--why", "again"), {"released": 0})

    def test_who_and_why_are_needed(self):
        self.flood(60)
        for arguments in ((), ("--by", "A"), ("--why", "x"), ("--by", "", "--why", "x"), ("1", "--by", "A", "--why", "x")):
            done = self.there.ctl("queue", "release", "--all", *arguments, status=None)
            self.assertEqual(done.returncode, 2, arguments)
        self.assertGreater(self.held(), 0)

    def test_fifty_are_no_flood(self):
        self.there.run("--once")
        self.add(12, 4 * DAY)  # inform, reminder, breach and escalation of each
        self.there.run("--once")
        self.assertEqual(self.held(), 0)

    def test_what_is_usual_is_learned(self):
        """Ten days of forty notices each; then three hundred are a busy day, and five hundred a flood."""
        self.there.run("--once")
        for day in range(1, 11):
            self.add(10, 4 * DAY - day * DAY, f"day{day}")
            self.there.run("--once", later=day * DAY)
            self.assertEqual(self.held(), 0, f"day {day}")
        self.add(75, 4 * DAY - 11 * DAY, "busy")
        self.there.run("--once", later=11 * DAY)
        self.assertEqual(self.held(), 0)
        self.add(125, 4 * DAY - 12 * DAY, "flood")
        self.there.run("--once", later=12 * DAY)
        self.assertGreater(self.held(), 0)

    def test_it_can_be_switched_off(self):
        self.there.configure(hold_above=0)
        self.flood(100)
        self.assertEqual(self.held(), 0)
        self.assertEqual(set(self.told()), {"cora@council.test", "colm@council.test"})


if __name__ == "__main__":
    unittest.main()
