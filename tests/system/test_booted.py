#!/usr/bin/python3
"""The package on a booted Debian 12: installed, hardened, watched by systemd, upgraded, removed and purged.

The tests are one story about one machine and run in order of their names. Where a machine cannot be booted they are
skipped with the reason.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))

import booted  # noqa: E402
import mail_form  # noqa: E402
from partnership import HOURS, POLICY  # noqa: E402
from smtp_server import make_certificate  # noqa: E402

UNIT = "challenge-notifyd.service"
CONFIG = "/etc/challenge-notifyd/challenge-notifyd.conf"
STATE, STORE = "/var/lib/challenge-notifyd", "/var/lib/challenge-store"
INBOX = "/var/mail/test/inbox/new"
SECRET = "correct-horse-battery"
ALERT_ID = "e000cc12f49e49c092fb18ea2c206628"
STARTED_ID = "a71546f6fdca4fa0ab0c344164330dc8"

POSTFIX = """compatibility_level = 3.6
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = relay.test
mydestination =
alias_maps =
virtual_mailbox_domains = relay.test partnership.test council.test health.test
virtual_mailbox_base = /var/mail/test
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
default_transport = discard:
smtpd_tls_cert_file = /etc/postfix/relay.pem
smtpd_tls_key_file = /etc/postfix/relay.key
smtpd_tls_security_level = may
"""

CONFIGURATION = """store = "%(store)s/challenges.db";
state = "%(state)s";
poll = "1 second";
policies = "policies";
calendars = ( { id = "england"; zone = "Europe/London"; hours = { %(hours)s };
                holidays = { file = "bank-holidays.json"; division = "england-and-wales"; }; } );
roles = ( { id = "practitioner"; title = "Practitioner"; instead = [ "manager" ]; },
          { id = "manager"; title = "Line manager"; instead = [ "senior_manager" ]; },
          { id = "senior_manager"; title = "Senior manager"; },
          { id = "business_unit"; title = "Business unit"; } );
partnership = { agency = "partnership"; name = "Example Partnership"; inbox = "inbox@partnership.test";
                telephone = "01632 960000"; emergency = "Telephone 999."; };
mail = { relay = "smtp://127.0.0.1:25"; from = "Professional Challenge <noreply@partnership.test>";
         per_minute = 0; per_person_per_day = 0; hold_above = 0;
         allow_domains = [ "partnership.test", "council.test", "health.test" ]; };
