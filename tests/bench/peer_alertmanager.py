#!/usr/bin/python3
"""Debian's prometheus-alertmanager, mailing one alert a mail to an SMTP server on this machine.

usage: peer_alertmanager.py FOLDER PORT MAILS   prints one JSON line: CPU a mail, resident memory.

It remembers its notifications on disk from time to time, not before each mail, and knows no deadline, role or calendar.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

BATCH = 200  # alerts that wait at once: each opens a connection of its own
PATIENCE = 60  # seconds for one batch
CONFIG = """
route:
  receiver: mail
  group_by: [reference]
  group_wait: 0s
  group_interval: 1h
  repeat_interval: 24h
receivers:
  - name: mail
    email_configs:
      - to: somebody@council.example
        from: noreply@partnership.example
        smarthost: 127.0.0.1:{port}
        hello: localhost
        require_tls: false
        send_resolved: false
        headers: {{ Subject: 'Reply needed - {{{{ .GroupLabels.reference }}}}' }}
        html: ''
        text: '{words}'
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kib(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"no {field}")


class Alertmanager:
    def __init__(self, folder, port):
        config = folder / "alertmanager.yml"
        config.write_text(CONFIG.format(port=port, words="More words. " * 60))
        self.address = f"127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder}/alertmanager",
             f"--web.listen-address={self.address}", "--cluster.listen-address=", "--log.level=error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=30) as answer:
            return answer.read().decode()

    def wait_until_ready(self):
        for _ in range(100):
            try:
                self.get("/-/ready")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("it does not answer")

    def raise_alerts(self, first, count):
        alerts = [{"labels": {"alertname": "challenge", "reference": f"R-{n:07}"}} for n in range(first, first + count)]
        request = urllib.request.Request(f"http://{self.address}/api/v2/alerts", json.dumps(alerts).encode(),
                                         {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).close()

    def mailed(self):
        """Notifications that its metrics count as sent and not failed."""
        count = {"total": 0.0, "failed_total": 0.0}
        for line in self.get("/metrics").splitlines():
            for name in count:
                if line.startswith(f'alertmanager_notifications_{name}{{integration="email"'):
                    count[name] += float(line.split()[-1])
        return int(count["total"] - count["failed_total"])

    def mail(self, mails):
        for first in range(0, mails, BATCH):
            upto = min(first + BATCH, mails)
            self.raise_alerts(first, upto - first)
            end = time.monotonic() + PATIENCE
            while self.mailed() < upto:
                if time.monotonic() > end:
                    raise RuntimeError(f"after {PATIENCE} s it has mailed {self.mailed()}, not {upto}")
                time.sleep(0.1)  # to be asked costs it, too


def main():
    folder, port, mails = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    peer = Alertmanager(folder, port)
    try:
        peer.wait_until_ready()
        before, started = cpu_seconds(peer.process.pid), time.monotonic()
        peer.mail(mails)
        wall, cpu = time.monotonic() - started, cpu_seconds(peer.process.pid) - before
        print(json.dumps({"figure": "Alertmanager, one alert a mail", "mails": mails,
                          "mails_per_second": round(mails / wall), "cpu_us_per_mail": round(cpu * 1e6 / mails, 1),
                          "rss_kib": kib(peer.process.pid, "VmRSS"), "peak_kib": kib(peer.process.pid, "VmHWM")}))
    finally:
        peer.process.terminate()
        peer.process.wait()


if __name__ == "__main__":
    main()
