#!/usr/bin/python3
"""challengectl report: the same numbers in every format, no personal data in any, small numbers left out of the page."""

import csv
import html.parser
import io
import json
import re
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from control import COULD_NOT, USAGE, Control  # noqa: E402
from partnership import DAY, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

HEAD = "reference,policy,raising_agency,receiving_agency,category,raised_at,resolved_at,outcome,closed_at"
PERIOD = ("--from", "2026-02-01", "--to", "2026-02-28")


class Page(html.parser.HTMLParser):
    """Checks that every element is closed where it should be; collects what it finds."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.links = [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src", "xlink:href", "action")]
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


class Report(Control):
    def setUp(self):
        super().setUp()
        self.people()
        self.said("agency", "add", "police", "--name", "Police <b>& Crime</b>")
        rows = [f"R{n},example,school,social-care,referral criteria,03/02/2026 10:00,04/02/2026 10:00,stands,"
                "05/02/2026 10:00" for n in range(6)]
        rows.append("R6,example,police,school,service and timeliness,02/02/2026 10:00,,,")
        rows.append("R7,example,school,social-care,,05/11/2025 10:00,06/11/2025 10:00,changed,07/11/2025 10:00")
        self.said("import", "challenges", self.write("c.csv", HEAD, *rows))
        self.query("UPDATE contact SET name = 'CANARY NAME', email = 'canary@partnership.example'")
        self.query("UPDATE challenge SET category = 'CANARY about Jo' WHERE reference = 'R5'")
        self.query("INSERT INTO event (challenge, kind, at, by, note) VALUES (1, 'discussed', 1770112900, 'CANARY',"
                   " 'CANARY note')")

    def run_report(self, *arguments, exits=0):
        ran = self.ctl("report", *arguments)
        self.assertEqual(ran.returncode, exits, ran.stderr)
        self.assertNotIn("CANARY", ran.stdout + ran.stderr)
        self.assertNotIn("canary", ran.stdout + ran.stderr)
        return ran.stdout

    def numbers(self, *arguments):
        sections = json.loads(self.run_report("--json", *arguments))["sections"]
        return {name: {row["label"]: (row["now"]["value"], row["now"]["of"]) for row in section["rows"]}
                for name, section in sections.items()}

    def test_what_happened_in_february_counted_by_hand(self):
        said = self.numbers(*PERIOD, "--at", "2026-03-10 10:00")
        self.assertEqual(said["totals"], {"Raised": (7, None), "Resolved": (6, None), "Open at the end": (1, None),
                                          "Overdue at the end": (1, None), "Feedback owed at the end": (0, None)})
        self.assertEqual(said["causes"], {"referral criteria": (5, None), "another": (1, None),
                                          "service and timeliness": (1, None)})
        self.assertEqual(said["pairs"], {"Example School to Social Care": (6, None),
                                         "Police <b>& Crime</b> to Example School": (1, None)})
        self.assertEqual(said["outcomes"], {"stands": (6, None)})
        self.assertEqual(list(said["first_stage"].values()), [(6, 6)])
        self.assertEqual(said["silent"], {"Social Care": (1, None)})
        self.assertEqual(said["timescales"]["Stage 1: practitioner to practitioner"], (6, 7))
        self.assertAlmostEqual(said["stage_time"]["Stage 1: practitioner to practitioner"][0],
                               (6 * 24 + 3 * 24 + 7) / 24 / 7, places=3)  # the seventh until Thursday 17:00

    def test_a_table_csv_and_json_say_the_same(self):
        said = self.numbers(*PERIOD)
        rows = {(row["section"], row["label"]): row["value"]
                for row in csv.DictReader(io.StringIO(self.run_report(*PERIOD, "--format", "csv")))}
        for section, labels in said.items():
            for label, (value, _) in labels.items():
                told = rows.pop((section, label))
                self.assertAlmostEqual(float(told or 0), value or 0, delta=0.06, msg=f"{section} {label}")
        self.assertEqual(rows, {})
        table = self.run_report(*PERIOD)
        for section, labels in said.items():
            for label in labels:
                self.assertIn(label, table)
        self.assertRegex(table, r"(?m)^ *7  Raised$")
        self.assertIn("6 of 7 (86 %)", table)
        self.assertNotIn("\033", table)

    def test_a_quarter_has_the_one_before_beside_it(self):
        document = json.loads(self.run_report("--json", "--quarter", "2026-Q1"))
        self.assertEqual((document["period"], document["before"]),
                         ("2026-01-01 to 2026-03-31", "2025-10-01 to 2025-12-31"))
        raised = next(row for row in document["sections"]["totals"]["rows"] if row["label"] == "Raised")
        self.assertEqual((raised["now"]["value"], raised["before"]["value"]), (7, 1))
        last = json.loads(self.run_report("--json", "--quarter", "last", "--at", "2026-02-10"))
        self.assertEqual((last["period"], last["before"]), ("2025-10-01 to 2025-12-31", "2025-07-01 to 2025-09-30"))
        fourth = json.loads(self.run_report("--json", "--quarter", "2025-Q4"))
        self.assertEqual(fourth["period"], "2025-10-01 to 2025-12-31")

    def test_the_page_stands_alone_and_leaves_small_numbers_out(self):
        text = self.run_report("--quarter", "2026-Q1", "--format", "html")
        page = Page(text)
        self.assertEqual(page.links, [])
        self.assertNotRegex(text, r"https?://|url\(|@import|<script")
        self.assertIn("Police &lt;b&gt;&amp; Crime&lt;/b&gt;", text)
        self.assertEqual(page.seen.count("svg") + 1, page.seen.count("table"))  # no chart of the silent
        self.assertGreater(page.seen.count("rect"), 20)
        open_row = re.search(r"Open at the end</th><td class=\"n\">(.*?)</td>", text)
        self.assertEqual(open_row.group(1), "*")
        raised = re.search(r"Raised</th><td class=\"n\">(.*?)</td><td class=\"n\">(.*?)</td>", text)
        self.assertEqual(raised.groups(), ("7", "*"))
        self.assertIn("fewer than 5", text)
        everything = self.run_report("--quarter", "2026-Q1", "--format", "html", "--suppress-below", "0")
        self.assertNotIn("*", re.sub(r"(?s)<style>.*?</style>", "", everything))
        self.assertIn("Open at the end</th><td class=\"n\">1</td>", everything)

    def test_small_numbers_are_left_out_of_every_format_when_asked(self):
        self.assertEqual(self.numbers(*PERIOD, "--suppress-below", "5")["totals"]["Open at the end"], (None, None))
        self.assertRegex(self.run_report(*PERIOD, "--suppress-below", "5"), r"(?m)^ *\*  Open at the end$")
        rows = csv.DictReader(io.StringIO(self.run_report(*PERIOD, "--suppress-below", "5", "--format", "csv")))
        self.assertEqual([row["value"] for row in rows if row["label"] == "Open at the end"], [""])

    def test_no_number_left_out_can_be_had_from_those_that_are_shown(self):
        """One row of causes is small, its neighbour is taken with it, and neither's place tells its size."""
        rows = [f"S{n},example,school,social-care,{cause},05/02/2026 10:00,,,"
                for n, cause in enumerate(["service and timeliness"] * 8 + ["referral criteria"] * 6)]
        self.said("import", "challenges", self.write("d.csv", HEAD, *rows))
        self.query("UPDATE challenge SET category = 'service and timeliness' WHERE reference LIKE 'R%'")
        self.query("UPDATE challenge SET category = 'information sharing' WHERE reference = 'R0'")
        every = self.numbers(*PERIOD)["causes"]
        self.assertEqual(every, {"service and timeliness": (14, None), "referral criteria": (6, None),
                                 "information sharing": (1, None)})
        shown = self.numbers(*PERIOD, "--suppress-below", "5")
        self.assertEqual(shown["totals"]["Raised"], (21, None))
        self.assertEqual(list(shown["causes"].items()), [("service and timeliness", (14, None)),
                                                         ("information sharing", (None, None)),
                                                         ("referral criteria", (None, None))])

    def test_an_empty_period_is_a_report_too(self):
        said = self.numbers("--from", "2020-01-01", "--to", "2020-01-31")
        self.assertEqual({name for name, rows in said.items() if rows}, {"totals", "silent"})
        self.assertEqual({value for value, _ in said["totals"].values()}, {0})
        table = self.run_report("--from", "01/01/2020", "--to", "31/01/2020")
        self.assertRegex(table, r"(?m)^ *0  Raised$")
        self.assertRegex(table, r"(?m)^none  Example School$")
        Page(self.run_report("--from", "2020-01-01", "--to", "2020-01-31", "--format", "html"))

    def test_a_challenge_without_its_policy_is_told(self):
        self.query("UPDATE challenge SET policy_version = 'gone' WHERE reference = 'R6'")
        ran = self.ctl("report", *PERIOD)
        self.assertEqual(ran.returncode, 0)
        self.assertIn("1 challenge is not counted", ran.stderr)

    def test_usage(self):
        for arguments in ((), ("--from", "2026-01-01"), ("--quarter", "2026-Q5"), ("--quarter", "Q1"),
                          ("--from", "2026-02-02", "--to", "2026-02-01"), ("--from", "x", "--to", "y"),
                          ("--quarter", "last", "--from", "2026-01-01"), (*PERIOD, "--suppress-below", "-1"),
                          (*PERIOD, "more")):
            self.refused(USAGE, "", "report", *arguments)
        ran = self.ctl("report", *PERIOD, "--format", "pdf")
        self.assertEqual((ran.returncode, ran.stdout), (USAGE, ""))
        for path in self.folder.glob("challenges.db*"):
            path.unlink()
        self.assertEqual(self.ctl("report", *PERIOD).returncode, COULD_NOT)


