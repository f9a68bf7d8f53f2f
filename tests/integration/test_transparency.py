#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever two ends send each other, cut however, arrives: without rules the proxy changes nothing.

Each case is a seed: octets for both directions (noise, or words of SMTP in any order, so that
the decoder is led astray), cuts, pauses between reads, and how each direction ends. Octets,
their order and both ends must be the same on the other side. SMTPSCOPE_SEED is the first
seed, SMTPSCOPE_LONG makes ten times as many.
"""

import collections
import fcntl
import json
import os
import random
import selectors
import socket
import struct
import termios
import time

from running import DEADLINE, Proxy, Server, run

CASES = 150 * (10 if os.environ.get("SMTPSCOPE_LONG") else 1)
FIRST = int(os.environ.get("SMTPSCOPE_SEED", "20260301"))

WORDS = [
    b"EHLO client.example.org\r\n", b"HELO a\r\n", b"LHLO a\r\n", b"MAIL FROM:<ann@example.org>\r\n", b"MAIL FROM:<> SIZE=1\r\n",
    b"RCPT TO:<bob@example.net>\r\n", b"DATA\r\n", b".\r\n", b"\r\n.\r\n", b"..\r\n", b"BDAT 10\r\n", b"BDAT 3 LAST\r\n",
    b"BDAT 0 LAST\r\n", b"BDAT 99999999999999999999\r\n", b"STARTTLS\r\n", b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n", b"*\r\n", b"QUIT\r\n", b"RSET\r\n",
    b"NOOP\r\n", b"VRFY x\r\n", b"\n", b"\r", b"\r\n", b"\0", b"Subject: x\r\n", b"AGFubgBzZWNyZXQ=\r\n", b"XCLIENT NAME=x\r\n",
    b"220 mx.example.net ESMTP\r\n", b"250 Ok\r\n", b"250-mx.example.net\r\n", b"250-PIPELINING\r\n", b"250 CHUNKING\r\n",
    b"250 2.1.0 Ok\r\n", b"354 Go on\r\n", b"334 VXNlcm5hbWU6\r\n", b"235 2.7.0 Ok\r\n", b"421 4.3.2 Bye\r\n", b"550 5.1.1 No\r\n",
    b"554 No\r\n", b"221 Bye\r\n", b"503-x\r\n", b"999 ?\r\n", b"25", b"250", b"250-", b"2\r\n", b"-ERR\r\n", b"\x16\x03\x01\x02\x00",
]
SERVER_FIRST = [b"220 mx.example.net ESMTP\r\n", b"250-mx.example.net\r\n250-PIPELINING\r\n250 CHUNKING\r\n"]


def octets(rng, side):
    """What one side sends."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.choice((0, 1, 100, 5000, 300000)))
    if kind == 1:
        return b"".join(rng.choice((b"\r", b"\n", b".", b"a", b"2", b"5", b"0", b"-", b" ")) for _ in range(rng.randrange(4000)))
    if kind == 2:   # one long line, with or without an end
        return b"NOOP " + b"x" * rng.randrange(200000) + rng.choice((b"", b"\r\n", b"\nQUIT\r\n"))
    words = WORDS[29:] if side == "server" and rng.randrange(4) else WORDS[:29] if rng.randrange(4) else WORDS
    text = [rng.choice(words) for _ in range(rng.randrange(400))]
    if side == "server" and rng.randrange(3):
        text = SERVER_FIRST + text
    return b"".join(text)


