#!/usr/bin/python3
"""Hostile values in every column and in every setting, and canaries where no mail may look (T31, T34).

Thousands of strings (CR, LF, NUL, overlong UTF-8, turns of direction, encoded words, gaps of templates, tags, 10 kB)
stand in the store of one partnership, a string of its own in each place. Each mail that its daemon then sends is read
by Python's email package: exactly the headers that belong there, the recipients that were meant and no other, the
structure of a harmless mail. What nobody may read is nowhere: mails, journal, STATUS, process lists, cores.

The strings come from a seed, which a failure prints. HOSTILE_SEED replays one; HOSTILE_CHALLENGES asks for more.
"""

import collections
import html.parser
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import mail_form  # noqa: E402
from partnership import Partnership  # noqa: E402
from smtp_server import Server, make_certificate  # noqa: E402
from watched import Watched  # noqa: E402

SEED = int(os.environ.get("HOSTILE_SEED", random.SystemRandom().randrange(1 << 32)))
CHALLENGES = int(os.environ.get("HOSTILE_CHALLENGES", "340"))  # of 15 strings each: over 5,000
CANARY = "Zzyzx"
HOUR = 3600
PIECES = (
    b"\r\n", b"\n", b"\r", b"\0", b"\r\n\r\n", b"\n.\n", b".", b"\r\n.\r\n", b"\r\nBcc: all@evil.test\r\n",
    b"\nTo: other@council.test", b"\r\nRCPT TO:<other@council.test>\r\n", b"\xc0\x80", b"\xc0\xaf", b"\xe0\x80\x8a",
    b"\xed\xa0\x80", b"\xff", b"\xf4\x90\x80\x80", b"\x80", b"\xc3", "\u2028".encode(), "\u2029".encode(),
    "\u0085".encode(), "\u202e".encode(), "\u2066".encode(), "\u200b".encode(), "\ufeff".encode(), "\U0001f600".encode(),
    "e\u0301".encode(), b"=?utf-8?q?=0D=0ABcc:_all=40evil.test?=", b"=?utf-8?b?DQpCY2M6IGFsbEBldmlsLnRlc3Q=?=", b"=?",
    b"?=", b"=0D=0A", b"=\r\n", b"%n%s%x", b"{reference}", b"{?link}", b"{/link}", b"{#notices}", b"{{", b"}", b"\\",
    b'"', b"'", b"<", b">", b"<script>alert(1)</script>", b"</td></table>", b'" onclick="x', b"&amp;", b"&#10;", b"-->",
    b"javascript:alert(1)", b"mailto:all@evil.test", b"https://evil.test/", b"--=_0123456789abcdef", b"\x1b[31m",
    b"\x7f", b"\x01", b"\t", b" ", b"  ", b"; DROP TABLE challenge; --", b"' OR 1=1", b"../../etc/passwd", b"/", b"@",
    b"a@council.test, b@council.test", b"<other@council.test>", b"other@council.test", b"@evil.test", b"x",
    "Si\u00e2n".encode(), b"A" * 998, "\u20ac".encode() * 300,
)


