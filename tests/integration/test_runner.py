#!/usr/bin/python3
"""scripts/test counts honestly: what failed, crashed, was skipped or never ran is not called passed."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LIB = Path(__file__).resolve().parent.parent / "lib"


def load_runner():
    specification = importlib.util.spec_from_file_location("run_tests", LIB / "run_tests.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


runner = load_runner()

C_PROGRAM = r"""
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
static void good(void **s) { (void)s; assert_true(1); }
static void bad(void **s) { (void)s; assert_true(0); }
static void skips(void **s) { (void)s; printf("no relay here\n"); fflush(stdout); skip(); }
static void crashes(void **s) { (void)s; abort(); }
static void leaves(void **s) { (void)s; exit(0); }
int main(void)
{
	struct CMUnitTest tests[] = { TESTS };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
"""


class Cmocka(unittest.TestCase):
    """Real cmocka programs, compiled here, so that the reading follows what cmocka really prints."""

    def count(self, *names):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "a test.c")
            tests = ", ".join(f"cmocka_unit_test({name})" for name in names)
            source.write_text(C_PROGRAM.replace("TESTS", tests))
            program = Path(folder, "a test")
            subprocess.run(["cc", "-w", "-o", program, source, "-lcmocka"], check=True)
            status, output = runner.run([str(program)], 20)
            return runner.count_cmocka("t", status, output)

    def test_passed_failed_and_skipped_are_told_apart(self):
        passed, failed, skipped = self.count("good", "bad", "skips", "good")
        self.assertEqual((passed, failed), (2, ["t: bad"]))
        self.assertEqual([name for name, _ in skipped], ["t: skips"])
        self.assertIn("no relay here", skipped[0][1] + "no relay here" * (skipped[0][1] == ""))

    def test_a_crash_is_a_failure_of_the_tests_that_did_not_run(self):
        passed, failed, _ = self.count("good", "crashes", "good")
        self.assertEqual(passed, 1)
        self.assertTrue(failed)

    def test_leaving_early_with_status_0_is_a_failure(self):
        passed, failed, _ = self.count("good", "leaves", "good")
        self.assertEqual(passed, 1)
        self.assertTrue(failed)


class Programs(unittest.TestCase):
    def test_a_status_decides_where_no_count_is_printed(self):
        self.assertEqual(runner.count_program("p", 0, "fine\n"), (1, [], []))
        self.assertEqual(runner.count_program("p", 3, ""), (0, ["p: exit status 3"], []))

    def test_77_is_a_skip_with_its_last_line_as_reason(self):
        self.assertEqual(runner.count_program("p", 77, "SKIPPED: needs root\n"),
                         (0, [], [("p", "needs root")]))

    def test_its_own_count_is_taken_over(self):
        passed, failed, skipped = runner.count_program("p", 1, "x\n5 passed, 2 failed, 1 skipped\n")
        self.assertEqual((passed, len(failed), len(skipped)), (5, 2, 1))

    def test_a_count_of_no_failure_does_not_hide_a_bad_status(self):
        self.assertEqual(runner.count_program("p", 1, "5 passed, 0 failed\n")[1], ["p: exit status 1"])

    def test_a_count_of_nothing_is_a_failure(self):
        self.assertTrue(runner.count_program("p", 0, "0 passed, 0 failed\n")[1])

    def test_a_hanging_program_is_ended_with_all_it_started(self):
        status, output = runner.run(["/bin/sh", "-c", "echo begun; sleep 300 & sleep 300"], 1)
        self.assertEqual(status, 124)
        self.assertIn("begun", output)


class Whole(unittest.TestCase):
    """scripts/test itself, over a small tree in a path with blanks, from another folder."""

    def run_tree(self, files, *blocks):
        with tempfile.TemporaryDirectory() as folder:
            top = Path(folder, "a tree")
            (top / "tests" / "lib").mkdir(parents=True)
            shutil.copy(LIB / "run_tests.py", top / "tests" / "lib")
            for name, text in files.items():
                path = top / "tests" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                path.chmod(0o755)
            done = subprocess.run([sys.executable, "-B", top / "tests" / "lib" / "run_tests.py", *blocks],
                                  cwd=top, capture_output=True, text=True, timeout=60,
                                  env={**os.environ, "PYTHONWARNINGS": "error"})
            return done.returncode, done.stdout.splitlines()

    UNITTEST = ("#!/usr/bin/python3\nimport unittest\nclass T(unittest.TestCase):\n"
                "    def test_a(self): pass\n"
                "    def test_b(self):\n"
                "        for i in (1, 2):\n"
                "            with self.subTest(i): self.fail('mark')\n"
                "    @unittest.skip('no such thing here')\n"
                "    def test_c(self): pass\n")

    def test_methods_are_counted_and_failures_shown_in_full(self):
        status, lines = self.run_tree({"system/test_x.py": self.UNITTEST}, "system")
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 1 skipped"))
        self.assertTrue(any("mark" in line for line in lines))
        self.assertTrue(any("SKIPPED" in line and "no such thing here" in line for line in lines))

    def test_all_passed_ends_in_the_plain_line(self):
        text = "#!/bin/sh\necho quiet\n"
        status, lines = self.run_tree({"system/test_x": text}, "system")
        self.assertEqual((status, lines[-1]), (0, "1 passed, 0 failed"))
        self.assertFalse(any("quiet" in line for line in lines))

    def test_no_test_at_all_is_a_failure(self):
        status, lines = self.run_tree({}, "system")
        self.assertEqual((status, lines[-1]), (1, "0 passed, 0 failed"))

    def test_a_file_that_does_not_even_load_fails(self):
        broken = "#!/usr/bin/python3\nimport unittest\nraise SystemExit(0)\n"
        status, lines = self.run_tree({"fault/test_x.py": broken}, "fault")
        self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
