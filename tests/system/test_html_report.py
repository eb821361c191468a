#!/usr/bin/python3
"""The board's page of `challengectl report` in a browser: telephone and desk, light and dark, and on paper.

axe-core finds no violation, nothing is fetched, nothing must be scrolled sideways, chart and table stand side by side
where there is room. The pictures and the printed page are left in build/pictures, to be looked at. Needs what
test_html_mails.py needs.
"""

import base64
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from browser import Browser, find_chromium  # noqa: E402
from control import CTL, Control  # noqa: E402
from test_html_mails import AXE, PICTURES, RUN_AXE  # noqa: E402

HEAD = "reference,policy,raising_agency,receiving_agency,category,concerns,raised_at,resolved_at,outcome,closed_at"
CAUSES = ("referral criteria", "information sharing", "service and timeliness", "")
SIDE_BY_SIDE = """(() => {
  const [chart, table] = ["svg", "table"].map(name => document.querySelector(name).getBoundingClientRect());
  return chart.right <= table.left;
})()"""
SMALL_LABELS = """[...document.querySelectorAll("svg")].filter(
  svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width < 0.99).length"""


class HtmlReport(Control):
    @classmethod
    def setUpClass(cls):
        program = find_chromium()
        if program is None:
            raise unittest.SkipTest("Chromium is not installed: scripts/deps pictures")
        if not AXE.exists():
            raise unittest.SkipTest("axe-core is not there: npm install --prefix build/pictures axe-core")
        PICTURES.mkdir(parents=True, exist_ok=True)
        profile = tempfile.TemporaryDirectory(prefix="test-html-report-", ignore_cleanup_errors=True)
        cls.addClassCleanup(profile.cleanup)
        cls.browser = Browser(program, profile.name)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        self.people()
        for number in range(30):
            self.said("agency", "add", f"a{number}", "--name", f"An agency of some length of name, number {number}")
        rows = [f"R{n},example,a{n % 30},{'school' if n % 2 else 'social-care'},{CAUSES[n % 4]},"
                f"{('child', 'adult', 'both')[n % 3]},{n % 28 + 1:02}/{7 + n % 6:02}/2025 10:00,"
                f"{f'{n % 28 + 2:02}/{7 + n % 6:02}/2025,stands,' if n % 5 else ',,'}" for n in range(90)]
        self.said("import", "challenges", self.write("c.csv", HEAD, *rows))

    def page(self, *options):
        path = self.folder / "report.html"
        with path.open("wb") as out:
            subprocess.run([CTL, "--config", self.main, "report", "--quarter", "2025-Q4", "--format", "html", *options],
                           check=True, stdout=out, stderr=subprocess.DEVNULL)
        return path

    def test_it_reads_well_on_every_screen(self):
        for name, options in (("report", ()), ("report-whole", ("--suppress-below", "0"))):
            page = self.page(*options)
            for width in (360, 800, 1200):
                for scheme in ("light", "dark"):
                    with self.subTest(name, width=width, scheme=scheme):
                        asked = self.browser.open(page.as_uri(), width, scheme)
                        self.browser.picture(PICTURES / f"{name}-{width}-{scheme}.png")
                        self.assertEqual(asked, [page.as_uri()])
                        self.browser.evaluate(AXE.read_text())
                        self.assertEqual(self.browser.evaluate(RUN_AXE), [])
                        self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)
                        self.assertEqual(self.browser.evaluate(SMALL_LABELS), 0)
                        self.assertEqual(self.browser.evaluate(SIDE_BY_SIDE), width >= 800)

    def test_paper_is_black_on_white(self):
        self.browser.open(self.page().as_uri(), 800, "dark")
        printed = base64.b64decode(self.browser.ask("Page.printToPDF")["data"])
        (PICTURES / "report.pdf").write_bytes(printed)
        self.assertEqual(printed[:5], b"%PDF-")
        self.browser.ask("Emulation.setEmulatedMedia", media="print")
        self.addCleanup(self.browser.ask, "Emulation.setEmulatedMedia", media="")
        colours = self.browser.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body)"
                                        ".backgroundColor]")
        self.assertEqual(colours, ["rgb(0, 0, 0)", "rgb(255, 255, 255)"])


if __name__ == "__main__":
    unittest.main()
