#!/usr/bin/python3
"""Fails every system call of a full cycle that the machine may fail: disks, descriptors, memory, signals.

strace makes the Nth call of a kind fail, once or from then on; the shipped programs run unchanged. Nothing may
crash. A failed cycle ends with status 3 and one line; the next cycles recover by themselves, lose nothing, and
double nothing that the ledger does not call in doubt. CALLS_EVERY=1 takes each call, not only some of the many.
"""

import concurrent.futures
import os
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from delivered import complaints_of_notices, settle, told  # noqa: E402
from traced import WORKERS, Scene, make_crash_build, need_strace  # noqa: E402

EVERY = int(os.environ.get("CALLS_EVERY", "29"))
# From here on a call is the program's own and not the dynamic linker's.
BEGINS = {"daemon": "umask", "sender": "prctl"}
# brk is left out: the kernel never answers it with an error, and libc would take one for an address.
# Call, error, and whether it goes on failing from there ("+") as on a disk that stays full.
FAULTS = {
    "daemon": (("pwrite64", "ENOSPC", "+"), ("pwrite64", "ENOSPC", ""), ("pwrite64", "EIO", ""),
               ("pwrite64", "EINTR", ""), ("fdatasync", "EIO", ""), ("fdatasync", "EIO", "+"),
               ("pread64", "EIO", ""), ("openat", "EMFILE", ""), ("openat", "EIO", ""), ("openat", "EINTR", ""),
               ("newfstatat", "EIO", ""), ("fcntl", "ENOLCK", ""), ("fcntl", "EAGAIN", ""), ("fcntl", "EINTR", ""),
               ("mmap", "ENOMEM", ""), ("mmap", "ENOMEM", "+"), ("mkdir", "ENOSPC", ""),
               ("flock", "ENOLCK", ""), ("read", "EINTR", ""), ("read", "EIO", ""), ("poll", "EINTR", ""),
               ("recvfrom", "EINTR", ""), ("sendto", "EINTR", ""), ("sendto", "ENOBUFS", ""),
               ("socketpair", "EMFILE", ""), ("pipe2", "EMFILE", ""), ("clone", "EAGAIN", ""),
               ("clone3", "EAGAIN", ""), ("wait4", "EINTR", ""), ("epoll_create1", "EMFILE", ""),
               ("epoll_ctl", "ENOMEM", ""), ("getrandom", "EINTR", ""), ("getdents64", "EIO", ""),
               ("close", "EIO", "")),
    "sender": (("read", "EINTR", ""), ("poll", "EINTR", ""), ("recvfrom", "EINTR", ""), ("recvfrom", "EIO", ""),
               ("sendto", "EINTR", ""), ("sendto", "ENOBUFS", ""), ("socket", "EMFILE", ""),
               ("connect", "ENETUNREACH", ""), ("mmap", "ENOMEM", ""),
               ("openat", "EMFILE", "")),
}
MANY = 12  # of a call that is made more often than this, each EVERYth is taken


def setUpModule():
    need_strace()
    make_crash_build()


def plan(victim):
    """(call, error, more, number) for all that is tried."""
    scene = Scene()
    try:
        scene.cycle(victim, [])
        counts, first, own = {}, {}, False
        for line in scene.trace.read_text(errors="replace").splitlines():
            found = re.match(r"(\w+)\(", line)
            if not found:
                continue
            call = found.group(1)
            counts[call] = counts.get(call, 0) + 1
            own = own or call == BEGINS[victim]
            if own:
                first.setdefault(call, counts[call])
    finally:
        scene.close()
    tried = []
    for call, error, more in FAULTS[victim]:
        if call not in first:
            continue
        numbers = range(first[call], counts[call] + 1)
        step = EVERY if len(numbers) > MANY else 1
        # Each error of a call begins elsewhere, so that together they meet more of them.
        start = len(tried) % step
        tried += [(call, error, more, number) for number in numbers[start::step]]
    return tried


def what_is_wrong(scene, victim, call, error, more, number, wanted):
    there = scene.cycle(victim, ["-e", f"inject={call}:error={error}:when={number}{more}"])
    status, said = scene.ended.returncode, scene.ended.stderr
    found = []
    if status not in (0, 3):
        found.append(f"status {status}: {said.strip()[-300:]}")
    elif status == 3 and not re.search(r"^<[0-4]>.{20}", said, re.MULTILINE):
        found.append(f"status 3 without a line that says why: {said.strip()[-300:]}")
    settle(there, (0,))
    found += complaints_of_notices(there, scene.server.mails, wanted)
    if found:  # what is in doubt, or to be tried later, waits
        found = [line for line in found if line.startswith("status")]
        settle(there, (700, 8000, 16000))
        found += complaints_of_notices(there, scene.server.mails, wanted)
    return found


def fail_some(victim, tried):
    scene = Scene()
    wrong = []
    try:
        there = scene.again()
        settle(there)
        wanted = told(there, scene.server.mails)
        for call, error, more, number in tried:
            try:
                found = what_is_wrong(scene, victim, call, error, more, number, wanted)
            except Exception as problem:  # an unreadable ledger is a finding, not the end of the others
                found = [repr(problem)[-400:]]
            if found:
                wrong.append((f"{call} {error}{more} at {number}", found))
    finally:
        scene.close()
    return wrong


class EveryFailingCall(unittest.TestCase):
    def fail_everywhere(self, victim):
        tried = plan(victim)
        self.assertGreater(len(tried), 10)
        wrong = []
        with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
            for found in pool.map(fail_some, [victim] * WORKERS, [tried[i::WORKERS] for i in range(WORKERS)]):
                wrong += found
        print(f"{victim}: {len(tried)} failing system calls, {len({case[:2] for case in tried})} kinds",
              file=sys.stderr)
        self.assertEqual(wrong, [], "\n".join(f"{case}: {found}" for case, found in wrong))

    def test_the_daemon_through_every_fault(self):
        self.fail_everywhere("daemon")

    def test_the_sender_through_every_fault(self):
        self.fail_everywhere("sender")


if __name__ == "__main__":
    unittest.main()
