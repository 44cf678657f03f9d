# SPDX-License-Identifier: GPL-2.0
"""tmux.py: a shell on a terminal that is tmux's, which interprets what is written to it"""
import os, re, subprocess, time

SLOW = float(os.environ.get("SLOW", "60"))     # seconds that a change may take
QUIET = 1.0                                    # ... after which nothing more is expected


def command(*words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2 * SLOW,
                          text=True, stdin=subprocess.DEVNULL, **more)


class Screen:
    """A shell on a terminal that is tmux's."""

    def __init__(self, directory):
        self.changing = 0
        self.socket = "/tmp/tmux.%d" % os.getpid()      # a socket is for one node
        with open(directory + "/conf", "w") as f:
            f.write("set -g status off\nset -g default-terminal screen\nset -s escape-time 0\n")
        os.environ.update(HISTFILE="/dev/null", SHELL="/bin/bash", LC_ALL="C.UTF-8", HOME=directory)
        os.environ.pop("TMUX", None)
        said = self.tmux("-f", directory + "/conf", "new-session", "-d", "-x", "80", "-y", "24",
                         "-c", directory, "PS1='READY$ ' bash --norc --noprofile --noediting -i")
        assert not said, said
        self.shows("READY\\$")

    def tmux(self, *words):
        return command("tmux", "-S", self.socket, *words).stdout

    def now(self):
        """The lines, with their colours, and where the cursor is; not the first @changing."""
        cursor = self.tmux("display", "-p", "#{alternate_on} #{cursor_flag}" +
                           ("" if self.changing else " #{cursor_y},#{cursor_x}"))
        return self.tmux("capture-pane", "-p", "-e", "-S", str(self.changing)) + cursor

    def text(self):
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def line(self, text):
        self.tmux("send-keys", "-l", text)
        self.keys("Enter")

    def resize(self, rows, cols):
        self.tmux("resize-window", "-x", str(cols), "-y", str(rows))

    def shows(self, pattern):
        end = time.monotonic() + SLOW
        while not re.search(pattern, self.text(), re.M):
            assert time.monotonic() < end, "no %r on the screen:\n%s" % (pattern, self.text())
            time.sleep(.1)

    def job(self):
        """The pid of what the shell runs."""
        shell = self.tmux("display", "-p", "#{pane_pid}").strip()
        with open("/proc/%s/task/%s/children" % (shell, shell)) as f:
            return int(f.read().split()[0])

    def settled(self):
        """The screen, when it has been the same for a while."""
        end = time.monotonic() + SLOW
        last, since = self.now(), time.monotonic()
        while time.monotonic() - since < QUIET:
            assert time.monotonic() < end, "the screen does not come to rest:\n" + self.text()
            time.sleep(.2)
            seen = self.now()
            if seen != last:
                last, since = seen, time.monotonic()
        return last

    def end(self):
        self.tmux("kill-server")
