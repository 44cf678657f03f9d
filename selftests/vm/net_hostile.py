#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a node does with frames from an enemy.

    tools/lab/lab up -n 1
    tools/lab/lab exec n1 -- python3 selftests/vm/net_hostile.py

Runs as root on a node that is up. It speaks the wire format (module/core/wire.h)
to that node's own address: first as a stranger, who does not have the cluster
key, then as a member, whose old frames are played again. Each attack must leave
its mark in one counter of `continuumctl status`, and nothing else. KTAP output;
exit status 0 all right, 1 failures, 4 not run.
"""
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

MAGIC, VERSION = 0x314D5443, 1
HELLO, ANSWER, PROOF, WELCOME, DGRAM = range(1, 6)
OK, BAD_KEY, CLUSTER, SELF, SAME_ID, SAME_NAME, CHANNEL = 0, 1, 3, 4, 5, 6, 11
ENCRYPT, SESSION = 1, 2
CALL = 1            # channel
MEMBER = 8          # datagram
PING, PUSH = 1, 5   # kinds of it
LEAVING = 2         # flag of a card

BUILT = pathlib.Path(__file__).resolve().parents[2] / "build/tools/continuumctl"
CTL = str(BUILT) if BUILT.exists() else shutil.which("continuumctl") or "continuumctl"

HEAD = struct.Struct("<IHHII")
CARD = struct.Struct("<64s8I20s4xQII4Q")
HELLO_BODY = struct.Struct("<IIQQ32s16s64sHHHH")
HELLO_LEN = HEAD.size + HELLO_BODY.size + CARD.size + 32
PROOF_LEN = HEAD.size + 32
DGRAM_BODY = struct.Struct("<IHHQQQ")
GOSSIP = struct.Struct("<5B3x4I")
UPDATE = struct.Struct("<QIIIB3x")
assert (HEAD.size, CARD.size, HELLO_LEN, PROOF_LEN) == (16, 168, 360, 48)
assert (GOSSIP.size, UPDATE.size) == (24, 24)


def mac(key, label, *parts, size=32):
    h = hashlib.blake2s(key=key, digest_size=size)
    h.update(label.encode() + b"\0")
    for part in parts:
        h.update(part)
    return h.digest()


class Victim:
    """The node under attack, as continuumctl shows it."""

    def __init__(self):
        s = self.status()
        self.cluster = s["cluster"].encode()
        conf = dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$",
                               open("/etc/continuum/continuum.conf").read(), re.M))
        self.address = (conf.get("address", "127.0.0.1"), int(conf.get("port", 7117)))
        self.encrypt = conf.get("encrypt", "yes") not in ("no", "off", "0", "false")
        self.name = s["name"].encode()
        self.key = base64.b64decode(open("/etc/continuum/cluster.key").read())

    @staticmethod
    def ctl(*args):
        done = subprocess.run([CTL, *args], capture_output=True, text=True)
        if done.returncode:
            raise OSError(done.stderr.strip())
        return json.loads(done.stdout)

    def status(self):
        return self.ctl("status", "-j")

    def counters(self):
        return self.status()["counters"]

    def peer(self, name):
        return next((p for p in self.ctl("peers", "-j") if p["name"] == name), None)

    def sees(self, mallory, state, load=None, flags=1):
        """Says so until the victim shows it: it answers no probes, and computers are slow."""
        for _ in range(20):
            mallory.send(mallory.says(load=load or 0, flags=flags))
            time.sleep(0.2)
            p = self.peer(mallory.name.decode())
            if p and p["state"] == state and load in (None, round(p["load"] * 1000)):
                return []
        return ["the peer is %r" % p]


class Mallory:
    """A node that exists only here. With the right key it is a member."""

    def __init__(self, victim, key=None, cluster=None, ident=0x0BAD0001, name=b"mallory",
                 flags=SESSION):
        self.victim, self.key = victim, key or victim.key
        self.cluster = victim.cluster if cluster is None else cluster
        self.ident, self.name = ident, name
        self.boot = struct.unpack("<Q", os.urandom(8))[0] | 1
        self.flags = flags | (ENCRYPT if victim.encrypt else 0)
        self.channel = CALL
        self.counter = 0
        self.incarnation = 1

    def card(self, load=0, flags=1, pressure=300000):
        return CARD.pack(self.name, flags, 0, 1000, load, pressure, 0, 0, 0, b"", 0, 0, 0, 0, 0, 0, 0)

    def hello(self, tag=None):
        m = HEAD.pack(MAGIC, VERSION, HELLO, HELLO_LEN, 0)
        m += HELLO_BODY.pack(self.ident, 0, self.boot, 0, os.urandom(32), b"m" * 16,
                             self.cluster, self.channel, self.flags, 7999, 0)
        m += self.card()
        return m + (mac(self.key, "hello", m) if tag is None else tag)

    def connect(self):
        s = socket.create_connection(self.victim.address, timeout=10)
        s.settimeout(10)
        return s

    @staticmethod
    def receive(sock, size):
        """A whole frame; what has come when the other end closes."""
        data = b""
        while len(data) < size:
            try:
                more = sock.recv(size - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                break
            data += more
        return data

    def ask(self, hello):
        """Sends a HELLO; (socket, answer, status), status None when there was none."""
        s = self.connect()
        s.sendall(hello)
        answer = self.receive(s, HELLO_LEN)
        status = HEAD.unpack_from(answer)[4] if len(answer) == HELLO_LEN else None
        return s, answer, status

    def proof(self, hello, answer):
        head = HEAD.pack(MAGIC, VERSION, PROOF, PROOF_LEN, 0)
        digest = hashlib.blake2s(hello + answer).digest()
        return head + mac(self.key, "proof", head, digest), digest

    def join(self):
        """A whole hello. Keeps its frames and the keys for datagrams."""
        self.said = self.hello()
        s, answer, status = self.ask(self.said)
        if status != OK:
            s.close()
            return status
        self.proved, digest = self.proof(self.said, answer)
        s.sendall(self.proved)
        welcome = self.receive(s, PROOF_LEN)
        s.close()
        if len(welcome) != PROOF_LEN:
            return None
        root = mac(self.key, "root", digest)
        self.session = mac(root, "session id")[:8]
        self.tx = mac(root, "datagrams, from the one who connected")
        return HEAD.unpack_from(welcome)[4]

    def datagram(self, payload, counter=None, key=None, length=None, session=None):
        if counter is None:
            self.counter += 1
            counter = self.counter
        body = DGRAM_BODY.pack(self.ident, MEMBER, 0, self.boot,
                               struct.unpack("<Q", session or self.session)[0], counter)
        size = HEAD.size + len(body) + 16 + len(payload)
        m = HEAD.pack(MAGIC, VERSION, DGRAM, size if length is None else length, 0) + body
        return m + mac(key or self.tx, "datagram", m, payload, size=16) + payload

    def gossip(self, kind=PUSH, updates=(), **card):
        """What a member says of itself. A new incarnation each time: whatever was said of
        it because it answers to nobody is refuted."""
        self.incarnation += 1
        return GOSSIP.pack(kind, 0, len(updates), 0, 0, self.incarnation, 1, 0,
                           self.incarnation) + self.card(**card) + b"".join(updates)

    def says(self, **card):
        return self.datagram(self.gossip(**card))

    def send(self, *datagrams):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for d in datagrams:
                s.sendto(d, self.victim.address)


class Suite:
    def __init__(self, victim):
        self.victim, self.tests = victim, []

    def test(self, name, **marks):
        """Decorator: after the test each counter has grown by its mark, the others not at all."""
        def add(fn):
            self.tests.append((name, fn, marks))
            return fn
        return add

    @staticmethod
    def matches(grown, marks):
        """A mark is a number, or a range."""
        return grown.keys() == marks.keys() and \
            all(n in marks[k] if isinstance(marks[k], range) else n == marks[k]
                for k, n in grown.items())

    def settle(self, before, marks):
        """Counting happens in another thread: a moment's patience."""
        deadline = time.monotonic() + 8
        while True:
            now = self.victim.counters()
            grown = {k: now[k] - before[k] for k in now if now[k] != before[k]}
            if self.matches(grown, marks) or time.monotonic() > deadline:
                return grown
            time.sleep(0.2)

    def run(self):
        failed = 0
        print("TAP version 13\n1..%d" % len(self.tests))
        for number, (name, fn, marks) in enumerate(self.tests, 1):
            before = self.victim.counters()
            try:
                wrong = fn() or []
            except Exception as e:
                wrong = ["%s: %s" % (type(e).__name__, e)]
            grown = self.settle(before, marks)
            if not self.matches(grown, marks):
                wrong = [*wrong, "counters grew by %s, not by %s" % (grown, marks)]
            for line in wrong:
                print("#", line)
            print("%sok %d %s" % ("not " if wrong else "", number, name), flush=True)
            failed += bool(wrong)
        return failed


