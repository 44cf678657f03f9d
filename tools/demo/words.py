# SPDX-License-Identifier: GPL-2.0
"""The demo's last part: word count over the cluster, twice, the second time with a
node that loses its power half way. FULL=1: 1 GiB and 1,000 workers."""
import glob
import gzip
import os
import subprocess
import tarfile
import threading
import time

from lab import CTL, TOP, LabError
from programs import USER

FULL = bool(os.environ.get("FULL"))
BYTES = 2**30 if FULL else 16 * 2**20
CHUNK = "1M" if FULL else "128K"
WORKERS = 1000 if FULL else 60
NODE_MIB = 2048 if FULL else 512
LIMIT = 7200 if FULL else 900

DOCUMENTATION = ("/usr/share/doc/**/*", "/usr/share/man/**/*", "/usr/include/**/*.h",
                 "/usr/share/perl/**/*.p[lm]", "/usr/lib/python3/**/*.py")
SOURCE = "linux-source-6.1"


def documents():
    """What is to be read on this machine, unpacked."""
    for pattern in DOCUMENTATION:
        for name in sorted(glob.glob(pattern, recursive=True)):
            if os.path.isfile(name):
                try:
                    with (gzip.open if name.endswith(".gz") else open)(name, "rb") as file:
                        yield file.read()
                except (OSError, EOFError):
                    pass


def sources():
    """Files of a source package of Debian."""
    done = subprocess.run([TOP / "tools/kernels/kernel", "package", "bookworm", SOURCE], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise LabError(f"no {SOURCE}: {done.stderr.strip()}")
    with tarfile.open(glob.glob(f"{done.stdout.split()[-1]}/usr/src/*.tar.xz")[0], "r|xz") as tar:
        for member in tar:
            if member.isfile():
                yield tar.extractfile(member).read()


def text():
    """A file of BYTES of real text below build/, which the nodes see, too; made once."""
    path = TOP / f"build/demo-text-{BYTES >> 20}"
    if path.exists() and path.stat().st_size == BYTES:
        return path
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".new")
    left = BYTES
    with open(unfinished, "wb") as file:
        for source in (documents, sources):
            for data in source() if left else ():
                left -= file.write(data[:left])
                if not left:
                    break
    if left:
        raise LabError(f"not enough text: {left} bytes are missing")
    unfinished.rename(path)
    return path


class Count:
    """One word count, and what came of it."""

    def __init__(self, demo, path, want):
        self.demo, self.path, self.want = demo, path, want
        self.problem = None

    def run(self, beside=None):
        demo = self.demo
        child = subprocess.Popen(
            demo.lab.exec("n1", CTL, "wordcount", "-v", "--chunk", CHUNK, "--workers", WORKERS,
                          self.path, user=USER),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        timer = threading.Timer(LIMIT, child.kill)
        timer.start()
        try:
            if beside:
                beside(child)
            out, err = child.communicate()
        finally:
            timer.cancel()
            if child.poll() is None:
                child.kill()
        if child.returncode or out != f"{self.want} {self.path}\n":
            self.problem = f"exit {child.returncode}, it says {out.strip() or 'nothing'}"
        return err


def wait_for_workers(lab, child, count):
    """Until so many processes live, or it has ended."""
    while child.poll() is None:
        if len(lab.processes()) > count:
            return
        time.sleep(0.2)


def crash(demo, say):
    def beside(child):
        wait_for_workers(demo.lab, child, WORKERS // 4)
        say("          now n3 loses its power")
        subprocess.run(demo.lab.command("crash", "n3"), check=True, stdout=subprocess.DEVNULL)

    return beside


def count_words(demo, say, stamp):
    """Return: is all well"""
    path = text()
    want = int(subprocess.run(["wc", "-w"], stdin=open(path, "rb"), env={**os.environ, "LC_ALL": "C"},
                              stdout=subprocess.PIPE, check=True).stdout)
    say()
    say(f"Word count: {BYTES >> 20} MiB of Debian's documentation and sources, in blocks of {CHUNK},\n"
        f"up to {WORKERS} workers forked over the cluster. wc -w says {want}.")
    good = True
    for title, beside in (("all nodes", None), ("a node crashes half way", crash(demo, say))):
        run = Count(demo, str(path), want)
        begin = time.monotonic()
        err = run.run(beside)
        stamp(f"{title}: {time.monotonic() - begin:.1f} s, "
              f"{'NOT OK: ' + run.problem if run.problem else 'ok: the same'}")
        say("".join(f"          {line}\n" for line in err.splitlines()).rstrip())
        good &= not run.problem
    return good
