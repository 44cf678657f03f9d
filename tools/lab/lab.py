# SPDX-License-Identifier: GPL-2.0
"""The laboratory, as the demo and the benchmarks use it: tools/lab/lab and
continuumctl on its nodes.

A Lab belongs to the script that made it. Use it in a `with` statement: it ends
its machines however the statement is left.
"""
import json
import os
import pathlib
import re
import subprocess
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
LAB = TOP / "tools/lab/lab"
CTL = TOP / "build/tools/continuumctl"


class LabError(Exception):
    pass


class Move:
    """What continuumctl migrate printed: times in seconds."""

    LINE = re.compile(r"^(\S+) (\S+) downtime_us=(\d+) total_us=(\d+) bytes=(\d+)$", re.M)

    def __init__(self, text):
        found = self.LINE.search(text)
        if not found:
            raise LabError(f"continuumctl migrate printed {text!r}")
        self.gpid, self.node = found[1], found[2]
        self.downtime, self.total = int(found[3]) / 1e6, int(found[4]) / 1e6
        self.bytes = int(found[5])


class Lab:
    def __init__(self, name, log):
        self.name = name
        self.log = log  # a directory
        self.booted = False
        self.kernel = self.accel = None
        self.nodes = []
        self._starting = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.booted:
            self.keep_kernel_logs()
            subprocess.run([LAB, "-L", self.name, "down"], check=False)

    def command(self, *args):
        return [str(LAB), "-L", self.name, *map(str, args)]

    def up(self, *args):
        """Boots the nodes; returns what `lab up` printed."""
        if subprocess.run(self.command("status"), capture_output=True, check=False).returncode == 0:
            raise LabError(f"a lab of the name {self.name} is up already; to end it: "
                           f"tools/lab/lab -L {self.name} down")
        self.booted = True
        # what is shown and measured here is moved by hand
        done = subprocess.run(self.command("up", *args), text=True, check=False,
                              env={**os.environ, "LAB_CONF": "valve = no"},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        (self.log / "up").write_text(done.stdout)
        if done.returncode:
            raise LabError(done.stdout.rstrip())
        self.nodes = re.findall(r"^(n\d+) +up after", done.stdout, re.M)
        found = re.search(r"kernel (\S+), (\S+)", done.stdout)
        self.kernel, self.accel = found[1], found[2]
        return done.stdout

    def exec(self, node, *argv, user=None, tty=False):
        """Command line of `lab exec`, for subprocess."""
        return self.command("exec", *(["-u", user] if user else []), *(["-t"] if tty else []),
                            node, "--", *argv)

    def run(self, node, *argv, user=None, check=True, **kw):
        done = subprocess.run(self.exec(node, *argv, user=user), text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **kw)
        if check and done.returncode:
            raise LabError(f"{node}: {' '.join(map(str, argv))}: "
                           f"{(done.stderr or done.stdout).strip() or f'exit {done.returncode}'}")
        return done

    def write(self, node, path, data):
        subprocess.run(self.exec(node, "sh", "-c", 'cat >"$0"', path), input=data, check=True)

    def read(self, node, path):
        return subprocess.run(self.exec(node, "cat", path), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, check=True).stdout

    # ---- continuumctl ----

    def processes(self, node="n1"):
        return json.loads(self.run(node, CTL, "ps", "-j").stdout)

    def start(self, node, comm, popen):
        """Calls popen(), which starts a program under `continuumctl run` on
        node; returns what it returned and the new process's GPID."""
        with self._starting:
            before = {p["gpid"] for p in self.processes(node)}
            child = popen()
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                for p in self.processes(node):
                    if p["gpid"] not in before and p["comm"] == comm:
                        return child, p["gpid"]
                if child.poll() is not None:
                    break
                time.sleep(0.1)
        raise LabError(f"{comm} did not become a process of the cluster")

    def migrate(self, gpid, to, user=None, node="n1"):
        return Move(self.run(node, CTL, "migrate", gpid, to, user=user, timeout=120).stdout)

    def set_encryption(self, nodes, on):
        for node in nodes:
            self.run(node, CTL, "set", "encrypt", "on" if on else "off")

    # ---- what the kernels said ----

    def complaints(self, node):
        """Lines of the kernel log that no healthy kernel writes."""
        done = self.run(node, "dmesg", check=False)
        if done.returncode:
            return [done.stderr.strip()]
        return re.findall(r"^.*(?:WARNING:|BUG:|Oops|Call Trace|lockup|hung_task|blocked for more"
                          r"|general protection|refcount_t).*$", done.stdout, re.M)

    def keep_kernel_logs(self):
        """For who wants to know why: what became of the nodes, what they said."""
        status = subprocess.run(self.command("status"), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        (self.log / "status").write_bytes(status.stdout)
        for node in self.nodes:
            for name, command in (("console", self.command("console", node)),
                                  ("dmesg", self.exec(node, "dmesg"))):
                done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, check=False)
                if done.returncode == 0:
                    (self.log / f"{name}.{node}").write_bytes(done.stdout)


def log_directory(name):
    path = TOP / "build" / name
    path.mkdir(parents=True, exist_ok=True)
    for old in path.iterdir():
        if old.is_file():
            os.unlink(old)
    return path