def unacknowledged(sock):
    """Octets that a reset of ours would take back: the kernel has them still."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


class Direction:
    """One side's octets: what is still to be sent, and what the other side has got of it."""

    def __init__(self, rng, side):
        self.sent = octets(rng, side)
        self.left = memoryview(self.sent)
        self.cuts = max(rng.choice((1, 7, 100, 3000, 70000)), len(self.sent) // 500)
        self.got = bytearray()
        self.end = None         # how it ended for the receiver


class Case:
    """A session between two ends, driven by one selector with all the others."""

    def __init__(self, seed, client, server):
        self.seed, self.rng = seed, random.Random(seed)
        self.ends = {"client": client, "server": server}
        self.from_ = {side: Direction(self.rng, side) for side in self.ends}
        # Who resets does so when all that it has sent was taken, and its peer has sent all: a
        # reset may cost what was under way the other way.
        self.resets = self.rng.choice((None, None, None, "client", "server"))
        self.fins = set()

    def other(self, side):
        return "server" if side == "client" else "client"

    def write(self, side):
        """Sends a piece; False: nothing is left to be sent."""
        direction = self.from_[side]
        if direction.left:
            size = self.rng.randint(1, direction.cuts)
            try:
                direction.left = direction.left[self.ends[side].send(direction.left[:size]):]
            except BlockingIOError:
                pass
            return True
        if side in self.fins:
            return False
        if self.resets == side:
            peer = self.from_[self.other(side)]
            if peer.left or len(peer.got) < len(peer.sent) or unacknowledged(self.ends[side]):
                return True
            self.ends[side].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.ends[side].close()
            self.ends[side] = None
        elif self.resets is None:
            self.ends[side].shutdown(socket.SHUT_WR)
        self.fins.add(side)
        return False

    def read(self, side):
        """Takes what is there; False: its end was read."""
        direction = self.from_[self.other(side)]
        try:
            piece = self.ends[side].recv(self.rng.choice((1, 3000, 65536, 65536, 65536, 65536, 65536, 65536)))
        except BlockingIOError:
            return True
        except ConnectionResetError:
            direction.end = "reset"
            return False
        direction.got += piece
        if not piece:
            direction.end = "fin"
        return bool(piece)

    def verdict(self):
        """What was not as it should be; None: nothing."""
        for side, direction in self.from_.items():
            if direction.got != direction.sent:
                at = next((i for i, (a, b) in enumerate(zip(direction.got, direction.sent)) if a != b),
                          min(len(direction.got), len(direction.sent)))
                return f"of the {side}: {len(direction.got)} of {len(direction.sent)} octets, equal up to {at}"
            wanted = "fin" if self.resets is None else "reset" if self.resets == side else None
            if direction.end != wanted:
                return f"of the {side}: the end was {direction.end}, not {wanted}"
        return None


def drive(cases):
    """Runs all of them until each has come to its end."""
    waiting = collections.deque(cases)
    selector = selectors.DefaultSelector()
    where, busy = {}, {}

    def begin(case):
        for side, sock in case.ends.items():
            sock.setblocking(False)
            where[sock.fileno()] = (case, side)
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        busy[case] = {("r", "client"), ("r", "server"), ("w", "client"), ("w", "server")}

    def watch(case, side):
        sock = case.ends[side]
        flags = (selectors.EVENT_READ if ("r", side) in busy[case] else 0) | \
                (selectors.EVENT_WRITE if ("w", side) in busy[case] else 0)
        try:
            selector.unregister(sock)
        except KeyError:
            pass
        if flags:
            selector.register(sock, flags)

    deadline = time.monotonic() + 20 * DEADLINE
    for _ in range(min(20, len(waiting))):
        begin(waiting.popleft()())
    while busy:
        assert time.monotonic() < deadline, [case.seed for case in busy]
        ready = selector.select(DEADLINE)
        assert ready, f"nothing moves any more: {[(c.seed, sorted(b)) for c, b in busy.items()]}"
        for key, mask in ready:
            case, side = where[key.fd]
            todo = busy.get(case, set())
            if key.fileobj is not case.ends[side]:
                continue
            if mask & selectors.EVENT_WRITE and ("w", side) in todo and not case.write(side):
                todo.discard(("w", side))
                if case.ends[side] is None:
                    selector.unregister(key.fileobj)
                    todo.discard(("r", side))
                    continue
                watch(case, side)
            if mask & selectors.EVENT_READ and ("r", side) in todo and not case.read(side):
                todo.discard(("r", side))
                if case.resets is not None:
                    todo.discard(("w", side))
                watch(case, side)
        for case in [case for case, todo in busy.items() if not todo]:
            del busy[case]
            for sock in case.ends.values():
                if sock is not None:
                    sock.close()
            fault = case.verdict()
            assert fault is None, f"seed {case.seed}: {fault}"
            if waiting:
                begin(waiting.popleft()())


def random_octets_both_ways():
    print(f"seeds {FIRST} to {FIRST + CASES - 1}")
    with Server() as server, Proxy("-u", server.url) as proxy:
        address = proxy.listening()

        def case(seed):
            client = socket.create_connection(address, DEADLINE)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mta = server.accept().sock
            return Case(seed, client, mta)

        drive([lambda seed=seed: case(seed) for seed in range(FIRST, FIRST + CASES)])
        proxy.event(event="close", session=CASES)
        proxy.stop()
        events = [json.loads(line) for line in proxy.stdout.all()]
        assert sum(event["event"] == "close" for event in events) == CASES
        assert sum(event["event"] == "message" for event in events) > 0


run([random_octets_both_ways])
