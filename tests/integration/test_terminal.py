#!/usr/bin/python3
"""challengectl on a terminal: lines that fit, colour that NO_COLOR takes away, and neither in a pipe."""

import json
import os
import pty
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from control import CTL, Control  # noqa: E402
from terminal import heard, shown  # noqa: E402


class Terminal(Control):
    def on_terminal(self, *arguments, columns=60, **environment):
        """What a terminal of so many columns is shown."""
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        said, _ = shown([CTL, "--config", self.main, *arguments], {**kept, "TERM": "xterm", **environment},
                        columns=columns)
        return said.replace("\r\n", "\n")

    def setUp(self):
        super().setUp()
        self.people()
        self.query("UPDATE contact SET name = ? WHERE id = 1", "A very long name " * 10)

    def test_lines_fit_the_terminal_and_say_that_they_were_cut(self):
        said = self.on_terminal("contact", "list", columns=100, NO_COLOR="1")
        self.assertTrue(all(len(line) <= 100 for line in said.splitlines()), said)
        self.assertIn("…", said)
        self.assertNotIn("\033", said)
        self.said("raise", "--policy", "example", "--raising", "school", "--receiving", "social-care",
                  "--reference", "2026-" + "9" * 20, "--at", "2026-02-03 10:00")
        narrow = self.on_terminal("list", "--at", "2026-02-04 10:00", columns=90, NO_COLOR="1")
        self.assertTrue(all(len(line) <= 90 for line in narrow.splitlines()), narrow)
        self.assertIn("2026-" + "9" * 20 + "  ", narrow)  # what it is looked up by is never cut, nor are dates
        self.assertIn("  Fri 2026-02-06 16:30  ", narrow)
        self.assertIn("  open, overdue  ", self.on_terminal("list", "--at", "2026-03-04 10:00", columns=80, NO_COLOR="1"))
        self.assertGreater(max(map(len, self.ctl("contact", "list").stdout.splitlines())), 150)

    def test_colour_on_a_terminal_only_and_not_against_the_users_wish(self):
        self.assertIn("\033[", self.on_terminal("status"))
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\033", self.on_terminal("status", **environment))
        self.assertIn("\033[", self.on_terminal("status", NO_COLOR=""))
        self.assertNotIn("\033", self.ctl("status").stdout)
        self.assertIn("PROBLEM", self.ctl("status").stdout)  # without colour it is said, too

    def test_long_work_shows_its_progress_on_a_terminal_alone(self):
        """Twenty thousand challenges take more than a second to import; standard error is the terminal."""
        head = "reference,policy,raising_agency,receiving_agency,raised_at"
        path = self.write("c.csv", head, *(f"R{n},example,school,social-care,03/02/2026" for n in range(20000)))
        command = [CTL, "--config", self.main, "--json", "import", "challenges", path, "--dry-run"]
        leader, follower = pty.openpty()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, stdin=subprocess.DEVNULL) as program:
            os.close(follower)
            said = heard(leader)
            document = json.load(program.stdout)
        self.assertEqual(document["added"], 20000)
        self.assertRegex(said, rb"\A\rchallenges: [1-9]\d*\r")
        self.assertTrue(said.endswith(b"\r\033[K"), said[-40:])  # and wiped away

    def test_json_has_no_colour_on_a_terminal_either(self):
        self.assertNotIn("\033", self.on_terminal("--json", "status"))


if __name__ == "__main__":
    unittest.main()