alarm = { to = [ "it@partnership.test" ]; };
""" % {"store": STORE, "state": STATE, "hours": HOURS}

# What the sandbox is to allow; everything else that probe.c tries it is to deny.
ALLOWED = {"own-state", "store-folder", "this-machine"}


def newest(*folders):
    """When the youngest file of the sources was changed."""
    return max(path.stat().st_mtime for folder in folders for path in (TOP / folder).rglob("*") if path.is_file())


def build_package():
    """The .deb of this tree; built unless the last one is younger than every source."""
    built = sorted((TOP / "build" / "package").glob("challenge-notifyd_*.deb"))
    sources = ("daemon", "conf", "systemd", "scripts")
    if built and built[-1].stat().st_mtime > max(newest(*sources), (TOP / "Makefile").stat().st_mtime):
        return built[-1]
    done = subprocess.run([TOP / "scripts" / "package"], capture_output=True, text=True, cwd=TOP)
    if done.returncode != 0:
        raise AssertionError(f"scripts/package: {done.stderr}{done.stdout}")
    return Path(done.stdout.strip().splitlines()[-1])


def with_version(package, version, folder):
    """The same package under another version."""
    tree = folder / f"tree-{version}"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    result = folder / f"challenge-notifyd_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, result], check=True, capture_output=True)
    return result


class Booted(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        reason = booted.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        cls.package = build_package()
        cls.folder = Path(tempfile.mkdtemp(prefix="test-booted-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-static", "-o", cls.folder / "probe",
                        TOP / "tests" / "system" / "probe.c"], check=True)
        try:
            cls.machine = booted.Machine(cls.package, cls.prepare)
        except booted.CannotRun as reason:
            raise unittest.SkipTest(str(reason)) from None
        cls.addClassCleanup(cls.machine.stop)
        cls.wait_for_relay()
        cls.running = False

    @classmethod
    def wait_for_relay(cls):
        """The machine's own Postfix: a mail sent before it listens would pause the queue for a minute."""
        until = time.monotonic() + 60
        while cls.machine.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/25", check=False).returncode != 0:
            if time.monotonic() > until:
                said = cls.machine.run("systemctl", "status", "--no-pager", "-n", "5", "postfix@-", check=False).stdout
                raise unittest.SkipTest("the Postfix of the booted machine does not listen: " +
                                        (said.strip().splitlines() or ["no word"])[-1])
            time.sleep(0.5)

    @classmethod
    def prepare(cls, root):
        certificate, key = make_certificate(cls.folder, "relay", names="DNS:relay.test")
        shutil.copy(certificate, root / "etc/postfix/relay.pem")
        shutil.copy(key, root / "etc/postfix/relay.key")
        (root / "etc/postfix/main.cf").write_text(POSTFIX)
        (root / "etc/hosts").write_text("127.0.0.1 localhost relay.test\n")
        mail = root / "var/mail/test"
        mail.mkdir()
        shutil.chown(mail, 65534, 65534)
        (root / "etc/this-machine-may-be-probed").write_text("")
        shutil.copy(cls.package, root / "opt/first.deb")
        shutil.copy(cls.folder / "probe", root / "opt/probe")
        (root / "home/probe").mkdir()
        (root / "home/probe/secret").write_text("x")

    def setUp(self):
        # Without a running daemon the rest of the story says nothing.
        if self._testMethodName > "test_04" and not type(self).running:
            self.fail("it was never running")

    # --- helpers ---------------------------------------------------------------------------------

    def run_inside(self, *arguments, **named):
        return self.machine.run(*arguments, **named)

    def ctl(self, *arguments, user="caseworker", **named):
        return self.run_inside("challengectl", *arguments, user=user, **named)

    def wait_for(self, what, true, seconds=30):
        until = time.monotonic() + seconds
        while not true():
            if time.monotonic() > until:
                status = self.run_inside("systemctl", "status", "--no-pager", "-n", "40", "-l", UNIT, check=False)
                self.fail(f"{what} did not happen within {seconds} s\n{status.stdout}")
            time.sleep(0.2)

    def restart(self):
        """Restarts it; starts by hand count towards its limit, too, and there are many here."""
        self.run_inside("systemctl", "reset-failed", UNIT, check=False)
        self.run_inside("systemctl", "restart", UNIT)

    def state(self, unit=UNIT):
        return self.machine.show(unit, "ActiveState")

    def drop_in(self, name, text, unit=UNIT):
        self.machine.write(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
        self.run_inside("systemctl", "daemon-reload")

    def configure(self, **changes):
        text = CONFIGURATION
        for old, new in changes.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.machine.write(CONFIG, text)

    def mails(self, holding=""):
        """The mails in the relay's one mailbox that hold a word."""
        folder = self.machine.path(INBOX)
        kept = [path.read_bytes() for path in folder.iterdir()] if folder.is_dir() else []
        kept = [mail for mail in kept if holding.encode() in mail]
        # An alert is this machine's own sendmail's, not the daemon's.
        self.assertEqual([fault for mail in kept if b"has FAILED on" not in mail
                          for fault in mail_form.faults(mail_form.as_sent(mail))], [])
        return [mail.decode() for mail in kept]

    def raise_challenge(self, reference):
        """A challenge with a reminder due, entered by somebody who only belongs to the store's group."""
        raised = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 71 * 3600))
        self.ctl("raise", "--policy", "test", "--raising", "health", "--receiving", "council",
                 "--reference", reference, "--at", raised)

    def is_told(self, reference, seconds=30):
        self.raise_challenge(reference)
        self.wait_for(f"a mail about {reference}", lambda: self.mails(reference), seconds)
        self.assertEqual(len(self.mails(reference)), 1)

    def journal(self, *arguments):
        return self.run_inside("journalctl", "--no-pager", "-q", *arguments).stdout

    # --- the story -------------------------------------------------------------------------------

    def test_01_install(self):
        self.run_inside("dpkg", "-i", "/opt/first.deb")
        self.assertEqual(self.machine.show(UNIT, "UnitFileState"), "enabled")
        self.assertEqual(self.state(), "inactive", "it has no configuration yet")
        self.assertIn("ConditionPathExists", self.run_inside("systemctl", "status", UNIT, check=False).stdout)
        self.assertEqual(self.run_inside("stat", "-c", "%A %U %G", STORE).stdout.strip(),
                         "drwxrws--- root challenge-store")
        for timer in ("holidays", "backup"):
            unit = f"challenge-notifyd-{timer}.timer"
            self.assertEqual((self.machine.show(unit, "UnitFileState"), self.state(unit)), ("disabled", "inactive"))

    def test_02_example_configuration_has_no_fault(self):
        self.run_inside("cp", "-r", "/usr/share/challenge-notifyd/example/.", "/etc/challenge-notifyd/")
        self.assertIn("No faults", self.run_inside("challengectl", "check").stdout)
        self.run_inside("challenge-notifyd", "--check-config")
        self.run_inside("rm", "-r", "/etc/challenge-notifyd/policies")

    def test_03_active_and_a_mail_by_a_real_postfix(self):
        self.run_inside("useradd", "--create-home", "--groups", "challenge-store", "caseworker")
        self.run_inside("useradd", "stranger")
        self.machine.write("/etc/challenge-notifyd/policies/test.conf", POLICY)
        self.machine.write("/etc/challenge-notifyd/smtp-password", SECRET, 0o600)
        self.configure()
        self.ctl("init")
        for agency in ("partnership", "council", "health"):
            self.ctl("agency", "add", agency, "--name", agency.capitalize())
        for agency, role in (("partnership", "business_unit"), ("council", "practitioner"), ("council", "manager"),
                             ("health", "practitioner"), ("health", "manager")):
            self.ctl("contact", "add", "--agency", agency, "--role", role, "--name", f"{agency} {role}",
                     "--email", f"{role}@{agency}.test")
        self.restart()
        self.assertEqual((self.state(), self.machine.show(UNIT, "SubState")), ("active", "running"))
        self.assertIn("Watching the store", self.machine.show(UNIT, "StatusText"))
        self.is_told("T-by-address")
        type(self).running = True

    def test_04_files_belong_to_whom_they_should(self):
        self.assertEqual(self.run_inside("stat", "-c", "%A %U", STATE).stdout.strip(), "drwx------ challenge-notifyd")
        self.assertEqual(self.run_inside("stat", "-c", "%A %U %G", f"{STATE}/ledger.db").stdout.split()[:2],
                         ["-rw-------", "challenge-notifyd"])
        self.assertEqual(self.run_inside("stat", "-c", "%A %U %G", f"{STORE}/challenges.db").stdout.strip(),
                         "-rw-rw---- caseworker challenge-store")

    def test_04_last_good_poll_is_for_everybody_to_see(self):
        self.assertEqual(self.run_inside("stat", "-c", "%A %U %s", "/run/challenge-notifyd/pulse").stdout.strip(),
                         "-rw-r--r-- challenge-notifyd 4096")
        for user in ("root", "caseworker"):  # who may not read the ledger
            poll = json.loads(self.ctl("status", "--json", user=user, check=False).stdout)["poll"]
            self.assertEqual((poll["stale"], poll["promise"]), (False, "kept"), user)

    def test_05_credentials_are_for_the_daemon_alone(self):
        given = f"/run/credentials/{UNIT}/smtp-password"
        self.assertEqual(self.run_inside("cat", given).stdout, SECRET)
        self.run_inside("cat", given, user="challenge-notifyd")
        for path in (given, "/etc/challenge-notifyd/smtp-password"):
            for user in ("caseworker", "stranger"):
                self.assertNotEqual(self.run_inside("cat", path, user=user, check=False).returncode, 0, path)
        pid = self.machine.show(UNIT, "MainPID")
        for file in ("environ", "cmdline"):
            self.assertNotIn(SECRET, self.run_inside("cat", f"/proc/{pid}/{file}").stdout)
        self.assertNotIn(SECRET, self.journal())

    def test_06_good_reload_then_a_mail_by_name_over_tls(self):
        self.run_inside("cp", "/etc/postfix/relay.pem", "/etc/challenge-notifyd/relay-ca.pem")
        self.configure(**{'relay = "smtp://127.0.0.1:25";': 'relay = "smtp://relay.test:25"; ca = "relay-ca.pem";'})
        self.run_inside("systemctl", "reload", UNIT)
        self.wait_for("the new configuration", lambda: "configuration" in self.journal("-u", UNIT, "-o", "cat")
                      and "00b6c5e7ddb740dfa444dc395aded8b0" in self.journal("-u", UNIT, "-o", "export"))
        self.is_told("T-by-name")
        self.assertIn("with ESMTPS id", self.mails("T-by-name")[0])

    def test_06_metrics_through_the_sandbox(self):
        folder = "/var/lib/prometheus/node-exporter"
        self.run_inside("install", "-d", "-o", "challenge-notifyd", folder)
        self.drop_in("metrics", self.machine.path("/usr/share/challenge-notifyd/example/metrics.conf").read_text())
        before = self.machine.path(CONFIG).read_text()
        self.machine.write(CONFIG, f'metrics = "{folder}/challenge_notifyd.prom";\n{before}')
        self.restart()
        written = self.machine.path(f"{folder}/challenge_notifyd.prom")
        self.wait_for("the metrics", written.exists)
        self.assertIn("\nchallenge_notifyd_promise_kept 1\n", written.read_text())
        self.run_inside("cat", f"{folder}/challenge_notifyd.prom", user="stranger")
        self.machine.write(CONFIG, before)
        self.run_inside("rm", f"/etc/systemd/system/{UNIT}.d/metrics.conf")
        self.run_inside("systemctl", "daemon-reload")
        self.restart()
        self.run_inside("rm", "-r", "/var/lib/prometheus")

    def test_07_bad_reload_fails_and_the_daemon_never_hears_of_it(self):
        good = self.machine.path(CONFIG).read_text()
        try:
            self.machine.write(CONFIG, good.replace("per_minute", "per_minuet"))
            done = self.run_inside("systemctl", "reload", UNIT, check=False)
        finally:
            self.machine.write(CONFIG, good)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.state(), "active")
        self.assertIn("per_minuet", self.journal("-u", UNIT))
        self.assertNotIn("244ecade16e44829b6f43b67adf5f95e", self.journal("-u", UNIT, "-o", "export"),
                         "the daemon was asked to read it")
        self.is_told("T-after-bad-reload")

    def test_08_no_call_is_refused_in_a_full_cycle(self):
        """EPERM, EACCES or SIGSYS from the sandbox, in the daemon, its checks and its senders, from start to stop."""
        log = self.folder / "trace"
        log.mkdir()
        tracer = subprocess.Popen(["strace", "-ff", "-qq", "-o", str(log / "of"), "-p", str(self.machine.init)],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            self.restart()
            self.is_told("T-traced", 60)
            self.run_inside("systemctl", "reload", UNIT)
            time.sleep(2)
            self.restart()
        finally:
            tracer.terminate()
            tracer.wait()
        texts = {path.suffix[1:]: path.read_text(errors="replace") for path in log.iterdir()}
        ours = {pid: text for pid, text in texts.items()
                if re.search(r'execve\("\S*(challenge-notifyd|challenge-notify-sender)"', text)}
        while True:  # what they forked
            children = {child for text in ours.values()
                        for child in re.findall(r"(?m)^(?:v?fork|clone3?)\(.*= (\d+)$", text)} & set(texts)
            if children <= set(ours):
                break
            ours.update({child: texts[child] for child in children})
        self.assertTrue(any("challenge-notify-sender" in text for text in ours.values()), sorted(texts))
        self.assertGreaterEqual(len(ours), 4)
        refused = []
        for pid, text in ours.items():
            after = text[max(text.rfind("execve("), 0):]  # before it, systemd itself was at work
            # libsystemd asks for a large buffer as only root may, and then for one as anybody may.
            refused += [f"{pid}: {line}" for line in after.splitlines()
                        if re.search(r"= -1 EPERM|SIGSYS|= -1 EACCES", line) and "SO_SNDBUFFORCE" not in line]
        self.assertEqual(refused, [])

    def test_09_the_sandbox_denies(self):
        # A second address of this machine: outside the sandbox it can be reached.
        subprocess.run(["nsenter", "-t", str(self.machine.init), "-n", "ip", "address", "add", "192.0.2.25/32",
                        "dev", "lo"], check=True)
        free = self.verdicts(self.run_inside("env", f"STATE_DIRECTORY={STATE}", "/opt/probe").stdout)
        self.assertEqual([name for name, word in free.items() if word != "allowed"], [], "as root, without a sandbox")
        self.run_inside("systemctl", "stop", UNIT)
        unit = self.machine.path(f"/lib/systemd/system/{UNIT}").read_text()
        unit = re.sub(r"(?m)^(Type|NotifyAccess|ExecReload|Restart|WatchdogSec|OnFailure|ExecStart)=.*\n", "", unit)
        unit = unit.replace("[Service]\n", "[Service]\nType=oneshot\nExecStart=/opt/probe\nExecPaths=/opt/probe\n")
        self.machine.write("/etc/systemd/system/probe.service", unit)
        self.run_inside("systemctl", "daemon-reload")
        self.run_inside("systemctl", "start", "probe.service")
        shut_in = self.verdicts(self.journal("-u", "probe.service", "-o", "cat"))
        self.restart()
        self.assertEqual(set(shut_in), set(free))
        self.assertGreaterEqual(len(shut_in) - len(ALLOWED), 12)
        type(self).other_address = shut_in.pop("other-address")
        wrong = {name: word for name, word in shut_in.items() if (word == "allowed") != (name in ALLOWED)}
        self.assertEqual(wrong, {})

    def test_09_the_sandbox_denies_other_addresses(self):
        everything = self.run_inside("systemd-run", "--wait", "-q", "--pipe", "-p", "IPAddressDeny=any", "/opt/probe").stdout
        if self.verdicts(everything)["this-machine"] == "allowed":
            self.skipTest("systemd cannot filter addresses on this machine (BPF)")
        self.assertRegex(self.other_address, "denied: Operation not permitted")

    def verdicts(self, said):
        return dict(re.findall(r"(?m)^([a-z-]+): (allowed|denied: .*)$", said))

    def test_10_journal_explains_itself(self):
        self.run_inside("journalctl", "--update-catalog")
        said = self.journal("-x", "-u", UNIT)
        for text in ("Subject: The daemon is running", "Subject: The relay accepted a mail",
                     "Subject: A new configuration is in use", "Subject: The daemon stops"):
            self.assertIn(text, said)
        listed = self.run_inside("journalctl", "--list-catalog").stdout
        for identity in re.findall(r"(?m)^-- ([0-9a-f]{32})$",
                                   (TOP / "systemd" / "challenge-notifyd.catalog").read_text()):
            self.assertIn(identity, listed)
        exported = self.journal("-u", UNIT, "-o", "export", "MESSAGE_ID=8b5e9f3221974834a7c826155d743cf0")
        for field in ("CHALLENGE_REF=T-by-address", "OUTCOME=", "MAIL="):
            self.assertIn(field, exported)
        self.assertNotIn("@council.test", said)

    def test_11_a_stopped_process_is_killed_by_the_watchdog_and_started_again(self):
        self.drop_in("quick", "[Service]\nWatchdogSec=6\nRestartSec=1\n")
        self.restart()
        pid = self.machine.show(UNIT, "MainPID")
        begun = time.monotonic()
        self.run_inside("kill", "-STOP", pid) if self.machine.path("/bin/kill").exists() else \
            self.run_inside("systemctl", "kill", "--kill-whom=main", "--signal=STOP", UNIT)
        self.wait_for("a new process", lambda: self.machine.show(UNIT, "MainPID") not in ("0", pid)
                      and self.state() == "active", 6 + 1 + 10 + 5)
        self.assertLessEqual(time.monotonic() - begun, 6 + 1 + 10)
        self.assertIn("Watchdog timeout", self.journal("-u", UNIT))
        self.is_told("T-after-watchdog")

    def test_12_five_crashes_alert_once_and_the_timer_revives(self):
        before, alerts = len(self.mails("has FAILED on")), len(self.alerts())
        self.drop_in("quick", "[Service]\nRestartSec=100ms\n")
        self.drop_in("quick", "[Timer]\nOnActiveSec=\nOnActiveSec=6s\n", "challenge-notifyd-revive.timer")
        self.restart()
        for _ in range(5):
            self.wait_for("running", lambda: self.state() == "active")
            pid = self.machine.show(UNIT, "MainPID")
            self.run_inside("systemctl", "kill", "--kill-whom=main", "--signal=SEGV", UNIT)
            self.wait_for("its end", lambda: self.machine.show(UNIT, "MainPID") != pid)
        self.wait_for("failed", lambda: self.state() == "failed")
        self.wait_for("the alert", lambda: len(self.alerts()) == alerts + 1)
        self.assertIn(UNIT, self.alerts()[-1])
        self.wait_for("a mail to root by this machine's own sendmail",
                      lambda: len(self.mails("has FAILED on")) == before + 1)
        self.wait_for("revived", lambda: self.state() == "active", 30)
        self.assertEqual(len(self.alerts()), alerts + 1, "it was told again")
        self.assertEqual(self.state("challenge-notifyd-revive.timer"), "inactive")
        self.is_told("T-after-revival")

    def alerts(self):
        return [line for line in self.journal("-o", "cat", f"MESSAGE_ID={ALERT_ID}").splitlines() if line]

    def test_13_bad_configuration_fails_once_and_says_where(self):
        good = self.machine.path(CONFIG).read_text()
        before = len(self.alerts())
        self.run_inside("systemctl", "stop", UNIT)
        self.run_inside("systemctl", "reset-failed", UNIT, check=False)
        try:
            self.machine.write(CONFIG, good.replace("per_minute", "per_minuet"))
            self.assertNotEqual(self.run_inside("systemctl", "start", UNIT, check=False).returncode, 0)
        finally:
            self.machine.write(CONFIG, good)
        self.assertEqual((self.state(), self.machine.show(UNIT, "ExecMainStatus")), ("failed", "78"))
        self.wait_for("the alert", lambda: len(self.alerts()) == before + 1)
        self.run_inside("systemctl", "stop", "challenge-notifyd-revive.timer")
        self.restart()

    def test_13_timers_that_are_off_until_somebody_wants_them(self):
        for number in range(2):
            if number:
                time.sleep(1.1)  # copies are named after the second
            done = self.run_inside("systemctl", "start", "challenge-notifyd-backup.service", check=False)
            self.assertEqual(done.returncode, 0, self.journal("-u", "challenge-notifyd-backup.service"))
        copies = self.run_inside("ls", "/var/lib/challenge-notifyd-backup").stdout.split()
        self.assertEqual(len(copies), 2)
        self.assertEqual(self.run_inside("stat", "-c", "%A %U", "/var/lib/challenge-notifyd-backup").stdout.strip(),
                         "drwx------ challenge-notifyd")
        # No network here, and no curl: the old list stays, and somebody is told.
        before, old = len(self.alerts()), self.machine.path("/etc/challenge-notifyd/bank-holidays.json").read_bytes()
        self.assertNotEqual(self.run_inside("systemctl", "start", "challenge-notifyd-holidays.service",
                                            check=False).returncode, 0)
        self.wait_for("the alert", lambda: len(self.alerts()) == before + 1)
        self.assertEqual(self.machine.path("/etc/challenge-notifyd/bank-holidays.json").read_bytes(), old)
        # A newer list from a file, through the same sandbox.
        newer = old.replace(b'"date": "2027-', b'"date": "2028-') if b'"date": "2027-' in old else \
            old.replace(b'"date":"2027-', b'"date":"2028-')
        self.assertNotEqual(newer, old)
        self.machine.path("/opt/newer.json").write_bytes(newer)
        self.drop_in("from", "[Service]\nExecStart=\n"
                     "ExecStart=/usr/libexec/challenge-notifyd/update-holidays --from /opt/newer.json\n",
                     "challenge-notifyd-holidays.service")
        self.run_inside("systemctl", "start", "challenge-notifyd-holidays.service")
        self.assertEqual(self.machine.path("/etc/challenge-notifyd/bank-holidays.json").read_bytes(), newer)
        self.wait_for("the end of the reload", lambda: self.state() == "active")

    def test_13_a_start_waits_for_its_store_and_says_so(self):
        store, away = (self.machine.path(f"{STORE}/{name}") for name in ("challenges.db", "away.db"))
        self.run_inside("systemctl", "stop", UNIT)
        store.rename(away)
        try:
            self.run_inside("systemctl", "start", "--no-block", UNIT)
            self.wait_for("trouble", lambda: "TROUBLE: the store" in self.machine.show(UNIT, "StatusText"))
            self.assertEqual(self.state(), "activating")
        finally:
            away.rename(store)
        self.wait_for("running", lambda: self.state() == "active")

    def of_the_manual(self, first):
        """The literal lines of challenge-notifyd(8) that begin with that one, as a reader sees them."""
        page = (TOP / "daemon" / "man" / "challenge-notifyd.8").read_text()
        found = re.search(rf"(?m)^\.Bd -literal.*\n({re.escape(first)}(?:.*\n)+?)\.Ed$", page)
        self.assertIsNotNone(found, first)
        return found.group(1).replace("\\e", "\\")

    def relay_that_wants_a_login(self, password):
        """Outside the machine but for its network; the folder of the mails that it took."""
        folder = self.folder / "relay-with-login"
        folder.mkdir()
        relay = subprocess.Popen(["nsenter", "-t", str(self.machine.init), "-n", "--", sys.executable,
                                  str(TOP / "tests" / "lib" / "smtp_server.py"), "--port", "2525", "--maildir",
                                  str(folder / "mail"), "--port-file", str(folder / "port"), "--user", "noreply",
                                  "--password", password, "--tls", "starttls", "--certificate",
                                  str(self.folder / "relay.pem"), "--key", str(self.folder / "relay.key")],
                                 stdin=subprocess.DEVNULL)
        self.addCleanup(relay.wait)
        self.addCleanup(relay.terminate)
        self.wait_for("the relay", (folder / "port").exists)
        return folder / "mail"

    def test_13_a_login_with_a_secret_that_is_encrypted_for_this_machine(self):
        """As the manual says how; the relay takes nothing without the right password."""
        secret, plain = "only-for-this-machine", "/etc/challenge-notifyd/smtp-password"
        taken = self.relay_that_wants_a_login(secret)
        before = self.machine.path(CONFIG).read_text()
        self.run_inside("sh", "-c", self.of_the_manual("systemd-creds encrypt"), text_in=secret)
        self.assertNotIn(secret.encode(), self.machine.path(f"{plain}.cred").read_bytes())
        self.run_inside("rm", plain)
        self.drop_in("encrypted", self.of_the_manual("[Service]"))
        try:
            self.configure(**{'relay = "smtp://127.0.0.1:25";': 'relay = "smtp://relay.test:2525"; ca = "relay-ca.pem"; '
                              'login = { user = "noreply"; mechanism = "PLAIN"; credential = "smtp-password"; };'})
            self.restart()
            self.raise_challenge("T-encrypted")
            self.wait_for("a mail after a login", lambda: any(
                "T-encrypted" in path.read_text() for path in (taken / "new").glob("*")))
            given = f"/run/credentials/{UNIT}/smtp-password"
            for user in ("caseworker", "stranger"):
                self.assertNotEqual(self.run_inside("cat", given, user=user, check=False).returncode, 0)
            self.assertNotIn(secret, self.journal())
            # A file that was damaged, or encrypted for another machine, starts nothing.
            self.run_inside("systemctl", "stop", UNIT)
            whole = self.machine.path(f"{plain}.cred").read_text()
            self.machine.write(f"{plain}.cred", whole[:40] + ("A" if whole[40] != "A" else "B") + whole[41:])
            self.assertNotEqual(self.run_inside("systemctl", "start", UNIT, check=False).returncode, 0)
            self.assertEqual(self.machine.show(UNIT, "ExecMainStatus"), "243", "EXIT_CREDENTIALS of systemd.exec(5)")
        finally:
            self.run_inside("systemctl", "stop", UNIT)
            self.run_inside("rm", "-f", f"{plain}.cred", f"/etc/systemd/system/{UNIT}.d/encrypted.conf")
            self.machine.write(plain, SECRET, 0o600)
            self.machine.write(CONFIG, before)
            self.run_inside("systemctl", "daemon-reload")
            self.restart()
        self.is_told("T-in-plain-again")

    def test_14_upgrades_while_sending_lose_and_double_nothing(self):
        """Ten upgrades; a conffile that somebody changed stays as it is."""
        words = self.machine.path("/etc/challenge-notifyd/templates/en/foot.txt")
        words.write_text(words.read_text() + "\nEdited by the partnership.\n")
        packages = [with_version(self.package, f"0.1.0+{number}", self.folder) for number in (1, 2)]
        for package in packages:
            shutil.copy(package, self.machine.path("/opt"))
        wanted = []
        for turn in range(10):
            for number in range(3):
                wanted.append(f"T-up-{turn:02}-{number}")
                self.raise_challenge(wanted[-1])
            self.run_inside("dpkg", "--force-confold", "--force-downgrade", "-i", f"/opt/{packages[turn % 2].name}")
        self.assertEqual(self.state(), "active")
        self.wait_for("all mails", lambda: all(self.mails(reference) for reference in wanted), 60)
        time.sleep(2)
        self.assertEqual([reference for reference in wanted if len(self.mails(reference)) != 1], [])
        self.assertIn("Edited by the partnership", words.read_text())
        self.assertIn("Edited by the partnership", self.mails(wanted[-1])[0])
        self.run_inside("challengectl", "audit", "verify", user="challenge-notifyd")

    def test_15_removed_it_keeps_its_state(self):
        self.run_inside("dpkg", "--remove", "challenge-notifyd")
        self.assertNotEqual(self.state(), "active")
        for path in (CONFIG, f"{STATE}/ledger.db", f"{STORE}/challenges.db"):
            self.assertTrue(self.machine.path(path).exists(), path)
        self.assertFalse(self.machine.path("/usr/sbin/challenge-notifyd").exists())
        self.run_inside("dpkg", "-i", "/opt/first.deb")
        self.wait_for("running again, with its memory", lambda: self.state() == "active")
        self.is_told("T-installed-again")
        self.assertEqual(len(self.mails("T-by-address")), 1)

    def test_16_purged_it_leaves_nothing_but_the_partnerships_store(self):
        self.run_inside("dpkg", "--purge", "challenge-notifyd")
        self.run_inside("rm", "-rf", "/etc/systemd/system/probe.service",
                        *(f"/etc/systemd/system/{unit}.d" for unit in
                          (UNIT, "challenge-notifyd-revive.timer", "challenge-notifyd-holidays.service")))
        left = self.run_inside("find", "/etc", "/usr", "/lib/systemd", "/var/lib", "/run/systemd", "-name",
                               "*challenge*", "-not", "-path", "/run/systemd/propagate/*").stdout.split()
        self.assertEqual([path for path in left if not path.startswith(STORE)], [])
        self.assertIn(f"{STORE}/challenges.db", left)


if __name__ == "__main__":
    unittest.main()