def strings(generator):
    """Without end; one in a hundred is of 10 kB."""
    while True:
        made = b"".join(generator.choices(PIECES, k=generator.randint(1, 5)))
        yield made * (10240 // len(made) + 1) if generator.random() < 0.01 else made


# Where a setting stands, and what stands there instead; the rest of that line is as it was.
SETTINGS = {
    "partnership name": ("main", b'name = "Example Partnership"', b'name = "HOSTILE"'),
    "telephone": ("main", b'telephone = "01632 960000"', b'telephone = "HOSTILE"'),
    "emergency": ("main", b'emergency = "Telephone 999."', b'emergency = "HOSTILE"'),
    "from": ("main", b'"Professional Challenge <', b'"HOSTILE <'),
    "reply_to": ("main", b'reply_to = "reply@partnership.test"', b'reply_to = "HOSTILE"'),
    "link": ("main", b'"https://cases.test/c/', b'"https://cases.test/cHOSTILE/'),
    "subject_prefix": ("main", b"per_minute = 0;", b'per_minute = 0; subject_prefix = "HOSTILE";'),
    "role": ("main", b'title = "Practitioner"', b'title = "HOSTILE"'),
    "title": ("policy", b'title = "Test policy"', b'title = "HOSTILE"'),
    "stage": ("policy", b'title = "Stage 1"', b'title = "HOSTILE"'),
    "guidance": ("policy", b'id = "test";', b'id = "test"; guidance = "HOSTILE";'),
    "learning title": ("policy", b'id = "test";', b'id = "test"; learning = { title = "HOSTILE";'
                       b' url = "https://partnership.test/l"; };'),
    "learning url": ("policy", b'id = "test";', b'id = "test"; learning = { title = "Slides"; url = "HOSTILE"; };'),
}
SETTING_STRINGS = int(os.environ.get("HOSTILE_SETTINGS", "12"))  # for each of them


def libconfig(value):
    """As a string of that language spells it."""
    return b"".join(b"\\" + each if each in (b'"', b"\\") else b"\\x%02x" % each[0] if each < b" " else each
                    for each in (value[i:i + 1] for i in range(len(value))))


def family(pid):
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def is_sound(value):
    """Whether the store's reader takes it (adapter/store.h): else it counts as unknown. Where it is the reference, the
    challenge is passed over, and a line says so."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    return len(value) <= 500 and not any(c < " " or "\x7f" <= c < "\xa0" for c in text)


def is_no_address(value):
    """The pieces make a good address now and then, at which somebody may rightly be told."""
    return re.fullmatch(rb"[^@\s\"<>,]+@council\.test", value) is None


class Tags(html.parser.HTMLParser):
    """The tags of a document in their order: what no value may change."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        self.tags.append("/" + tag)


def structure(mail):
    """All of a mail but its words: headers, parts, tags, and what is empty of the text."""
    body = mail.get_body(("html",))
    text = mail.get_body(("plain",)).get_content()
    return (tuple(mail.keys()), tuple(part.get_content_type() for part in mail.walk()),
            tuple(Tags(body.get_content()).tags) if body is not None else (), text.count("\n\n"))


class House:
    """One partnership with its relay, and whom its mails should reach."""

    def __init__(self, folder, **settings):
        self.server = Server(**settings)
        self.there = Partnership(folder, self.server.port)
        self.there.configure(hold_above=0)
        text = self.there.config.read_text()
        self.there.config.write_text(text.replace(
            "per_person_per_day = 0;", 'per_person_per_day = 0; reply_to = "reply@partnership.test";'
            ' link = "https://cases.test/c/{reference}";'))
        self.there.create_store()
        self.there.run("--once")
        self.wanted = collections.Counter()
        self.passed_over = 0

    def fill(self, store, number, of_row, of_people):
        """One challenge between agencies of its own: strings of their own in every column that takes any. Notes down
        whom that should reach."""
        def insert(table, **columns):
            places = ", ".join("CAST(? AS TEXT)" if isinstance(each, bytes) else "?" for each in columns.values())
            return store.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
                                 tuple(columns.values())).lastrowid

        mark = f"{number} ".encode()

        def unread():
            return CANARY.encode() + of_people()

        def of_canary():
            return CANARY.encode() + of_row()

        # Without an agency that is known, the business unit would be told, of many challenges in one mail.
        agencies = [mark + side + next(filter(is_sound, iter(of_row, None))) for side in (b"asked ", b"asking ")]
        for agency in agencies:
            insert("agency", id=agency, name=of_people(), telephone=of_people(),
                   calendar=of_people() if number % 7 == 0 else None)
        nobody = number % 4 == 1  # the practitioner's address is none: the stand-in is told
        for role in ("practitioner", "manager"):
            insert("contact", agency=agencies[0], role=role, name=of_people(),
                   language=of_people() if number % 3 else "en",
                   email=next(filter(is_no_address, iter(of_people, None))) if nobody and role == "practitioner"
                   else f"{role}.{number}@council.test")
        insert("contact", agency=agencies[0], role=of_people(), name=of_people(), email=of_people())
        reference = mark + of_row()
        challenge = insert("challenge", reference=reference, policy="test", policy_version="1",
                           receiving_agency=agencies[0], raising_agency=agencies[1], category=of_canary())
        now = int(time.time())
        insert("event", challenge=challenge, kind="raised", at=now - (60, 71 * HOUR)[number % 2], value=of_canary(),
               by=unread(), note=unread())
        insert("event", challenge=challenge, kind=b"x" + of_row(), stage=of_row(), at=now - 30,
               note=unread())
        at_risk = number % 10 == 3
        if at_risk:
            insert("event", challenge=challenge, kind="immediate_risk", at=now - 20, note=unread())
        if not is_sound(reference):
            self.passed_over += 1
            return
        self.wanted[f"{'manager' if nobody else 'practitioner'}.{number}@council.test"] += 1
        if at_risk:
            self.wanted[f"manager.{number}@council.test"] += 1
            self.wanted["unit@partnership.test"] += 1

    def fill_all(self, count, of_row, of_people):
        with self.there.open_store() as store:
            store.execute("PRAGMA synchronous = OFF")
            store.execute("BEGIN IMMEDIATE")
            for number in range(count):
                self.fill(store, number, of_row, of_people)
            store.execute("COMMIT")

    def files(self):
        return {"main": self.there.config, "policy": self.there.folder / "policies" / "test.conf"}

    def send(self):
        """One cycle: what the daemon said, and the mails by recipient."""
        said = self.there.run("--once", timeout=300)
        mails = collections.defaultdict(list)
        for mail in self.server.mails:
            mails[", ".join(mail["to"])].append(mail["bytes"])
        return said, mails


