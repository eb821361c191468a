#!/usr/bin/python3
"""Prints the figures of challenge-notifyd, one JSON line each; `make bench` builds what it needs and runs it.

usage: bench.py [PART ...]     parts: see PARTS below; all of them without an argument.

Every line has "figure"; where there is a target it has "target" and "reached". Peers are measured in the same run where
Debian has them installed (scripts/deps bench); a part that cannot run says so in a line with "skipped".
"""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import make_store  # noqa: E402

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("BUILD", "build")).resolve()
WORK = BUILD / "bench" / "work"
LARGE, SMALL, DUE = 1_000_000, 1_000, 1_000
MAILS = int(os.environ.get("BENCH_MAILS", "20000"))
POLL_SECONDS = 1
WRITES = ("write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,ftruncate,truncate,fallocate,unlink,"
          "unlinkat,rename,renameat2,mkdir,mkdirat,creat,chmod,fchmod,link,symlink")
READY_TRIES = 11
COMMITS = 5000
SIZES = (SMALL, LARGE)


def say(figure, **values):
    print(json.dumps({"figure": figure, **values}), flush=True)


def judge(figure, value, target, **more):
    """A figure with the most that it may be."""
    say(figure, **more, target=target, reached=bool(value <= target))


def skip(figure, why):
    say(figure, skipped=why)


# --- what the parts share --------------------------------------------------------------------------------------------


