#!/usr/bin/python3
"""What becomes of a mail that does not get through at once: days of the real daemon, by libfaketime."""

import sys
import tempfile
import time
import unittest
from email import policy
from email.parser import BytesParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import DAY, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

MINUTE, HOUR = 60, 3600
ALARM = "<3>"  # LOG_ERR, which journalctl -p err shows


class QueueRules(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-queue-rules-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.there.create_store()
        self.there.run("--once")
        self.begun = int(time.time())

    def told(self):
        """Without the addresses of alarms, which are told of troubles of every kind."""
        return sorted(address for mail in self.server.mails for address in mail["to"]
                      if address != "it@partnership.test")

    def mail(self, number=1):
        """Its row in the ledger."""
        columns = ("state", "attempts", "doubts", "next_attempt", "updated", "created", "reply")
        row, = self.there.remember(f"SELECT {', '.join(columns)} FROM mail WHERE id = ?", number)
        return dict(zip(columns, row))

    def run_at(self, instant):
        return self.there.run("--once", later=max(1, int(instant) - int(time.time())))


class NotNow(QueueRules):
    """4xx, from the first try to the day it is parked."""

    def test_waits_longer_each_time_then_alarms_then_is_held(self):
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("RCPT", "4xx", times=None)
        said = self.there.run("--once")
        self.assertIn("retry (450 4.2.1)", said)
        self.assertNotIn(ALARM, said)
        exact = 0
        for number, minutes in enumerate((1, 2, 4, 8, 15, 30, 60, 60), 1):
            mail = self.mail()
            self.assertEqual((mail["state"], mail["attempts"]), ("retry", number))
            waits = mail["next_attempt"] - mail["updated"]
            self.assertTrue(0.75 * minutes * MINUTE <= waits <= 1.25 * minutes * MINUTE, f"{number}: {waits}")
            exact += waits == minutes * MINUTE
            before = len(self.server.events)
            if number == 3:
                self.run_at(mail["next_attempt"] - 20)
                self.assertEqual(len(self.server.events), before, "tried before its time")
            said = self.run_at(mail["next_attempt"] + 1)
            late = mail["next_attempt"] + 1 - mail["created"] >= HOUR
            self.assertEqual(ALARM in said, late, f"attempt {number + 1}: {said}")
        self.assertLess(exact, 8, "no jitter")
        said = self.run_at(self.mail()["created"] + 5 * DAY + MINUTE)
        self.assertEqual(self.mail()["state"], "held")
        self.assertIn(ALARM, said)
        self.assertIn("kept failing for days", said)
        attempts = self.mail()["attempts"]
        self.run_at(self.mail()["created"] + 6 * DAY)
        self.assertEqual((self.mail()["state"], self.mail()["attempts"]), ("held", attempts))

    def test_days_of_waiting_for_a_person_are_not_days_of_failing(self):
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("RCPT", "4xx", times=None)
        self.there.run("--once")
        self.there.ctl("queue", "hold", 1, "--by", "A. Person", "--why", "asking")
        self.run_at(time.time() + 6 * DAY)
        self.there.ctl("queue", "release", 1, "--by", "A. Person", "--why", "asked")
        said = self.run_at(time.time() + 6 * DAY + HOUR)
        self.assertNotIn("kept failing for days", said)
        self.assertEqual((self.mail()["state"], self.mail()["attempts"]), ("retry", 2))

    def test_what_is_over_when_a_person_lets_it_go_is_cancelled(self):
        number = self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("dot", "5xx")
        self.there.run("--once")
        self.assertEqual(self.mail()["state"], "held")
        self.there.record(number, "closed")
        self.there.run("--once")
        self.there.ctl("queue", "release", 1, "--by", "A. Person", "--why", "the relay takes it now")
        self.there.run("--once")
        self.assertEqual((self.mail()["state"], self.mail()["attempts"]), ("cancelled", 1))
        self.assertEqual(self.told(), [])

    def test_gets_through_when_the_relay_is_ready(self):
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("dot", "4xx")
        self.there.run("--once")
        first = self.mail()
        self.run_at(first["next_attempt"] + 1)
        self.assertEqual((self.mail()["state"], self.mail()["attempts"]), ("accepted", 2))
        self.assertEqual(self.told(), ["cora@council.test"])

    def test_other_refusals_are_held_and_alarmed_at_once(self):
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("dot", "5xx")
        said = self.there.run("--once")
        self.assertIn(ALARM, said)
        self.assertEqual(self.mail()["state"], "held")
        self.run_at(time.time() + DAY / 4)
        self.assertEqual(self.mail()["attempts"], 1)


class AddressRefused(QueueRules):
    def refuse(self):
        self.server.fault("RCPT", "reply", reply=b"550 5.1.1 No such user\r\n")

    def summaries(self):
        parsed = [(mail["to"], BytesParser(policy=policy.default).parsebytes(mail["bytes"])) for mail in self.server.mails]
        return [mail for to, mail in parsed if "inbox@partnership.test" in str(to)]

    def test_next_contact_is_told_and_the_business_unit_once(self):
        self.there.add_challenge("first", 71 * HOUR)
        self.refuse()
        self.there.run("--once")
        self.assertEqual(self.told(), ["colm@council.test", "inbox@partnership.test"])
        summary, = self.summaries()
        cora, = [number for number, email in self.contacts() if email == "cora@council.test"]
        self.assertIn(f"contact {cora}", summary["Subject"])
        self.assertNotIn("cora", summary.as_string())
        self.there.add_challenge("second", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.told(), ["colm@council.test"] * 2 + ["inbox@partnership.test"])

    def contacts(self):
        with self.there.open_store() as store:
            return store.execute("SELECT id, email FROM contact").fetchall()

    def test_two_refused_contacts_are_two_warnings_with_ids_of_their_own(self):
        self.there.add_challenge("first", 71 * HOUR)
        self.refuse()
        self.there.run("--once")
        self.there.add_challenge("second", 71 * HOUR)
        self.refuse()
        self.there.run("--once")
        self.assertEqual(self.told(), ["colm@council.test"] + ["inbox@partnership.test"] * 3,
                         "two warnings, and a notice for which nobody is left")
        self.assertEqual(len({mail["Message-ID"] for mail in self.summaries()}), 3)

    def test_a_confirmed_contact_is_used_again(self):
        self.there.add_challenge("first", 71 * HOUR)
        self.refuse()
        self.there.run("--once")
        self.confirm(int(time.time()) - HOUR)  # before it was refused: that does not help
        self.there.add_challenge("second", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.told().count("cora@council.test"), 0)
        self.confirm(int(time.time()) + 5)
        self.there.add_challenge("third", 71 * HOUR)
        self.there.run("--once", later=10)
        self.assertEqual(self.told().count("cora@council.test"), 1)
        self.assertEqual(self.there.remember("SELECT * FROM refused"), [])

    def confirm(self, at):
        with self.there.open_store() as store:
            store.execute("UPDATE contact SET confirmed_at = ? WHERE email = 'cora@council.test'", (at,))


class RelayDown(QueueRules):
    def test_every_fault_of_the_relay_pauses_burns_nothing_and_resumes(self):
        for number in range(3):
            self.there.add_challenge(f"2026-{number}", 4 * DAY)
        port = self.server.port
        self.server.stop()
        for later in (0, 2 * MINUTE, DAY):
            said = self.there.run("--once", later=later)
            self.assertEqual(said.count("sending is paused"), 1, said)
            self.assertIn(ALARM, said)
        rows = self.there.remember("SELECT state, attempts FROM mail")
        self.assertEqual(set(rows), {("ready", 0)})  # the alarm's mail among them
        self.server = Server(port=port)
        self.addCleanup(self.server.stop)
        self.there.run("--once", later=DAY + MINUTE)
        self.assertEqual(set(self.there.remember("SELECT state, attempts FROM mail")), {("accepted", 1)})
        self.assertEqual(self.told(), ["colm@council.test", "cora@council.test"])
        alarms = [mail for mail in self.server.mails if mail["to"] == ["it@partnership.test"]]
        self.assertEqual(len(alarms), 1, "one alarm for all of it, which could go only now")


    def test_a_balancer_before_relays_that_are_down_is_a_relay_that_is_down(self):
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("greeting", "drop", times=None)
        said = self.there.run("--once")
        self.assertEqual(said.count("sending is paused"), 1, said)
        self.assertEqual((self.mail()["state"], self.mail()["attempts"]), ("ready", 0))


class InDoubt(QueueRules):
    def test_one_resend_byte_for_byte_after_the_dot_timeout(self):
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("dot", "drop")
        self.there.run("--once")
        self.assertEqual(self.mail()["state"], "in_doubt")
        doubted = self.mail()["updated"]
        self.run_at(doubted + 590)
        self.assertEqual((self.mail()["state"], self.mail()["attempts"]), ("in_doubt", 1))
        self.run_at(doubted + 602)
        self.assertEqual((self.mail()["state"], self.mail()["attempts"]), ("accepted", 2))
        body, = self.there.remember("SELECT bytes FROM body WHERE mail = 1")
        self.assertEqual([mail["bytes"] for mail in self.server.mails], [body[0]])

    def test_two_copies_at_most_and_then_a_person(self):
        self.there.add_challenge("2026-014", 71 * HOUR)
        self.server.fault("dot", "drop", times=2)
        self.there.run("--once")
        for _ in range(3):
            self.run_at(self.mail()["updated"] + 602)
        self.assertEqual((self.mail()["state"], self.mail()["doubts"]), ("held", 2))
        self.assertEqual(self.mail()["attempts"], 2)
        self.assertEqual(len(self.server.seen("dot", to=["cora@council.test"])), 2)


if __name__ == "__main__":
    unittest.main()
