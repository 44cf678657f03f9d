#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""top.py CTL GPID NODE: continuumctl top on a terminal

To be run on the node where the process GPID is; it is moved to NODE while top shows
it.  The window becomes small and large again; top ends by its key and by a signal,
and leaves the terminal as it was.
Exit status: 0, or 1 with the cause on standard output.
"""
import os, re, signal, subprocess, sys, tempfile
from tmux import Screen, command

ctl, gpid, node = sys.argv[1:]


def start(screen):
    screen.line("clear; stty -g; %s top; echo status $?; stty -g" % ctl)
    screen.shows("^NODE +PRESSURE")
    screen.shows("^n1 +\\[\\|* *\\] +[0-9]+ ")


def ended(screen, status):
    """The shell's screen again, with the same settings of its terminal."""
    screen.shows("^status %d$" % status)
    screen.shows("^READY\\$$")
    settings = re.findall("^[0-9a-f:]{40,}\n?[0-9a-f:]*", screen.text(), re.M)
    assert len(settings) == 2 and settings[0] == settings[1], "terminal settings:\n" + screen.text()
    assert screen.tmux("display", "-p", "#{alternate_on} #{cursor_flag}").strip() == "0 1", "still top's screen"


def fits(screen, rows, cols):
    lines = screen.text().split("\n")
    assert max(len(line) for line in lines) <= cols, screen.text()
    assert re.fullmatch("[ -~\n▁▂▃▄▅▆▇█]*", screen.text()), screen.text()
    assert lines[rows - 1].startswith("q quit"), screen.text()


def small(screen, rows, cols):
    screen.resize(rows, cols)
    screen.shows("^%s +%s" % (re.escape(gpid), node))
    fits(screen, rows, cols)


def watch(screen):
    start(screen)
    screen.shows("^%s .* n1 " % re.escape(gpid))
    moved = command(ctl, "migrate", gpid, node)
    assert moved.returncode == 0, moved.stdout
    screen.shows("^[0-9:]{8} moved +%s n1 -> %s$" % (re.escape(gpid), node))
    screen.shows("^%s .* %s +1 " % (re.escape(gpid), node))
    fits(screen, 24, 80)
    small(screen, 8, 20)
    screen.resize(24, 80)
    screen.shows("^%s .* %s +1 .*" % (re.escape(gpid), node))
    screen.keys("C-z")
    screen.shows("Stopped")
    screen.line("fg")
    screen.shows("^NODE +PRESSURE")
    screen.keys("q")
    screen.line("echo back $?")
    screen.shows("^back 0$")


def killed(screen, sig, status):
    start(screen)
    os.kill(screen.job(), sig)
    ended(screen, status)


def main():
    with tempfile.TemporaryDirectory(dir="/shared/test") as directory:
        screen = Screen(directory)
        try:
            watch(screen)
            killed(screen, signal.SIGTERM, 143)
            screen.line("clear; TERM=nonsense %s top" % ctl)
            screen.shows("the terminal \"nonsense\" is not known")
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(error)
            print(screen.text())
            return 1
        finally:
            screen.end()
    return 0


sys.exit(main())
