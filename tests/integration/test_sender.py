#!/usr/bin/python3
"""The sender program against a relay that has every fault: steps x faults, TLS, logins, hostile input.

Each mail goes through build/challenge-notify-sender over its own channel; what it answers is given
to the daemon's own delivery_classify. Times are short: a reply has one second.
"""

import contextlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path
from urllib.parse import parse_qs

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))

from sender_driver import PROGRAM, Sender, frame, plain_mail, verdict  # noqa: E402
from smtp_server import STEPS, Server, make_certificate  # noqa: E402

SECRET = "correct horse"


class Bench:
    """Certificates and credentials that all tests share; made once."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sender-test-"))
        self.authority = make_certificate(self.folder, "authority", names=None)
        self.signed = make_certificate(self.folder, "signed", authority=self.authority)
        self.elsewhere = make_certificate(self.folder, "elsewhere", names="DNS:elsewhere.test",
                                          authority=self.authority)
        self.alone = make_certificate(self.folder, "alone")
        self.expired = make_certificate(self.folder, "expired", authority=self.authority, ago=10)
        self.credentials = self.folder / "credentials"
        self.credentials.mkdir()
        (self.credentials / "smtp-password").write_text(SECRET + "\n")
        (self.credentials / "wrong").write_text("wrong\n")

    def remove(self):
        shutil.rmtree(self.folder)


bench = None


def setUpModule():
    global bench
    bench = Bench()


def tearDownModule():
    for cases in begun.values():
        for case in cases.values():
            case.finish()
    bench.remove()


def clear_relay(server, **more):
    return {"url": f"smtp://127.0.0.1:{server.port}", "clear_text": True, **more}


def tls_relay(server, scheme="smtp", **more):
    return {"url": f"{scheme}://localhost:{server.port}", "ca": bench.authority[0], **more}


def login(mechanism="PLAIN", credential="smtp-password"):
    return {"login": mechanism, "user": "u@relay.test", "credential": credential}


def tls_server(tls="starttls", certificate=None, **more):
    more.setdefault("users", {"u@relay.test": SECRET})
    return Server(tls=tls, certificate=certificate or bench.signed, **more)


# --- every fault at every step -------------------------------------------------------------------

FAULTS = ("drop", "rst", "hang", "slow", "421", "4xx", "5xx", "garbage", "huge", "nul", "extra",
          "tls_eof")

# What each fault comes to, at each step of a dialogue with STARTTLS and a login, in the order of
# FAULTS. a accepted, r retry, A address, h hold, f relay fault, d in doubt. "rf": either, since a
# reset may come before or after the connecting side knows that it is connected, and bytes in the
# place of a handshake together with the 220 before them or alone.
EXPECTED = {
    #            drop rst  hang slow 421  4xx  5xx  garb huge nul  extra tls_eof
    "connect":  "f    f    f    a    r    r    r    f    r    f    r     f",
    "greeting": "f    f    f    a    r    r    r    f    r    a    f     f",
    "EHLO":     "r    r    r    a    r    r    f    r    r    a    f     r",
    "STARTTLS": "r    r    r    a    f    f    f    r    r    a    r     r",
    "tls":      "f    f    r    a    rf   rf   rf   rf   rf   rf   rf    f",
    "AUTH":     "r    r    r    a    f    f    f    r    r    a    h     r",
    "MAIL":     "r    r    r    a    r    r    h    r    r    a    A     r",
    "RCPT":     "r    r    r    a    r    r    h    r    r    a    h     r",
    "DATA":     "r    r    r    a    r    r    h    r    r    a    h     r",
    "body":     "d    d    d    a    r    r    h    d    d    d    h     d",
    "dot":      "d    d    d    a    r    r    h    d    d    a    a     d",
    "QUIT":     "r    r    r    r    r    r    r    r    r    r    r     r",
}
LETTERS = {"a": "accepted", "r": "retry", "A": "address", "h": "hold", "f": "relay_fault",
           "d": "in_doubt"}


class Case:
    """One mail against one fault, begun at once so that those of a step wait together."""

    def __init__(self, step, kind):
        self.step, self.kind = step, kind
        self.server = tls_server()
        if step == "QUIT":
            self.server.fault("RCPT", "4xx")  # a refusal is what makes libcurl say QUIT
        self.server.fault(step, kind, seconds=0.002 if kind == "slow" else 30)
        self.sender = Sender(credentials=bench.credentials, **login(),
                             **tls_relay(self.server, reply_seconds=2, dot_seconds=2))
        self.started = time.monotonic()
        self.sender.begin()

    def finish(self):
        if hasattr(self, "result"):
            return
        self.result = self.sender.result()
        self.took = time.monotonic() - self.started
        self.ended = self.sender.close()
        self.server.stop()


begun = {}  # by step: its cases, under way before their turn comes, to wait at the same time


def begin_cases(step):
    if step not in begun:
        begun[step] = {kind: Case(step, kind) for kind in FAULTS}
    return begun[step]


class Faults(unittest.TestCase):
    step = None

    @classmethod
    def setUpClass(cls):
        cls.cases = begin_cases(cls.step)
        later = [step for step in sorted(STEPS) if step > cls.step]
        if later and later[0] != "QUIT":  # which is about the time it takes
            begin_cases(later[0])
        for case in cls.cases.values():
            case.finish()

    def check(self, kind):
        case = self.cases[kind]
        expected = EXPECTED[self.step].split()[FAULTS.index(kind)]
        got = case.result
        self.assertIn(verdict(got), [LETTERS[c] for c in expected], got)
        self.assertEqual(case.ended, (0, ""))
        self.assertEqual(got["body_frame"], got["body_sent"])
        self.assertTrue(case.server.seen("fault", step=self.step, kind=kind),
                        "the fault was never reached")
        self.assertNotIn("@", got["reply"])
        if not got["body_sent"]:
            self.assertEqual(case.server.mails, [])
        if verdict(got) == "accepted":
            self.assertEqual(len(case.server.mails), 1)
        if self.step == "QUIT":
            self.assertLess(case.took, 1.9, "an unanswered QUIT delayed the outcome")
        clear = [e["verb"] for e in case.server.seen("command", secure=False)]
        self.assertLessEqual(set(clear), {"EHLO", "STARTTLS", "QUIT"})


def row(kind):
    return lambda self: self.check(kind)


for name in STEPS:
    rows = {f"test_{kind}": row(kind) for kind in FAULTS}
    globals()[f"FaultAt_{name}"] = type(f"FaultAt_{name}", (Faults,), {"step": name, **rows})
del Faults  # it has no step of its own


# --- the rows of smtp.md 1.5 that need more than one fault ---------------------------------------

class Refusals(unittest.TestCase):
    def refused(self, step, reply):
        with Server() as server, Sender(**clear_relay(server)) as sender:
            server.fault(step, "reply", reply=reply)
            return sender.send()

    def test_a_bad_address_is_only_5_1_x_at_rcpt(self):
        rows = (("RCPT", b"550 5.1.1 No such user\r\n", "address"),
                ("RCPT", b"550 5.1.10 Null MX\r\n", "address"),
                ("RCPT", b"550-5.1.1 No such\r\n550 5.1.1 user\r\n", "address"),
                ("RCPT", b"550 5.7.30 Basic authentication is off\r\n", "hold"),
                ("RCPT", b"550 No such user\r\n", "hold"),
                ("RCPT", b"450 5.1.1 classes disagree\r\n", "retry"),
                ("MAIL", b"550 5.1.8 Bad sender\r\n", "hold"),
                ("DATA", b"554 5.1.1 not here\r\n", "hold"),
                ("dot", b"554 5.1.1 not here\r\n", "hold"),
                ("dot", b"552-5.2.2 full\r\n552-5.2.2 very\r\n552 5.2.2 full\r\n", "hold"),
                ("dot", b"452 4.2.2 full\r\n", "retry"),
                ("greeting", b"554 5.3.2 no\r\n", "retry"),
                ("MAIL", b"250 ok\r\n250 surplus\r\n", "retry"))
        for step, reply, expected in rows:
            with self.subTest(step=step, reply=reply):
                result = self.refused(step, reply)
                self.assertEqual(verdict(result), expected, result)

    def test_a_reply_is_one_line_without_addresses(self):
        result = self.refused(
            "RCPT", b"550-5.1.1 <Manager.One@council.test>: no\r\n550 5.1.1 mailto:a@b.test \x1b[1m\r\n")
        self.assertEqual(result["reply"], "550 5.1.1 <address>: no 5.1.1 mailto:<address> ?[1m")

    def test_a_reply_of_ten_thousand_lines_is_cut(self):
        result = self.refused("RCPT", b"550-5.1.1 no\r\n" * 10000 + b"550 5.1.1 no\r\n")
        self.assertEqual(verdict(result), "address", result)
        self.assertEqual(len(result["reply"]), 299)


class Connections(unittest.TestCase):
    def test_ten_mails_use_one_connection(self):
        with Server() as server, Sender(**clear_relay(server)) as sender:
            results = [sender.send() for _ in range(10)]
            self.assertEqual({verdict(r) for r in results}, {"accepted"})
            self.assertEqual([r["reused"] for r in results], [False] + [True] * 9)
            self.assertEqual(server.connections, 1)
            self.assertEqual(len(server.mails), 10)

    def test_a_long_life_of_one_connection(self):
        with Server() as server, Sender(**clear_relay(server)) as sender:
            got = {verdict(sender.send()) for _ in range(2500)}  # libcurl counts bytes of replies
            self.assertEqual(got, {"accepted"})
            self.assertEqual(server.connections, 1)

    def test_the_bytes_arrive_as_they_were(self):
        body = plain_mail(1, ".\r\n..\r\n.leading dots\r\n" + "x" * 998 + "\r\n\r\n.\r\n")
        with Server() as server, Sender(**clear_relay(server)) as sender:
            self.assertEqual(verdict(sender.send(body=body)), "accepted")
            self.assertEqual(server.mails[0]["bytes"], body)
            self.assertEqual(server.mails[0]["from"], "noreply@partnership.test")
            self.assertEqual(server.mails[0]["to"], ["manager@council.test"])

    def test_a_large_mail_says_body_before_its_end(self):
        body = plain_mail(1, ("x" * 76 + "\r\n") * 10000)
        with Server() as server, Sender(**clear_relay(server)) as sender:
            result = sender.send(body=body)
            self.assertEqual((verdict(result), result["body_frame"]), ("accepted", True))
            self.assertEqual(server.mails[0]["bytes"], body)

    def test_an_unread_421_on_an_idle_connection_is_tried_again_at_once(self):
        with Server() as server, Sender(**clear_relay(server)) as sender:
            server.fault("dot", "extra", reply=b"421 4.4.2 idle\r\n")
            self.assertEqual(verdict(sender.send()), "accepted")
            result = sender.send()
            self.assertEqual((verdict(result), result["reused"]), ("retry_now", True), result)
            result = sender.send()
            self.assertEqual((verdict(result), result["reused"]), ("accepted", False), result)

    def test_a_reused_connection_that_died_is_tried_again_at_once(self):
        for kind in ("drop", "rst"):
            with self.subTest(kind), Server() as server, Sender(**clear_relay(server)) as sender:
                self.assertEqual(verdict(sender.send()), "accepted")
                server.fault("MAIL", kind)
                self.assertEqual(verdict(sender.send()), "retry_now")
                self.assertEqual(verdict(sender.send()), "accepted")

    def test_421_at_mail_on_a_new_connection_counts(self):
        with Server() as server, Sender(**clear_relay(server)) as sender:
            server.fault("MAIL", "421")
            self.assertEqual(verdict(sender.send()), "retry")

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        with Sender(url=f"smtp://127.0.0.1:{port}", clear_text=True) as sender:
            result = sender.send()
            self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 7))

    def test_a_greeting_may_take_longer_than_a_connection(self):
        for step in ("greeting", "EHLO"):
            with self.subTest(step), Server() as server, \
                    Sender(**clear_relay(server, connect_seconds=1, reply_seconds=5)) as sender:
                server.fault(step, "late", seconds=2.2)
                self.assertEqual(verdict(sender.send()), "accepted")

    def test_a_connection_has_a_time_of_its_own(self):
        with socket.socket() as full:  # it never accepts, and soon answers no one
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            waiting = [socket.socket() for _ in range(3)]
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
            before = time.monotonic()
            with Sender(url=f"smtp://127.0.0.1:{port}", clear_text=True, connect_seconds=1,
                        reply_seconds=9) as sender:
                result = sender.send()
            took = time.monotonic() - before
            for sock in waiting:
                sock.close()
        self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 28), result)
        self.assertIn("in time", result["reply"])
        self.assertLess(took, 4)

    def test_clear_text_is_fit_for_the_loopback_of_ipv6_too(self):
        with Sender(url="smtp://[::1]:1", clear_text=True) as sender:
            result = sender.send()  # nobody listens, or there is no IPv6: it was tried
            self.assertEqual((result["curl_code"], result["configuration"]), (7, False), result)

    def test_a_name_that_does_not_resolve(self):
        with Sender(url="smtps://relay.invalid") as sender:
            result = sender.send()
            self.assertEqual(verdict(result), "relay_fault", result)
            self.assertIn(result["curl_code"], (6, 28))

    def test_the_environment_names_no_proxy(self):
        with Server() as server, Server() as proxy:
            proxies = {name: f"http://127.0.0.1:{proxy.port}"
                       for name in ("ALL_PROXY", "all_proxy", "smtp_proxy", "https_proxy")}
            with Sender(environment=proxies, **clear_relay(server)) as sender:
                self.assertEqual(verdict(sender.send()), "accepted")
            self.assertEqual(proxy.connections, 0)

    def test_ehlo_says_the_configured_name(self):
        with Server() as server, Sender(**clear_relay(server, ehlo="mail.partnership.test")) as sender:
            sender.send()
            self.assertEqual(server.seen("command", verb="EHLO")[0]["rest"], "mail.partnership.test")


class Desync(unittest.TestCase):
    """A late or surplus reply is never taken for an answer to the next mail."""

    def test_a_late_refusal_after_the_dot_blames_nobody_else(self):
        for reply in (b"554 5.1.1 late\r\n", b"250 2.0.0 late\r\n"):
            with self.subTest(reply), Server() as server, Sender(**clear_relay(server)) as sender:
                server.fault("dot", "late", seconds=1.3)
                first = sender.send()
                self.assertEqual(verdict(first), "in_doubt", first)
                time.sleep(0.5)
                second = sender.send()
                self.assertEqual((verdict(second), second["reused"]), ("accepted", False), second)

    def test_a_refusal_surplus_to_the_last_mail_does_not_blame_the_next(self):
        for reply in (b"550 5.1.1 Not yours\r\n", b"554 5.7.1 Nor this\r\n"):
            with self.subTest(reply), Server() as server, Sender(**clear_relay(server)) as sender:
                server.fault("dot", "extra", reply=reply)
                self.assertEqual(verdict(sender.send()), "accepted")
                self.assertEqual(verdict(sender.send()), "retry_now")
                self.assertEqual(verdict(sender.send()), "accepted")

    def test_a_surplus_yes_is_no_acceptance(self):
        with Server() as server, Sender(**clear_relay(server)) as sender:
            server.fault("dot", "extra", reply=b"250 2.0.0 once more\r\n")
            self.assertEqual(verdict(sender.send()), "accepted")
            result = sender.send()
            self.assertEqual((verdict(result), result["body_sent"]), ("retry", False), result)
            self.assertEqual(len(server.mails), 1)

    def test_the_wait_for_the_dot_has_a_time_of_its_own(self):
        with Server() as server, Sender(**clear_relay(server, dot_seconds=4)) as sender:
            server.fault("dot", "late", seconds=1.6)
            self.assertEqual(verdict(sender.send()), "accepted")
            server.fault("MAIL", "late", seconds=1.6)  # the longer one does not stay in force
            self.assertEqual(sender.send()["curl_code"], 28)


# --- TLS and logins ------------------------------------------------------------------------------

class Tls(unittest.TestCase):
    def outcome(self, server, **relay):
        with server, Sender(credentials=bench.credentials, **relay) as sender:
            return sender.send()

    def assert_nothing_told(self, server):
        self.assertEqual(server.mails, [])
        self.assertEqual(server.seen("auth"), [])
        self.assertNotIn("MAIL", server.verbs())

    def test_a_private_authority_is_trusted_with_starttls_and_with_implicit_tls(self):
        for tls, scheme in (("starttls", "smtp"), ("implicit", "smtps")):
            with self.subTest(tls):
                server = tls_server(tls)
                result = self.outcome(server, **tls_relay(server, scheme), **login())
                self.assertEqual(verdict(result), "accepted", result)
                self.assertTrue(server.seen("auth", mechanism="PLAIN", secure=True))

    def test_a_certificate_that_does_not_fit_is_a_fault_of_the_relay(self):
        rows = (("of another host", bench.elsewhere, bench.authority[0]),
                ("signed by itself", bench.alone, bench.authority[0]),
                ("out of date", bench.expired, bench.authority[0]),
                ("not of a known authority", bench.signed, ""),
                ("not of this authority", bench.signed, bench.alone[0]))
        for words, certificate, ca in rows:
            for tls, scheme in (("starttls", "smtp"), ("implicit", "smtps")):
                with self.subTest(words, tls=tls):
                    server = tls_server(tls, certificate)
                    relay = {**tls_relay(server, scheme), "ca": ca}
                    result = self.outcome(server, **relay, **login())
                    self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 60))
                    self.assert_nothing_told(server)

    def test_a_missing_ca_file_is_a_fault_of_the_relay(self):
        server = tls_server()
        relay = {**tls_relay(server), "ca": str(bench.folder / "none.pem")}
        result = self.outcome(server, **relay)
        self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 77))

    def test_a_relay_that_speaks_old_tls_only_is_told_nothing(self):
        for newest in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            for tls, scheme in (("starttls", "smtp"), ("implicit", "smtps")):
                with self.subTest(newest, tls=tls), warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    server = tls_server(tls, newest_tls=newest)
                    result = self.outcome(server, **tls_relay(server, scheme), **login())
                    self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 35), result)
                    self.assert_nothing_told(server)

    def test_without_starttls_nothing_is_said_in_clear(self):
        server = tls_server(hide=["STARTTLS"])
        result = self.outcome(server, **tls_relay(server), **login())
        self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 64))
        self.assert_nothing_told(server)

    def test_a_handshake_that_hangs_has_the_time_of_a_connection(self):
        server = tls_server("implicit")
        server.fault("tls", "hang", seconds=30)
        result = self.outcome(server, **tls_relay(server, "smtps", connect_seconds=1,
                                                  reply_seconds=9))
        self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 28), result)
        self.assertIn("in time", result["reply"])

    def test_tls_to_a_server_without_it(self):
        server = tls_server("none")
        result = self.outcome(server, **tls_relay(server, "smtps"), **login())
        self.assertEqual(verdict(result), "relay_fault", result)
        self.assert_nothing_told(server)


class Logins(unittest.TestCase):
    def outcome(self, server, credentials=True, **settings):
        folder = bench.credentials if credentials else None
        with server, Sender(credentials=folder, **tls_relay(server), **settings) as sender:
            return sender.send()

    def test_plain_and_login_are_pinned(self):
        for mechanism in ("PLAIN", "LOGIN"):
            with self.subTest(mechanism):
                server = tls_server(mechanisms=("CRAM-MD5", "XOAUTH2", "PLAIN", "LOGIN"))
                result = self.outcome(server, **login(mechanism))
                self.assertEqual(verdict(result), "accepted", result)
                self.assertEqual([e["mechanism"] for e in server.seen("auth")], [mechanism])

    def test_a_wrong_password_is_a_fault_of_the_relay_without_the_user_in_it(self):
        result = self.outcome(tls_server(), **login(credential="wrong"))
        self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 67))
        self.assertEqual(result["reply"], "535 5.7.8 Wrong for <address>")

    def test_a_mechanism_that_is_not_offered_is_a_fault_of_the_relay(self):
        server = tls_server(mechanisms=("LOGIN",))
        result = self.outcome(server, **login("PLAIN"))
        self.assertEqual((verdict(result), result["curl_code"]), ("relay_fault", 67))
        self.assertEqual(server.seen("auth"), [])

    def test_a_login_is_never_left_out(self):
        for tls, scheme in (("starttls", "smtp"), ("implicit", "smtps"), ("none", "smtp")):
            with self.subTest(tls):
                server = tls_server(tls, hide=["AUTH"])
                relay = clear_relay(server) if tls == "none" else tls_relay(server, scheme)
                with server, Sender(credentials=bench.credentials, **relay, **login()) as sender:
                    result = sender.send()
                self.assertEqual(verdict(result), "relay_fault", result)
                self.assertIn("offers no login", result["reply"])
                self.assertNotIn("MAIL", server.verbs())
                self.assertEqual(server.mails, [])

    def test_each_new_connection_logs_in(self):
        with tls_server() as server, Sender(credentials=bench.credentials, **tls_relay(server),
                                            **login()) as sender:
            self.assertEqual(verdict(sender.send()), "accepted")
            server.fault("RCPT", "4xx")
            self.assertEqual(verdict(sender.send()), "retry")
            server.hide.add("AUTH")
            self.assertEqual(verdict(sender.send()), "relay_fault")
            server.hide.clear()
            self.assertEqual(verdict(sender.send()), "accepted")

    def test_a_credential_that_is_not_there_is_said_so(self):
        for settings, words in ((login(credential="absent"), "LoadCredential=absent"),
                                (login(credential="../wrong"), "credential name"),
                                ({**login(), "user": ""}, "needs a user")):
            with self.subTest(words):
                server = tls_server()
                result = self.outcome(server, **settings)
                self.assertEqual(verdict(result), "relay_fault", result)
                self.assertTrue(result["configuration"])
                self.assertIn(words, result["reply"])
                self.assertEqual(server.connections, 0)
        result = self.outcome(tls_server(), credentials=False, **login())
        self.assertIn("CREDENTIALS_DIRECTORY", result["reply"])

    def test_a_password_put_right_is_read_anew(self):
        secret = bench.credentials / "mended"
        secret.write_text("wrong")
        with tls_server() as server, Sender(credentials=bench.credentials, **tls_relay(server),
                                            **login(credential="mended")) as sender:
            self.assertEqual(verdict(sender.send()), "relay_fault")
            secret.write_text(SECRET)
            self.assertEqual(verdict(sender.send()), "accepted")


class TokenServer:
    """An HTTPS endpoint that gives out tokens, each of them another."""

    def __init__(self, *, life=3600, status=200, answer=None, location=None):
        self.requests, self.given = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                outer.requests.append(parse_qs(self.rfile.read(length).decode()))
                token = f"token-{len(outer.requests)}"
                outer.given.append(token)
                body = answer if answer is not None else json.dumps(
                    {"access_token": token, "expires_in": life}).encode()
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*bench.signed)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"https://localhost:{self.http.server_address[1]}/token"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


class Xoauth2(unittest.TestCase):
    def sender(self, server, url, **more):
        return Sender(credentials=bench.credentials, **tls_relay(server), **login("XOAUTH2"),
                      client="client & co", token_url=url, **more)

    def test_a_token_is_asked_for_once_and_used(self):
        with TokenServer() as tokens, tls_server(users={"u@relay.test": "token-1"}) as server, \
                self.sender(server, tokens.url) as sender:
            self.assertEqual([verdict(sender.send()) for _ in range(3)], ["accepted"] * 3)
            self.assertEqual(len(tokens.requests), 1)
            self.assertEqual(tokens.requests[0], {
                "grant_type": ["client_credentials"], "client_id": ["client & co"],
                "client_secret": [SECRET], "scope": ["https://outlook.office365.com/.default"]})
            self.assertEqual([e["mechanism"] for e in server.seen("auth")], ["XOAUTH2"])

    def test_a_token_refused_is_renewed_once(self):
        with TokenServer() as tokens, tls_server(users={"u@relay.test": "token-1"}) as server, \
                self.sender(server, tokens.url) as sender:
            self.assertEqual(verdict(sender.send()), "accepted")
            server.users["u@relay.test"] = "token-2"  # the first was revoked
            server.fault("RCPT", "4xx")               # and a new connection is needed
            self.assertEqual(verdict(sender.send()), "retry")
            self.assertEqual(verdict(sender.send()), "accepted")
            self.assertEqual(len(tokens.requests), 2)

    def test_a_new_token_refused_is_a_fault_of_the_relay(self):
        with TokenServer() as tokens, tls_server(users={"u@relay.test": "other"}) as server, \
                self.sender(server, tokens.url) as sender:
            result = sender.send()
            self.assertEqual((verdict(result), result["reply_code"]), ("relay_fault", 535))
            self.assertEqual(len(tokens.requests), 1)

    def test_a_token_near_its_end_is_renewed_before(self):
        with TokenServer(life=301) as tokens, tls_server() as server, \
                self.sender(server, tokens.url) as sender:
            server.users["u@relay.test"] = "token-1"
            self.assertEqual(verdict(sender.send()), "accepted")
            time.sleep(1.1)
            server.users["u@relay.test"] = "token-2"
            self.assertEqual(verdict(sender.send()), "accepted")
            self.assertEqual(len(server.seen("auth")), 2)

    def test_token_servers_that_fail_are_named_as_such(self):
        rows = (("refused", {"status": 401, "answer": b'{"error": "invalid_client"}'},
                 "HTTP 401 invalid_client"),
                ("redirected", {"status": 302, "location": "https://localhost:1/"}, "HTTP 302"),
                ("not JSON", {"answer": b"<html>"}, "no access_token"),
                ("an empty answer", {"answer": b""}, "no access_token"),
                ("a token with a line end", {"answer": b'{"access_token": "a\\r\\nb"}'},
                 "no access_token"),
                ("too long", {"answer": b" " * 70000}, "64 KiB"))
        for words, settings, expected in rows:
            with self.subTest(words), TokenServer(**settings) as tokens, tls_server() as server, \
                    self.sender(server, tokens.url) as sender:
                result = sender.send()
                self.assertEqual(verdict(result), "relay_fault", result)
                self.assertIn(expected, result["reply"])
                self.assertEqual(server.connections, 0)

    def test_a_token_server_is_spoken_to_by_https_alone(self):
        for url in ("http://127.0.0.1:9/token", "file:///etc/passwd", "HTTPS//x"):
            with self.subTest(url), tls_server() as server, self.sender(server, url) as sender:
                result = sender.send()
                self.assertEqual(verdict(result), "relay_fault")
                self.assertIn("is not https", result["reply"])


# --- what the daemon could send by mistake -------------------------------------------------------

class Unfit(unittest.TestCase):
    def assert_unfit(self, server, program, words, **mail):
        result = program.send(**mail)
        self.assertTrue(result["unfit"], result)
        self.assertEqual(verdict(result), "hold")
        self.assertIn(words, result["reply"])
        self.assertEqual(server.connections, 0)

    def test_addresses_with_commands_in_them(self):
        rows = ("a@council.test>\r\nRCPT TO:<b@elsewhere.test", "a@council.test\n", "a b@council.test",
                "a@council.test> NOTIFY=NEVER", "", "nobody", "<a@council.test>", "\x00a@council.test")
        with Server() as server, Sender(**clear_relay(server)) as sender:
            for address in rows[:-1]:
                for name in ("recipient", "sender"):
                    with self.subTest(address, name=name):
                        words = "recipient" if name == "recipient" else "envelope sender"
                        self.assert_unfit(server, sender, words, **{name: address})
            self.assertEqual(verdict(sender.send()), "accepted")

    def test_bytes_that_a_relay_may_read_in_two_ways(self):
        rows = (("bare LF", b"A: b\r\n\r\nx\ny\r\n"), ("smuggled dot", b"A: b\r\n\r\n\n.\r\nx\r\n"),
                ("bare CR", b"A: b\r\n\r\nx\ry\r\n"), ("CR at the end", b"A: b\r\n\r\nx\r"),
                ("NUL", b"A: b\r\n\r\nx\0y\r\n"))
        with Server() as server, Sender(**clear_relay(server)) as sender:
            for words, body in rows:
                with self.subTest(words):
                    self.assert_unfit(server, sender, "bare CR, LF or NUL", body=body)
            self.assert_unfit(server, sender, "over 998", body=b"A: " + b"x" * 996 + b"\r\n")
            self.assert_unfit(server, sender, "end in CRLF", body=b"A: b")
            self.assert_unfit(server, sender, "end in CRLF", body=b"")
            self.assertEqual(verdict(sender.send()), "accepted")

    def test_relays_that_may_not_be(self):
        rows = (({"url": "smtp://localhost:25", "clear_text": True}, "literal loopback"),
                ({"url": "smtp://192.0.2.1:25", "clear_text": True}, "literal loopback"),
                ({"url": "smtp://127.0.0.1.nip.test:25", "clear_text": True}, "literal loopback"),
                ({"url": "smtps://127.0.0.1:465", "clear_text": True}, "literal loopback"),
                ({"url": "smtp://[2001:db8::1]:25", "clear_text": True}, "literal loopback"),
                ({"url": "smtp://[::ffff:127.0.0.1]:25", "clear_text": True}, "literal loopback"),
                ({"url": "http://127.0.0.1/"}, "neither smtps"), ({"url": "file:///etc/passwd"}, "relay"),
                ({"url": "smtp://u:p@relay.test"}, "only scheme"), ({"url": "smtp://relay.test/x"}, "only scheme"),
                ({"url": ""}, "not an address"), ({"url": "smtp://relay.test", "ehlo": "a\r\nb"}, "ehlo"),
                ({"url": "smtp://relay.test", "login": "NTLM"}, "login"))
        for relay, words in rows:
            with self.subTest(relay), Sender(credentials=bench.credentials,
                                             **{"credential": "smtp-password", "user": "u", **relay}) as sender:
                result = sender.send()
                self.assertEqual((verdict(result), result["configuration"]), ("relay_fault", True))
                self.assertIn(words, result["reply"])


class Channel(unittest.TestCase):
    def test_what_is_no_frame_ends_the_sender_with_one_line(self):
        rows = (b"X\0\0\0\0", b"R\xff\xff\xff\xff", b"R\0\0\0\x01x", frame(b"M", 1, "a", "b", "c"),
                frame(b"B", 1), b"GET / HTTP/1.1\r\n", os.urandom(64).replace(b"R", b"x").join([b"Z", b""]))
        for data in rows:
            with self.subTest(data[:8]):
                sender = Sender()
                sender.channel.sendall(data)
                self.assertIsNone(sender.result())
                status, words = sender.close()
                self.assertEqual((status, words.count("\n")), (1, 1), words)

    def test_a_second_relay_is_refused(self):
        sender = Sender(url="smtps://relay.test")
        sender.relay(url="smtps://other.test")
        self.assertIsNone(sender.result())
        self.assertEqual(sender.close()[0], 1)

    def test_the_end_of_the_channel_is_the_end(self):
        with Server() as server:
            sender = Sender(**clear_relay(server))
            self.assertEqual(verdict(sender.send()), "accepted")
            server.fault("QUIT", "hang", seconds=30)
            before = time.monotonic()
            self.assertEqual(sender.close(), (0, ""))
            self.assertLess(time.monotonic() - before, 0.5)

    def test_a_daemon_that_leaves_takes_the_mail_with_it(self):
        for step, kind in (("DATA", "late"), ("DATA", "hang"), ("dot", "hang")):
            with self.subTest(step=step, kind=kind), Server() as server:
                sender = Sender(**clear_relay(server, reply_seconds=30, dot_seconds=30))
                server.fault(step, kind, seconds=1 if kind == "late" else 30)
                sender.begin()
                while not server.seen("fault"):
                    time.sleep(0.01)
                self.assertEqual(sender.close(timeout=4)[0], 1)  # it could not say RESULT
                self.assertEqual(server.mails, [])

    def test_a_sender_ignores_the_signals_of_a_stop(self):
        with Server() as server, Sender(**clear_relay(server)) as sender:
            self.assertEqual(verdict(sender.send()), "accepted")
            sender.process.terminate()
            time.sleep(0.1)
            self.assertEqual(verdict(sender.send()), "accepted")

    def test_by_hand_it_says_that_it_is_not_for_hands(self):
        done = subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1))

    def test_it_leaves_no_image_of_its_memory(self):
        with Server() as server, Sender(**clear_relay(server)) as sender:
            sender.send()
            limits = Path(f"/proc/{sender.process.pid}/limits").read_text()
            core = next(line for line in limits.splitlines() if line.startswith("Max core"))
            self.assertEqual(core.split()[4:6], ["0", "0"])


if __name__ == "__main__":
    unittest.main()
