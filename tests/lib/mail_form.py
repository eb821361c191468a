"""What must be true of the form of every mail, as another program reads it (Python's email package).

`faults` says what is wrong with the bytes of one mail; an empty list when all is well. The servers of the tests ask
it of each mail that they take, so that no test of the suite can get a malformed one unseen.
"""

import html.parser
from email import policy
from email.parser import BytesParser

LINE_MOST = 998  # RFC 5322 2.1.1, without CR LF
ALWAYS = {"Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version",
          "Content-Language", "Content-Type", "Content-Transfer-Encoding"}
OPTIONAL = {"Reply-To", "In-Reply-To", "References", "Thread-Index", "Importance"}
VALUES = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "DR, RN, NRN, OOF, AutoReply",
          "MIME-Version": "1.0", "Importance": "high"}
FORBIDDEN = ("script", "img", "iframe", "link", "form", "object", "embed", "video", "audio", "base")
VOID = {"meta", "br", "hr"}


class Outline(html.parser.HTMLParser):
    """Reads a document: balanced elements, one h1, no attribute that fetches or runs."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.headings, self.links, self.words, self.faults = [], 0, [], [], []
        self.lang = None
        self.feed(text)
        self.close()
        if self.open:
            self.faults.append(f"left open: {self.open}")
        if self.headings != 1:
            self.faults.append(f"{self.headings} h1")

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        if tag == "html":
            self.lang = names.get("lang")
        if tag == "h1":
            self.headings += 1
        if tag == "a":
            self.links.append(names.get("href", ""))
        if tag in FORBIDDEN:
            self.faults.append(tag)
        self.faults += [name for name in names if name.startswith("on") or name in ("src", "background")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"closed: {tag}")

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def parse(raw):
    return BytesParser(policy=policy.default).parsebytes(raw)


def defects_of(message):
    """All defects: of the parts and of each header."""
    found = []
    for part in message.walk():
        found += part.defects
        for value in part.values():
            found += getattr(value, "defects", ())
    return found


def faults_of_bytes(raw):
    """Of any mail, whoever wrote it."""
    found = []
    bare = raw.replace(b"\r\n", b"")
    if b"\r" in bare or b"\n" in bare:
        found.append("a bare CR or LF")
    if not raw.isascii() or b"\0" in raw:
        found.append("an octet beyond 7-bit text")
    if max(map(len, raw.split(b"\r\n"))) > LINE_MOST:
        found.append(f"a line over {LINE_MOST}")
    return found


def faults_of_header(mail, recipient):
    names = [name for name in mail.keys()]
    found = [f"{name} stands {names.count(name)} times" for name in sorted(set(names)) if names.count(name) > 1]
    found += [f"no {name}" for name in sorted(ALWAYS - set(names))]
    found += [f"{name}: nobody asked for it" for name in sorted(set(names) - ALWAYS - OPTIONAL)]
    found += [f"{name}: {mail[name]}" for name, wanted in VALUES.items() if name in mail and mail[name] != wanted]
    if mail["References"] != mail["In-Reply-To"]:
        found.append("References and In-Reply-To differ")
    if ("References" in mail) != ("Thread-Index" in mail):
        found.append("one sort of clients threads it, and one does not")
    if "To" in mail:
        to = [address.addr_spec for address in mail["To"].addresses]
        if len(to) != 1 or recipient is not None and to != [recipient]:
            found.append(f"To: {to}, and the relay was given {recipient}")
    return found


def faults_of_parts(mail):
    types = [part.get_content_type() for part in mail.walk()]
    if types[0] == "multipart/mixed" and types[-1] == "text/calendar":
        types = types[1:-1]
    if types == ["text/plain"]:  # a language without HTML, a digest too long for it, the fixed text
        return []
    if types != ["multipart/alternative", "text/plain", "text/html"]:
        return [f"parts: {types}"]
    outline = Outline(mail.get_body(("html",)).get_content())
    text = mail.get_body(("plain",)).get_content().replace("\r", "").replace("\n", "")
    found = [f"HTML: {fault}" for fault in outline.faults]
    if outline.lang != mail["Content-Language"]:
        found.append(f"HTML is in {outline.lang}, the mail in {mail['Content-Language']}")
    found += [f"a link that the text lacks: {link}" for link in outline.links if link not in text]
    found += [f"a link to {link}" for link in outline.links if not link.startswith(("https://", "http://", "mailto:"))]
    return found


def faults(raw, recipient=None):
    """What is wrong with a mail, the daemon's own rules included where it is one of the daemon's."""
    found = faults_of_bytes(raw)
    mail = parse(raw)
    found += [f"{type(defect).__name__}: {defect}" for defect in defects_of(mail)]
    if "Auto-Submitted" in mail:
        found += faults_of_header(mail, recipient) + faults_of_parts(mail)
        if b"breach" in raw.lower():
            found.append('it says "breach"')
    return found


TRACE = (b"return-path:", b"received:", b"delivered-to:", b"x-original-to:", b"envelope-to:", b"delivery-date:")


def as_sent(kept):
    """A mail as it lies in a mailbox, without what its relay wrote above it and with the line ends of the wire."""
    lines = kept.replace(b"\r\n", b"\n").split(b"\n")
    while lines and lines[0].lower().startswith(TRACE):
        del lines[0]
        while lines and lines[0][:1] in (b" ", b"\t"):
            del lines[0]
    return b"\r\n".join(lines)
