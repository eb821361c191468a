#!/usr/bin/python3
"""challengectl purge and privacy: what is past its period goes, what is held stays, and the chain stays whole."""

import json
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from control import run_meanwhile  # noqa: E402
from partnership import BUILD, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

CTL = BUILD.resolve() / "challengectl"
HOUR, DAY = 3600, 86400
PERIODS = 'retention = { bodies = "1 month"; challenges = "1 year"; contacts = "6 months"; ledger = "2 years"; };\n'


class Purge(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-purge-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.keep(PERIODS)

    def keep(self, periods):
        self.there.configure()
        self.there.config.write_text(self.there.config.read_text() + periods)

    def ctl(self, *arguments, later=None):
        """So many days from now."""
        clock = ["faketime", "-f", f"+{later}d"] if later else []
        return subprocess.run([*clock, CTL, "--config", self.there.config, *arguments], text=True, timeout=60,
                              capture_output=True, env=self.there.environment())

    def said(self, *arguments, exits=0, **how):
        ran = self.ctl("--json", *arguments, **how)
        self.assertEqual((ran.returncode, ran.stderr), (exits, ""), ran.stdout)
        return json.loads(ran.stdout)

    def erase(self, later):
        return self.said("purge", "--yes", "--by", "A. Officer", later=later)

    def counts(self, said):
        return {rule["what"]: rule["count"] for rule in said["rules"]}

    def stored(self, sql):
        with self.there.open_store() as store:
            return store.execute(sql).fetchall()

    def challenges(self):
        """Two that ended, one that is open; mails of each have gone."""
        self.there.create_store()
        self.there.run("--once")
        for reference in ("DONE", "HELD", "OPEN"):
            self.there.add_challenge(reference, 73 * HOUR)
            self.there.run("--once")  # so that no mail is about two of them
        for number in (1, 2):
            self.there.record(number, "closed")
            self.there.run("--once")

    def verify(self):
        return self.said("audit", "verify")

    def test_a_dry_run_tells_and_erases_nothing(self):
        self.challenges()
        before = self.there.store.read_bytes(), self.there.ledger.read_bytes()
        said = self.said("purge", later=800)
        self.assertFalse(said["erased"])
        self.assertEqual(said["from_the_store"], ["DONE", "HELD"])
        self.assertEqual(self.counts(said)["challenges"], 2)
        self.assertGreater(self.counts(said)["bodies"], 2)
        self.assertGreater(self.counts(said)["ledger"], 2)
        self.assertEqual((self.there.store.read_bytes(), self.there.ledger.read_bytes()), before)
        words = self.ctl("purge", later=800).stdout
        self.assertIn("would erase DONE", words)
        self.assertIn("Nothing was erased", words)

    def test_each_thing_goes_by_its_own_period(self):
        self.challenges()
        bodies, = self.there.remember("SELECT count(*) FROM body")
        counts = self.counts(self.erase(later=40))
        self.assertEqual(counts, {"challenges": 0, "contacts": 0, "bodies": bodies[0], "ledger": 0})
        self.assertEqual(self.there.remember("SELECT count(*) FROM body"), [(0,)])
        self.assertTrue(self.verify()["intact"])
        self.assertEqual(self.counts(self.erase(later=41))["bodies"], 0)
        self.assertEqual(self.erase(later=400)["from_the_store"], ["DONE", "HELD"])
        self.assertEqual(self.stored("SELECT reference FROM challenge"), [("OPEN",)])
        self.assertEqual(self.stored("SELECT count(*) FROM event WHERE challenge < 3"), [(0,)])
        self.assertEqual(self.stored("SELECT challenge, rule, by FROM purge ORDER BY id"),
                         [(1, "retention.challenges = 1 year", "A. Officer"),
                          (2, "retention.challenges = 1 year", "A. Officer")])
        before, = self.there.remember("SELECT count(*) FROM payload")
        self.assertGreater(self.counts(self.erase(later=800))["ledger"], 5)
        after, = self.there.remember("SELECT count(*) FROM payload")
        self.assertLess(after[0], before[0])
        verified = self.verify()
        self.assertTrue(verified["intact"], verified)
        self.assertGreater(verified["purged"], 5)
        self.there.run("--once")  # and the daemon goes on

    def test_what_is_erased_is_in_no_file_of_the_ledger(self):
        self.there.create_store()
        with self.there.open_store() as store:
            store.execute("UPDATE contact SET name = 'Zyzzyva'")
        self.there.run("--once")
        self.there.add_challenge("DONE", 73 * HOUR)
        self.there.run("--once")
        self.there.record(1, "closed")
        self.there.run("--once")

        def holding():
            return [path.name for path in self.there.state.iterdir() if b"Zyzzyva" in path.read_bytes()]
        self.assertEqual(holding(), ["ledger.db"])  # mails greet by name
        self.erase(later=40)
        self.assertEqual(holding(), [])  # nor in the journal that stays beside it
        self.there.run("--once")
        self.assertEqual(holding(), [])

    def test_addresses_go_with_what_the_ledger_says(self):
        self.challenges()
        mails = "SELECT count(*) FROM mail WHERE recipient <> ''"
        (every,), = self.there.remember("SELECT count(*) FROM mail")
        self.erase(later=40)
        self.assertEqual(self.there.remember(mails), [(every,)])  # the bodies' period is another
        self.erase(later=800)
        self.assertEqual(self.there.remember(mails), [(0,)])
        self.assertNotIn(b"@council.test", self.there.ledger.read_bytes())
        self.assertTrue(self.verify()["intact"])
        self.assertIn("(erased)", self.ctl("queue", "list").stdout)
        ledger = sqlite3.connect(self.there.ledger)
        self.addCleanup(ledger.close)
        for column, value in (("recipient", "other@council.test"), ("reply", "250 taken")):
            with self.subTest(column):
                ledger.execute(f"UPDATE mail SET {column} = ? WHERE id = 1", (value,))
                ledger.commit()
                self.assertFalse(self.said("audit", "verify", exits=1)["intact"])
                ledger.execute(f"UPDATE mail SET {column} = '' WHERE id = 1")
                ledger.commit()
                self.assertTrue(self.verify()["intact"])

    def test_what_is_held_stays_until_it_is_released(self):
        self.challenges()
        order = ("--by", "A. Officer", "--why", "case review")
        self.said("purge", "--hold", "HELD", *order)
        self.assertEqual(self.ctl("purge", "--hold", "HELD", *order).returncode, 3)
        payloads = "SELECT count(*) FROM payload JOIN chain USING (seq) WHERE challenge = "
        before = self.there.remember(payloads + "2")
        said = self.erase(later=800)
        self.assertEqual(said["from_the_store"], ["DONE"])
        self.assertEqual(said["kept"], [{"what": "HELD", "why": "it is held"}])
        bodies = "SELECT count(*) FROM body JOIN mail_notice USING (mail) JOIN notice ON notice.id = notice" \
                 " WHERE challenge = "
        self.assertEqual(self.there.remember(bodies + "1"), [(0,)])
        self.assertGreater(self.there.remember(bodies + "2")[0][0], 0)
        self.assertEqual(self.there.remember(payloads + "1"), [(0,)])
        self.assertEqual(self.there.remember(payloads + "2"), before)
        self.assertTrue(self.verify()["intact"])
        kinds = [kind for kind, in self.there.remember("SELECT kind FROM chain")]
        self.assertIn("erasure_held", kinds)
        self.assertIn("store_purged", kinds)
        self.said("purge", "--release", "HELD", *order)
        self.assertEqual(self.ctl("purge", "--release", "HELD", *order).returncode, 3)
        self.assertEqual(self.erase(later=800)["from_the_store"], ["HELD"])
        self.assertEqual(self.there.remember(bodies + "2"), [(0,)])
        self.assertTrue(self.verify()["intact"])

    def test_what_has_changed_since_it_was_looked_at_stays(self):
        self.challenges()
        with self.there.open_store() as store:
            store.execute("UPDATE contact SET active = 0, confirmed_at = CAST(strftime('%s') AS INTEGER) WHERE id = 2")
        before = self.stored("SELECT count(*) FROM event")[0][0]
        for statement, name in (("INSERT INTO event (challenge, kind) VALUES (2, 'reopened')", "HELD"),
                                ("UPDATE contact SET active = 1 WHERE id = 2", "contact 2 of council")):
            with self.subTest(name):
                ran = run_meanwhile(self.there.store, [statement],
                                    ["faketime", "-f", "+800d", CTL, "--config", self.there.config, "purge", "--yes",
                                     "--by", "A. Officer"], env=self.there.environment())
                self.assertEqual((ran.returncode, ran.stdout), (3, ""))
                self.assertIn(f"{name} has changed meanwhile. Nothing was erased", ran.stderr)
        self.assertEqual(self.stored("SELECT count(*) FROM event"), [(before + 1,)])
        self.assertEqual(self.stored("SELECT active FROM contact WHERE id = 2"), [(1,)])
        self.assertEqual(self.stored("SELECT count(*) FROM purge"), [(0,)])
        self.assertEqual(self.erase(later=800)["from_the_store"], ["DONE"])

    def test_contacts_go_once_they_are_not_active_for_long(self):
        self.challenges()
        with self.there.open_store() as store:
            store.execute("UPDATE contact SET active = 0, confirmed_at = CAST(strftime('%s') AS INTEGER) WHERE id = 2")
            store.execute("UPDATE contact SET active = 0 WHERE id = 3")
            store.execute("UPDATE contact SET deputy = 2 WHERE id = 4")
            store.execute("UPDATE challenge SET receiving_contact = 2 WHERE reference = 'OPEN'")
        self.assertEqual(self.erase(later=100)["from_the_store"], [])
        said = self.erase(later=200)
        self.assertEqual(said["from_the_store"], ["contact 2 of council"])
        self.assertEqual([kept["what"] for kept in said["kept"]], ["contact 3 of council"])
        self.assertEqual(self.stored("SELECT id FROM contact ORDER BY id"), [(1,), (3,), (4,), (5,)])
        self.assertEqual(self.stored("SELECT deputy FROM contact WHERE id = 4"), [(None,)])

    def test_without_periods_everything_is_kept(self):
        self.challenges()
        self.keep("")
        said = self.erase(later=3000)
        self.assertEqual((said["from_the_store"], set(self.counts(said).values())), ([], {0}))
        self.assertEqual(self.stored("SELECT count(*) FROM challenge"), [(3,)])

    def test_a_challenge_without_its_policy_is_kept(self):
        self.challenges()
        with self.there.open_store() as store:
            store.execute("UPDATE challenge SET policy_version = 'gone' WHERE reference = 'DONE'")
        said = self.erase(later=800)
        self.assertEqual(said["from_the_store"], ["HELD"])
        self.assertIn("not loaded", said["kept"][0]["why"])

    def test_usage(self):
        self.there.create_store()
        for arguments, status in ((("--yes",), 2), (("--hold", "X", "--yes", "--by", "B"), 2), (("--hold", "X"), 2),
                                  (("--yes", "--by", "B", "--at", "2030-01-01"), 2), (("all",), 2),
                                  (("--yes", "--by", "B"), 3)):  # no ledger: it could not be recorded
            ran = self.ctl("purge", *arguments)
            self.assertEqual((ran.returncode, ran.stdout), (status, ""), arguments)
            self.assertEqual(ran.stderr.count("\n"), 1)

    def test_privacy_tells_of_the_live_configuration(self):
        said = self.said("privacy")
        kept = {holding["kept"].split(" after")[0] for holding in said["holdings"]}
        self.assertTrue({"1 month", "1 year", "6 months", "2 years"} <= kept, kept)
        self.assertIn(str(self.there.store), [holding["where"] for holding in said["holdings"]])
        self.assertEqual(said["domains"], ["partnership.test", "council.test", "health.test"])
        self.assertTrue(all(holding["decided"] for holding in said["holdings"]))
        self.keep("")
        self.assertIn("NOT DECIDED", self.ctl("privacy").stdout)
        self.assertFalse(all(holding["decided"] for holding in self.said("privacy")["holdings"]))


if __name__ == "__main__":
    unittest.main()
