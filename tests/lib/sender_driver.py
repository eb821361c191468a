"""Plays the daemon's part towards build/challenge-notify-sender: the frames of sender_channel.h."""

import ctypes
import functools
import os
import select
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(os.environ.get("SENDER_PROGRAM", TOP / "build" / "challenge-notify-sender"))
CHANNEL = 3  # the sender's descriptor
FLAGS = ("body_sent", "at_rcpt", "greeted", "reused", "configuration", "unfit")
SPEAKERS = ("relay", "us", "note")
RELAY = {"url": "", "clear_text": False, "ca": "", "ehlo": "daemon.test", "login": "", "user": "",
         "credential": "", "tenant": "", "client": "", "token_url": "", "connect_seconds": 2,
         "reply_seconds": 1, "dot_seconds": 1, "tell": False}  # in the order of the frame


def field(value):
    if isinstance(value, int):  # bool too
        value = struct.pack(">q", value)
    else:
        value = (value.encode("latin-1") if isinstance(value, str) else value) + b"\0"
    return struct.pack(">I", len(value)) + value


def frame(kind, *values):
    payload = b"".join(field(value) for value in values)
    return kind + struct.pack(">I", len(payload)) + payload


def fields(payload):
    while payload:
        length, = struct.unpack_from(">I", payload)
        yield payload[4:4 + length]
        payload = payload[4 + length:]


def number(value):
    return struct.unpack(">q", value)[0]


class Sender:
    """One sender process. Use as a context manager; `send` gives what came of one mail."""

    def __init__(self, *, credentials=None, environment=None, program=PROGRAM, **relay):
        self.channel, theirs = socket.socketpair()
        self.serial, self.input, self.steps = 0, b"", []
        environment = {**os.environ, **(environment or {})}
        environment.pop("CREDENTIALS_DIRECTORY", None)
        if credentials:
            environment["CREDENTIALS_DIRECTORY"] = str(credentials)
        given = theirs.fileno()  # bash moves it: subprocess may have a pipe of its own at 3
        move = f'exec "$0" {CHANNEL}<&{given}-' if given != CHANNEL else 'exec "$0"'
        self.process = subprocess.Popen(["/bin/bash", "-c", move, str(program)], env=environment,
                                        pass_fds=(given,), stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        theirs.close()
        if relay:
            self.relay(**relay)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def relay(self, **settings):
        unknown = settings.keys() - RELAY.keys()
        if unknown:
            raise KeyError(unknown)
        self.channel.sendall(frame(b"R", *{**RELAY, **settings}.values()))

    def begin(self, *, sender="noreply@partnership.test", recipient="manager@council.test",
              body=None):
        """Hands a mail over; the outcome comes from `result`."""
        self.serial += 1
        if body is None:
            body = plain_mail(self.serial)
        self.channel.sendall(frame(b"M", self.serial, sender, recipient, body))

    def next_frame(self, timeout):
        """(kind, payload), or (None, b"") at the channel's end."""
        end = time.monotonic() + timeout
        while True:
            if len(self.input) >= 5:
                length, = struct.unpack_from(">I", self.input, 1)
                if len(self.input) >= 5 + length:
                    kind, payload = self.input[:1], self.input[5:5 + length]
                    self.input = self.input[5 + length:]
                    return kind, payload
            ready, _, _ = select.select([self.channel], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise TimeoutError("the sender did not answer")
            try:
                more = self.channel.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None, b""
            self.input += more

    def result(self, timeout=20):
        """The outcome as a dictionary; `body_frame` says whether BODY came before it."""
        body_frame = False
        while True:
            kind, payload = self.next_frame(timeout)
            values = list(fields(payload))
            if kind == b"B":
                assert number(values[0]) == self.serial, "BODY for another mail"
                body_frame = True
                continue
            if kind == b"S":
                self.steps.append((SPEAKERS[number(values[1])], values[2][:-1].decode("ascii")))
                continue
            if kind != b"O":
                return None
            assert number(values[0]) == self.serial, "RESULT for another mail"
            result = {"curl_code": number(values[1]), "reply_code": number(values[2]),
                      "reply": values[9][:-1].decode("ascii"), "body_frame": body_frame}
            result.update((name, bool(number(v))) for name, v in zip(FLAGS, values[3:9]))
            return result

    def send(self, timeout=20, **mail):
        self.begin(**mail)
        return self.result(timeout)

    def close(self, timeout=5):
        """Closes the channel; returns (exit status, standard error). Twice is fine."""
        self.channel.close()
        if self.process.stderr.closed:
            return self.process.returncode, ""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with self.process.stderr as stream:
            words = stream.read().decode()
        return self.process.returncode, words


def plain_mail(serial, text="Reply needed by Thursday.\r\n"):
    return (f"From: noreply@partnership.test\r\nTo: manager@council.test\r\n"
            f"Message-ID: <{serial}.{os.getpid()}@partnership.test>\r\n"
            f"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nSubject: Mail {serial}\r\n"
            f"\r\n{text}").encode()


class AttemptResult(ctypes.Structure):
    """struct attempt_result of daemon/core/delivery.h."""
    _fields_ = [("curl_code", ctypes.c_int), ("reply_code", ctypes.c_int),
                *((name, ctypes.c_bool) for name in FLAGS), ("reply", ctypes.c_char * 300)]


VERDICTS = ("accepted", "retry", "retry_now", "address", "hold", "relay_fault", "in_doubt")


@functools.cache
def delivery():
    """daemon/core/delivery.c itself, as a library."""
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/delivery.so"
        subprocess.run(["cc", "-std=gnu17", "-shared", "-fPIC", "-I", TOP / "daemon", "-o", library,
                        TOP / "daemon" / "core" / "delivery.c"], check=True)
        return ctypes.CDLL(library)


def verdict(result):
    """What delivery_classify calls it."""
    given = AttemptResult(result["curl_code"], result["reply_code"],
                          *(result[name] for name in FLAGS), result["reply"].encode())
    return VERDICTS[delivery().delivery_classify(ctypes.byref(given))]
