#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# hostile_image.py FROM TO HOW: a checkpoint that claims what it should not, with checksums
# that are right. The format: tools/lib/imagefile.h, module/core/image.h.

import struct
import sys

M = (1 << 64) - 1
P1, P2, P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P4, P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
HEAD, CREDS, TASK, RLIMITS, FILE, VMA, THREAD = 1, 2, 3, 4, 6, 10, 14
HEAD_SIZE, SUM, TABLE_SUM = 512, 504, 440


def rotate(x, n):
    return (x << n | x >> 64 - n) & M


def lane(acc, word):
    return rotate((acc + word * P2) & M, 31) * P1 & M


def xxh64(data):
    at, n = 0, len(data)
    if n >= 32:
        v = [(P1 + P2) & M, P2, 0, -P1 & M]
        while at + 32 <= n:
            v = [lane(a, w) for a, w in zip(v, struct.unpack_from("<4Q", data, at))]
            at += 32
        acc = (rotate(v[0], 1) + rotate(v[1], 7) + rotate(v[2], 12) + rotate(v[3], 18)) & M
        for a in v:
            acc = ((acc ^ lane(0, a)) * P1 + P4) & M
    else:
        acc = P5
    acc = (acc + n) & M
    for at in range(at, n - 7, 8):
        acc = (rotate(acc ^ lane(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & M
    at = n & ~7
    if n & 4:
        acc = (rotate(acc ^ struct.unpack_from("<I", data, at)[0] * P1 & M, 23) * P2 + P3) & M
        at += 4
    for byte in data[at:]:
        acc = rotate(acc ^ byte * P5 & M, 11) * P1 & M
    acc = (acc ^ acc >> 33) * P2 & M
    acc = (acc ^ acc >> 29) * P3 & M
    return acc ^ acc >> 32


assert xxh64(b"") == 0xEF46DB3751D8E999 and xxh64(b"abc") == 0x44BC2CF5AD770999


class Image:
    """Records as [type, flags, payload, pages, checksum of these]."""

    def __init__(self, data):
        self.head = bytearray(data[:HEAD_SIZE])
        size, count = struct.unpack_from("<QQ", data, 32)
        table, at = HEAD_SIZE + size, HEAD_SIZE
        self.records = []
        for i in range(count):
            length, pages, _, pages_sum = struct.unpack_from("<IIQQ", data, table + 24 * i)
            kind, flags, _ = struct.unpack_from("<HHI", data, at)
            payload = bytearray(data[at + 8:at + length])
            at += length
            self.records.append([kind, flags, payload, data[at:at + 4096 * pages], pages_sum])
            at += 4096 * pages

    def of(self, kind):
        return [r[2] for r in self.records if r[0] == kind]

    def bytes(self):
        stream, table = bytearray(), bytearray()
        for kind, flags, payload, pages, pages_sum in self.records:
            record = struct.pack("<HHI", kind, flags, len(payload)) + payload
            table += struct.pack("<IIQQ", len(record), len(pages) // 4096, xxh64(record), pages_sum)
            stream += record + pages
        struct.pack_into("<Q", self.head, 32, len(stream))
        struct.pack_into("<Q", self.head, TABLE_SUM, xxh64(table))
        struct.pack_into("<Q", self.head, SUM, xxh64(self.head[:SUM]))
        return self.head + stream + table


def put(payload, form, at, *values):
    struct.pack_into("<" + form, payload, at, *values)


def get(payload, form, at):
    return struct.unpack_from("<" + form, payload, at)[0]


def lock_much(image):
    areas = image.of(VMA)
    gaps = [(get(b, "Q", 0) - get(a, "Q", 8), a) for a, b in zip(areas, areas[1:])
            if get(a, "I", 24) == 1]
    area = max(gaps, key=lambda g: g[0])[1]
    put(area, "Q", 8, get(area, "Q", 8) + (1 << 40))
    put(area, "I", 32, get(area, "I", 32) | 4)


def stay_home(image):
    for payload in image.of(FILE):
        if get(payload, "I", 4) == 1:
            put(payload, "I", 4, 2)
            put(payload, "Q", 32, 77)
            put(payload, "I", 112, 0o100000)
            put(payload, "I", 116, 0)
            del payload[120:]
            return


def open_keeper(image):
    path = b"/proc/1/mem"
    for payload in image.of(FILE):
        if get(payload, "I", 4) == 1:
            put(payload, "I", 8, 2)
            put(payload, "QqI", 96, 0, 0, 0)
            put(payload, "I", 116, len(path))
            payload[120:] = path
            return


def be_root(image):
    put(image.of(HEAD)[0], "I", 36, 0)
    put(image.of(CREDS)[0], "8I", 0, *[0] * 8)


HOWS = {
    "machine": lambda i: put(i.head, "16s", 296, b"aarch64"),
    "image_version": lambda i: put(i.head, "I", 16, 99),
    "cpu": lambda i: put(i.head, "4Q", 352, M, M, M, M),
    "vdso": lambda i: put(i.head, "Q", 312, 1),
    "root": be_root,
    "group": lambda i: put(i.of(CREDS)[0], "4I", 16, 0, 0, 0, 0),
    "capability": lambda i: put(i.of(CREDS)[0], "2Q", 40, 1 << 21, 1 << 21),
    "inheritable": lambda i: put(i.of(CREDS)[0], "Q", 32, 1 << 21),
    "limit": lambda i: put(i.of(RLIMITS)[0], "Q", 7 * 16 + 8, 1 << 40),
    "realtime": lambda i: put(i.of(THREAD)[0], "I", 320, 1),
    "nice": lambda i: put(i.of(THREAD)[0], "i", 324, -10),
    "oom": lambda i: put(i.of(TASK)[0], "i", 12, -1000),
    "locked": lock_much,
    "handle": stay_home,
    "negative": lambda i: put(i.of(FILE)[0], "q", 16, -1),
    "overlap": lambda i: put(i.of(VMA)[1], "Q", 0, get(i.of(VMA)[0], "Q", 0)),
    "keeper": open_keeper,
    "gpid": lambda i: put(i.of(HEAD)[0], "Q", 16, get(i.of(HEAD)[0], "Q", 16) + 1),
}

with open(sys.argv[1], "rb") as f:
    image = Image(f.read())
HOWS[sys.argv[3]](image)
with open(sys.argv[2], "wb") as f:
    f.write(image.bytes())
