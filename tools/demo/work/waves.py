# SPDX-License-Identifier: GPL-2.0
"""Floating point in four threads: coupled oscillators, each thread its own set.

usage: waves.py STEPS. Prints every thousandth of the way, and the last digits.
"""
import math
import sys
import threading

THREADS = 4


def swing(seed, steps, lines):
    x = [math.sin(seed + i) for i in range(8)]
    v = [math.cos(seed * i) for i in range(8)]
    for step in range(steps):
        for i in range(8):
            pull = x[i - 1] - 2.0 * x[i] + x[(i + 1) % 8]
            v[i] += 0.01 * (pull - 0.1 * math.tanh(x[i]) ** 3)
        for i in range(8):
            x[i] += 0.01 * v[i]
        if step % (steps // 10) == 0:
            lines.append(f"thread {seed} step {step}: {math.fsum(x)!r}")
    lines.append(f"thread {seed} end: {math.hypot(*x)!r} {math.hypot(*v).hex()}")


def main():
    steps = int(sys.argv[1]) // THREADS
    results = [[] for _ in range(THREADS)]
    threads = [threading.Thread(target=swing, args=(n, steps, results[n])) for n in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for lines in results:
        print(*lines, sep="\n")


main()
