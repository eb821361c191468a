"""A private Postfix on free ports of loopback, with TLS and logins; it needs root and the package.

What it keeps lies in one scratch folder. STARTTLS on `port`, implicit TLS on `tls_port`; the user
is u@relay.test. Mail for council.test lands in the Maildir `mailbox`, but for bad@ (550 5.1.1) and
grey@ (450 4.2.1).
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from smtp_server import make_certificate

SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

SETTINGS = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
mynetworks =
alias_maps =
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = relay.test
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{{{bad@council.test = 550 5.1.1 No such user}}, {{grey@council.test = 450 4.2.1 Try later}}}}, permit_sasl_authenticated, reject
smtpd_forbid_bare_newline = yes
virtual_mailbox_domains = council.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
default_transport = discard:
"""

LOGINS = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/conf/sasldb2
mech_list: PLAIN LOGIN
"""

USER, PASSWORD = "u@relay.test", "correct horse"


def why_not():
    """What keeps it from running here; "" when nothing does."""
    if os.geteuid() != 0:
        return "a private Postfix needs root"
    for program in ("postfix", "saslpasswd2", "openssl"):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            return f"{program} is not installed"
    return ""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Postfix:
    """Use as a context manager."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-test-", dir="/var/tmp"))
        self.folder.chmod(0o755)  # its servers run as other users
        self.conf, self.mailbox = self.folder / "conf", self.folder / "mail" / "inbox"
        self.port, self.tls_port = free_port(), free_port()
        try:
            self.lay_out()
            self.run("start")
            self.wait()
        except BaseException:
            self.stop()
            raise

    def lay_out(self):
        for name in ("conf/sasl", "spool", "data", "mail"):
            (self.folder / name).mkdir(parents=True)
        postfix, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        os.chown(self.folder / "data", postfix.pw_uid, -1)
        os.chown(self.folder / "mail", nobody.pw_uid, -1)
        self.certificate, key = make_certificate(self.conf, "relay")
        facts = {"folder": self.folder, "certificate": self.certificate, "key": key,
                 "port": self.port, "tls_port": self.tls_port}
        for name, text in (("main.cf", SETTINGS), ("master.cf", SERVICES),
                           ("sasl/smtpd.conf", LOGINS)):
            (self.conf / name).write_text(text.format(**facts))
        database = self.conf / "sasldb2"
        subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", database, "-u", "relay.test", "u"],
                       input=PASSWORD.encode(), check=True)
        os.chown(database, 0, postfix.pw_gid)
        database.chmod(0o640)

    def run(self, command, check=True):
        done = subprocess.run(["/usr/sbin/postfix", "-c", self.conf, command], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"postfix {command}: {done.stderr}{self.log()}")

    def wait(self):
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    if probe.recv(4) == b"220 ":
                        return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"postfix does not listen: {self.log()}")

    def log(self):
        file = self.folder / "maillog"
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""

    def arrived(self, count, seconds=10):
        """The mails in the mailbox, as bytes, once there are so many."""
        end = time.monotonic() + seconds
        while True:
            folder = self.mailbox / "new"
            files = sorted(folder.iterdir()) if folder.exists() else []
            if len(files) >= count or time.monotonic() > end:
                return [file.read_bytes() for file in files]
            time.sleep(0.05)

    def stop(self):
        self.run("stop", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
