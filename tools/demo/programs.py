# SPDX-License-Identifier: GPL-2.0
"""The programs that the demo moves, and their work.

How long they take depends on the computer, emulated machines being what they
are, so that all sizes are functions of seconds on a machine of speed 1
(work/speed.py).
"""
import fcntl
import glob
import os
import pathlib
import pty
import select
import struct
import subprocess
import termios
import time

from lab import LabError

USER = "1000"
SHARED = "/shared/demo"
WAIT = 240  # seconds until a program that gives no answer is given up


class Program:
    """One program.

    command: a line for the shell, run on n1; {run} is the place of
        `continuumctl run --`, {n} the size of the work, {tag} tells the two
        runs' files from each other.
    work: that size for a number of seconds, on a machine of speed 1.
    output: a file that it leaves on n1, looked at beside its standard output.
    at_home: it reads a file that only n1 has.
    """

    def __init__(self, name, what, command, work=None, output=None, at_home=False):
        self.name, self.what, self.command = name, what, command
        self.comm = name.split()[0]
        self.work, self.output, self.at_home = work, output, at_home

    def line(self, demo, tag, run):
        n = int(self.work(demo.work)) if self.work else 0
        return self.command.format(n=n, run=run, tag=tag, shared=SHARED)

    def run(self, demo, node, tag, run, started):
        """Runs the program; started(popen) starts it. Returns its exit status
        and what it put out."""
        with open(demo.log / f"{self.name}.{tag}.err", "wb") as errors:
            child = started(lambda: subprocess.Popen(
                demo.lab.exec(node, "sh", "-c", self.line(demo, tag, run), user=USER),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors))
            try:
                out = child.communicate(timeout=WAIT)[0]
            except subprocess.TimeoutExpired:
                child.kill()
                raise LabError(f"did not end within {WAIT} s") from None
        if self.output:
            out += demo.lab.read(node, self.output.format(tag=tag, shared=SHARED))
        return child.returncode, out


class Dialogue(Program):
    """A program on a terminal: somebody types a line whenever it prompts."""

    def __init__(self, name, what, command, prompt, lines, work):
        super().__init__(name, what, command, work)
        self.prompt, self.lines = prompt, lines

    def run(self, demo, node, tag, run, started):
        typed = [t.format(n=int(self.work(demo.work))) for t in self.lines]
        master, slave = pty.openpty()
        # Lines and columns, as struct winsize; the widths in pixels stay 0.
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        try:
            # In a session of its own, so that it does not find our terminal.
            child = started(lambda: subprocess.Popen(
                demo.lab.exec(node, "sh", "-c", self.line(demo, tag, run), user=USER, tty=True),
                stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                env={**os.environ, "TERM": "xterm"}))
            os.close(slave)
            slave = -1
            screen = self.talk(master, child, typed)
            return child.wait(timeout=WAIT), screen
        finally:
            os.close(master)
            if slave >= 0:
                os.close(slave)

    def talk(self, master, child, typed):
        """Types until nothing is left, returns all that was drawn."""
        screen, seen, heard = b"", 0, time.monotonic()
        while True:
            if not select.select([master], [], [], 1)[0]:
                if time.monotonic() > heard + WAIT / 2:
                    child.kill()
                    raise LabError(f"stopped answering; the terminal shows {screen[-200:]!r}")
                continue
            try:
                got = os.read(master, 65536)
            except OSError:  # EIO: the other end was closed
                return screen
            if not got:
                return screen
            heard = time.monotonic()
            screen += got
            at = screen.find(self.prompt, seen)
            if at >= 0 and typed:
                seen = at + len(self.prompt)
                time.sleep(0.2)
                os.write(master, typed.pop(0).encode() + b"\r")


MB = 1e6

PROGRAMS = [
    Program("xz", "compresses a text with two threads, to a file of n1",
            "exec {run} xz -T2 -2 --block-size=256KiB -c {shared}/text >/tmp/text.xz.{tag}",
            output="/tmp/text.xz.{tag}"),
    Program("zstd", "compresses programs with two threads, to the shared directory",
            "exec {run} zstd -q -f -T2 -B256K -7 {shared}/binary -o {shared}/zst.{tag}",
            output="{shared}/zst.{tag}"),
    Program("sort", "sorts a text in memory, two threads, into a pipe",
            "exec {run} sort --parallel=2 -S 64M -V {shared}/lines"),
    Program("gawk", "counts words of an open file of n1, exits with 3",
            "exec {run} gawk -f {shared}/words.awk </tmp/words", at_home=True),
    Program("bc", "computes pi, twice",
            "exec {run} bc -l {shared}/scale.bc {shared}/pi.bc"),
    Program("python3", "floating point in four threads",
            "exec {run} python3 {shared}/waves.py {n}",
            work=lambda seconds: 6000 * seconds),
    Dialogue("python3 tty", "a dialogue on a terminal, exits with 7",
             "exec {run} python3 -q", b">>> ", [
                 "import math, os, sys",
                 "os.isatty(0), os.get_terminal_size()",
                 "sum(math.sqrt(i) for i in range({n}))",
                 "numbers = [i * i % 7919 for i in range({n})]",
                 "hash(tuple(numbers)), max(numbers)",
                 "sum(math.sin(i) for i in numbers)",
                 "print('all that is typed and drawn is compared')",
                 "sys.exit(7)",
             ], work=lambda seconds: 100000 * seconds),
]

# What they read: where it comes from on any Debian machine, how many bytes for
# a number of seconds, and where it goes.
TEXT = ("/usr/lib/python3*/*.py", "/usr/share/common-licenses/*")
INPUTS = [
    (TEXT, lambda seconds: 0.42 * MB * seconds, SHARED + "/text"),
    (("/usr/bin/*",), lambda seconds: 0.6 * MB * seconds, SHARED + "/binary"),
    (TEXT, lambda seconds: 0.4 * MB * seconds, SHARED + "/lines"),
    (TEXT, lambda seconds: 0.12 * MB * seconds, "/tmp/words"),
]


def digits_of_pi(seconds):
    """bc's time grows with about the 2.5th power of the digits."""
    return 1000 * (seconds / 3.9) ** 0.4


def gather(patterns, count):
    """The first count bytes of these files, from the beginning again if they
    are not enough."""
    files = sorted(f for p in patterns for f in glob.glob(p) if os.path.isfile(f))
    data = bytearray()
    while len(data) < count and files:
        for file in files:
            if len(data) < count:
                data += pathlib.Path(file).read_bytes()
    return bytes(data[:count])
