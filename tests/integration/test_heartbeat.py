#!/usr/bin/python3
"""The heartbeat against a dead man's switch on loopback: answered, refused, silent, or not the one it should be."""

import http.server
import os
import ssl
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from partnership import Partnership  # noqa: E402
from smtp_server import Server, make_certificate  # noqa: E402
from watched import Watched  # noqa: E402

HOUR = 3600
SECRET = "5e3a-not-to-be-told"


class Switch:
    """An HTTPS server that counts its heartbeats; what it answers may be changed at any time."""

    def __init__(self, certificate):
        self.paths, self.headers = [], []
        self.status, self.answer, self.location, self.hang = 200, b"OK", None, None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.paths.append(self.path)
                outer.headers.append(dict(self.headers))
                if outer.hang is not None:
                    outer.hang.wait(60)
                try:
                    self.send_response(outer.status)
                    if outer.location:
                        self.send_header("Location", outer.location)
                    self.send_header("Content-Length", str(len(outer.answer)))
                    self.end_headers()
                    self.wfile.write(outer.answer)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.http is None:
            return
        if self.hang is not None:
            self.hang.set()
        self.http.shutdown()
        self.http.server_close()
        self.http = None


class Heartbeat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.papers = tempfile.TemporaryDirectory(prefix="test-heartbeat-")
        folder = Path(cls.papers.name)
        cls.authority = make_certificate(folder, "authority", names=None)
        cls.signed = make_certificate(folder, "signed", authority=cls.authority)
        cls.elsewhere = make_certificate(folder, "elsewhere", names="DNS:elsewhere.test", authority=cls.authority)

    @classmethod
    def tearDownClass(cls):
        cls.papers.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-heartbeat-")
        self.addCleanup(folder.cleanup)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.there = Partnership(folder.name, self.server.port)
        self.there.create_store()
        self.config = self.there.config.read_text()

    def switch(self, certificate=None, clear=False):
        switch = Switch(None if clear else certificate or self.signed)
        self.addCleanup(switch.stop)
        return switch

    def configure(self, **settings):
        settings.setdefault("every", "1 second")
        rows = " ".join(f'{name} = "{value}";' for name, value in settings.items())
        self.there.config.write_text(self.config.replace(
            'to = [ "it@partnership.test" ];', f'to = [ "it@partnership.test" ]; heartbeat = {{ {rows} }};'))

    def beat(self, switch, *, ca=True, host="localhost", **settings):
        self.configure(url=f"https://{host}:{switch.port}/{SECRET}", **({"ca": self.authority[0]} if ca else {}),
                       **settings)

    def start(self, **environment):
        daemon = Watched(self.there, **environment)
        self.addCleanup(daemon.__exit__)
        return daemon.ready()

    def failure(self, daemon, words):
        """Is told once, in words that do not give the address away, and holds up no mail."""
        daemon.wait("the fault in the journal", lambda: daemon.logged("the heartbeat was not answered"), seconds=50)
        self.there.add_challenge("2026-014", 50 * HOUR)
        daemon.wait("a mail all the same", lambda: self.server.mails)
        time.sleep(2.5)
        told = [line for line in daemon.lines if "the heartbeat" in line]
        self.assertEqual(len(told), 1, told)
        self.assertIn(words, told[0])
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn(SECRET, "\n".join(daemon.lines + daemon.said))

    def test_it_beats_while_all_is_well(self):
        switch = self.switch()
        self.beat(switch)
        daemon = self.start(https_proxy="http://127.0.0.1:9/", ALL_PROXY="socks5://127.0.0.1:9/")
        daemon.wait("three beats", lambda: len(switch.paths) >= 3)
        self.assertEqual(set(switch.paths), {f"/{SECRET}"})
        self.assertEqual(set(switch.headers[0]), {"Host", "User-Agent", "Accept"})
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn(SECRET, "\n".join(daemon.lines + daemon.said))
        self.assertEqual(daemon.logged("the heartbeat"), 0)

    def test_no_oftener_than_it_should(self):
        switch = self.switch()
        self.beat(switch, every="1 hour")
        daemon = self.start()
        daemon.wait("a beat", lambda: switch.paths)
        time.sleep(3.5)
        self.assertEqual(len(switch.paths), 1)

    def test_it_stays_away_while_a_challenge_is_not_watched(self):
        switch = self.switch()
        self.beat(switch)
        daemon = self.start()
        daemon.wait("a beat", lambda: switch.paths)
        self.there.add_challenge("LOST", 60, policy_version="7")
        daemon.wait("the broken promise", lambda: daemon.logged("LOST is not watched"))
        time.sleep(1)  # one that was under way
        before = len(switch.paths)
        time.sleep(3)
        self.assertEqual(len(switch.paths), before)

    def test_it_stays_away_while_the_store_is(self):
        switch = self.switch()
        self.beat(switch)
        daemon = self.start()
        daemon.wait("a beat", lambda: switch.paths)
        self.there.store.rename(self.there.folder / "away")
        daemon.wait("the trouble", lambda: daemon.logged("the store cannot be read"))
        time.sleep(1)
        before = len(switch.paths)
        time.sleep(3)
        self.assertEqual(len(switch.paths), before)
        (self.there.folder / "away").rename(self.there.store)
        daemon.wait("beats again", lambda: len(switch.paths) > before)

    def test_a_certificate_of_nobody_known_is_refused(self):
        switch = self.switch()
        self.beat(switch, ca=False)
        self.failure(self.start(), "SSL peer certificate")
        self.assertEqual(switch.paths, [])

    def test_a_certificate_of_another_host_is_refused(self):
        switch = self.switch(self.elsewhere)
        self.beat(switch)
        self.failure(self.start(), "SSL peer certificate")
        self.assertEqual(switch.paths, [])

    def test_an_error_of_the_server_is_none_of_its_answers(self):
        switch = self.switch()
        switch.status = 500
        self.beat(switch)
        self.failure(self.start(), "HTTP 500")

    def test_a_redirect_is_not_followed(self):
        switch, other = self.switch(), self.switch()
        switch.status, switch.location = 302, f"https://localhost:{other.port}/elsewhere"
        self.beat(switch)
        self.failure(self.start(), "HTTP 302: redirects are not followed")
        self.assertEqual(other.paths, [])
        self.assertEqual(set(switch.paths), {f"/{SECRET}"})

    def test_an_endless_answer_is_cut_off(self):
        switch = self.switch()
        switch.answer = b"x" * (1 << 20)
        self.beat(switch)
        self.failure(self.start(), "its answer is longer than 64 KiB")

    def test_nobody_listens(self):
        switch = self.switch()
        self.beat(switch)
        switch.stop()
        self.failure(self.start(), "connect to server")

    def test_one_that_hangs_holds_nothing_up_and_is_given_up(self):
        switch = self.switch()
        switch.hang = threading.Event()
        self.beat(switch)
        daemon = self.start()
        daemon.wait("the question", lambda: switch.paths)
        self.there.add_challenge("2026-013", 50 * HOUR)
        daemon.wait("a mail meanwhile", lambda: self.server.mails, seconds=10)
        self.failure(daemon, "Timeout was reached")

    def test_the_end_of_a_failure_is_told(self):
        switch = self.switch()
        switch.status = 503
        self.beat(switch)
        daemon = self.start()
        daemon.wait("the fault", lambda: daemon.logged("HTTP 503"))
        switch.status = 200
        daemon.wait("the end of it", lambda: daemon.logged("the heartbeat is answered again"))

    def test_stopping_does_not_wait_for_it(self):
        switch = self.switch()
        switch.hang = threading.Event()
        self.beat(switch)
        daemon = self.start()
        daemon.wait("the question", lambda: switch.paths)
        begun = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - begun, 3)

    def test_the_address_may_be_a_credential(self):
        switch = self.switch()
        credentials = self.there.folder / "credentials"
        credentials.mkdir()
        (credentials / "heartbeat-url").write_text(f"https://localhost:{switch.port}/{SECRET}\n")
        self.configure(credential="heartbeat-url", ca=self.authority[0])
        daemon = self.start(CREDENTIALS_DIRECTORY=str(credentials))
        daemon.wait("a beat", lambda: f"/{SECRET}" in switch.paths)
        for where in (self.there.folder, self.there.state):
            for path in where.iterdir():
                if path.is_file():
                    self.assertNotIn(SECRET.encode(), path.read_bytes(), path)
        self.assertNotIn(SECRET, Path(f"/proc/{daemon.process.pid}/environ").read_text()
                         if os.geteuid() == 0 else "")
        (credentials / "heartbeat-url").write_text(f"http://elsewhere.test/{SECRET}\n")
        self.failure(daemon, "the address: must begin with https://")

    def test_a_credential_that_is_missing_is_a_fault(self):
        self.configure(credential="heartbeat-url")
        self.failure(self.start(), "heartbeat-url")

    def test_a_reload_begins_and_ends_it(self):
        switch = self.switch()
        daemon = self.start()
        self.beat(switch, every="1 hour")
        daemon.reload()
        daemon.wait("a beat", lambda: len(switch.paths) == 1)
        self.there.config.write_text(self.config)
        daemon.reload()
        time.sleep(2)
        self.assertEqual(len(switch.paths), 1)

    def test_in_clear_to_loopback_alone(self):
        switch = self.switch(clear=True)
        self.configure(url=f"http://127.0.0.1:{switch.port}/{SECRET}")
        daemon = self.start()
        daemon.wait("a beat", lambda: switch.paths)
        self.configure(url=f"http://localhost:{switch.port}/{SECRET}")
        said = self.there.ctl("check", status=None)
        self.assertEqual(said.returncode, 1)
        self.assertIn("literal loopback", said.stdout)
        self.assertNotIn(SECRET, said.stdout + said.stderr)

    def test_once_gives_it_too(self):
        switch = self.switch()
        self.beat(switch, every="1 hour")
        self.there.run("--once")
        self.assertEqual(switch.paths, [f"/{SECRET}"])
        switch.status = 500
        self.assertIn("HTTP 500", self.there.run("--once"))

    def test_its_process_is_the_sender_and_goes(self):
        """The daemon itself has no libcurl, and what fetches holds no relay."""
        switch = self.switch()
        switch.hang = threading.Event()
        self.beat(switch)
        daemon = self.start()
        daemon.wait("the question", lambda: switch.paths)
        pid = daemon.process.pid
        self.assertNotIn("libcurl", Path(f"/proc/{pid}/maps").read_text())
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self.assertEqual(len(children), 1)
        self.assertEqual(Path(f"/proc/{children[0]}/cmdline").read_bytes(), b"challenge-notify-sender\0")
        switch.hang.set()
        daemon.wait("its end", lambda: not Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                    or Path(f"/proc/{pid}/task/{pid}/children").read_text().split() != children)


if __name__ == "__main__":
    unittest.main()
