#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are faults of time as long as was asked? The distribution of what is measured, by what was asked.

    tests/bench/timing.py [--rounds N] [--json FILE]

delay on a command and on a reply, throttle of a content and of a reply, dribble: each through a
running proxy between two ends in this process, which take the time when the octets are there. The
goal is 5 ms or 5 % of what was asked, whichever is more; the last column says how many of the
measurements meet it. On a machine that does something else besides, it is that which is measured.
"""
import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = os.path.abspath(os.environ.get("SMTPSCOPE", str(ROOT / "smtpscope")))
DEADLINE = 60


class Session:
    """A client and a server with the proxy between them."""

    def __init__(self, rules, folder):
        path = folder / "timing.rules"
        path.write_text(rules)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.proxy = subprocess.Popen(
            [SMTPSCOPE, "proxy", "-l", "127.0.0.1:0", "-u", "127.0.0.1:%d" % self.listener.getsockname()[1],
             "-r", str(path), "-o", os.devnull], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = b""
        while (port := re.search(rb"listening on smtp://127\.0\.0\.1:(\d+)\n", said)) is None:
            line = self.proxy.stderr.readline()
            if not line:
                sys.exit(f"timing.py: the proxy does not start: {said.decode()}")
            said += line
        self.client = self.end(socket.create_connection(("127.0.0.1", int(port[1]))))
        self.server = self.end(self.listener.accept()[0])
        self.say(self.server, self.client, b"220 mx.example.net ESMTP\r\n")

    @staticmethod
    def end(sock):
        sock.settimeout(DEADLINE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    @staticmethod
    def say(one, other, octets):
        """One end writes, the other reads all of it. Returns (when written, [(when, how many) read])."""
        begun, came, left = time.monotonic(), [], len(octets)
        one.sendall(octets)
        while left > 0:
            read = len(other.recv(left))
            if read == 0:
                sys.exit("timing.py: the connection ended")
            came.append((time.monotonic(), read))
            left -= read
        return begun, came

    def close(self):
        for sock in (self.client, self.server, self.listener):
            sock.close()
        self.proxy.terminate()
        self.proxy.wait(DEADLINE)
        self.proxy.stderr.close()

    def delivery(self):
        self.say(self.client, self.server, b"DATA\r\n")
        self.say(self.server, self.client, b"354 Go ahead\r\n")


def last(begun, came):
    return came[-1][0] - begun


def delayed(folder, ms, place, rounds):
    """Seconds that each of the delays has taken."""
    session = Session(f'rule "r" {{ on {place} delay {ms}ms }}', folder)
    found = []
    for _ in range(rounds):
        to, back = session.say(session.client, session.server, b"NOOP\r\n"), None
        back = session.say(session.server, session.client, b"250 2.0.0 Ok\r\n")
        found.append(last(*(back if "reply" in place else to)))
    session.close()
    return [ms / 1000] * rounds, found


def throttled(folder, rate, octets, place, rounds):
    session = Session(f'rule "r" {{ on {place} limit 1 throttle {rate}/s }}', folder)
    found = []
    if "reply" in place:
        # The rule begins with the first reply; what is measured is a longer one.
        session.say(session.client, session.server, b"NOOP\r\n")
        session.say(session.server, session.client, b"250 Ok\r\n")
        for _ in range(rounds):
            session.say(session.client, session.server, b"HELP\r\n")
            reply = b"214-" + b"x" * (octets - 12) + b"\r\n" + b"214 .\r\n"[:-3] + b"\r\n"
            found.append(last(*session.say(session.server, session.client, reply)))
            octets = len(reply)
    else:
        session.delivery()
        for _ in range(rounds):
            found.append(last(*session.say(session.client, session.server, b"x" * (octets - 2) + b"\r\n")))
    session.close()
    return [octets / rate] * rounds, found


def dribbled(folder, group, ms, octets, rounds):
    """Seconds between one group and the next."""
    session = Session(f'rule "r" {{ on reply to NOOP limit 1 dribble {group} every {ms}ms }}', folder)
    found = []
    for _ in range(rounds):
        session.say(session.client, session.server, b"NOOP\r\n")
        _, came = session.say(session.server, session.client, b"250 " + b"x" * (octets - 6) + b"\r\n")
        wrong = [read for _, read in came if read > group]
        if wrong:
            print(f"dribble {group}: {len(wrong)} of {len(came)} reads had more than a group", file=sys.stderr)
        found += [after - before for (before, _), (after, _) in zip(came, came[1:])]
        time.sleep(2 * ms / 1000)       # begins anew
    session.close()
    return [ms / 1000] * len(found), found


CASES = [
    *((f"delay {ms}ms, command", delayed, (ms, "NOOP", rounds)) for ms, rounds in ((2, 200), (20, 100), (250, 12), (1000, 4))),
    *((f"delay {ms}ms, reply", delayed, (ms, "reply to NOOP", rounds)) for ms, rounds in ((2, 200), (20, 100), (250, 12))),
    ("throttle 1000/s, 200 octets of content", throttled, (1000, 200, "CONTENT", 10)),
    ("throttle 100KiB/s, 50 KB of content", throttled, (102400, 50000, "CONTENT", 6)),
    ("throttle 10MiB/s, 5 MB of content", throttled, (10 << 20, 5000000, "CONTENT", 6)),
    ("throttle 2000/s, a reply of 100 octets", throttled, (2000, 100, "reply", 20)),
    ("dribble 1 every 2ms", dribbled, (1, 2, 60, 4)),
    ("dribble 1 every 20ms", dribbled, (1, 20, 40, 3)),
    ("dribble 10 every 100ms", dribbled, (10, 100, 100, 3)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=float, default=1, help="times as many measurements")
    parser.add_argument("--json", help="where to put all that was measured")
    args = parser.parse_args()
    figures, missed = {}, 0
    print(f"{'':42} {'asked':>9} {'n':>4}   off by (ms): {'p50':>7} {'p95':>7} {'p99':>7} {'most':>7}   within goal")
    with tempfile.TemporaryDirectory(prefix="smtpscope-timing-") as folder:
        for name, measure, words in CASES:
            words = (*words[:-1], max(2, int(words[-1] * args.rounds)))
            asked, found = measure(pathlib.Path(folder), *words)
            off = sorted(abs(f - a) * 1000 for a, f in zip(asked, found))
            good = sum(abs(f - a) <= max(0.005, 0.05 * a) for a, f in zip(asked, found)) / len(found)
            missed += good < 1
            at = [off[min(len(off) - 1, int(len(off) * q))] for q in (0.5, 0.95, 0.99)]
            print(f"{name:42} {statistics.fmean(asked) * 1000:6.1f} ms {len(found):4}                 " +
                  " ".join(f"{v:7.3f}" for v in (*at, off[-1])) + f"   {good * 100:6.1f} %")
            figures[name] = {"asked": asked[0], "measured": found}
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
