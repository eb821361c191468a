"""A private Exim on free ports of loopback, with TLS and logins; it needs root and scripts/deps relays.

Its package cannot stand beside Postfix's, so the daemon is unpacked below build/ and run from there. It looks
up the user "Debian-exim" when it starts, which an unpacked one lacks: a mount namespace of its own shows it
an /etc/passwd that has one. What it keeps lies in one scratch folder; mail for council.test lands in the Maildir
`mailbox`, but for bad@ (550 5.1.1) and grey@ (451 4.2.1).
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from smtp_server import make_certificate

TOP = Path(__file__).resolve().parent.parent.parent
ROOT = TOP / "build" / "relays" / "exim"
PROGRAM = ROOT / "usr" / "sbin" / "exim4"
USER, PASSWORD = "u", "correct horse"

SETTINGS = """exim_user = nobody
exim_group = nogroup
exim_path = {program}
primary_hostname = relay.test
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
pid_file_path = {folder}/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
never_users =
deliver_drop_privilege = true
keep_environment = LD_LIBRARY_PATH
disable_ipv6 = true
acl_smtp_rcpt = check_rcpt
begin acl
check_rcpt:
  deny !authenticated = *
       message = 5.7.1 Log in first
  deny recipients = bad@council.test
       message = 5.1.1 No such user
  defer recipients = grey@council.test
       message = 4.2.1 Try later
  accept
begin routers
mailbox:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  user = nobody
  group = nogroup
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{{user}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
"""

NAMESPACE = 'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && exec "$2" -C "$1/exim.conf" -bdf -q5m'


def why_not():
    """Why it cannot run here; "" if it can."""
    if os.geteuid() != 0:
        return "a private Exim needs root"
    if not PROGRAM.exists():
        return "Exim is not unpacked in build/relays: scripts/deps relays"
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        return "no mount namespace can be made here"
    return ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Exim:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="exim-"))
        self.port, self.tls_port = free_port(), free_port()
        self.mailbox = self.folder / "mail"
        self.process = None
        try:
            self.lay_out()
            self.start()
        except BaseException:
            self.stop()
            raise

    def lay_out(self):
        nobody = pwd.getpwnam("nobody")
        self.folder.chmod(0o755)
        self.certificate, key = make_certificate(self.folder, "relay")
        for name in ("spool", "mail"):
            (self.folder / name).mkdir()
        for path in (self.folder / "spool", self.mailbox, key):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        for name, line in (("passwd", "Debian-exim:x:{0.pw_uid}:{0.pw_gid}::/nonexistent:/usr/sbin/nologin"),
                           ("group", "Debian-exim:x:{0.pw_gid}:")):
            (self.folder / name).write_text(Path("/etc", name).read_text() + line.format(nobody) + "\n")
        (self.folder / "exim.conf").write_text(SETTINGS.format(
            program=PROGRAM, folder=self.folder, port=self.port, tls_port=self.tls_port, key=key,
            certificate=self.certificate, user=USER, password=PASSWORD))

    def start(self):
        libraries = ":".join(str(path) for part in ("lib", "usr/lib") for path in (ROOT / part).glob("*-linux-gnu"))
        said = os.open(self.folder / "said", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", NAMESPACE, "sh", self.folder, PROGRAM], start_new_session=True,
            env={"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=said)
        os.close(said)
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    if probe.recv(4) == b"220 ":
                        return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"exim does not listen: {self.log()}")

    def log(self):
        files = [self.folder / "said", *(self.folder / "spool").glob("*log")]
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in files if file.is_file())

    def arrived(self, count, seconds=15):
        """The mails in the mailbox, as bytes, once there are so many."""
        end = time.monotonic() + seconds
        while True:
            files = sorted((self.mailbox / "new").glob("*"))
            if len(files) >= count or time.monotonic() > end:
                return [file.read_bytes() for file in files]
            time.sleep(0.05)

    def stop(self):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)  # a session of its own: only what it started
            except ProcessLookupError:
                pass
            self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)
