#!/usr/bin/python3
"""Mails can be read at the age of twelve: Flesch-Kincaid's grade over the letters that the unit test pins.

grade = 0.39 words/sentences + 11.8 syllables/words - 15.59, and a grade begins at that number plus five years. What
the template's author cannot choose is left out: titles of policy and stage, links, addresses. Syllables are counted
by groups of vowels, as such tools do: a rule of thumb, and so the limit is one for a whole mail, not for a word.
"""

import re
import unittest
from pathlib import Path

LETTERS = Path(__file__).resolve().parent.parent / "unit" / "core" / "letters"
GRADE_MOST = 7.0  # twelve years
TITLES = "Professional Challenge and Resolution|Stage 1: practitioner to practitioner|Stage 2: line managers"
ADDRESSES = r"\S+://\S+|mailto:\S+|\S+@\S+"


def syllables(word):
    word = re.sub(r"'s?$", "", word.lower())
    groups = len(re.findall("[aeiouy]+", word))
    silent = re.search("[^aeiouyl]e$|[^aeiouydt]ed$|[^aeiouyszxcgl]es$", word) is not None
    return max(1, groups - silent)


def sentences(text):
    """Lists of words; a paragraph or an item of a list ends one as a full stop does."""
    for paragraph in re.split(r"\n\s*\n|\n(?=- )", re.sub(ADDRESSES, "", text)):
        for sentence in re.split(r"[.?!](?:\s|$)", re.sub(TITLES, "", " ".join(paragraph.split()))):
            words = re.findall(r"[A-Za-z][A-Za-z'-]*|\d[\d:-]*", sentence)
            if words:
                yield words


def grade(text):
    found = list(sentences(text))
    words = [word for sentence in found for word in sentence]
    return 0.39 * len(words) / len(found) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


class ReadingAge(unittest.TestCase):
    def test_every_mail_can_be_read_at_twelve(self):
        letters = [path for path in sorted(LETTERS.glob("*.txt")) if "welsh" not in path.stem]
        self.assertGreater(len(letters), 30)
        for path in letters:
            with self.subTest(path.stem):
                subject, body = path.read_text().removeprefix("Subject: ").split("\n\n", 1)
                self.assertLessEqual(grade(body), GRADE_MOST)
                self.assertLessEqual(len(re.sub(TITLES, "", subject)), 130, "a subject that no telephone shows")

    def test_no_sentence_is_long(self):
        for path in sorted(LETTERS.glob("*.txt")):
            for words in sentences(path.read_text().split("\n\n", 1)[1]):
                self.assertLessEqual(len(words), 36, f"{path.stem}: {' '.join(words)}")

    def test_the_measure_knows_hard_words_from_plain_ones(self):
        self.assertEqual([syllables(word) for word in ("challenge", "recorded", "notices", "you", "working", "telephone")],
                         [2, 3, 3, 1, 2, 3])
        self.assertGreater(grade("Practitioners experiencing professional disagreement regarding safeguarding"
                                 " interventions should initiate escalation procedures expeditiously, documenting"
                                 " organisational responsibilities and anticipated resolution timescales."), 20)
        self.assertLess(grade("Please look at it today. It was due on Monday."), 3)


if __name__ == "__main__":
    unittest.main()
