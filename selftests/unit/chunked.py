#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""chunked.py DIRECTORY [TEST...]: wordcount and map on a cluster that is made up (fake_cluster.c),
in which workers die, nodes fall silent, blocks get lost and the store is too small. KTAP."""
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

BIN, NAMES = sys.argv[1], sys.argv[2:]
SEED = int(os.environ.get("SEED") or random.randrange(2**32))
rng = random.Random(SEED)
DATA, MESSAGE, ERRORS, PROGRESS, NODE, TOTALS = range(1, 7)
KEYS = "words bytes chunks workers again waves put fork work total".split()


class Said:
    """What a run has said in frames."""

    def __init__(self, status, raw):
        self.status, self.out, self.messages, self.errors = status, b"", [], b""
        self.totals, self.nodes = {}, []
        while len(raw) >= 8:
            kind, length = struct.unpack_from("=II", raw)
            data, raw = raw[8:8 + length], raw[8 + length:]
            if kind == DATA:
                self.out += data
            elif kind == MESSAGE:
                self.messages.append(data.decode())
            elif kind == ERRORS:
                self.errors += data
            elif kind == NODE:
                self.nodes.append(struct.unpack("=64s5Q", data))
            elif kind == TOTALS:
                self.totals = dict(zip(KEYS, struct.unpack("=10Q", data)))
        assert not raw, "half a frame"


def run(program, path, what, chunk=1000, workers=20, timeout=0, room=2**40, stdin=None, limit=30, **fake):
    env = {**os.environ, **{"FAKE_" + k.upper(): str(v) for k, v in fake.items()}}
    child = subprocess.Popen([f"{BIN}/fake-{program}", *map(str, (chunk, workers, timeout, room, path, what))],
                             stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, env=env,
                             start_new_session=True)
    timer = time.monotonic() + limit
    try:
        raw = child.communicate(timeout=limit)[0] if not fake.get("silent") else until_end(child, timer)
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return Said(child.wait(), raw)


def until_end(child, timer):
    """Children that hang keep the pipe open: read until the first has ended."""
    raw = b""
    os.set_blocking(child.stdout.fileno(), False)
    while child.poll() is None and time.monotonic() < timer:
        raw += child.stdout.read() or b""
        time.sleep(0.01)
    return raw + (child.stdout.read() or b"")


def classes(rule):
    spaces = set(b"\t\n\v\f\r ") | ({0xa0} if rule == 2 else set())
    words = set(range(0x21, 0x7f)) if rule == 0 else set(range(256)) - spaces
    return spaces, words


def count(data, rule):
    spaces, words = classes(rule)
    kept = bytes(b if b in words else 32 for b in data if b in words or b in spaces)
    return len(kept.split(b" ")) - kept.split(b" ").count(b"")


def content(kind, length):
    if kind == "binary":
        return rng.randbytes(length)
    if kind == "edges":
        return bytes(rng.choice(b"a \n\xa0\x01") for _ in range(length))
    text = bytearray()
    while len(text) < length:
        text += bytes(rng.choice(b"abcdefgh") for _ in range(rng.randint(1, 9)))
        text += rng.choice([b" ", b" ", b"\n", b"  "])
    return bytes(text[:length])


def file(data):
    path = os.path.join(directory, "file%d" % rng.randrange(2**40))
    with open(path, "wb") as f:
        f.write(data)
    return path


def check(good, what):
    if not good:
        raise AssertionError(what)


def counted(data, rule=0, **options):
    said = run("wordcount", file(data), rule, **options)
    check(said.status == 0, f"status {said.status}: {said.messages}")
    want = count(data, rule)
    check(said.totals["words"] == want, f"{said.totals['words']} words, not {want}; {said.messages}")
    check(said.totals["bytes"] == len(data), f"{said.totals}")
    # each chunk once, however often it was tried
    check(sum(n[2] for n in said.nodes) == said.totals["chunks"], f"{said.nodes} {said.totals}")
    return said


def test_sizes():
    for length in (0, 1, 999, 1000, 1001, 2000, 12345, 130000):
        for number, kind in enumerate(("text", "binary", "edges")):
            counted(content(kind, length), (number + length) % 3)


def test_shares():
    data = content("edges", 5003)
    for chunk in (1, 97, 4999, 5003, 4 << 20):
        for workers in (1, 3, 4096):
            counted(data, 0, chunk=chunk, workers=min(workers, 50 if chunk == 1 else 4096))


def test_stdin():
    data = content("text", 54321)
    with subprocess.Popen(["cat", file(data)], stdout=subprocess.PIPE) as cat:
        said = run("wordcount", "-", 0, stdin=cat.stdout)
    check(said.totals.get("words") == count(data, 0), f"{said.totals} {said.messages}")


def test_killed():
    said = counted(content("text", 100000), kill=3)
    check(said.totals["again"] > 0, "none was done again")


def test_killed_always():
    said = run("wordcount", file(content("text", 5000)), 0, kill=1)
    check(said.status == 1 and any("tried 8 times" in m for m in said.messages), f"{said.status} {said.messages}")


def test_refused():
    counted(content("text", 100000), refuse=4)


def test_silent():
    said = counted(content("text", 100000), silent=2)
    check(any("node does not answer" in m for m in said.messages), f"{said.messages}")


def test_twice():
    counted(content("text", 100000), silent=2, twice=1)


def test_hangs():
    said = counted(content("text", 30000), hang=5, timeout=1500)
    check(any("destroyed" in m for m in said.messages), f"{said.messages}")


def test_lost():
    counted(content("text", 100000), lose=17)


def test_waves():
    for data in (content("text", 100000), b"same words " * 10000):
        said = counted(data, room=2**40)
        check(said.totals["waves"] == 1, f"{said.totals}")
        said = run("wordcount", file(data), 0, **{"room": 30000})
        check(said.totals["words"] == count(data, 0) and said.totals["waves"] == -(-len(data) // 30000), f"{said.totals}")


def test_full():
    os.environ["FAKE_ROOM"] = "20500"
    try:
        said = counted(content("text", 100000), chunk=1000)
        check(said.totals["waves"] == 5, f"{said.totals}")
        said = run("wordcount", file(content("text", 100000)), 0, chunk=30000)
        check(said.status == 1 and any("no room" in m for m in said.messages), f"{said.messages}")
    finally:
        del os.environ["FAKE_ROOM"]


def test_changes():
    """Appended to, or written over, after it was read and before it was counted."""
    for change in ("append", "rewrite", "truncate"):
        path = file(content("text", 50000))
        child = subprocess.Popen([f"{BIN}/fake-wordcount", "1000", "5", "1500", str(2**40), path, "0"],
                                 stdout=subprocess.PIPE, env={**os.environ, "FAKE_HANG": "1"},
                                 start_new_session=True)
        time.sleep(0.7)
        with open(path, "r+b") as f:
            if change == "append":
                f.seek(0, 2)
            if change == "truncate":
                f.truncate(100)
            else:
                f.write(b"more")
        said = Said(child.wait(timeout=30), child.stdout.read())
        check(said.status == 1 and any("changed while it was read" in m for m in said.messages),
              f"{change}: {said.status} {said.messages}")


def test_map():
    data = content("text", 50000)
    said = run("map", file(data), "cat")
    check(said.out == data and said.status == 0, f"cat: {len(said.out)} of {len(data)} bytes, {said.messages}")
    lines = data.split(b"\n")
    said = run("map", file(data), "grep -c abc", kill=4)
    check(sum(map(int, said.out.split())) == sum(b"abc" in x for x in lines), f"grep -c: {said.out} {said.messages}")
    said = run("map", file(data), "tr a-z A-Z; echo out of $CONTINUUM_CHUNK >&2; exit $((CONTINUUM_CHUNK % 4))")
    check(said.out == data.upper() and said.status == 3, f"{said.status}")
    check(said.errors.count(b"out of") == said.totals["chunks"], f"{said.errors}")
    said = run("map", file(data), "kill -9 $$")
    check(said.status == 137 and said.out == b"", f"{said.status}")


def test_map_output():
    """More output than input, none, and none of the input read."""
    data = content("text", 20000)
    said = run("map", file(data), "cat; head -c 3000000 /dev/zero", chunk=10000, workers=3)
    check(len(said.out) == len(data) + 3000000 * said.totals["chunks"], f"{len(said.out)}")
    said = run("map", file(content("text", 3 << 20)), "echo x", chunk=1 << 20)
    check(said.out == b"x\n" * said.totals["chunks"] and said.status == 0, f"{said.out} {said.status}")
    said = run("map", file(data), "cat >/dev/null")
    check(said.out == b"" and said.status == 0, f"{said.status}")
    said = run("map", file(b""), "cat")
    check(said.out == b"" and said.status == 0, f"{said.status}")


def test_map_lines():
    long = b"x" * 5000 + b"\n" + b"y" * 3_000_000 + b"\nshort\n" + b"no end"
    said = run("map", file(long), "wc -l", chunk=100)
    check(sum(map(int, said.out.split())) == 3, f"{said.out}")
    said = run("map", file(long), "cat", chunk=100)
    check(said.out == long, "cat")
    said = run("map", file(b"z" * (5 << 20)), "cat", chunk=100)
    check(said.status == 125 and any("longer than 4 MiB" in m for m in said.messages), f"{said.messages}")


def test_map_waves():
    data = content("text", 60000)
    said = run("map", file(data), "cat; exit 0", room=9000)
    check(said.out == data and said.totals["waves"] > 5, f"{said.totals} {said.messages}")


tests = [v for k, v in list(globals().items()) if k.startswith("test_")
         and (not NAMES or k[5:] in NAMES)]
print("KTAP version 1")
print(f"1..{len(tests)}")
print(f"# SEED={SEED}")
failed = 0
with tempfile.TemporaryDirectory() as directory:
    for number, test in enumerate(tests, 1):
        begin = time.monotonic()
        try:
            test()
            outcome = "ok"
        except (AssertionError, subprocess.TimeoutExpired, OSError, KeyError) as e:
            print(f"# {type(e).__name__}: {e}"[:2000])
            outcome, failed = "not ok", failed + 1
        took = time.monotonic() - begin
        print(f"{outcome} {number} chunked: {test.__name__[5:].replace('_', ' ')}" +
              (f"\n# {took:.1f} s" if took > 10 else ""), flush=True)
sys.exit(failed != 0)
