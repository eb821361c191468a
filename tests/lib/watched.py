"""A daemon in its loop that a test watches: what it says to systemd and to the journal, while things happen to it."""

import os
import signal
import socket
import threading
import time

PATIENCE = 20


class Watched:
    """Starts the daemon of a Partnership; use as a context manager."""

    def __init__(self, there, **environment):
        self.there = there
        self.said, self.lines = [], []
        path = str(there.folder / "notify")
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.notify.settimeout(0.1)
        self.process = there.start(NOTIFY_SOCKET=path, **environment)
        threading.Thread(target=self._read_journal, daemon=True).start()
        threading.Thread(target=self._read_notify, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.notify.close()

    def _read_journal(self):
        with self.process.stderr as journal:
            for line in journal:
                self.lines.append(line.rstrip("\n"))

    def _read_notify(self):
        while True:
            try:
                self.said.append(self.notify.recv(65536).decode())
            except TimeoutError:
                continue
            except OSError:
                return

    def logged(self, text):
        return sum(text in line for line in self.lines)

    def told(self, text):
        """How many messages to systemd hold that text."""
        return sum(text in message for message in self.said)

    def wait(self, what, true, seconds=PATIENCE):
        until = time.monotonic() + seconds
        while not true():
            if time.monotonic() > until or self.process.poll() is not None:
                if true():
                    return
                raise AssertionError(f"{what} did not happen (status {self.process.poll()}); journal: "
                                     f"{self.lines[-8:]}; systemd: {self.said[-3:]}")
            time.sleep(0.02)

    def ready(self):
        self.wait("READY=1", lambda: self.told("READY=1"))
        return self

    def reload(self):
        before = self.told("READY=1")
        self.process.send_signal(signal.SIGHUP)
        self.wait("READY=1 after the reload", lambda: self.told("READY=1") > before)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)
