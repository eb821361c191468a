"""What must be true of a relay's mails and a ledger after something was killed, and how to get there."""

import collections
import re
import time


def settle(there, steps=(0, 700, 8000, 16000)):
    """Cycles of the crash build until nothing waits: later ones past the wait of what is in doubt."""
    now = int(time.time())
    for later in steps:
        there.run("--once", CHALLENGE_NOTIFYD_NOW=str(now + later))


def copies(mails):
    """The mails that a server took, by Message-ID."""
    same = collections.defaultdict(list)
    for mail in mails:
        found = re.search(rb"(?im)^Message-ID: *<([^>]+)>", mail["bytes"])
        same[found.group(1).decode()].append(mail)
    return same


def recipients(mails):
    """Who was mailed, and how often, copies of one mail counted once."""
    return collections.Counter(str(same[0]["to"]) for same in copies(mails).values())


def told(there, mails):
    """Who was told what, in however many mails: each thing once, as often as the ledger decided it."""
    arrived = set(copies(mails))
    return sorted(
        row[:4] for row in there.remember("SELECT reference, kind, role, recipient, message_id FROM notice"
                                          " JOIN mail ON mail.id = notice.mail")
        if row[4] in arrived)


def complaints(there, mails, wanted):
    """What was lost, or doubled unseen, or left waiting; an empty list when all is well."""
    found = doubled(there, mails)
    if recipients(mails) != wanted:
        found.append(f"arrived {dict(recipients(mails))}, wanted {dict(wanted)}")
    return found + left_waiting(there)


def complaints_of_notices(there, mails, wanted):
    """The same where faults may spread over several mails what goes in one: `wanted` is what was told."""
    found = doubled(there, mails)
    if told(there, mails) != wanted:
        found.append(f"told {told(there, mails)}, wanted {wanted}")
    return found + left_waiting(there)


def doubled(there, mails):
    """Copies that the ledger does not know of, or that differ, or more than two."""
    found = []
    doubted = {name for name, in there.remember("SELECT message_id FROM mail WHERE doubts > 0")}
    for name, same in copies(mails).items():
        if len(same) > 1 and name not in doubted:
            found.append(f"{name}: sent {len(same)} times without a doubt")
        if len(same) > 2:
            found.append(f"{name}: sent {len(same)} times")
        if len({mail["bytes"] for mail in same}) > 1:
            found.append(f"{name}: copies differ")
    return found


def left_waiting(there):
    left = there.remember("SELECT state, count(*) FROM mail WHERE state <> 'accepted' GROUP BY state")
    return [f"left in the ledger: {left}"] if left else []
