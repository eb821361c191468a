#!/usr/bin/python3
"""Every command of challengectl has its help with an example, and bash completes every command and option."""

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from control import CTL, TOP, Control  # noqa: E402

COMPLETION = TOP / "daemon" / "ctl" / "challengectl.bash-completion"


def listed():
    said = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True)
    return [name.strip() for name in re.findall(r"(?m)^  ([a-z][a-z -]{15}) \S", said.stdout)]


def options(command):
    said = subprocess.run([CTL, *command.split(), "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"--[a-z][a-z-]+", said.stdout))


class Help(unittest.TestCase):
    def test_every_command_has_help_with_an_example(self):
        self.assertGreater(len(listed()), 25)
        for command in listed():
            with self.subTest(command):
                said = subprocess.run([CTL, *command.split(), "--help"], capture_output=True, text=True)
                self.assertEqual((said.returncode, said.stderr), (0, ""))
                self.assertRegex(said.stdout, rf"(?m)^Usage: challengectl .*{command}")
                self.assertRegex(said.stdout, rf"(?m)^  (sudo )?challengectl .*{command}")
                self.assertLessEqual(max(map(len, said.stdout.splitlines())), 95)

    def test_an_option_that_nobody_knows_is_refused_by_every_command(self):
        for command in listed():
            with self.subTest(command):
                said = subprocess.run([CTL, "--config", TOP / "conf" / "challenge-notifyd.conf", *command.split(),
                                       "--no-such-option"], capture_output=True, text=True)
                self.assertEqual((said.returncode, said.stdout), (2, ""), said.stderr)
                self.assertEqual(said.stderr.count("\n"), 1)


class Completion(Control):
    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = (f"source '{COMPLETION}'; COMP_WORDS=(challengectl \"$@\"); COMP_CWORD=$#; _challengectl;"
                  " printf '%s\\n' \"${COMPREPLY[@]}\"")
        folder = self.folder / "bin"
        if not folder.exists():
            folder.mkdir()
            # In place of the installed configuration.
            (folder / "challengectl").write_text(f"""#!/bin/sh
case "$*" in
*--config*) exec {CTL} "$@" ;;
*) exec {CTL} --config {self.main} "$@" ;;
esac
""")
            (folder / "challengectl").chmod(0o755)
        ran = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], capture_output=True, text=True,
                             env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, timeout=60)
        self.assertEqual(ran.stderr, "")
        return set(ran.stdout.splitlines()) - {""}

    def test_every_command_is_offered(self):
        first = self.complete("")
        self.assertEqual(first, {"help", *(command.split()[0] for command in listed())})
        for word in {command.split()[0] for command in listed() if " " in command}:
            self.assertEqual(self.complete(word, ""),
                             {command.split()[1] for command in listed() if command.startswith(word + " ")})
        self.assertEqual(self.complete("sta"), {"status"})
        self.assertEqual(self.complete("--config", "x.conf", "queue", "re"), {"release", "retry"})

    def test_every_option_of_every_command_is_offered(self):
        for command in listed():
            with self.subTest(command):
                self.assertEqual(options(command) - self.complete(*command.split(), "--"), set())

    def test_values_come_from_the_store(self):
        self.people()
        self.said("raise", "--policy", "example", "--raising", "school", "--receiving", "social-care",
                  "--reference", "AB/7", "--at", "2026-02-03 10:00")
        self.assertEqual(self.complete("show", ""), {"AB/7"})
        self.assertEqual(self.complete("raise", "--raising", "s"), {"school", "social-care"})
        self.assertEqual(self.complete("export", "c"), {"contacts", "challenges"})
        self.assertEqual(self.complete("report", "--format", ""), {"table", "csv", "html"})
        for words, offered in ((("record", ""), {"AB/7"}), (("record", "AB/7", "not"), {"not_agreed"}),
                               (("record", "AB/7", "agreed", ""), set()), (("help", "sho"), {"show"}),
                               (("record", "AB/7", "stage", "--stage", "man"), {"manager"}),
                               (("contact", "away", ""), {"1", "2", "3", "4"}),
                               (("contact", "away", "3", "--deputy", ""), {"1", "2", "3", "4"}),
                               (("contact", "add", "--role", "m"), {"manager"}),
                               (("contact", "change", "3", "--active", ""), {"yes", "no"}),
                               (("raise", "--policy", "exam"), {"example", "example@2026-01"}),
                               (("raise", "--receiving", "=", "sc"), {"school"}), (("preview", "esc"), {"escalation"}),
                               (("adopt", "--restart", "--by", "me", ""), {"AB/7"}),
                               (("purge", "--hold", ""), {"AB/7"}), (("report", "--quarter", ""), {"last"}),
                               (("queue", "list", "--state", "in"), {"in_doubt"})):
            with self.subTest(words):
                self.assertEqual(self.complete(*words), offered)

    def test_an_options_value_is_no_argument(self):
        """What stands behind an option that takes a value moves nothing; a flag takes nothing away."""
        self.assertEqual(self.complete("export", "--at", "2026-01-01", "ag"), {"agencies"})
        self.assertEqual(self.complete("preview", "--policy", "example", "esc"), {"escalation"})
        self.assertEqual(self.complete("import", "--update", "con"), {"contacts"})
        self.assertEqual(self.complete("raise", "--by", ""), set())

    def test_the_configuration_on_the_line_is_the_one_asked(self):
        self.people()
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "c.conf").write_text(self.main.read_text())
        for name in ("policies", "templates", "bank-holidays.json"):
            (elsewhere / name).symlink_to(self.folder / name)
        self.assertEqual(self.complete("--config", str(self.main), "contact", "away", "1", "--deputy", "2"), {"2"})
        self.assertEqual(self.complete("--config", str(elsewhere / "c.conf"), "contact", "away", "1", "--deputy", ""),
                         set())

    def test_files_are_offered_where_files_are_meant(self):
        (self.folder / "a file.csv").write_text("id\n")
        for words in (("import", "agencies"), ("check",), ("--config",)):
            self.assertIn(str(self.folder / "a file.csv"), self.complete(*words, str(self.folder / "a f")))


if __name__ == "__main__":
    unittest.main()
