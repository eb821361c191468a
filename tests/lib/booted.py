"""A Debian 12 machine for tests: a tree made once by debootstrap, copied, and booted by systemd-nspawn.

It has a network of its own that reaches nothing but itself. Needs root, namespaces and, the first time on a machine,
a Debian mirror; `why_not()` and `tree()` say what is lacking.
"""

import hashlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

CACHE = Path("/var/cache/challenge-notifyd-test")
SUITE = "bookworm"
MIRROR = [os.environ["DEBIAN_MIRROR"]] if "DEBIAN_MIRROR" in os.environ else []  # else debootstrap's own
# What the package is tested with, besides what it depends on itself.
INCLUDE = ("systemd-sysv", "dbus", "postfix", "ca-certificates")
DEBOOTSTRAP_SECONDS = 300


class CannotRun(Exception):
    """The machine that tests run on does not allow it; the text says why."""


def why_not():
    if os.geteuid() != 0:
        return "booting a machine needs root"
    for program in ("debootstrap", "systemd-nspawn", "nsenter"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "true"],
                           capture_output=True, text=True)
    if tried.returncode != 0:
        return f"no namespaces here: {tried.stderr.strip()}"
    return ""


def depends_of(package):
    """The names of the packages that a .deb depends on; of alternatives the first."""
    field = subprocess.run(["dpkg-deb", "-f", package, "Depends"], check=True, capture_output=True, text=True).stdout
    return [one.split("|")[0].split("(")[0].strip() for one in field.split(",")]


def tree(package):
    """The tree that all copies are made of; made now if this machine has none with what the package depends on."""
    include = sorted({*INCLUDE, *depends_of(package)})
    key = hashlib.sha256(" ".join((SUITE, platform.machine(), *include)).encode()).hexdigest()[:12]
    whole = CACHE / f"{SUITE}-{key}"
    if whole.is_dir():
        return whole
    CACHE.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="new-", dir=CACHE))
    scratch.chmod(0o755)
    try:
        made = subprocess.run(["debootstrap", "--variant=minbase", "--include=" + ",".join(include), SUITE,
                               str(scratch), *MIRROR], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=DEBOOTSTRAP_SECONDS,
                              env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})
        if made.returncode != 0:
            raise CannotRun("debootstrap failed: " + (made.stdout.strip().splitlines() or ["no word"])[-1])
        for unneeded in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(scratch / unneeded, ignore_errors=True)
        os.rename(scratch, whole)
        for old in CACHE.glob(f"{SUITE}-*"):  # of other dependencies
            if old != whole:
                shutil.rmtree(old, ignore_errors=True)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"debootstrap was not done after {DEBOOTSTRAP_SECONDS} s") from None
    except OSError:
        if not whole.is_dir():  # else somebody else was faster
            raise
    finally:
        if scratch.exists():
            shutil.rmtree(scratch, ignore_errors=True)
    return whole


class Machine:
    """One booted copy; stop() ends it and takes the copy away."""

    def __init__(self, package, prepare):
        """A machine on which a package can be installed; `prepare(root)` may put files into it before it boots."""
        source = tree(package)
        self.root = Path(tempfile.mkdtemp(prefix="booted-", dir="/var/tmp"))
        self.name = "booted-" + os.urandom(4).hex()  # a folder's name may hold what a machine's may not
        self.process, self.init, self.console = None, None, None
        try:
            subprocess.run(["cp", "-a", "--reflink=auto", f"{source}/.", str(self.root)], check=True)
            self.root.chmod(0o755)
            prepare(self.root)
            self.boot()
        except BaseException:
            self.stop()
            raise

    def boot(self):
        self.console = tempfile.TemporaryFile(mode="w+", prefix="console-")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "-q", "-D", str(self.root), "--boot", "--register=no", "--keep-unit",
             "--private-network", f"--machine={self.name}", "--console=pipe",
             "--system-call-filter=bpf"],  # with it systemd filters addresses, as it does on a real machine
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            self.init = self.init or self.find_init()
            if self.init and self.run("systemctl", "is-system-running", check=False).stdout.strip() in (
                    "running", "degraded"):
                return
            time.sleep(0.2)
        self.console.seek(0)
        said = self.console.read().strip().splitlines()
        raise CannotRun("systemd-nspawn did not boot it: " + (said[-1] if said else "no word"))

    def find_init(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            try:
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
            except OSError:
                pass
        return None

    def command(self, *arguments, user=None):
        inside = ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        if user:
            inside += ["runuser", "-u", user, "--"]
        return [*inside, *arguments]

    def run(self, *arguments, user=None, check=True, timeout=90, text_in=None):
        """Runs a command inside to its end."""
        done = subprocess.run(self.command(*arguments, user=user), capture_output=True, text=True, timeout=timeout,
                              input=text_in, stdin=None if text_in is not None else subprocess.DEVNULL, cwd="/",
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"})
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def show(self, unit, name):
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def host_pid(self, inside):
        """The pid by which this side knows a process of the machine."""
        space = os.stat(f"/proc/{self.init}/ns/pid").st_ino
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                lines = status.read_text()
                if os.stat(status.parent / "ns" / "pid").st_ino != space:
                    continue
            except OSError:
                continue
            pids = next(line for line in lines.splitlines() if line.startswith("NSpid:")).split()
            if pids[-1] == str(inside):
                return int(status.parent.name)
        raise AssertionError(f"no process {inside} in the machine")

    def stop(self):
        if self.process and self.process.poll() is None:
            if self.init:
                os.kill(self.init, signal.SIGRTMIN + 4)  # systemd(1): power off
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.console:
            self.console.close()
        shutil.rmtree(self.root, ignore_errors=True)
