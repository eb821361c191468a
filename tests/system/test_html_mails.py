#!/usr/bin/python3
"""Every HTML mail in a browser: at the width of a telephone and of a desk, light and dark.

axe-core finds no violation, nothing is fetched from anywhere, no text is small, nothing must be
scrolled sideways. The pictures are left in build/pictures, to be looked at. The mails are those of
tests/unit/core/letters, word for word. Needs Chromium (scripts/deps pictures) and axe-core (from npm);
without them it is skipped, and says how to get them.
"""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))
from browser import Browser, find_chromium  # noqa: E402

LETTERS = sorted((TOP / "tests/unit/core/letters").glob("*.html"))
PICTURES = TOP / os.environ.get("BUILD", "build") / "pictures"
AXE = Path(os.environ.get("AXE_CORE", PICTURES / "node_modules/axe-core/axe.min.js"))
WIDTHS = (360, 800)
SCHEMES = ("light", "dark")
COLUMN = 580

# Where no colour is set, axe takes white for granted; the canvas of a dark page is not white.
SHOW_CANVAS = "document.documentElement.style.background = 'Canvas'"
RUN_AXE = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(
    v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html).join(" | ")))"""
SMALL_TEXT = """(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), small = [];
  while (walker.nextNode())
    if (walker.currentNode.data.trim() && parseFloat(getComputedStyle(walker.currentNode.parentElement).fontSize) < 16)
      small.push(walker.currentNode.data);
  return small;
})()"""
IS_DARK = """(() => {
  const luminance = colour => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number); return r + g + b; };
  return luminance(getComputedStyle(document.documentElement).backgroundColor) <
         luminance(getComputedStyle(document.querySelector("td")).color);
})()"""


class HtmlMails(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program = find_chromium()
        if program is None:
            raise unittest.SkipTest("Chromium is not installed: scripts/deps pictures")
        if not AXE.exists():
            raise unittest.SkipTest("axe-core is not there: npm install --prefix build/pictures axe-core")
        cls.axe = AXE.read_text()
        PICTURES.mkdir(parents=True, exist_ok=True)
        cls.profile = tempfile.TemporaryDirectory(prefix="test-html-mails-", ignore_cleanup_errors=True)
        cls.addClassCleanup(cls.profile.cleanup)
        cls.browser = Browser(program, cls.profile.name)
        cls.addClassCleanup(cls.browser.close)

        cls.views = [cls.look(letter, width, scheme)
                     for letter in LETTERS for width in WIDTHS for scheme in SCHEMES]

    @classmethod
    def look(cls, letter, width, scheme):
        """Everything that the tests ask of one mail at one width in one scheme: a page is opened once."""
        asked = cls.browser.open(letter.as_uri(), width, scheme)
        cls.browser.picture(PICTURES / f"{letter.stem}-{width}-{scheme}.png")
        cls.browser.evaluate(SHOW_CANVAS)
        cls.browser.evaluate(cls.axe)
        return {
            "letter": letter, "width": width, "scheme": scheme, "asked": asked,
            "violations": cls.browser.evaluate(RUN_AXE),
            "page": cls.browser.evaluate("document.documentElement.scrollWidth"),
            "column": cls.browser.evaluate("document.querySelector('table').offsetWidth"),
            "small": cls.browser.evaluate(SMALL_TEXT),
            "dark": cls.browser.evaluate(IS_DARK),
        }

    def each_view(self):
        self.assertGreater(len(self.views), 80)
        for view in self.views:
            with self.subTest(letter=view["letter"].stem, width=view["width"], scheme=view["scheme"]):
                yield view

    def test_axe_finds_no_violation(self):
        for view in self.each_view():
            self.assertEqual(view["violations"], [])

    def test_nothing_is_fetched(self):
        for view in self.each_view():
            self.assertEqual(view["asked"], [view["letter"].as_uri()])

    def test_it_fits_the_screen_in_one_column_of_large_text(self):
        for view in self.each_view():
            self.assertLessEqual(view["page"], view["width"])
            self.assertLessEqual(view["column"], COLUMN)
            self.assertEqual(view["small"], [])

    def test_a_dark_screen_stays_dark(self):
        for view in self.each_view():
            self.assertEqual(view["dark"], view["scheme"] == "dark")

    def test_axe_would_find_a_violation(self):
        self.browser.open(LETTERS[0].as_uri(), WIDTHS[0], SCHEMES[0])
        self.browser.evaluate("document.documentElement.removeAttribute('lang');"
                              "document.querySelector('h1').style.color = '#bbb'")
        self.browser.evaluate(SHOW_CANVAS)
        self.browser.evaluate(self.axe)
        found = json.dumps(self.browser.evaluate(RUN_AXE))
        self.assertIn("html-has-lang", found)
        self.assertIn("color-contrast", found)


if __name__ == "__main__":
    unittest.main()
