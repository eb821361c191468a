#!/usr/bin/python3
"""What scripts/demo shows: the mails sent as a table, and one of them as a person reads it.

demo_report.py sent QUEUE CONTACTS MAILDIR         one line for each mail
demo_report.py mail QUEUE MAILDIR REFERENCE KIND   that mail

QUEUE and CONTACTS are files with what `challengectl queue list --json` and `contact list --json`
printed. The table is checked against the Maildir: a mail that the ledger calls accepted and that
did not arrive, or the other way round, is a failure (status 1).
"""

import email
import email.policy
import json
import sys
from pathlib import Path


def arrived(maildir):
    """The mails in the Maildir, by Message-ID."""
    mails = (email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
             for path in sorted(Path(maildir, "new").glob("*")))
    return {mail["Message-ID"].strip(): mail for mail in mails}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def identity(entry):
    """The Message-ID as it stands in a mail, with its brackets."""
    return "<" + entry["message_id"].strip("<>") + ">"


WHY = {
    "inform": "stage begun", "reminder": "due soon", "breach": "out of time", "escalation": "moved up a stage",
    "overdue": "still unanswered", "risk": "immediate risk", "quiet": "nothing happened", "cleared": "answered",
}


def sent(queue, contacts, maildir):
    entries, mails = load(queue), arrived(maildir)
    role = {person["email"]: person["role"] for person in load(contacts)}
    rows = sorted((entry["recipient"], role.get(entry["recipient"], "inbox"), shortened(entry["reference"]),
                   ", ".join(WHY.get(kind, kind) for kind in dict.fromkeys(entry["kind"])))
                  for entry in entries)
    for row in [("to", "as", "about", "why"), *rows]:
        print("{:31} {:16} {:25} {}".format(*row))
    states = {state: sum(entry["state"] == state for entry in entries)
              for state in sorted({entry["state"] for entry in entries})}
    print(f"{len(entries)} mails: " + ", ".join(f"{count} {state}" for state, count in states.items())
          + f"; {len(mails)} arrived")
    accepted = {identity(entry) for entry in entries if entry["state"] == "accepted"}
    if accepted != set(mails) or not mails:
        print("demo_report.py: the ledger and the Maildir disagree", file=sys.stderr)
        return 1
    return 0


def shortened(references):
    """Several references of one year: "2026-101 102 105"; "" for a mail about no challenge."""
    if not references:
        return ""
    first, *others = sorted(references)
    year = first.partition("-")[0] + "-"
    return " ".join([first, *(other.removeprefix(year) for other in others)])


def mail(queue, maildir, reference, kind):
    mails = arrived(maildir)
    for entry in load(queue):
        found = mails.get(identity(entry))
        if found is not None and reference in entry["reference"] and kind in entry["kind"]:
            for name in ("From", "To", "Reply-To", "Date", "Subject"):
                if found[name]:
                    print(f"{name}: {found[name]}")
            print()
            print(found.get_body(("plain",)).get_content().rstrip())
            return 0
    print(f"demo_report.py: no mail of kind {kind} about {reference} arrived", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit({"sent": sent, "mail": mail}[sys.argv[1]](*sys.argv[2:]))
