#!/usr/bin/python3
"""An SMTP server that does what it is told, and notes with fsync what it was given.

As a program it is a plain sink that writes a Maildir:

    tests/lib/smtp_server.py --port 0 --maildir DIR --log FILE --port-file FILE

As a module it plays every fault that a relay can have, at every step of the dialogue (see STEPS
and FAULTS): server.fault("dot", "drop"). Standard library only; `openssl` makes certificates.

It reads the form of every mail (mail_form), and will not stop without saying what was wrong.
"""

import argparse
import base64
import contextlib
import email
import email.policy
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import mail_form  # noqa: E402

STEPS = ("connect", "greeting", "EHLO", "STARTTLS", "tls", "AUTH", "MAIL", "RCPT", "DATA", "body",
         "dot", "QUIT")

FAULTS = {
    "drop": "close the connection",
    "rst": "reset the connection",
    "hang": "say nothing, for `seconds`",
    "slow": "answer as usual, a byte every `seconds`",
    "421": "say 421 and close",
    "4xx": "refuse for now",
    "5xx": "refuse for good",
    "garbage": "answer with bytes that are no reply, and hang",
    "huge": "answer as usual, in a reply of a megabyte",
    "nul": "answer as usual, with NUL and control characters in the text",
    "extra": "answer as usual, with `reply` behind it",
    "tls_eof": "close the socket below TLS, without its goodbye",
    "late": "answer as usual after `seconds`",
    "reply": "answer with the bytes of `reply` and go on",
}

USUAL = {  # what a contented server says
    "greeting": b"220 sink.test ESMTP\r\n", "STARTTLS": b"220 2.0.0 Go ahead\r\n",
    "AUTH": b"235 2.7.0 Welcome\r\n", "MAIL": b"250 2.1.0 Sender ok\r\n",
    "RCPT": b"250 2.1.5 Recipient ok\r\n", "DATA": b"354 End with a dot\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
}


def path_address(rest):
    """The address in the argument of MAIL or RCPT."""
    return rest.partition("<")[2].partition(">")[0]


def form_of(mail, recipients):
    """What is wrong with a mail that came, one line each."""
    try:
        found = mail_form.faults(mail, recipients[0] if len(recipients) == 1 else str(recipients))
    except Exception as error:  # the parser itself fell over: that is the mail's fault
        found = [repr(error)]
    return [f"{fault}, in: {mail[:600]!r}" for fault in found]


class Closed(Exception):
    """This connection is over."""


class Rule:
    """One fault: where, what, on which connection (from 1; None: any), and how often."""

    def __init__(self, step, kind, *, connection=None, times=1, seconds=60.0, reply=b""):
        if step not in STEPS or kind not in FAULTS:
            raise ValueError(f"{step}={kind}: no such step or fault")
        self.step, self.kind, self.connection = step, kind, connection
        self.times, self.seconds, self.reply = times, seconds, reply


