"""What a program shows at a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios


def heard(leader):
    """All that is written to a terminal until its other end is closed."""
    said = b""
    try:
        while data := os.read(leader, 4096):
            said += data
    except OSError:  # closed
        pass
    os.close(leader)
    return said


def shown(command, environment, stream="stdout", columns=80):
    """What a terminal of so many columns at that stream is shown; and what went to the other one, where no terminal is."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: follower}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, **streams) as program:
        os.close(follower)
        said = heard(leader)
        other = (program.stderr if stream == "stdout" else program.stdout).read()
    return said.decode(), other.decode()
