# SPDX-License-Identifier: GPL-2.0
"""What the measurements on virtual machines have in common."""
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tools/lab"))

HERE = TOP / "selftests/bench"
OUT = TOP / "build/bench"
MIB = 1 << 20


def note(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def ms(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def line(name, values):
    print(f"{name:44}" + "".join(f"{v:>12}" for v in values))


def build(*names):
    """Programs of this directory, static."""
    OUT.mkdir(parents=True, exist_ok=True)
    gcc = ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall"]
    subprocess.run([*gcc, "-O3", "-mssse3", "-c", "-o", OUT / "hash.o", HERE / "hash.c"], check=True)
    for name in names:
        subprocess.run([*gcc, "-O2", f"-I{TOP}/uapi", "-static", "-o", OUT / name, HERE / f"{name}.c",
                        OUT / "hash.o"], check=True)


class Debian:
    """Programs of Debian packages, unpacked and not installed: nothing starts on this computer,
    and no root is needed. Nodes see them where they are."""

    def __init__(self, *packages):
        self.root = OUT / "debian"
        archives = OUT / "archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["apt-get", "-q", "-y", "--download-only", "--reinstall", "--no-install-recommends",
             "-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}", "install", *packages],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.here = done.returncode == 0
        if not self.here:
            note(f"{' '.join(packages)}: cannot be had: {done.stdout.strip().splitlines()[-1]}")
            return
        for archive in archives.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, self.root], check=True)

    def argv(self, program, *args):
        """Command line, for a node."""
        found = [self.root / d / program for d in ("usr/sbin", "usr/bin")]
        path = next(p for p in found if p.is_symlink() or p.exists())
        return ["env", f"LD_LIBRARY_PATH={self.root}/usr/lib/{os.uname().machine}-linux-gnu", path, *args]