class Hostile(unittest.TestCase):
    def house(self, **settings):
        folder = tempfile.TemporaryDirectory(prefix="test-hostile-")
        self.addCleanup(folder.cleanup)
        house = House(folder.name, **settings)
        self.addCleanup(house.server.stop)
        return house

    def assert_reached(self, house, said, mails):
        """Everybody who should be told was, as often as they should, and nobody else."""
        got = collections.Counter({to: len(each) for to, each in mails.items()})
        self.assertEqual((got - house.wanted, house.wanted - got), (collections.Counter(), collections.Counter()),
                         f"seed {SEED}: {said[-2000:]}")

    def harmless_structures(self):
        """Of mails of the same kinds with plain words, some left out, some too long for a link."""
        choose = random.Random(0).choice
        house = self.house()
        house.fill_all(400, lambda: choose((b"word", "\u20ac".encode() * 140)), lambda: choose((b"word", b"")))
        said, mails = house.send()
        self.assert_reached(house, said, mails)
        return {structure(mail_form.parse(raw)) for each in mails.values() for raw in each}

    def test_no_value_of_the_store_changes_a_header_a_recipient_or_the_structure(self):
        harmless = self.harmless_structures()
        generator, used = strings(random.Random(SEED)), 0
        sound = filter(is_sound, generator)
        house = self.house()

        def of_people():
            nonlocal used
            used += 1
            return next(generator)

        def of_row():  # one in fifty may be unsound
            nonlocal used
            used += 1
            return next(generator if used % 50 == 0 else sound)

        house.fill_all(CHALLENGES, of_row, of_people)
        said, mails = house.send()
        self.assertGreater(used, 15 * CHALLENGES)
        self.assertNotIn(CANARY, said)
        told = said.count("cannot be read and is passed over")
        self.assertTrue(told == house.passed_over or (told < house.passed_over and "left out" in said),
                        f"{told} of {house.passed_over} told; seed {SEED}")
        self.assertGreater(len(house.wanted), CHALLENGES // 2)
        self.assert_reached(house, said, mails)
        for recipient, each in mails.items():
            for raw in each:
                mail = mail_form.parse(raw)
                self.assertEqual(mail_form.faults(raw, recipient), [], f"seed {SEED}")
                for part in (raw.decode(), *(part.get_content() for part in mail.walk() if not part.is_multipart())):
                    self.assertNotIn(CANARY, part)
                self.assertIn(structure(mail), harmless, f"seed {SEED}")

    def test_no_setting_changes_a_header_a_recipient_or_the_structure(self):
        generator = strings(random.Random(SEED + 1))
        house = self.house()
        files = {name: path.read_bytes() for name, path in house.files().items()}
        taken = collections.Counter()
        for name, (file, before, after) in SETTINGS.items():
            self.assertIn(before, files[file])
            strict = name in ("link", "guidance", "reply_to", "learning url")
            tried = 0
            # Most strings are refused: of a setting that takes any words, one is to be seen at work.
            while tried < SETTING_STRINGS or (not strict and taken[name] == 0 and tried < 20 * SETTING_STRINGS):
                value = next(generator)
                with self.subTest(name, seed=SEED, value=value[:200]):
                    house.files()[file].write_bytes(
                        files[file].replace(before, after.replace(b"HOSTILE", libconfig(value)), 1))
                    taken[name] += self.is_taken(house, f"{name} {tried}")
                    house.files()[file].write_bytes(files[file])
                tried += 1
            self.assertTrue(strict or taken[name] > 0, f"{name}: all refused, nothing tried; seed {SEED}")

    def is_taken(self, house, reference):
        """Whether the configuration is loaded; with it the right people get sound mails, without it nobody does."""
        house.server.mails.clear()
        checked = subprocess.run([house.there.daemon, "--config", house.there.config, "--check-config"],
                                 capture_output=True, timeout=60, env=house.there.environment())
        if checked.returncode != 0:
            self.assertEqual(checked.returncode, 1, checked.stderr)
            self.assertRegex(checked.stderr + checked.stdout, rb"(?m)^\S+\.conf:\d+: ")
            return 0
        challenge = house.there.add_challenge(reference, 60)
        house.there.record(challenge, "immediate_risk")
        house.there.run("--once")
        self.assertEqual(sorted(to for mail in house.server.mails for to in mail["to"]),
                         ["colm@council.test", "cora@council.test", "unit@partnership.test"])
        for mail in house.server.mails:
            self.assertEqual(mail_form.faults(mail["bytes"], mail["to"][0]), [])
            (sender,) = mail_form.parse(mail["bytes"])["From"].addresses
            self.assertEqual(sender.addr_spec, "noreply@partnership.test")
        return 1

    def test_what_nobody_may_read_is_nowhere_else_either(self):
        """Names, categories, notes and the password: not in the journal, STATUS, process lists, files or cores."""
        secrets = Path(tempfile.mkdtemp(prefix="test-hostile-secrets-"))
        self.addCleanup(shutil.rmtree, secrets)
        (secrets / "smtp-password").write_text(f"{CANARY}-password")
        certificate = make_certificate(secrets, "relay")
        house = self.house(tls="starttls", certificate=certificate, users={"user": f"{CANARY}-password"})
        house.there.configure(login=f'ca = "{certificate[0]}"; login = {{ user = "user"; mechanism = "PLAIN";'
                                    ' credential = "smtp-password"; };')
        with house.there.open_store() as store:
            store.execute("UPDATE contact SET name = ?", (f"{CANARY} Person",))
        before_cores = set(Path.cwd().glob("core*"))
        for signal_number in (signal.SIGABRT, signal.SIGSEGV):
            with self.subTest(signal_number.name), \
                    Watched(house.there, CREDENTIALS_DIRECTORY=str(secrets)) as daemon:
                daemon.ready()
                before = len(house.server.mails)
                challenge = house.there.add_challenge(f"2026-{signal_number}", 71 * HOUR)
                house.there.record(challenge, "immediate_risk", note=f"{CANARY} note", by=f"{CANARY} by",
                                   value=f"{CANARY} value")
                with house.there.open_store() as store:
                    store.execute("UPDATE challenge SET category = ?", (f"{CANARY} category",))
                daemon.wait("the mails", lambda: len(house.server.mails) >= before + 3)
                processes = family(daemon.process.pid)
                self.assertGreater(len(processes), 1, "no sender runs")
                for pid in processes:
                    for file in ("cmdline", "environ", "comm", "status"):
                        self.assertNotIn(CANARY.encode(), Path(f"/proc/{pid}/{file}").read_bytes())
                for sender in processes[1:]:  # they hold the password
                    self.assertEqual(resource.prlimit(sender, resource.RLIMIT_CORE), (0, 0))
                _, most = resource.prlimit(processes[0], resource.RLIMIT_CORE)
                resource.prlimit(processes[0], resource.RLIMIT_CORE, (most, most))
                daemon.process.send_signal(signal_number)
                self.assertEqual(daemon.process.wait(timeout=20), -signal_number)
                self.assertNotIn(CANARY, "\n".join(daemon.lines + daemon.said))
        self.assertEqual(set(Path.cwd().glob("core*")), before_cores)
        self.assertTrue(house.server.seen("auth"), "the password was never used")
        for path in house.there.folder.rglob("*"):
            if path.is_file() and path not in (house.there.store, house.there.ledger):
                self.assertNotIn(CANARY.encode(), path.read_bytes(), path)
        # The ledger holds the mails, and they greet by name; notes, categories and the password are not in it.
        ledger = house.there.ledger.read_bytes()
        self.assertEqual([word for word in ("note", "by", "value", "category", "password")
                          if f"{CANARY} {word}".encode() in ledger or f"{CANARY}-{word}".encode() in ledger], [])


if __name__ == "__main__":
    unittest.main()
