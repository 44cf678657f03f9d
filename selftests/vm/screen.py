#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""screen.py CTL PROGRAM NODE...: a full-screen program keeps its screen while it moves

To be run on the node where it starts; PROGRAM is vim, less, vim- or less- (which
read a pipe, and their keys from /dev/tty) or htop; it goes to each NODE in turn.  tmux is
the terminal, and interprets what is written to it.  The screen and the cursor have
to be the same before and after each move; keys work on every node; the window
changes its size while the program is away; at the end the shell's screen, its
terminal's settings and the exit status are what they are without Continuum, which
ALONE=1 shows: it moves nothing.
Exit status: 0, or 1 with the cause on standard output.
"""
import json, os, re, subprocess, sys, tempfile, time
from tmux import SLOW, Screen, command

ctl, program, nodes = sys.argv[1], sys.argv[2], sys.argv[3:]


def gpid(name):
    for _ in range(int(SLOW * 5)):
        found = [p["gpid"] for p in json.loads(command(ctl, "ps", "-j").stdout) if p["comm"] == name]
        if found:
            return found[-1]
        time.sleep(.2)
    raise AssertionError("no %s in ps:\n%s" % (name, command(ctl, "ps").stdout))


def move(process, node):
    moved = command(ctl, "migrate", process, node)
    assert moved.returncode == 0, "to %s: %s%s" % (node, moved.stdout, command(ctl, "explain", process, node).stdout)


def same(before, after, when):
    assert before == after, "%s, before:\n%s\nafter:\n%s" % (when, before, after)


class Vim:
    name = "vim"
    start = "vim -u NONE -i NONE -n -c 'set nocp ruler' text"
    status = 3

    def __init__(self, screen):
        self.wanted = []
        screen.shows("^~")

    def step(self, screen, n):
        self.wanted.append("line %d: grüße" % n)
        screen.tmux("send-keys", "-l", "iline %d: grüße" % n)
        screen.keys("Enter", "Escape")
        screen.shows("^line %d: grüße" % n)

    def away(self, screen):     # a command line half typed, which a move must not finish
        screen.keys(":")
        screen.tmux("send-keys", "-l", "set nu")
        screen.shows("^:set nu$")

    def back(self, screen):
        screen.keys("Enter")
        screen.shows("^ +1 line 0: grüße")

    def sized(self, screen, rows):
        screen.shows("^ +1 line 0")
        assert len(re.findall("^~", screen.text(), re.M)) >= rows - len(self.wanted) - 2, screen.text()

    def quit(self, screen):
        screen.keys(":", "w", "Enter", ":", "3", "c", "q", "Enter")

    def verify(self, directory):
        with open(directory + "/text") as f:
            found = f.read().split("\n")
        assert found[:len(self.wanted)] == self.wanted, found


class VimPipe(Vim):     # newlines are cursor movements there
    start = "echo | %svim -u NONE -i NONE -n -c 'set nocp ruler' -c 'file text' -"

    def step(self, screen, n):
        super().step(screen, n)
        if not n:
            screen.shows("^line 0: grüße")


class Less:
    name = "less"
    start = "less -N lines"
    status = 0

    def __init__(self, screen):
        self.top = 1
        screen.shows("^ +1 the line 1$")

    def step(self, screen, n):
        self.top = 1000 * (n + 1)
        screen.tmux("send-keys", "-l", "%dg" % self.top)
        screen.shows("^ +%d the line %d$" % (self.top, self.top))

    def away(self, screen):
        screen.tmux("send-keys", "-l", "/line 7")
        screen.shows("^/line 7")

    def back(self, screen):
        screen.tmux("send-keys", "-l", "777$")
        screen.keys("Enter")
        screen.shows("the line 7777$")

    def sized(self, screen, rows):
        screen.shows("^ +7777 the line 7777$")
        end = time.monotonic() + SLOW
        while len(re.findall("the line", screen.text())) != rows - 1:
            assert time.monotonic() < end, screen.text()
            time.sleep(.2)

    def quit(self, screen):
        screen.keys("q")

    def verify(self, directory):
        pass


class Pipe(Less):
    start = "cat lines | %sless -N"


class Htop:
    """Its meters change; below them is the setup, which does not."""
    name = "htop"
    start = "htop -d 20 --no-mouse"
    status = 0

    def __init__(self, screen):
        screen.shows("F1Help")
        screen.keys("F2")
        screen.shows("Categories")
        screen.changing = 5

    def step(self, screen, n):      # the next category
        screen.keys("Down")

    def away(self, screen):
        pass

    def back(self, screen):
        screen.changing = 0
        screen.keys("F10")
        screen.shows("F1Help")

    def sized(self, screen, rows):
        end = time.monotonic() + SLOW
        while "F1Help" not in screen.text().split("\n")[rows - 1]:
            assert time.monotonic() < end, screen.text()
            time.sleep(.2)

    def quit(self, screen):
        screen.keys("F10")

    def verify(self, directory):
        pass


def journey(screen, kind, prefix, nodes, directory):
    screen.line("clear; stty -g; %s; echo status $?; stty -g" %
                (kind.start % prefix if "%s" in kind.start else prefix + kind.start))
    p = kind(screen)
    process = gpid(p.name) if prefix else None
    for n, node in enumerate(nodes):
        if n == 1:              # it is away
            screen.resize(30, 100)
            screen.settled()
            screen.resize(24, 80)
        p.step(screen, n)
        last = n == len(nodes) - 1
        if last:
            p.away(screen)
        before = screen.settled()
        if process:
            move(process, node)
        same(before, screen.settled(), "moved to " + node)
    p.back(screen)
    screen.resize(18, 70)
    p.sized(screen, 18)
    screen.resize(24, 80)
    p.sized(screen, 24)
    p.quit(screen)
    screen.shows("^status ")
    screen.shows("^status %d$" % p.status)
    p.verify(directory)
    screen.shows("^READY\\$$")
    settings = re.findall("^[0-9a-f:]{40,}\n?[0-9a-f:]*", screen.text(), re.M)
    assert len(settings) == 2 and settings[0] == settings[1], "terminal settings:\n" + screen.text()
    assert screen.tmux("display", "-p", "#{alternate_on}").strip() == "0", "still the program's screen"


def main():
    kind = {"vim": Vim, "vim-": VimPipe, "less": Less, "less-": Pipe, "htop": Htop}[program]
    with tempfile.TemporaryDirectory(dir="/shared/test") as directory:
        with open(directory + "/lines", "w") as f:
            f.write("".join("the line %d\n" % i for i in range(1, 20001)))
        screen = Screen(directory)
        try:
            journey(screen, kind, "" if os.environ.get("ALONE") else ctl + " run ", nodes, directory)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(error)
            print(screen.text() + screen.tmux("list-panes"))
            return 1
        finally:
            screen.end()
    return 0


sys.exit(main())