def expect(got, wanted, what):
    return [] if got == wanted else ["%s: %r, not %r" % (what, got, wanted)]


def stranger(t, victim):
    """Who does not have the key."""
    wrong = Mallory(victim, key=b"\x22" * 32)

    @t.test("a hello with a wrong key is refused", bad_hello=1)
    def _():
        s, _, status = wrong.ask(wrong.hello())
        s.close()
        return expect(status, BAD_KEY, "status")

    @t.test("a hello with no key is refused", bad_hello=1)
    def _():
        s, _, status = wrong.ask(wrong.hello(tag=bytes(32)))
        s.close()
        return expect(status, BAD_KEY, "status")

    @t.test("a hello with one bit changed is refused", bad_hello=1)
    def _():
        good = Mallory(victim)
        hello = bytearray(good.hello())
        hello[100] ^= 1
        s, _, status = good.ask(bytes(hello))
        s.close()
        return expect(status, BAD_KEY, "status")

    @t.test("garbage is no hello", garbage=1)
    def _():
        s = wrong.connect()
        s.sendall(b"GET / HTTP/1.1\r\nHost: continuum\r\n\r\n")
        got = wrong.receive(s, 1)
        s.close()
        return expect(got, b"", "answer")

    @t.test("another version is no hello", garbage=1)
    def _():
        s = wrong.connect()
        s.sendall(HEAD.pack(MAGIC, VERSION + 1, HELLO, HELLO_LEN, 0))
        got = wrong.receive(s, 1)
        s.close()
        return expect(got, b"", "answer")

    @t.test("a truncated hello", truncated=1)
    def _():
        s = wrong.connect()
        s.sendall(Mallory(victim).hello()[:200])
        s.close()

    @t.test("a truncated head", truncated=1)
    def _():
        s = wrong.connect()
        s.sendall(Mallory(victim).hello()[:7])
        s.close()

    @t.test("a hello that says it is shorter", truncated=1)
    def _():
        s = wrong.connect()
        s.sendall(HEAD.pack(MAGIC, VERSION, HELLO, HEAD.size, 0))
        wrong.receive(s, 1)
        s.close()

    @t.test("a hello that says it is 4 GiB long", oversized=1)
    def _():
        s = wrong.connect()
        s.sendall(HEAD.pack(MAGIC, VERSION, HELLO, 0xFFFFFFFF, 0))
        got = wrong.receive(s, 1)
        s.close()
        return expect(got, b"", "answer")

    @t.test("datagrams of a stranger", unknown_sender=3)
    def _():
        wrong.session, wrong.tx = bytes(8), bytes(32)
        wrong.send(*(wrong.datagram(wrong.card()) for _ in range(3)))

    @t.test("datagrams of garbage", garbage=2, truncated=1)
    def _():
        wrong.send(os.urandom(100), b"\0" * 1400, b"CTM")

    @t.test("two hundred connections that say nothing keep no member out")
    def _():
        crowd = [wrong.connect() for _ in range(200)]
        m = Mallory(victim, ident=0x0BAD0002, name=b"latecomer")
        status = m.join()
        m.send(m.says(flags=LEAVING))
        for s in crowd:
            s.close()
        return expect(status, OK, "status")


