#!/usr/bin/python3
"""The sender against relays of other makes: Exim, Postfix's smtp-sink, and smtp-server with XOAUTH2.

What is not installed is skipped with a reason: scripts/deps relays.
"""

import contextlib
import email
import email.policy
import functools
import http.server
import json
import os
import queue
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))

import exim  # noqa: E402
from sender_driver import Sender, plain_mail, verdict  # noqa: E402
from smtp_server import make_certificate  # noqa: E402

PATIENT = {"connect_seconds": 10, "reply_seconds": 10, "dot_seconds": 20}


@unittest.skipIf(exim.why_not(), exim.why_not())
class RealExim(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = exim.Exim()
        cls.addClassCleanup(cls.relay.stop)
        cls.credentials = Path(tempfile.mkdtemp(prefix="credentials-"))
        cls.addClassCleanup(shutil.rmtree, cls.credentials)
        (cls.credentials / "right").write_text(exim.PASSWORD + "\n")
        (cls.credentials / "wrong").write_text("guessed\n")

    def sender(self, implicit=False, **settings):
        url = f"smtps://localhost:{self.relay.tls_port}" if implicit else f"smtp://localhost:{self.relay.port}"
        settings = {"login": "PLAIN", "user": exim.USER, "credential": "right", "ca": self.relay.certificate,
                    **PATIENT, **settings}
        return Sender(credentials=self.credentials, url=url, **settings)

    def test_each_kind_of_tls_and_login_delivers_the_bytes(self):
        for implicit in (False, True):
            for login in ("PLAIN", "LOGIN"):
                with self.subTest(implicit=implicit, login=login):
                    before = len(self.relay.arrived(0, 0))
                    body = plain_mail(os.urandom(4).hex(), "Reply needed.\r\n.one dot\r\n..two dots\r\n")
                    with self.sender(implicit, login=login) as sender:
                        result = sender.send(body=body)
                    self.assertEqual(verdict(result), "accepted", f"{result}\n{self.relay.log()}")
                    arrived = self.relay.arrived(before + 1)
                    self.assertEqual(len(arrived), before + 1, self.relay.log()[-1500:])
                    sent = email.message_from_bytes(body, policy=email.policy.default)
                    got, = [m for m in (email.message_from_bytes(a, policy=email.policy.default) for a in arrived)
                            if m["Message-ID"] == sent["Message-ID"]]
                    self.assertEqual(got.defects, [])
                    self.assertEqual(got.get_content(), sent.get_content().replace("\r\n", "\n"))

    def test_several_mails_over_one_connection(self):
        before = len(self.relay.arrived(0, 0))
        with self.sender() as sender:
            results = [sender.send() for _ in range(4)]
        self.assertEqual([verdict(r) for r in results], ["accepted"] * 4, self.relay.log())
        self.assertEqual([r["reused"] for r in results], [False] + [True] * 3)
        self.assertEqual(len(self.relay.arrived(before + 4)), before + 4)

    def test_a_refused_address_and_a_grey_one_do_not_touch_the_others(self):
        rows = (("bad@council.test", "address"), ("grey@council.test", "retry"), ("manager@council.test", "accepted"))
        with self.sender() as sender:
            for recipient, expected in rows:
                with self.subTest(recipient):
                    result = sender.send(recipient=recipient)
                    self.assertEqual(verdict(result), expected, result)
                    self.assertNotIn("@", result["reply"])

    def test_a_wrong_password_and_a_strange_authority_are_faults_of_the_relay(self):
        for settings in ({"credential": "wrong"}, {"ca": ""}):
            for implicit in (False, True):
                with self.subTest(implicit=implicit, **settings), self.sender(implicit, **settings) as sender:
                    self.assertEqual(verdict(sender.send()), "relay_fault")

    def test_without_a_login_nothing_is_lost(self):
        with self.sender(login="", user="", credential="") as sender:
            self.assertEqual(verdict(sender.send()), "hold")


@unittest.skipUnless(shutil.which("smtp-sink", path="/usr/sbin"), "smtp-sink (package postfix) is not installed")
class SmtpSink(unittest.TestCase):
    """Its own faults, each at the step where a stock relay could have it."""

    ROWS = (
        ((), "accepted"),
        (("-f", "RCPT", "-B", "550 5.1.1 nope"), "address"),
        (("-f", "RCPT", "-B", "550 5.7.1 nope"), "hold"),
        (("-r", "RCPT", "-b", "450 4.2.1 grey"), "retry"),
        (("-r", "MAIL"), "retry"),
        (("-f", "MAIL"), "hold"),
        (("-r", "."), "retry"),
        (("-f", "."), "hold"),
        (("-q", "."), "in_doubt"),
        (("-Q", "MAIL"), "retry"),
        (("-q", "MAIL"), "retry"),
    )

    @contextlib.contextmanager
    def sink(self, *options):
        port = exim.free_port()
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        process = subprocess.Popen(["/usr/sbin/smtp-sink", "-a", *user, *options, f"127.0.0.1:{port}", "100"],
                                   stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    exim.socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.02)
            yield f"smtp://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(5)

    def test_each_fault_has_its_outcome(self):
        for options, expected in self.ROWS:
            with self.subTest(" ".join(options)), self.sink(*options) as url, \
                    Sender(url=url, clear_text=True, **PATIENT) as sender:
                self.assertEqual(verdict(sender.send()), expected)

    def test_a_slow_dot_is_waited_for(self):
        with self.sink("-W", ".:2") as url, Sender(url=url, clear_text=True, **PATIENT) as sender:
            self.assertEqual(verdict(sender.send()), "accepted")

    def test_hundreds_of_mails_over_one_connection(self):
        with self.sink() as url, Sender(url=url, clear_text=True, **PATIENT) as sender:
            results = [sender.send() for _ in range(300)]
        self.assertEqual({verdict(r) for r in results}, {"accepted"})
        self.assertEqual(sum(not r["reused"] for r in results), 1)


class TokenServer:
    """An HTTPS server that hands out tokens for client credentials: token-1, token-2, ..."""

    def __init__(self, certificate):
        self.requests, self.seconds, self.status = [], 3600, 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.requests.append(dict(urllib.parse.parse_qsl(form)))
                answer = ({"access_token": f"token-{len(outer.requests)}", "token_type": "Bearer",
                           "expires_in": outer.seconds} if outer.status == 200
                          else {"error": "invalid_client", "error_description": "someone@council.test"})
                body = json.dumps(answer).encode()
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class NodeRelay:
    def __init__(self, certificate, tokens, idle_ms=60000):
        self.facts, self.lines = [], queue.Queue()
        self.process = subprocess.Popen(
            ["node", TOP / "tests" / "relays" / "relay.js", *certificate, tokens, str(idle_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "NODE_PATH": str(TOP / "build" / "relays" / "node_modules")})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.port = self.lines.get(timeout=20)["port"]

    def read(self):
        for line in self.process.stdout:
            fact = json.loads(line)
            self.facts.append(fact)
            self.lines.put(fact)

    def logins(self):
        """Of all its life, which this ends."""
        self.stop()
        return [(fact["login"], fact["good"]) for fact in self.facts if "login" in fact]

    def mails(self):
        self.stop()
        return [fact["mail"] for fact in self.facts if "mail" in fact]

    def stop(self):
        if self.process.stdout.closed:
            return
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()


@functools.cache
def why_no_node():
    if not (TOP / "build" / "relays" / "node_modules" / "smtp-server").exists():
        return "smtp-server is not in build/relays: scripts/deps relays (npm and Node 20)"
    return "" if shutil.which("node") else "Node is not installed"


@unittest.skipIf(why_no_node(), why_no_node())
class ClientCredentials(unittest.TestCase):
    """XOAUTH2 as Microsoft 365 wants it, all below a private authority."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="oauth-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.certificate = make_certificate(cls.folder, "relay")
        (cls.folder / "secret").write_text("the client's secret\n")

    def setUp(self):
        self.tokens = TokenServer(self.certificate)
        self.addCleanup(self.tokens.stop)
        self.good = self.folder / "tokens"
        self.accept("token-1")

    def accept(self, *tokens):
        self.good.write_text("\n".join(tokens) + "\n")

    def relay(self, **how):
        relay = NodeRelay(self.certificate, self.good, **how)
        self.addCleanup(relay.stop)
        return relay

    def sender(self, relay, **settings):
        return Sender(credentials=self.folder, **{
            "url": f"smtp://localhost:{relay.port}", "ca": self.certificate[0], "login": "XOAUTH2",
            "user": "noreply@partnership.test", "credential": "secret", "client": "the client",
            "token_url": self.tokens.url, **PATIENT, **settings})

    def test_a_token_is_fetched_once_and_used(self):
        relay = self.relay()
        with self.sender(relay, tell=True) as sender:
            results = [sender.send() for _ in range(3)]
            steps = sender.steps
        self.assertEqual([verdict(r) for r in results], ["accepted"] * 3, results)
        self.assertEqual(len(self.tokens.requests), 1)
        asked = self.tokens.requests[0]
        self.assertEqual((asked["grant_type"], asked["client_id"], asked["client_secret"]),
                         ("client_credentials", "the client", "the client's secret"))
        self.assertEqual(relay.logins(), [("token-1", True)])
        self.assertEqual(len(relay.mails()), 3)
        told = "\n".join(words for _, words in steps)
        self.assertIn("AUTH XOAUTH2", told)
        self.assertIn("a token that holds for 3600 seconds", told)
        for secret in ("token-1", "client's secret", "dXNlcj1ub3JlcGx5"):  # base64 of user=noreply
            self.assertNotIn(secret, told)

    def test_a_token_is_refreshed_five_minutes_before_it_expires(self):
        self.tokens.seconds = 302  # so two seconds from now
        self.accept("token-1", "token-2")
        relay = self.relay()
        with self.sender(relay) as sender:
            self.assertEqual(verdict(sender.send()), "accepted")
            self.assertEqual(verdict(sender.send()), "accepted")
            self.assertEqual(len(self.tokens.requests), 1)
            time.sleep(3)
            result = sender.send()
        self.assertEqual(verdict(result), "accepted")
        self.assertFalse(result["reused"], "a new token is a new connection")
        self.assertEqual(relay.logins(), [("token-1", True), ("token-2", True)])

    def revoke(self, *accepted):
        """A first mail goes; then its connection ends and its token is taken back."""
        relay = self.relay(idle_ms=700)
        with self.sender(relay) as sender:
            self.assertEqual(verdict(sender.send()), "accepted")
            self.accept(*accepted)
            time.sleep(2)
            result = sender.send()
            if verdict(result) == "retry_now":  # the relay's goodbye to an idle connection: the daemon asks again
                result = sender.send()
            return relay, result, len(self.tokens.requests)

    def test_a_token_that_was_taken_back_is_replaced_once(self):
        relay, result, requests = self.revoke("token-2")
        self.assertEqual(verdict(result), "accepted", result)
        self.assertEqual(requests, 2)
        self.assertEqual(relay.logins(), [("token-1", True), ("token-1", False), ("token-2", True)])

    def test_a_new_token_that_is_no_better_is_a_fault_of_the_relay(self):
        relay, result, requests = self.revoke("none")
        self.assertEqual(verdict(result), "relay_fault", result)
        self.assertEqual(requests, 2, "asked for more than one new token")
        self.assertEqual([good for _, good in relay.logins()], [True, False, False])
        self.assertEqual(len(relay.mails()), 1)

    def test_a_token_server_that_refuses_is_a_fault_of_the_relay_without_its_words(self):
        self.tokens.status = 401
        relay = self.relay()
        with self.sender(relay) as sender:
            result = sender.send()
        self.assertEqual(verdict(result), "relay_fault")
        self.assertNotIn("@", result["reply"])
        self.assertEqual(relay.logins(), [])

    def test_a_token_server_of_unknown_authority_is_told_no_secret(self):
        relay = self.relay()
        with self.sender(relay, ca="") as sender:
            self.assertEqual(verdict(sender.send()), "relay_fault")
        self.assertEqual(self.tokens.requests, [])


if __name__ == "__main__":
    unittest.main()
