#!/usr/bin/python3
"""challengectl preview: every mail in the templates' own words, with the policy's own dates, and nothing sent or written."""

import html.parser
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from control import COULD_NOT, NO, USAGE, Control  # noqa: E402

AT = ("--policy", "example", "--at", "2026-11-23 10:00")  # a Monday
PARTS = {"foot", "frame", "safe"}  # of other mails


class Text(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.words = []
        self.feed(page)
        self.close()

    def handle_data(self, data):
        self.words.append(data)


class Preview(Control):
    def shipped(self):
        return {path.stem for path in (self.folder / "templates" / "en").glob("*.txt")} - PARTS

    def tearDown(self):
        self.assertFalse(self.store.exists(), "it needs no store")
        self.assertFalse((self.folder / "state").exists(), "it writes no ledger")

    def test_every_template_is_listed_with_its_subject(self):
        mails = self.said("preview", *AT)
        self.assertEqual({mail["template"] for mail in mails}, self.shipped())
        table = self.ctl("preview", *AT).stdout
        for mail in mails:
            self.assertTrue(mail["whole"])
            self.assertIn(f"{mail['template']:<12}{mail['subject']}\n", table)

    def test_every_policy_that_ships_can_be_seen(self):
        for policy in ("example", "coventry", "darlington"):
            with self.subTest(policy):
                seen = {mail["template"] for mail in self.said("preview", "--policy", policy)}
                self.assertLessEqual({"breach", "quiet", "risk", "watch", "daily"}, seen)
                for template in self.shipped() - seen:
                    self.refused(NO, f"asks for no notice that is written with \"{template}\"", "preview", template,
                                 "--policy", policy)

    def test_the_dates_are_the_policys_own(self):
        """What the reminder and the escalation name is what timeline counts for the same challenge."""
        counted = {}
        for entry in self.said("timeline", "--policy", "example", "--event", "raised@2026-11-23 10:00"):
            counted.setdefault((entry["kind"], entry["stage"]), entry["at"])
        self.assertEqual(counted["breach", "practitioner"], "2026-11-26T17:00:00+00:00")
        self.assertEqual(counted["breach", "manager"], "2026-11-30T17:00:00+00:00")
        reminder = self.said("preview", "reminder", *AT)
        self.assertIn("Thursday 26 November, 17:00", reminder["subject"])
        escalation = self.said("preview", "escalation", *AT)
        self.assertIn("Monday 30 November, 17:00", escalation["subject"])
        self.assertIn("Line manager", escalation["text"])
        self.assertIn("2026-000", escalation["text"])

    def test_what_an_administrator_edits_is_what_is_shown(self):
        for name, word in (("reminder.txt", "text"), ("reminder.html", "page")):
            path = self.folder / "templates" / "en" / name
            path.write_text(path.read_text() + f"\nA canary of the {word}, due {{due}}.\n")
        mail = self.said("preview", "reminder", *AT)
        self.assertIn("A canary of the text, due Thursday 26 November, 17:00.", mail["text"])
        page = self.ctl("preview", "reminder", "--html", *AT).stdout
        self.assertTrue(page.startswith("<!doctype html>"))
        self.assertIn("A canary of the page, due Thursday 26 November, 17:00.", " ".join(Text(page).words))
        self.assertEqual(page, mail["html"])
        said = self.ctl("preview", "reminder", *AT).stdout
        self.assertEqual(said, f"Subject: {mail['subject']}\n\n{mail['text']}")
        self.assertIsNone(re.search(r"<[a-z]", said))

    def test_another_language_is_shown_in_its_own_words(self):
        self.assertIn("dydd Iau 26 Tachwedd", self.said("preview", "reminder", "--language", "cy", *AT)["text"])
        self.refused(COULD_NOT, 'no folder "de"', "preview", "reminder", "--language", "de")

    def test_hidden_agencies_stay_hidden(self):
        self.assertIn("Example School", self.said("preview", "breach")["text"])
        self.configure(r"show_agencies = true", "show_agencies = false")
        self.assertNotIn("Example School", self.said("preview", "breach")["text"])

    def test_a_faulty_template_is_refused_as_check_refuses_it(self):
        path = self.folder / "templates" / "en" / "breach.txt"
        path.write_text(path.read_text() + "{child}\n")
        self.refused(COULD_NOT, "challengectl check", "preview", "breach")

    def test_usage(self):
        self.refused(COULD_NOT, 'the nearest is "reminder"', "preview", "remnder")
        self.refused(COULD_NOT, "there is no policy", "preview", "--policy", "none")
        self.refused(USAGE, "--html needs one TEMPLATE", "preview", "--html")
        self.refused(USAGE, "one argument too many", "preview", "reminder", "breach")


if __name__ == "__main__":
    unittest.main()
