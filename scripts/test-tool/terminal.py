# SPDX-License-Identifier: GPL-2.0
"""terminal.py TOOL DIR: live views on a terminal of ours, with a saved report."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

ENTER = b"\033[?1049h"
LEAVE = b"\033[?7h\033[?25h\033[?1049l"


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read_for(fd, seconds, until=None):
    """What comes in this time, or until it has something."""
    got = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (until and until in got):
        if select.select([fd], [], [], 0.05)[0]:
            try:
                part = os.read(fd, 65536)
            except OSError:
                break
            if not part:
                break
            got += part
    return got


def check(what, right, got=b""):
    if not right:
        print("wrong:", what, got[-2000:])
        sys.exit(1)


def rows_of(frame):
    return frame.split(b"\r\n")


def view(tool, args, rows, columns, act):
    """Runs the tool; act has it end. What it wrote, and its status."""
    master, slave = pty.openpty()
    if rows:
        resize(slave, rows, columns)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if not pid:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.environ["TERM"] = "vt100"
        os.execv(tool, [tool] + args)
    got = read_for(master, 10, b"\033[J" if rows else b"\033[6n")
    check("the screen is entered", got.startswith(ENTER), got)
    got += act(master, pid)
    got += read_for(master, 10, LEAVE)
    for _ in range(100):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        read_for(master, 0.05)
    check("it ends", done, got)
    check("the screen is left", got.endswith(LEAVE), got)
    check("the modes are as before", termios.tcgetattr(slave) == before)
    return got, status


def large(saved):
    """The directory of a report that takes long to read."""
    directory = os.path.join(saved, "large")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(saved, "kmemleak"), "rb") as report:
        text = report.read()
    with open(os.path.join(directory, "kmemleak"), "wb") as report:
        report.write(text * 300)
    return directory


def key(text):
    def act(master, pid):
        os.write(master, text)
        return b""
    return act


def main():
    tool, saved = sys.argv[1:]
    for command in ("watch", "top"):
        args = [command, "-i", "100", "--debugfs", saved]

        got, status = view(tool, args, 24, 80, key(b"q"))
        check("q ends it well", status == 0, got)
        check("leaks are shown", b"leaky_probe [kmemleak_leaky]" in got, got)

        # A look takes longer than the time until the next one.
        hurry = [command, "-i", "0.001", "--debugfs", large(saved)]
        got, status = view(tool, hurry, 24, 80, key(b"q"))
        check("q ends it where there is no time", status == 0, got)

        got, status = view(tool, args, 24, 80, key(b"\003"))
        check("Ctrl-C ends it well", status == 0, got)

        def terminate(master, pid):
            os.kill(pid, signal.SIGTERM)
            return b""
        got, status = view(tool, args, 24, 80, terminate)
        check("SIGTERM ends it as such", status == signal.SIGTERM, got)

        def look(master, pid):
            os.write(master, b"x")
            seen = read_for(master, 0.5, b"look 2")
            check("x does not look again", b"look 2" not in seen, seen)
            os.write(master, b"s")
            seen = read_for(master, 10, b"look 2")
            check("s looks again", b"look 2" in seen, seen)
            os.write(master, b"q")
            return seen
        view(tool, args, 24, 80, look)

        def shrink(master, pid):
            seen = b""
            for rows, columns in ((5, 20), (1, 1), (60, 200), (24, 80)):
                resize(master, rows, columns)
                part = read_for(master, 10, b"\033[J")
                check("it is drawn anew", b"\033[J" in part, part)
                lines = rows_of(part)
                check("not more lines than there are", len(lines) <= rows, part)
                for line in lines:
                    plain = line
                    for code in (b"\033[H", b"\033[7m", b"\033[0m", b"\033[K", b"\033[J"):
                        plain = plain.replace(code, b"")
                    check("not more columns than there are", len(plain) <= columns, line)
                seen += part
            os.write(master, b"q")
            return seen
        view(tool, args, 24, 80, shrink)

        # A serial line has no size, but the terminal at its end answers.
        # A key that comes before the answer is no part of it.
        def serial(master, pid):
            os.write(master, b"q\033[7;33R")
            return b""
        got, status = view(tool, args, 0, 0, serial)
        check("the terminal is asked", b"\033[6n" in got, got)
        check("the answer counts", got.count(b"\n") <= 6, got)
        check("the answer is no key", status == 0, got)


main()
