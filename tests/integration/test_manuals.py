#!/usr/bin/python3
"""The manual pages are well formed and name what the programs really have: commands, tables, journal events."""

import re
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
MAN = TOP / "daemon" / "man"
CTL = TOP / "build" / "challengectl"


def names(page):
    """Every word that a page marks as a command, option, setting or heading (Cm, Ic, Fl, Ss)."""
    found, marked = set(), False
    for line in (MAN / page).read_text().splitlines():
        if not line.startswith("."):
            continue
        for word in line[1:].split():
            if re.fullmatch("[A-Z][a-z]", word):  # a macro of mdoc(7)
                marked = word in ("Cm", "Ic", "Fl", "Ss")
            elif marked:
                found.add(word.strip(",;"))
        marked = False
    return found


class Pages(unittest.TestCase):
    def test_every_page_is_free_of_warnings(self):
        pages = sorted(MAN.glob("*.[1-9]"))
        self.assertTrue(pages)
        for page in pages:
            with self.subTest(page.name):
                lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page.name],
                                      cwd=MAN, capture_output=True, text=True)
                self.assertEqual(lint.stdout + lint.stderr, "")

    def test_every_page_is_referred_to_by_every_other(self):
        pages = {page.stem: page.read_text() for page in MAN.glob("*.[1-9]")}
        lacking = [f"{name} in {other}" for name in pages for other, text in pages.items()
                   if name != other and f".Xr {name} " not in text]
        self.assertEqual(lacking, [])


class Commands(unittest.TestCase):
    def listed(self):
        """The commands that the program lists, each with its help."""
        said = subprocess.run([CTL, "--help"], capture_output=True, text=True)
        self.assertEqual(said.returncode, 0, said.stderr)
        return [name.strip() for name in re.findall(r"(?m)^  ([a-z][a-z -]{15}) \S", said.stdout)]

    def documented(self):
        page = (MAN / "challengectl.1").read_text().split(".Sh COMMANDS", 1)[1].split("\n.Sh ", 1)[0]
        return re.findall(r"(?m)^\.It Cm ([a-z-]+(?: [a-z-]+)*?)(?= [A-Z]|$)", page)

    def test_the_manual_has_exactly_the_commands_that_there_are(self):
        self.assertTrue(self.listed(), "--help lists no command")
        self.assertEqual(sorted(self.documented()), sorted(self.listed()))

    def test_every_option_of_a_command_is_in_the_manual(self):
        told, lacking = names("challengectl.1"), []
        for command in self.listed():
            said = subprocess.run([CTL, *command.split(), "--help"], capture_output=True, text=True)
            self.assertEqual(said.returncode, 0, f"{command} --help: {said.stderr}")
            lacking += [f"{command} {option}" for option in sorted(set(re.findall(r"--[a-z][a-z-]+", said.stdout)))
                        if option[1:] not in told]  # Fl writes the first dash
        self.assertEqual(lacking, [])


class Journal(unittest.TestCase):
    def test_every_event_of_the_journal_is_in_the_manual(self):
        source = (TOP / "daemon" / "adapter" / "journal.c").read_text()
        events = re.findall(r'\[JOURNAL_\w+\] = \{\s*"[0-9a-f]{32}",\s*"([a-z-]+)"', source)
        self.assertTrue(events)
        self.assertEqual(set(events) - names("challenge-notifyd.8"), set())

    def test_every_field_of_the_journal_is_in_the_manual(self):
        fields = set()
        for source in sorted((TOP / "daemon" / "service").glob("*.c")):
            fields |= set(re.findall(r'\{\s*"([A-Z][A-Z0-9_]+)",', source.read_text()))
        self.assertEqual(fields - names("challenge-notifyd.8"), set())


class Settings(unittest.TestCase):
    def test_every_setting_is_in_the_manual(self):
        sources = set((TOP / "daemon" / "adapter").glob("config_*.c"))
        policy = {source for source in sources if source.name.startswith("config_policy")}
        for page, read in (("challenge-notifyd.conf.5", sources - policy), ("challenge-policy.5", policy)):
            text = "".join(source.read_text() for source in read)
            settings = set(re.findall(r'\{ \.name = "([a-z_]+)"', text))
            self.assertGreater(len(settings), 20)
            self.assertEqual(settings - names(page), set(), page)

    def test_every_placeholder_of_a_mail_is_in_the_manual(self):
        text = (TOP / "daemon" / "core" / "language.c").read_text()
        fields = set(re.findall(r'\[FIELD_\w+\] = "([a-z_]+)"', text))
        self.assertGreater(len(fields), 40)
        page = (MAN / "challenge-notifyd.conf.5").read_text().split(".Ss Placeholders", 1)[1].split(".Sh ", 1)[0]
        told = {name for line in re.findall(r"(?m)^\.It Cm (.*)$", page) for name in line.split(" , ")}
        self.assertEqual(told, fields)

    def test_every_template_is_in_the_manual(self):
        page = (MAN / "challenge-notifyd.conf.5").read_text().split(".Sh TEMPLATES", 1)[1]
        self.assertEqual([path.stem for path in (TOP / "conf" / "templates" / "en").glob("*.*")
                          if not re.search(rf"\b{path.stem}\b", page)], [])

    def test_the_example_in_the_manual_of_policies_has_no_fault(self):
        page = (MAN / "challenge-policy.5").read_text()
        example = re.search(r"(?s)\.Sh EXAMPLE\n\.Bd -literal\n(.*?)\n\.Ed", page).group(1)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "small.conf")
            file.write_text(example + "\n")
            said = subprocess.run([CTL, "--config", TOP / "conf" / "challenge-notifyd.conf", "check", file],
                                  capture_output=True, text=True)
            self.assertEqual(said.returncode, 0, said.stdout + said.stderr)


class Store(unittest.TestCase):
    def test_every_table_and_column_is_in_the_manual(self):
        store = sqlite3.connect(":memory:")
        store.executescript((TOP / "conf" / "store.sql").read_text())
        said = names("challenge-store.5")
        tables = [row[0] for row in store.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        self.assertIn("challenge", tables)
        for table in tables:
            self.assertIn(table, said)
            if table in ("counter", "identity", "purge"):  # bookkeeping, told in words
                continue
            columns = {row[0] for row in store.execute("SELECT name FROM pragma_table_info(?)", (table,))}
            self.assertEqual(columns - said, set(), table)


if __name__ == "__main__":
    unittest.main()