class Server:
    """Listens on loopback in threads of its own. Use as a context manager."""

    def __init__(self, *, host="127.0.0.1", port=0, tls="none", certificate=None, users=None,
                 mechanisms=("PLAIN", "LOGIN", "XOAUTH2"), hide=(), maildir=None, log=None, newest_tls=None):
        self.tls, self.users, self.hide = tls, users, set(hide)
        self.mechanisms, self.certificate, self.newest_tls = mechanisms, certificate, newest_tls
        self.maildir = Path(maildir) if maildir else None
        if self.maildir:
            for part in ("tmp", "new", "cur"):
                (self.maildir / part).mkdir(parents=True, exist_ok=True)
        self.log_file = open(log, "a", encoding="utf-8") if log else None
        self.events, self.mails, self.rules, self.arrived = [], [], [], {}
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.connections, self.sockets = 0, set()
        self.listener = socket.create_server((host, port), backlog=128)
        self.host, self.port = self.listener.getsockname()[:2]
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            sockets = list(self.sockets)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(timeout=5)
        with self.lock:
            if self.log_file:
                self.log_file.close()
                self.log_file = None
            arrived, self.arrived = self.arrived, {}
        malformed = [fault for mail, recipients in arrived.items() for fault in form_of(mail, recipients)]
        if malformed:
            raise AssertionError("malformed mails came:\n" + "\n".join(malformed))

    def fault(self, step, kind, **how):
        """From now on: this fault at that step, as Rule describes."""
        self.rules.append(Rule(step, kind, **how))

    def take_rule(self, step, connection):
        with self.lock:
            for rule in self.rules:
                if (rule.step == step and rule.connection in (None, connection)
                        and (rule.times is None or rule.times > 0)):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
        return None

    def note(self, event, *, sync=False, **fields):
        """One line of JSON; on the disk before this returns, where `sync` asks for that."""
        entry = {"at": time.time(), "event": event, **fields}
        with self.lock:
            self.events.append(entry)
            if self.log_file:
                self.log_file.write(json.dumps(entry) + "\n")
                self.log_file.flush()
                if sync:
                    os.fsync(self.log_file.fileno())

    def seen(self, event, **fields):
        """The events of that name so far that have these fields."""
        with self.lock:
            return [e for e in self.events if e["event"] == event
                    and all(e.get(k) == v for k, v in fields.items())]

    def verbs(self, connection=None):
        """The commands that were said, in order."""
        return [e["verb"] for e in self.seen("command")
                if connection in (None, e["connection"])]

    def keep(self, mail):
        """Into memory and, on the disk before this returns, into the Maildir."""
        with self.lock:
            self.mails.append(mail)
            number = len(self.mails)
        if self.maildir is None:
            return
        name = f"{time.time():.6f}.{os.getpid()}_{number}.sink"
        with open(self.maildir / "tmp" / name, "xb") as file:
            file.write(mail["bytes"])
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.maildir / "tmp" / name, self.maildir / "new" / name)

    def _listen(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
                self.sockets.add(sock)
            threading.Thread(target=Connection(self, sock, number).run, daemon=True).start()


class Connection:
    def __init__(self, server, sock, number):
        self.server, self.sock, self.raw, self.number = server, sock, sock, number
        self.buffer, self.secure, self.authenticated = b"", False, False
        self.sender = self.recipients = None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # --- bytes ---

    def line(self):
        while b"\n" not in self.buffer:
            more = self.sock.recv(65536)
            if not more:
                raise Closed
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def say(self, reply):
        self.sock.sendall(reply)

    def close(self, *, reset=False):
        if reset:
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self.server.lock:
            self.server.sockets.discard(self.raw)
        for sock in (self.sock, self.raw):
            with contextlib.suppress(OSError, ValueError):
                sock.close()

    def drop(self, *, reset=False, below_tls=False):
        if below_tls and isinstance(self.sock, ssl.SSLSocket):
            bare = socket.socket(fileno=self.sock.detach())
            self.sock = self.raw = bare
        self.close(reset=reset)
        raise Closed

    def wait(self, seconds):
        """Until the time is over, the client goes away or the server stops."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.server.stopping.is_set():
            self.raw_peek()
            time.sleep(min(0.02, seconds))

    def raw_peek(self):
        """Raises Closed when the client has closed its side."""
        try:
            if self.raw.fileno() >= 0:
                data = socket.socket.recv(self.sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) \
                    if not isinstance(self.sock, ssl.SSLSocket) else b"?"
                if data == b"":
                    raise Closed
        except BlockingIOError:
            pass
        except OSError:
            raise Closed from None

    # --- answers, right and wrong ---

    def answer(self, step, usual=None):
        """Says what is usual at that step, or plays its fault. True when the step was taken."""
        usual = USUAL.get(step, b"") if usual is None else usual
        rule = self.server.take_rule(step, self.number)
        if rule is None:
            self.say(usual)
            return usual[:1] in (b"2", b"3", b"")
        self.server.note("fault", step=step, kind=rule.kind, connection=self.number)
        return self.misbehave(rule, usual)

    def misbehave(self, rule, usual):
        kind = rule.kind
        if kind in ("drop", "rst", "tls_eof"):
            self.drop(reset=kind == "rst", below_tls=kind == "tls_eof")
        if kind == "hang":
            self.wait(rule.seconds)
            self.drop()
        if kind == "421":
            self.say(b"421 4.3.2 Shutting down\r\n")
            self.drop()
        if kind in ("4xx", "5xx"):
            self.say(rule.reply or {"4xx": b"450 4.2.1 Try later\r\n",
                                    "5xx": b"550 5.7.1 Not here\r\n"}[kind])
            return False
        if kind == "reply":
            self.say(rule.reply)
            return rule.reply[:1] in (b"2", b"3")
        if kind == "garbage":
            self.say(b"\x80\xff\x01 <html>\r\n" * 3)
            self.wait(rule.seconds)
            self.drop()
        if kind == "late":
            self.wait(rule.seconds)
            self.say(usual)
        elif kind == "slow":
            for i in range(len(usual)):
                self.say(usual[i:i + 1])
                self.wait(rule.seconds)
        elif kind == "huge":
            code = usual[:3] or b"250"
            self.say((code + b"-" + b"x" * 96 + b"\r\n") * 10000 + usual)
        elif kind == "nul":
            self.say(usual[:4] + b"a\x00b\x07\x1b[31m<someone@council.test> " + usual[4:])
        elif kind == "extra":
            self.say(usual + (rule.reply or b"550 5.1.1 Not yours\r\n"))
        return usual[:1] in (b"2", b"3", b"")

    # --- the dialogue ---

    def run(self):
        try:
            self.server.note("connect", connection=self.number)
            self.plain_fault("connect")
            if self.server.tls == "implicit":
                self.start_tls()
            self.answer("greeting")
            while True:
                self.command(self.line())
        except (Closed, OSError, ValueError):
            pass
        finally:
            self.server.note("closed", connection=self.number)
            self.close()

    def plain_fault(self, step):
        """A fault at a step that has no reply of its own."""
        rule = self.server.take_rule(step, self.number)
        if rule is not None:
            self.server.note("fault", step=step, kind=rule.kind, connection=self.number)
            self.misbehave(rule, b"")
            if rule.kind in ("4xx", "5xx", "reply"):
                self.drop()

    def start_tls(self):
        self.plain_fault("tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.server.certificate)
        if self.server.newest_tls:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # or this OpenSSL itself would not speak it
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = self.server.newest_tls
        self.raw = self.sock = context.wrap_socket(self.sock, server_side=True,
                                                   do_handshake_on_connect=False)
        with self.server.lock:
            self.server.sockets.add(self.sock)
        try:
            self.sock.do_handshake()
        except OSError as error:  # ssl.SSLError too
            self.server.note("tls_failed", connection=self.number, why=str(error))
            raise Closed from None
        self.buffer, self.secure = b"", True

    def command(self, line):
        words = line.rstrip(b"\r\n").split(b" ", 1)
        verb = words[0].upper().decode("ascii", "replace")
        rest = words[1].decode("ascii", "replace") if len(words) > 1 else ""
        self.server.note("command", connection=self.number, verb=verb, secure=self.secure,
                         rest="" if verb == "AUTH" else rest)
        action = getattr(self, "do_" + verb.lower(), None)
        if action is None:
            self.say(b"500 5.5.1 What?\r\n")
        else:
            action(rest)

    def do_ehlo(self, _):
        offers = ["sink.test", "SIZE 10000000", "ENHANCEDSTATUSCODES"]
        if self.server.tls == "starttls" and not self.secure:
            offers.append("STARTTLS")
        if self.server.users and (self.secure or self.server.tls == "none"):
            offers.append("AUTH " + " ".join(self.server.mechanisms))
        offers = [o for o in offers if o.split()[0] not in self.server.hide]
        lines = [f"250-{o}\r\n" for o in offers[:-1]] + [f"250 {offers[-1]}\r\n"]
        self.answer("EHLO", "".join(lines).encode())

    def do_helo(self, _):
        self.say(b"250 sink.test\r\n")

    def do_starttls(self, _):
        if self.answer("STARTTLS"):
            self.start_tls()

    def challenge(self, prompt=b""):
        self.say(b"334 " + base64.b64encode(prompt) + b"\r\n")
        return base64.b64decode(self.line())

    def do_auth(self, rest):
        mechanism, _, first = rest.partition(" ")
        initial = base64.b64decode(first) if first else None
        self.server.note("auth", connection=self.number, mechanism=mechanism, secure=self.secure)
        if mechanism == "PLAIN":
            parts = (initial if initial is not None else self.challenge()).split(b"\0")
            user, secret = parts[1], parts[2]
        elif mechanism == "LOGIN":
            user = initial if initial is not None else self.challenge(b"Username:")
            secret = self.challenge(b"Password:")
        else:
            fields = (initial if initial is not None else self.challenge()).split(b"\x01")
            user, secret = fields[0][len("user="):], fields[1][len("auth=Bearer "):]
        good = self.server.users.get(user.decode()) == secret.decode()
        if self.answer("AUTH", USUAL["AUTH"] if good else b"535 5.7.8 Wrong for <u@relay.test>\r\n"):
            self.authenticated = good

    def do_mail(self, rest):
        if self.server.users and not self.authenticated and "AUTH" not in self.server.hide:
            self.say(b"530 5.7.0 Authentication required\r\n")
        elif self.answer("MAIL"):
            self.sender, self.recipients = path_address(rest), []

    def do_rcpt(self, rest):
        if self.answer("RCPT") and self.recipients is not None:
            self.recipients.append(path_address(rest))

    def do_data(self, _):
        if not self.recipients:
            self.say(b"503 5.5.1 No recipient\r\n")
        elif self.answer("DATA"):
            self.body()

    def body(self):
        lines = [self.line()]
        self.plain_fault("body")
        while lines[-1] != b".\r\n":
            lines.append(self.line())
        content = b"".join(line[1:] if line.startswith(b".") else line for line in lines[:-1])
        message = email.message_from_bytes(content, policy=email.policy.default)
        mail = {"connection": self.number, "message_id": str(message["Message-ID"] or ""),
                "from": self.sender, "to": self.recipients, "bytes": content}
        facts = {k: v for k, v in mail.items() if k != "bytes"}
        with self.server.lock:  # whatever becomes of it
            self.server.arrived[content] = self.recipients
        self.server.note("dot", sync=True, **facts)
        self.sender = self.recipients = None
        queue_id = f"{self.number:X}{len(self.server.mails):04X}"
        with self.server.lock:  # what a fault refuses is not kept; what it hides is
            rule = next((r for r in self.server.rules if r.step == "dot" and r.times != 0
                         and r.connection in (None, self.number)), None)
        if rule is None or rule.kind in ("slow", "huge", "nul", "extra", "late"):
            self.server.keep(mail)
        if self.answer("dot", f"250 2.0.0 Ok: queued as {queue_id}\r\n".encode()):
            self.server.note("accepted", sync=True, queue_id=queue_id, **facts)

    def do_rset(self, _):
        self.sender = self.recipients = None
        self.say(b"250 2.0.0 Ok\r\n")

    def do_noop(self, _):
        self.say(b"250 2.0.0 Ok\r\n")

    def do_quit(self, _):
        self.answer("QUIT")
        self.drop()


# --- certificates ----------------------------------------------------------------------------

def make_certificate(folder, stem, *, names="DNS:localhost,IP:127.0.0.1", authority=None, ago=0):
    """(certificate, key): signed by `authority`, such a pair, or by itself. Valid for two days, from so many ago."""
    certificate, key = Path(folder) / f"{stem}.pem", Path(folder) / f"{stem}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-days", "2", "-subj", f"/CN={stem}", "-keyout", key, "-out", certificate]
    if names:
        command += ["-addext", f"subjectAltName={names}"]
    if authority:
        command += ["-CA", authority[0], "-CAkey", authority[1],
                    "-addext", "basicConstraints=critical,CA:FALSE"]
    if ago:
        command = ["faketime", "-f", f"-{ago}d", *command]
    subprocess.run(command, check=True, capture_output=True)
    return str(certificate), str(key)


# --- the program -----------------------------------------------------------------------------

def write_whole(path, text):
    """So that whoever waits for the file never reads half of it."""
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)


def parse(arguments):
    parser = argparse.ArgumentParser(description="An SMTP sink on loopback, for demos and tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--port-file", help="the port is written there once it is open")
    parser.add_argument("--maildir")
    parser.add_argument("--log", help="a line of JSON for each event; dot and 250 with fsync")
    parser.add_argument("--tls", choices=("none", "starttls", "implicit"), default="none")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--fault", action="append", default=[], metavar="STEP=FAULT[:SECONDS]",
                        help=f"steps: {', '.join(STEPS)}; faults: {', '.join(FAULTS)}")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    users = {options.user: options.password} if options.user else None
    with Server(host=options.host, port=options.port, tls=options.tls, users=users,
                certificate=(options.certificate, options.key), maildir=options.maildir,
                log=options.log) as server:
        for fault in options.fault:
            step, _, kind = fault.partition("=")
            kind, _, seconds = kind.partition(":")
            server.fault(step, kind, times=None, seconds=float(seconds or 60))
        if options.port_file:
            write_whole(options.port_file, f"{server.port}\n")
        else:
            print(server.port, flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
