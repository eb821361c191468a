#!/usr/bin/python3
"""Every kind of mail, as a relay receives it and as another program reads it.

A partnership is played through with the real daemon, and each mail is parsed with Python's email package: no
defect, exactly the headers that belong there, sound HTML beside the text, threads, importance, language, and no
word of what nobody may read.
"""

import base64
import re
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import mail_form  # noqa: E402
from mail_form import Outline  # noqa: E402
from partnership import DAY, HOURS, Partnership  # noqa: E402
from smtp_server import Server  # noqa: E402

HOUR = 3600
CANARY = "Zzyzx"


class Mails(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-mails-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.settle('per_person_per_day = 0;', 'per_person_per_day = 0; reply_to = "reply@partnership.test";'
                    ' link = "https://cases.test/c/{reference}?a=1&b=2"; subject_prefix = "";')
        self.there.create_store()
        self.there.run("--once")
        self.seen = 0

    def settle(self, before, after):
        text = self.there.config.read_text()
        self.assertIn(before, text)
        self.there.config.write_text(text.replace(before, after))

    def new_mails(self):
        """(recipient, parsed mail) of those that came since the last call, each held to the rules for all."""
        mails, self.seen = self.server.mails[self.seen:], len(self.server.mails)
        found = []
        for mail in mails:
            (recipient,) = re.findall(r"[\w.]+@[\w.]+", str(mail["to"]))
            parsed = mail_form.parse(mail["bytes"])
            self.check(recipient, mail["bytes"], parsed)
            found.append((recipient, parsed))
        return found

    def check(self, recipient, raw, mail):
        self.assertEqual(mail_form.faults(raw, recipient), [])
        self.assertIn("Reply-To", mail)
        text = mail.get_body(("plain",)).get_content()
        outline = Outline(mail.get_body(("html",)).get_content())
        for link in outline.links:
            self.assertRegex(link, "^(https://|mailto:reply@partnership.test)")
        for words in (raw.decode(), text, " ".join(outline.words)):
            self.assertNotIn(CANARY.lower(), words.lower())

    def subjects(self, mails, to=None):
        return [mail["Subject"] for recipient, mail in mails if to in (None, recipient)]

    def test_each_kind_is_sound(self):
        kinds = {
            "inform": ("2026-1", 60, []),
            "reminder": ("2026-2", 71 * HOUR, []),
            "breach and escalation": ("2026-3", 4 * DAY, []),
            "risk": ("2026-4", 60, ["immediate_risk"]),
        }
        for kind, (reference, age, events) in kinds.items():
            with self.subTest(kind):
                number = self.there.add_challenge(reference, age)
                for event in events:
                    self.there.record(number, event)
                self.there.run("--once")
                mails = self.new_mails()
                self.assertTrue(mails)
                for _, mail in mails:
                    self.assertIn(reference, mail["Subject"])
        with self.subTest("cleared"):
            self.there.record(3, "resolved", value="changed")
            self.there.run("--once")
            self.assertTrue(all(subject.startswith("Nothing more needed") for subject in self.subjects(self.new_mails())))

    def test_one_root_for_each_challenge(self):
        for reference in ("2026-1", "2026-2"):
            self.there.add_challenge(reference, 4 * DAY)
            self.there.run("--once")
        self.there.record(1, "resolved", value="changed")
        self.there.run("--once")
        roots, indexes = {}, {}
        mails = self.new_mails()
        for _, mail in mails:
            index = base64.b64decode(mail["Thread-Index"], validate=True)
            self.assertEqual((len(index), index[:3]), (22 + 5, b"\1\1\xdc"))  # of 2026, since 1601
            indexes.setdefault(str(mail["References"]), []).append(index)
            self.assertEqual(mail["References"], mail["In-Reply-To"])
            self.assertNotEqual(mail["References"], f"<{mail['Message-ID']}>")
            reference = re.search(r"2026-\d", mail["Subject"]).group()
            roots.setdefault(reference, set()).add(str(mail["References"]))
        self.assertEqual([len(found) for found in roots.values()], [1, 1])
        self.assertNotEqual(*roots.values())
        heads = [{index[:22] for index in found} for found in indexes.values()]
        self.assertEqual([len(head) for head in heads], [1, 1])
        self.assertNotEqual(*heads)
        # Of mails of one second to different people the last octet, of 256, may be the same.
        each = [(str(mail["To"]), mail["Thread-Index"]) for _, mail in mails]
        self.assertEqual(len(set(each)), len(each))

    def test_only_what_presses_is_important(self):
        self.there.add_challenge("2026-1", 60)
        self.there.run("--once")
        self.there.add_challenge("2026-2", 71 * HOUR)
        self.there.run("--once")
        for _, mail in self.new_mails():
            self.assertIsNone(mail["Importance"], mail["Subject"])
        self.there.add_challenge("2026-3", 4 * DAY)
        self.there.run("--once")
        self.there.record(1, "immediate_risk")
        self.there.run("--once")
        pressing = self.new_mails()
        self.assertGreaterEqual(len(pressing), 3)
        for _, mail in pressing:
            self.assertEqual(mail["Importance"], "high", mail["Subject"])

    def test_a_digest_lists_every_notice_and_belongs_to_no_thread(self):
        for number in range(12):
            self.there.add_challenge(f"2026-{number:03}", 71 * HOUR)
        self.there.run("--once")
        ((_, mail),) = self.new_mails()
        text = mail.get_body(("plain",)).get_content()
        words = " ".join(Outline(mail.get_body(("html",)).get_content()).words)
        for number in range(12):
            self.assertIn(f"2026-{number:03}", text)
            self.assertIn(f"2026-{number:03}", words)
        self.assertIn("24 notices", mail["Subject"])  # that it was raised, and that time runs out
        self.assertIsNone(mail["References"])

    def test_what_waited_past_its_date_is_said_once_by_the_word_that_it_ran_out(self):
        self.there.add_challenge("2026-1", 4 * DAY)
        self.there.run("--once")
        (mail,) = [mail for to, mail in self.new_mails() if to == "cora@council.test"]
        self.assertRegex(mail["Subject"], "^Reply needed now, was due by .* – 2026-1$")
        self.assertIsNotNone(mail["References"])
        text = mail.get_body(("plain",)).get_content()
        self.assertEqual(text.count("You owe a reply"), 1, text)
        # The ledger knows that all of them went, and which reminder did not.
        went = self.there.remember("SELECT kind, mail.state FROM notice JOIN mail ON mail.id = notice.mail"
                                   " WHERE recipient = 'cora@council.test' ORDER BY kind")
        self.assertEqual(went, [("breach", "accepted"), ("inform", "accepted"), ("reminder", "accepted")])

    def test_each_reads_who_else_was_told_and_who_will_be(self):
        def words(mails, to):
            (mail,) = [mail for recipient, mail in mails if recipient == to]
            return " ".join(mail.get_body(("plain",)).get_content().split())

        self.there.add_challenge("2026-1", 60)
        self.there.run("--once")
        self.assertRegex(words(self.new_mails(), "cora@council.test"),
                         r"What happens next: if no answer is recorded by [^.]*, the challenge moves up a level, and we"
                         r" will write to the Line manager \(answering side\)\.")
        self.there.add_challenge("2026-2", 4 * DAY)
        self.there.run("--once")
        mails = self.new_mails()  # one moment: the time ran out, and it moved up
        self.assertIn("Also told: the Line manager (answering side).", words(mails, "cora@council.test"))
        self.assertIn("Also told: the Practitioner (answering side).", words(mails, "colm@council.test"))
        self.assertRegex(words(mails, "colm@council.test"), "What happens next: .*, we will write to you\\.")

    def test_who_stands_in_for_a_closed_agency_reads_why(self):
        first, last = (time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * DAY)) for days in (-2, 20))
        self.settle("calendars = ( ", f'calendars = ( {{ id = "half-term"; zone = "Europe/London"; hours = {{ {HOURS} }};'
                    f' closures = ( {{ from = "{first}"; to = "{last}"; name = "Half-term"; }} ); }}, ')
        with self.there.open_store() as store:
            cover = store.execute("INSERT INTO contact (agency, role, name, email)"
                                  " VALUES ('partnership', 'chair', 'Cleo', 'cleo@partnership.test')").lastrowid
            store.execute("UPDATE agency SET calendar = 'half-term', cover = ? WHERE id = 'council'", (cover,))
        self.there.add_challenge("2026-1", 60)
        self.there.run("--once")
        self.assertEqual(self.new_mails(), [])
        self.there.run("--once", later=26 * HOUR)
        told = {to: " ".join(mail.get_body(("plain",)).get_content().split()) for to, mail in self.new_mails()}
        self.assertEqual(set(told), {"cora@council.test", "cleo@partnership.test", "unit@partnership.test"})
        why = "The agency is closed just now, so this has come to you as well."
        self.assertEqual({to for to, words in told.items() if why in words}, set(told) - {"cora@council.test"})
        self.assertIn("You owe a reply", told["cleo@partnership.test"])
        self.assertNotIn("mailto:", told["unit@partnership.test"])
        self.assertNotIn("as Practitioner", told["unit@partnership.test"])
        self.assertIn("Also told: the Practitioner (answering side).", told["unit@partnership.test"])

    def test_a_digest_begins_with_what_is_owed_first(self):
        self.there.add_challenge("2026-1", 71 * HOUR)
        self.there.add_challenge("2026-2", 4 * DAY)
        self.there.run("--once")
        (mail,) = [mail for to, mail in self.new_mails() if to == "cora@council.test"]
        self.assertRegex(mail["Subject"], "^Reply needed now, was due by .*, first of 3 notices – 2026-2 and 2026-1$")
        text = " ".join(mail.get_body(("plain",)).get_content().split())
        self.assertRegex(text, r"^You owe a reply on challenge 2026-2 now: it was due by [^.]* ago\). This mail lists 3")

    def test_a_digest_that_no_mail_could_hold_becomes_several(self):
        self.there.configure(hold_above=0)  # or it would be held as a flood
        for number in range(130):
            self.there.add_challenge(f"2026-{number:03}", 71 * HOUR)
        self.there.run("--once")
        listed = []
        for mail in self.server.mails:
            parsed = mail_form.parse(mail["bytes"])
            self.assertEqual(mail_form.faults(mail["bytes"]), [])
            listed += re.findall(r"^\d+\. .*?(2026-\d{3})", parsed.get_body(("plain",)).get_content(), re.M)
        self.assertEqual(sorted(listed), sorted(2 * [f"2026-{number:03}" for number in range(130)]))
        self.assertEqual(len(self.server.mails), 2)

    def test_no_ceiling_swallows_risk_a_missed_date_or_an_escalation(self):
        self.settle("per_person_per_day = 0;", "per_person_per_day = 1;")
        self.there.add_challenge("2026-1", 71 * HOUR)
        self.there.run("--once")
        self.there.add_challenge("2026-2", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(len(self.new_mails()), 1, "the ceiling held nothing back")
        self.there.add_challenge("2026-3", 4 * DAY)
        self.there.run("--once")
        told = self.new_mails()
        self.assertEqual(sorted(to for to, _ in told), ["colm@council.test", "cora@council.test"])
        for _, mail in told:
            self.assertIn("2026-3", mail.get_body(("plain",)).get_content())
        number = self.there.add_challenge("2026-4", 4 * DAY)
        self.there.record(number, "immediate_risk")
        self.there.run("--once")
        subjects = self.subjects(self.new_mails(), "colm@council.test")
        self.assertEqual(len(subjects), 2, subjects)
        self.assertTrue(any(subject.startswith("Immediate risk") for subject in subjects))

    def taken_back_by(self, event, **columns):
        self.server.fault("MAIL", "4xx", times=2)
        number = self.there.add_challenge("2026-1", 71 * HOUR)
        self.there.run("--once")
        self.assertEqual(self.there.remember("SELECT state FROM mail"), [("retry",)])
        self.there.record(number, event, **columns)
        self.there.run("--once", later=600)
        self.assertEqual(self.new_mails(), [])
        self.assertEqual(self.there.remember("SELECT state FROM mail"), [("cancelled",)])

    def test_an_answer_takes_a_mail_back(self):
        self.taken_back_by("resolved", value="changed")

    def test_a_withdrawal_takes_a_mail_back(self):
        self.taken_back_by("withdrawn")

    def test_each_is_written_to_in_their_language(self):
        """And says which it is in: the template's, where only some phrases are the reader's own."""
        folder = self.there.folder / "templates"
        shutil.copytree(self.there.settings["templates"], folder)
        self.settle(str(self.there.settings["templates"]), str(folder))
        for number, (language, welsh) in enumerate(
                {"cy": True, "cy-GB": True, "en": False, "fr": False, "x/../../y": False}.items()):
            tags = []
            for ending in ("", "txt", "html"):
                if ending:  # words of that language in a template of its own, one after the other
                    (folder / "cy" / f"inform.{ending}").write_bytes((folder / "en" / f"inform.{ending}").read_bytes())
                with self.subTest(language, ending=ending):
                    with self.there.open_store() as store:
                        store.execute("UPDATE contact SET language = ? WHERE name = 'Cora'", (language,))
                    self.there.add_challenge(f"2026-{number}-{ending}", 60)
                    self.there.run("--once")
                    mail = mail_form.parse(self.server.mails[-1]["bytes"])
                    html = mail.get_body(("html",))
                    tags.append((mail["Content-Language"],
                                 *(html and set(re.findall(r'lang="([^"]*)"', html.get_content())) or ())))
                    self.assertEqual("dydd" in mail["Subject"], welsh)
            for ending in ("txt", "html"):
                (folder / "cy" / f"inform.{ending}").unlink()
            english, own = ("en-GB", "en-GB"), ("cy-GB", "cy-GB")
            self.assertEqual(tags, [english, own[:1], own] if welsh else [english] * 3, language)

    def test_nothing_of_the_record_reaches_a_mail(self):
        with self.there.open_store() as store:
            store.execute("UPDATE contact SET name = ? WHERE name = 'Hal'", (f"{CANARY} Child",))
        for number, age in enumerate((60, 71 * HOUR, 4 * DAY)):
            self.there.add_challenge(f"2026-{number}", age)
        with self.there.open_store() as store:
            store.execute("UPDATE challenge SET category = ?, concerns = 'child'", (f"{CANARY} category",))
        self.there.record(1, "immediate_risk", note=f"{CANARY} note", by=f"{CANARY} by")
        self.there.run("--once")
        self.assertGreater(len(self.new_mails()), 2)

    def test_values_stay_values_in_html(self):
        with self.there.open_store() as store:
            store.execute("UPDATE agency SET name = ?, telephone = ?",
                          ('<b onclick="x">&amp;"\'{reference}', "</td><script>"))
            store.execute("UPDATE contact SET name = ?", ("A <i>B</i> & \"C\"",))
        self.there.add_challenge('<img src="x">&', 60)
        self.there.run("--once")
        ((_, mail),) = self.new_mails()
        words = " ".join(Outline(mail.get_body(("html",)).get_content()).words)
        self.assertIn('<img src="x">&', words)
        self.assertIn('<b onclick="x">&amp;"\'{reference}', words)
        self.assertIn('A <i>B</i> & "C"', words)

    def test_the_sign_of_life_and_the_watch_list_come_once(self):
        now = int(time.time())
        noon = now - now % DAY + 8 * DAY + 12 * HOUR - now  # of another week, whatever the hour is now
        self.settle('to = [ "it@partnership.test" ];', 'to = [ "it@partnership.test" ]; daily = "08:30";')
        number = self.there.add_challenge("2026-1", 60)
        self.there.run("--once")
        self.new_mails()
        self.there.run("--once", later=noon)
        self.there.run("--once", later=noon + 4 * HOUR)
        mails = self.new_mails()
        alive = self.subjects(mails, "it@partnership.test")
        self.assertEqual([subject for subject in alive if "running" in subject],
                         ["Challenge reminders are running: 1 open, 1 past their time"])
        lists = [subject for subject in self.subjects(mails, "unit@partnership.test") if "this week" in subject]
        self.assertEqual(lists, ["Open challenges this week: 1, past their time: 1"])
        for _, mail in mails:
            if "this week" in mail["Subject"]:
                self.assertIn("2026-1", mail.get_body(("plain",)).get_content())
        self.assertEqual(number, 1)

    def attached(self, mail):
        """The fields of the calendar entry in a mail, unfolded; None: it has none."""
        parts = [part for part in mail.iter_attachments() if part.get_content_type() == "text/calendar"]
        if not parts:
            return None
        (part,) = parts
        self.assertEqual(part.get_param("method"), "PUBLISH")
        self.assertEqual(part.get_filename(), "due.ics")
        raw = part.get_payload(decode=True)
        self.assertNotIn(b"\n", raw.replace(b"\r\n", b""))
        lines = raw.decode().replace("\r\n ", "").split("\r\n")
        self.assertEqual((lines[0], lines[-2]), ("BEGIN:VCALENDAR", "END:VCALENDAR"))
        return dict(line.split(":", 1) for line in lines if line)

    def test_a_calendar_entry_only_where_it_is_asked_for_and_something_is_owed(self):
        self.there.add_challenge("2026-1", 60)
        self.there.run("--once")
        ((_, mail),) = self.new_mails()
        self.assertEqual(mail.get_content_type(), "multipart/alternative")
        self.settle("reply_to =", "calendar_attachment = true; reply_to =")
        self.there.add_challenge("2026-2", 60)
        self.there.run("--once")
        ((_, mail),) = self.new_mails()
        entry = self.attached(mail)
        self.assertIn("2026-2", entry["SUMMARY"])
        self.assertEqual(entry["DESCRIPTION"], "https://cases.test/c/2026-2?a=1&b=2")
        self.assertNotIn("2026", entry["UID"])
        self.there.add_challenge("2026-3", 4 * DAY)
        self.there.run("--once")
        told = dict(self.new_mails())
        self.assertIsNotNone(self.attached(told["colm@council.test"]), "it came to the manager, with a date")
        self.assertEqual(told["cora@council.test"].get_content_type(), "multipart/alternative")
        self.there.record(3, "resolved", value="changed")
        self.there.run("--once")
        self.assertEqual({mail.get_content_type() for _, mail in self.new_mails()}, {"multipart/alternative"})

    def test_a_later_calendar_entry_takes_the_place_of_the_first(self):
        self.settle("reply_to =", "calendar_attachment = true; reply_to =")
        self.there.add_challenge("2026-1", 60)
        self.there.run("--once")
        self.there.run("--once", later=60 * HOUR)
        entries = [self.attached(mail) for _, mail in self.new_mails()]
        self.assertEqual(len(entries), 2)
        first, second = entries
        self.assertEqual(first["UID"], second["UID"])
        self.assertEqual(first["DTSTART"], second["DTSTART"])
        self.assertLess(int(first["SEQUENCE"]), int(second["SEQUENCE"]))

    def test_alarms_tell_once_and_name_nobody(self):
        self.server.fault("RCPT", "reply", reply=b"554 5.7.1 Zzyzx is not welcome\r\n")
        self.there.add_challenge("2026-1", 71 * HOUR)
        for _ in range(3):
            self.there.run("--once")
        self.assertEqual(self.subjects(self.new_mails(), "it@partnership.test"),
                         ["Challenge reminders need attention: Mails are held for a person"])


if __name__ == "__main__":
    unittest.main()
