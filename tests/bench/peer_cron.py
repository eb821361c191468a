#!/usr/bin/python3
"""What a partnership might write for cron instead of this daemon: reads the store, mails what is due, remembers it.

usage: peer_cron.py STORE SENT PORT   prints one JSON line: mails a second, CPU a mail.

It does the same job in the fewest words: no calendar, no audit trail, one commit a mail so that a crash repeats one at most.
"""

import json
import resource
import smtplib
import sqlite3
import sys
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid


def write(reference, name, address):
    mail = EmailMessage()
    mail["From"] = "Professional Challenge <noreply@partnership.example>"
    mail["To"] = address
    mail["Subject"] = f"Reply needed – {reference}"
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain="partnership.example")
    mail.set_content(f"Dear {name},\n\nA reply to challenge {reference} is needed within 24 hours.\n" + "More words.\n" * 60)
    return mail


def main():
    store = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    sent = sqlite3.connect(sys.argv[2], isolation_level=None)
    sent.execute("PRAGMA synchronous = FULL")
    sent.execute("CREATE TABLE sent (challenge INTEGER PRIMARY KEY, at INTEGER)")
    started = time.monotonic()
    count = 0
    with smtplib.SMTP("127.0.0.1", int(sys.argv[3])) as relay:
        for challenge, reference, name, address in store.execute(
                "SELECT c.id, c.reference, p.name, p.email FROM challenge c JOIN contact p ON p.id = c.receiving_contact"
                " JOIN event e ON e.challenge = c.id WHERE e.kind = 'raised' AND e.at <= unixepoch()"):
            if sent.execute("SELECT 1 FROM sent WHERE challenge = ?", (challenge,)).fetchone():
                continue
            relay.send_message(write(reference, name, address))
            sent.execute("INSERT INTO sent (challenge, at) VALUES (?, ?)", (challenge, int(time.time())))
            count += 1
    wall = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"figure": "cron-style Python script, the same mails", "mails": count,
                      "mails_per_second": round(count / wall),
                      "cpu_us_per_mail": round((used.ru_utime + used.ru_stime) * 1e6 / count, 1)}))


if __name__ == "__main__":
    main()
