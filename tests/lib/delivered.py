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


def complaints(there, mails, wanted):
    """What was lost, or doubled unseen, or left waiting; an empty list when all is well."""
    found = []
    doubted = {name for name, in there.remember("SELECT message_id FROM mail WHERE doubts > 0")}
    for name, same in copies(mails).items():
        if len(same) > 1 and name not in doubted:
            found.append(f"{name}: sent {len(same)} times without a doubt")
        if len(same) > 2:
            found.append(f"{name}: sent {len(same)} times")
        if len({mail["bytes"] for mail in same}) > 1:
            found.append(f"{name}: copies differ")
    if recipients(mails) != wanted:
        found.append(f"arrived {dict(recipients(mails))}, wanted {dict(wanted)}")
    left = there.remember("SELECT state, count(*) FROM mail WHERE state <> 'accepted' GROUP BY state")
    if left:
        found.append(f"left in the ledger: {left}")
    return found