class Punctuality(unittest.TestCase):
    def counted(self, late_entry):
        """What is said of the notices of one challenge that was raised four days ago."""
        with tempfile.TemporaryDirectory(prefix="test-report-") as folder, Server() as server:
            there = Partnership(folder, server.port)
            there.create_store()
            there.run("--once")  # the ledger begins: nothing of later is adopted
            raised = int(time.time()) - 4 * DAY
            with there.open_store() as store:
                challenge = store.execute(
                    "INSERT INTO challenge (reference, policy, policy_version, raising_agency, receiving_agency)"
                    " VALUES ('L-1', 'test', '1', 'health', 'council')").lastrowid
                store.execute("INSERT INTO event (challenge, kind, at, recorded_at) VALUES (?, 'raised', ?, ?)",
                              (challenge, raised, int(time.time()) if late_entry else raised))
            there.run("--once")
            first, last = (time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (raised - DAY, time.time() + DAY))
            rows = there.ctl("report", "--from", first, "--to", last)["sections"]["service"]["rows"]
            return [row["now"]["value"] for row in rows]

    def test_what_was_typed_late_is_not_the_services_own_fault(self):
        accepted, own_fault, typed_late = self.counted(late_entry=True)
        self.assertGreater(accepted, 1)
        self.assertEqual((own_fault, typed_late), (0, accepted))

    def test_what_the_service_was_down_for_is(self):
        accepted, own_fault, typed_late = self.counted(late_entry=False)
        self.assertGreater(accepted, 1)
        self.assertEqual((own_fault, typed_late), (accepted, 0))


if __name__ == "__main__":
    unittest.main()