def member(t, victim):
    """Who has the key, but not the right to everything."""
    m = Mallory(victim)

    @t.test("a right hello is answered, and the peer is listed")
    def _():
        return expect(m.join(), OK, "status") + victim.sees(m, "alive", load=12345)

    @t.test("an old hello and its proof prove nothing", bad_hello=1)
    def _():
        s, answer, status = m.ask(m.said)
        s.sendall(m.proved)
        got = m.receive(s, PROOF_LEN)
        s.close()
        return expect(status, OK, "status of the answer") + expect(got, b"", "welcome")

    @t.test("an old hello alone changes nothing")
    def _():
        old = Mallory(victim)
        wrong = victim.sees(m, "alive")         # still there, however slow this computer is
        s, _, status = old.ask(old.hello())     # another boot id, and no proof
        s.close()
        return wrong + victim.sees(m, "alive", load=222)    # the old session still counts

    @t.test("a datagram comes once", replayed=2)
    def _():
        d = m.says(load=333)
        m.send(d, d, d)

    @t.test("an old datagram is stale", replayed=1)
    def _():
        m.counter = 100000
        m.send(m.says(), m.datagram(m.gossip(load=999999), counter=50))

    @t.test("datagrams may come in another order")
    def _():
        ds = [m.says() for _ in range(50)]
        m.send(*reversed(ds))

    @t.test("a datagram with one bit changed", bad_tag=2)
    def _():
        for at in (41, -1):      # the counter; the last byte
            d = bytearray(m.says())
            d[at] ^= 0x10
            m.send(bytes(d))

    @t.test("a datagram of another session", unknown_sender=1)
    def _():
        m.send(m.datagram(m.gossip(), session=os.urandom(8)))

    @t.test("a truncated datagram", truncated=2)
    def _():
        d = m.says()
        m.send(d[:-5], d[:40])

    @t.test("an oversized datagram", oversized=2)
    def _():
        d = m.says()
        m.send(d + b"more", m.datagram(bytes(1201)))

    @t.test("gossip that no node would write", bad_gossip=6)
    def _():
        head, card = m.gossip()[:GOSSIP.size], m.card()
        m.send(*map(m.datagram, (
            b"", head + card + b"x", head + b"\xff" * 168, b"\0" + head[1:] + card,
            m.gossip(updates=[UPDATE.pack(1, 2, 3, 4, 9)]),     # a state that is none
            head[:2] + b"\7" + head[3:] + card)))               # seven updates that are not there
        return expect(victim.peer("mallory")["name"], "mallory", "name")

    @t.test("loads that cannot be", bad_gossip=2)
    def _():
        m.send(m.says(load=300001), m.says(pressure=300001))

    @t.test("who floods is heard less, others are not", flooded=range(1, 100000))
    def _():
        other = Mallory(victim, ident=0x0BAD0003, name=b"patience")
        wrong = expect(other.join(), OK, "status")
        deadline = time.monotonic() + 60
        while not victim.counters()["flooded"] and time.monotonic() < deadline:
            m.send(*[m.says() for _ in range(4000)])
        wrong += victim.sees(other, "alive", load=777)
        other.send(other.says(flags=LEAVING))
        # Until a second is over in which little came, mallory goes unheard.
        before = None
        while before != victim.counters()["flooded"] and time.monotonic() < deadline:
            before = victim.counters()["flooded"]
            time.sleep(1.5)
        return wrong

    @t.test("who is said to be dead says that it is not")
    def _():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((victim.address[0], 7999))
            s.settimeout(1)
            said, status = [None] * 6, victim.status()
            dead = UPDATE.pack(int(status["boot"], 16) if isinstance(status["boot"], str)
                               else status["boot"], status["id"], 1 << 20, 0, 3)
            for _ in range(20):
                m.send(m.datagram(m.gossip(kind=PING, updates=[dead])))
                try:
                    d = s.recv(2000)
                except TimeoutError:
                    continue
                said = GOSSIP.unpack_from(d, HEAD.size + DGRAM_BODY.size + 16)
                if said[5] > 1 << 20:
                    return []
        return ["it does not: its incarnation is %r" % said[5]]

    @t.test("a member of another cluster is told so")
    def _():
        return expect(Mallory(victim, cluster=b"elsewhere", ident=3, name=b"x").join(), CLUSTER,
                      "status")

    @t.test("nobody takes the node's name")
    def _():
        return expect(Mallory(victim, ident=4, name=victim.name).join(), SAME_NAME, "status")

    @t.test("nobody takes a living peer's name")
    def _():
        m.send(m.says())
        return expect(Mallory(victim, ident=5).join(), SAME_NAME, "status")

    @t.test("a clone with another name is refused")
    def _():
        m.send(m.says())
        return expect(Mallory(victim, name=b"clone").join(), SAME_ID, "status")

    @t.test("a channel that nobody serves")
    def _():
        odd = Mallory(victim, ident=6, name=b"odd")
        odd.channel = 77
        return expect(odd.join(), CHANNEL, "status")

    @t.test("a member that leaves is gone")
    def _():
        return victim.sees(m, "left", flags=LEAVING)


def aftermath(t, victim):
    @t.test("the kernel log is clean")
    def _():
        log = subprocess.run(["dmesg"], capture_output=True, text=True).stdout
        return [l for l in log.splitlines()
                if re.search(r"BUG|WARNING|Oops|Call Trace|field-spanning|hung task", l)]


def main():
    try:
        victim = Victim()
    except OSError as e:
        print("TAP version 13\n1..0 # SKIP the node is not up: %s" % e)
        return 4
    t = Suite(victim)
    stranger(t, victim)
    member(t, victim)
    aftermath(t, victim)
    return 1 if t.run() else 0


if __name__ == "__main__":
    sys.exit(main())