class House:
    """A configuration like the shipped one, open at every hour and without limits of rate, with its store and state."""

    def __init__(self, name, port=9):
        self.folder = WORK / name
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "policies").mkdir(parents=True)
        shutil.copy(TOP / "conf" / "bank-holidays.json", self.folder)
        shutil.copy(TOP / "conf" / "policies" / "example.conf", self.folder / "policies")
        self.config = self.folder / "challenge-notifyd.conf"
        self.store = self.folder / "challenges.db"
        self.state = self.folder / "state"
        self.configure(port)

    def configure(self, port):
        text = (TOP / "conf" / "challenge-notifyd.conf").read_text()
        for pattern, value in (
                (r'store = ".*"', 'store = "challenges.db"'),
                (r'state = ".*"', 'state = "state"'),
                (r'poll = ".*"', f'poll = "{POLL_SECONDS} second"'),
                (r'templates = ".*"', f'templates = "{TOP}/conf/templates"'),
                (r'(?s)hours = \{.*?\};', "hours = { " + " ".join(
                    f'{day} = "00:00-24:00";' for day in ("monday", "tuesday", "wednesday", "thursday", "friday",
                                                          "saturday", "sunday")) + " };"),
                (r'closures = \(.*?\);', "closures = ();"),
                (r'relay = ".*"', f'relay = "smtp://127.0.0.1:{port}"'),
                (r'(?m)^\s*login = .*$', ""),
                (r'(?ms)^alarm = \{.*?\};$', ""),  # no mail but those that are counted
                (r'per_minute = \d+', "per_minute = 0"),
                (r'per_person_per_day = \d+', "per_person_per_day = 0"),
                (r'hold_above = \d+', "hold_above = 0")):
            text = re.sub(pattern, lambda _, value=value: value, text, flags=re.S if "closures" in pattern else 0)
        self.config.write_text(text)

    def edited(self):
        """The configuration with another title of its policy, in a file beside it."""
        (self.folder / "edited").mkdir(exist_ok=True)
        for policy in (self.folder / "policies").iterdir():
            text = re.sub(r'(?m)^(\s*title = ").*?"', r'\1Another title"', policy.read_text(), count=1)
            (self.folder / "edited" / policy.name).write_text(text)
        file = self.folder / "edited.conf"
        file.write_text(self.config.read_text().replace('policies = "policies"', 'policies = "edited"', 1))
        return file

    def fill(self, count, **kinds):
        """A store of that size, kept from run to run as long as it is fresh: its times are counted from now."""
        kept = WORK.parent / f"store-{count}-{'-'.join(f'{k}{v}' for k, v in kinds.items())}.db"
        if not kept.exists() or time.time() - kept.stat().st_mtime > 6 * 3600:
            make_store.make(kept, count, **kinds)
        self.store.unlink(missing_ok=True)
        shutil.copy(kept, self.store)

    def daemon(self, *arguments, **more):
        environment = {"PATH": os.environ["PATH"], **more.pop("environment", {})}
        return subprocess.Popen([BUILD / "challenge-notifyd", "--config", self.config, *arguments],
                                stderr=subprocess.DEVNULL, env=environment, **more)

    def once(self, *wrapper):
        """One full cycle; CPU seconds of main and of its senders, wall seconds, exit status."""
        before = os.times()
        started = time.monotonic()
        done = subprocess.run([*wrapper, BUILD / "challenge-notifyd", "--config", self.config, "--once"],
                              stderr=subprocess.DEVNULL)
        wall = time.monotonic() - started
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return cpu, wall, done.returncode

    def ledger(self, query):
        ledger = sqlite3.connect(f"file:{self.state}/ledger.db?mode=ro", uri=True)
        try:
            return ledger.execute(query).fetchall()
        finally:
            ledger.close()

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Sink:
    """smtp-sink of Postfix on a loopback port."""

    def __init__(self):
        self.program = shutil.which("smtp-sink", path=os.environ["PATH"] + ":/usr/sbin")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self):
        if self.program is None:
            return self
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        self.process = subprocess.Popen([self.program, *user, f"127.0.0.1:{self.port}", "100"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise RuntimeError("smtp-sink does not listen")

    def __exit__(self, *_):
        if self.program is not None:
            self.process.terminate()
            self.process.wait()


class Ready:
    """The socket that systemd would listen at."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(300)

    def wait(self):
        while b"READY=1" not in self.socket.recv(65536):
            pass

    def close(self):
        self.socket.close()
        os.unlink(self.path)


def run_seconds(pid):
    """CPU time of a process to the nanosecond, where os.times() has hundredths."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def status_kib(pid, field):
    return int(re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1])


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait()


# --- counting --------------------------------------------------------------------------------------------------------

TARGETS_NS = {"working-time addition, hours with zone and holidays": 100,
              "timeline of a raised challenge to its next entry": 2000}


def part_time():
    """Working-time addition, timeline, calendar; numpy and Business::Hours beside it."""
    done = subprocess.run([BUILD / "bench" / "bench_time", TOP / "conf" / "challenge-notifyd.conf"],
                          capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        if found["figure"] in TARGETS_NS:
            judge(**found, value=found["ns"], target=TARGETS_NS[found["figure"]])
        elif found["figure"] == "memory of a loaded calendar":
            judge(**found, value=found["bytes"], target=1 << 20)
        else:
            say(**found)
    peer_numpy()
    peer_business_hours()


def peer_numpy():
    name = "numpy busday_offset (dates only)"
    code = """
import json, time, numpy
start = numpy.datetime64("2024-01-01") + numpy.arange(1_000_000) % 1700
days = numpy.arange(1_000_000) % 20 + 1
calendar = numpy.busdaycalendar(holidays=numpy.array(HOLIDAYS, dtype="datetime64[D]"))
best = []
for _ in range(7):
    before = time.perf_counter_ns()
    numpy.busday_offset(start, days, roll="forward", busdaycal=calendar)
    best.append((time.perf_counter_ns() - before) / 1_000_000)
print(sorted(best)[3])
"""
    holidays = [event["date"] for event in
                json.loads((TOP / "conf" / "bank-holidays.json").read_text())["england-and-wales"]["events"]]
    done = subprocess.run(["/usr/bin/python3", "-c", code.replace("HOLIDAYS", repr(holidays))],
                          capture_output=True, text=True)
    if done.returncode != 0:
        skip(name, "python3-numpy is not installed")
    else:
        say(name, ns=round(float(done.stdout), 1))


def peer_business_hours():
    name = "Perl Business::Hours add_seconds"
    code = """
use Business::Hours; use Time::HiRes qw(time);
my $hours = Business::Hours->new; my $n = 100; my $sum = 0; my $before = time;
for my $i (0 .. $n - 1) { $sum += $hours->add_seconds(1704067200 + $i * 1468800, 3600 + ($i % 90) * 3600); }
printf "%.0f", (time - $before) / $n * 1e9;
"""
    done = subprocess.run(["perl", "-e", code], capture_output=True, text=True)
    if done.returncode != 0:
        skip(name, "libbusiness-hours-perl is not installed")
    else:
        say(name, ns=float(done.stdout))


# --- beside a large store --------------------------------------------------------------------------------------------


def part_pass():
    """The first cycle, 1,000 due of 1,000,000, a reload that re-evaluates all: in one process, with a clock of its own."""
    house = House("pass")
    house.fill(LARGE, early=DUE)
    done = subprocess.run([BUILD / "bench" / "bench_pass", house.config, house.edited()], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True)
    targets = {"due at once: decided, rendered and committed": 1.0, "reload that re-evaluates the whole store": 3.0,
               "reload of an edited policy, held against the one before": 3.0}
    for line in done.stdout.splitlines():
        found = json.loads(line)
        name = found.pop("figure")
        if name in targets:
            judge(name, found["seconds"], targets[name], challenges=LARGE, **found)
        else:
            say(name, challenges=LARGE, **found)
    verify(house)
    house.clear()


def verify(house):
    """The proof of a ledger with more than a million entries, and what a writer waits for meanwhile at most."""
    entries = house.ledger("SELECT seq FROM head")[0][0]
    writer = sqlite3.connect(house.state / "ledger.db", isolation_level=None, timeout=60)
    before, used = time.monotonic(), os.times()
    proof = subprocess.Popen([BUILD / "challengectl", "--config", house.config, "audit", "verify"],
                             stdout=subprocess.DEVNULL)
    waited = 0
    while proof.poll() is None:
        asked = time.monotonic()
        writer.execute("INSERT INTO meta VALUES ('bench', 0) ON CONFLICT DO UPDATE SET value = value + 1")
        waited = max(waited, time.monotonic() - asked)
        time.sleep(0.05)
    seconds, after = time.monotonic() - before, os.times()
    cpu = after.children_user + after.children_system - used.children_user - used.children_system
    writer.close()
    judge("audit verify", seconds, 10, entries=entries, seconds=round(seconds, 2), cpu_seconds=round(cpu, 2),
          status=proof.returncode,
          writer_waited_at_most=round(waited, 2))


PROOF_PATIENCE = 600


def wait_for_proof(house):
    """Of a large store it goes on for a while after the start, slice by slice: that is not idle yet."""
    until = time.monotonic() + PROOF_PATIENCE
    begun = time.monotonic()
    while struct.unpack_from("q", (house.state / "pulse").read_bytes(), 88)[0] != 1:
        if time.monotonic() > until:
            raise RuntimeError("the proof of the store does not end")
        time.sleep(0.2)
    return time.monotonic() - begun


def idle(house, process, count):
    say("start to the whole proof", challenges=count, seconds=round(wait_for_proof(house), 1))
    time.sleep(2 * POLL_SECONDS)
    before = run_seconds(process.pid)
    time.sleep(10 * POLL_SECONDS)
    cpu = (run_seconds(process.pid) - before) / 10
    judge("idle poll", cpu * 1e6, 100, challenges=count, cpu_us=round(cpu * 1e6, 1))
    woken = subprocess.run([BUILD / "bench" / "bench_wake", house.store], capture_output=True, text=True, check=True)
    say(**json.loads(woken.stdout))
    judge("resident memory of the main process", status_kib(process.pid, "VmRSS"), 6 * 1024, challenges=count,
          rss_kib=status_kib(process.pid, "VmRSS"), peak_kib=status_kib(process.pid, "VmHWM"))
    if shutil.which("strace") is None:
        skip("write system calls of ten idle polls", "strace is not installed")
        return
    trace = house.folder / "trace"
    watcher = subprocess.Popen(["strace", "-f", "-e", f"trace={WRITES}", "-o", trace, "-p", str(process.pid)],
                               stderr=subprocess.DEVNULL)
    time.sleep(10 * POLL_SECONDS)
    watcher.send_signal(signal.SIGINT)
    watcher.wait()
    calls = [line for line in trace.read_text().splitlines() if "(" in line]
    judge("write system calls of ten idle polls", len(calls), 0, challenges=count, calls=len(calls))


def part_idle():
    """Start to READY with nothing changed, idle polls, resident memory; at both sizes, in the real daemon."""
    with Sink() as sink:
        for count in SIZES:
            idle_at(count, sink)


def idle_at(count, sink):
    house = House("idle", sink.port)
    house.fill(count)
    ready = Ready(house.folder)
    environment = {"NOTIFY_SOCKET": ready.path}
    first = house.daemon(environment=environment)
    ready.wait()
    while not house.ledger("SELECT 1 FROM meta WHERE name = 'first_cycle'"):
        time.sleep(0.5)
    time.sleep(2)  # the summary of what was adopted goes out
    stop(first)
    taken = []
    for i in range(READY_TRIES):
        ready.close()
        ready = Ready(house.folder)
        before = time.monotonic()
        process = house.daemon(environment=environment)
        ready.wait()
        taken.append((time.monotonic() - before) * 1000)
        if i < READY_TRIES - 1:
            stop(process)
    median = sorted(taken)[READY_TRIES // 2]
    judge("start to READY, nothing changed", median, 50, challenges=count, ms=round(median, 1),
          worst=round(max(taken), 1))
    idle(house, process, count)
    stop(process)
    ready.close()
    house.clear()


# --- delivery --------------------------------------------------------------------------------------------------------


def make_ready(house, count):
    """A ledger with so many mails rendered and ready: the relay's port is closed meanwhile."""
    make_store.make(house.store, 0)
    _, _, status = house.once()  # the first cycle: what comes later is not adopted
    make_store.make(house.store, count)
    house.configure(9)
    cpu, wall, status = house.once()
    ready = house.ledger("SELECT count(*) FROM mail WHERE state = 'ready'")[0][0]
    if ready != count:
        raise RuntimeError(f"{ready} mails are ready, not {count} (status {status})")
    return cpu, wall


def part_mail():
    """Durable delivery over one connection, against a bare libcurl loop, a cron-style script; sync calls and CPU a mail."""
    with Sink() as sink:
        if sink.program is None:
            skip("durable delivery", "smtp-sink (package postfix) is not installed")
            return
        house = House("mail")
        cpu, wall = make_ready(house, MAILS)
        say("decided, rendered, stored and committed", mails=MAILS, seconds=round(wall, 2),
            cpu_us_per_mail=round(cpu * 1e6 / MAILS, 1))
        sample = house.folder / "sample.eml"
        sample.write_bytes(house.ledger("SELECT bytes FROM body LIMIT 1")[0][0])
        done = subprocess.run([BUILD / "bench" / "bench_curl", f"smtp://127.0.0.1:{sink.port}", sample, str(MAILS)],
                              capture_output=True, text=True, check=True)
        bare = json.loads(done.stdout)
        say(**bare)
        floor = subprocess.run([BUILD / "bench" / "bench_commit", house.folder / "floor.db", str(COMMITS)],
                               capture_output=True, text=True, check=True)
        floor = json.loads(floor.stdout)
        say(**floor)
        house.configure(sink.port)
        cpu, wall, _ = house.once()
        accepted = house.ledger("SELECT count(*) FROM mail WHERE state = 'accepted'")[0][0]
        if accepted != MAILS:
            raise RuntimeError(f"{accepted} mails were accepted, not {MAILS}")
        rate = MAILS / wall
        say("durable delivery to smtp-sink, one connection", mails=MAILS, seconds=round(wall, 2),
            mails_per_second=round(rate), of_bare_libcurl=round(rate / bare["mails_per_second"], 3), target=0.25,
            reached=rate >= bare["mails_per_second"] / 4)
        judge("CPU a mail, main and sender together", cpu * 1e6 / MAILS, 60, mails=MAILS,
              cpu_us_per_mail=round(cpu * 1e6 / MAILS, 1),
              of_which_nobody_can_save=round(floor["cpu_us"] + bare["cpu_us_per_mail"], 1))
        part_sync(sink)
        peer_cron(house, sink)
        peer_alertmanager(house, sink)
        house.clear()


def part_sync(sink, count=1000):
    if shutil.which("strace") is None:
        skip("commits and sync calls a mail", "strace is not installed")
        return
    house = House("sync")
    make_ready(house, count)
    house.configure(sink.port)
    trace = house.folder / "trace"
    house.once("strace", "-f", "-y", "-e", "trace=fsync,fdatasync,pwrite64", "-o", trace)
    lines = trace.read_text().splitlines()
    # A commit in PERSIST mode ends with the journal's header overwritten: its one write of 28 zero bytes.
    commits = sum("journal>" in line and "pwrite64" in line and ", 28, 0)" in line for line in lines)
    say("commits and sync calls a mail", mails=count, commits=round(commits / count, 2),
        fdatasync=round(sum("fdatasync(" in line or "fsync(" in line for line in lines) / count, 2),
        pwrite=round(sum("pwrite64(" in line for line in lines) / count, 2), target=1.1,
        reached=commits / count <= 1.1)
    house.clear()


def peer_cron(house, sink):
    script = Path(__file__).resolve().parent / "peer_cron.py"
    done = subprocess.run(["/usr/bin/python3", script, house.store, house.folder / "peer.db", str(sink.port)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        skip("cron-style Python script", done.stderr.strip().splitlines()[-1])
    else:
        say(**json.loads(done.stdout))


def peer_alertmanager(house, sink):
    name = "Alertmanager, one alert a mail"
    if shutil.which("prometheus-alertmanager") is None:
        skip(name, "prometheus-alertmanager is not installed")
        return
    script = Path(__file__).resolve().parent / "peer_alertmanager.py"
    done = subprocess.run(["/usr/bin/python3", script, house.folder, str(sink.port), str(MAILS)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        skip(name, done.stderr.strip().splitlines()[-1])
    else:
        say(**json.loads(done.stdout))


# --- the proof -------------------------------------------------------------------------------------------------------

PARTS = {"time": part_time, "pass": part_pass, "idle": part_idle, "mail": part_mail}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    for name in wanted:
        if name not in PARTS:
            sys.exit(f"bench.py: no part {name}; there are: {' '.join(PARTS)}")
    WORK.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        try:
            PARTS[name]()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            skip(f"part {name}", str(error))
            raise
    shutil.rmtree(WORK, ignore_errors=True)


if __name__ == "__main__":
    main()
