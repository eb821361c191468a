#!/usr/bin/python3
"""challengectl assure: every gap between a policy's roles and the people in the store is found, and nothing else."""

import json
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))
from control import NO, Control  # noqa: E402
from partnership import BUILD, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

ROLES = ("practitioner", "manager", "designated_lead", "senior_manager", "head_of_service", "director")


class Assure(Control):
    def setUp(self):
        super().setUp()
        self.configure(r"(?s)policies = \"policies\"", 'policies = "only"')
        (self.folder / "only").mkdir()
        (self.folder / "only" / "example.conf").write_text((self.folder / "policies" / "example.conf").read_text())
        self.said("init")
        with sqlite3.connect(self.store) as store:
            store.executemany("INSERT INTO agency (id, name) VALUES (?, ?)",
                              (("partnership", "P"), ("school", "S"), ("council", "C")))
            store.executemany("INSERT INTO contact (agency, role, email) VALUES (?, ?, ?)",
                              [(agency, role, f"{role}{twice}@{agency}.example")
                               for agency in ("school", "council") for role in ROLES for twice in (1, 2)]
                              + [("partnership", role, f"{role}{twice}@partnership.example")
                                 for role in ("business_unit", "chair") for twice in (1, 2)])

    def found(self, *arguments):
        ran = self.ctl("--json", "assure", *arguments)
        said = json.loads(ran.stdout)
        self.assertEqual(ran.returncode, NO if said["findings"] else 0, ran.stderr)
        return [(one["agency"], one["kind"]) for one in said["findings"]], said

    def test_where_everybody_is_there_nothing_is_found(self):
        kinds, said = self.found()
        self.assertEqual(kinds, [])
        for agency in ("school", "council"):
            self.assertEqual({r["role"] for r in said["reached"] if r["agency"] == agency} - set(ROLES), set())
        first = next(r for r in said["reached"] if (r["agency"], r["role"]) == ("school", "manager"))
        self.assertEqual((first["reached"], first["how"], first["alternate"]),
                         ("manager1@school.example", "holder", "manager2@school.example"))
        words = self.ctl("assure")
        self.assertEqual(words.returncode, 0)
        self.assertIn("Everybody is reached", words.stdout)

    def test_a_role_that_nobody_holds_or_stands_in_for(self):
        self.query("UPDATE contact SET active = 0 WHERE agency = 'partnership' AND role = 'business_unit'")
        self.assertIn(("partnership", "gap"), self.found()[0])
        self.query("UPDATE contact SET active = 1 WHERE email = 'business_unit1@partnership.example'")
        kinds, said = self.found()
        self.assertIn(("partnership", "no_alternate"), kinds)
        self.assertNotIn(("partnership", "gap"), kinds)

    def test_a_flat_agency_escalates_to_itself(self):
        self.query("UPDATE contact SET active = 0 WHERE agency = 'school' AND role <> 'manager'")
        kinds, said = self.found()
        self.assertIn(("school", "self_escalation"), kinds)
        self.assertNotIn(("council", "self_escalation"), kinds)
        practitioner = next(r for r in said["reached"] if (r["agency"], r["role"]) == ("school", "practitioner"))
        self.assertEqual((practitioner["reached"], practitioner["how"]), ("manager1@school.example", "stand_in"))

    def test_a_step_that_two_clocks_lead_to_is_told_once(self):
        self.query("UPDATE contact SET active = 0 WHERE agency = 'school' AND role <> 'senior_manager'")
        told = [one["what"] for one in self.found()[1]["findings"] if one["kind"] == "self_escalation"]
        self.assertEqual(len([what for what in told if "from stage manager to stage senior" in what]), 1, told)

    def test_leave_without_a_deputy_now_and_soon(self):
        self.query("UPDATE contact SET away_from = 1798070400, away_until = 1798675200"  # 24 to 31 December
                   " WHERE email = 'chair1@partnership.example'")
        self.assertEqual(self.found("--at", "2026-12-01 10:00")[0], [])
        self.assertIn(("partnership", "leave"), self.found("--at", "2026-12-15 10:00")[0])
        kinds, said = self.found("--at", "2026-12-25 10:00")
        self.assertIn(("partnership", "leave"), kinds)
        chair = next(r for r in said["reached"] if r["role"] == "chair")
        self.assertEqual(chair["reached"], "chair2@partnership.example")
        self.query("UPDATE contact SET deputy = (SELECT id FROM contact WHERE email = 'chair2@partnership.example')"
                   " WHERE email = 'chair1@partnership.example'")
        self.assertNotIn(("partnership", "leave"), self.found("--at", "2026-12-25 10:00")[0])

    def test_a_deputy_who_is_away_as_well_is_none(self):
        self.query("UPDATE contact SET away_from = 1798070400, away_until = 1798675200, deputy = (SELECT id FROM contact"
                   " WHERE email = 'chair2@partnership.example') WHERE email = 'chair1@partnership.example'")
        self.query("UPDATE contact SET away_from = 1798070400 WHERE email = 'chair2@partnership.example'")
        said = self.found("--at", "2026-12-15 10:00")[1]["findings"]
        self.assertEqual(["no deputy" in one["what"] for one in said if one["kind"] == "leave"], [False, True])
        self.query("UPDATE contact SET deputy = (SELECT id FROM contact WHERE email = 'business_unit1@partnership.example')"
                   " WHERE email = 'chair2@partnership.example'")
        self.assertNotIn(("partnership", "leave"), self.found("--at", "2026-12-15 10:00")[0])

    def test_addresses_that_are_never_mailed(self):
        self.query("UPDATE contact SET email = 'x@elsewhere.test' WHERE email = 'director1@school.example'")
        self.query("UPDATE contact SET email = 'not an address' WHERE email = 'director1@council.example'")
        kinds = self.found()[0]
        self.assertIn(("school", "domain"), kinds)
        self.assertIn(("council", "address"), kinds)

    def test_what_bounced_is_found(self):
        with tempfile.TemporaryDirectory(prefix="test-assure-") as folder, Server() as server:
            there = Partnership(folder, server.port)
            there.create_store()
            there.run("--once")
            server.fault("RCPT", "reply", reply=b"550 5.1.1 No such user\r\n")
            there.add_challenge("ONE", 60 * 3600)
            there.run("--once")
            ran = subprocess.run([BUILD.resolve() / "challengectl", "--config", there.config, "--json", "assure"],
                                 capture_output=True, text=True, env=there.environment())
            kinds = [one["kind"] for one in json.loads(ran.stdout)["findings"]]
            self.assertEqual(kinds.count("bounced"), 1, ran.stdout)

    def test_without_the_partnerships_own_agency(self):
        self.query("DELETE FROM contact WHERE agency = 'partnership'")
        self.query("DELETE FROM agency WHERE id = 'partnership'")
        self.assertIn(("partnership", "gap"), self.found()[0])


if __name__ == "__main__":
    unittest.main()
