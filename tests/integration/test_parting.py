#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients and servers that leave at any moment, in any way, with rules at work in between: every
session ends, each in time, and nothing is left behind. Seeds are printed; SMTPSCOPE_SEED is the
first, SMTPSCOPE_LONG makes ten times as many."""

import asyncio
import json
import os
import pathlib
import random
import socket
import struct
import tempfile
import time

from running import DEADLINE, Proxy, run

SESSIONS = 400 * (10 if os.environ.get("SMTPSCOPE_LONG") else 1)
FIRST = int(os.environ.get("SMTPSCOPE_SEED", "20260501"))
AT_ONCE = 40

RULES = """
rule "slow greeting" { on connect chance 10% delay 5ms..30ms }
rule "own greeting" { on connect chance 5% reply 220 "mx.example.org here" }
rule "no greeting" { on connect chance 3% reply 554 5.3.2 "not now" }
rule "slow" { on MAIL, RCPT chance 20% delay 1ms..40ms }
rule "answer" { on RCPT chance 20% reply 452 4.5.3 "Too many recipients" }
rule "answer the content" { on CONTENT-END chance 20% reply 451 4.3.0 "Try again" }
rule "answer data" { on DATA chance 10% reply 354 "Go on" }
rule "drop" { on NOOP chance 30% drop }
rule "drop a reply" { on reply to VRFY chance 30% drop }
rule "close" { on RSET chance 10% reply 421 4.3.2 "Enough" close }
rule "close one" { on RSET chance 10% close server }
rule "reset" { on RSET chance 10% reset }
rule "reset one" { on VRFY chance 10% reset client }
rule "hold" { on HELP chance 30% hold }
rule "hold a reply" { on reply to HELP chance 30% hold }
rule "change" { on reply to EHLO chance 50% hide PIPELINING hide CHUNKING }
rule "inject" { on MAIL chance 20% inject server "NOOP" }
rule "aside" { on reply to MAIL chance 10% inject client "250 and this\\r\\n" }
rule "slow reply" { on reply to RCPT, reply to CONTENT chance 20% delay 1ms..40ms }
"""

COMMANDS = [b"MAIL FROM:<ann@example.org>\r\n", b"RCPT TO:<bob@example.net>\r\n", b"DATA\r\n", b"Subject: x\r\n\r\nx\r\n.\r\n", b"RSET\r\n",
            b"NOOP\r\n", b"VRFY x\r\n", b"HELP\r\n", b"EHLO client.example.org\r\n", b"BDAT 5 LAST\r\nx\r\ny\n", b"QUIT\r\n", b"XYZZY\r\n", b"MAIL FR"]
REPLIES = [b"250 2.0.0 Ok\r\n", b"250-mx.example.net\r\n250-PIPELINING\r\n250 CHUNKING\r\n", b"354 Go on\r\n", b"550 5.1.1 No\r\n",
           b"421 4.3.2 Bye\r\n", b"221 Bye\r\n", b"250-half a re", b"nonsense\r\n", b"x" * 100000 + b"\r\n"]


async def leave(rng, writer):
    """Ends a connection in one of the ways."""
    way = rng.randrange(3)
    if way == 0:
        writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    elif way == 1 and writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


async def one_end(rng, reader, writer, words, answers):
    """Says some of its words, or answers what it hears, and leaves at some moment."""
    try:
        for _ in range(rng.choice((0, 1, 3, 10, 30))):
            writer.write(b"".join(rng.choice(words) for _ in range(rng.choice((1, 1, 4)))))
            if answers or rng.randrange(3) == 0:
                # Whether something comes is not sure: the proxy may hold it for ever.
                try:
                    if not await asyncio.wait_for(reader.read(65536), 0.05):
                        break
                except asyncio.TimeoutError:
                    pass
            else:
                await asyncio.sleep(0)
        await leave(rng, writer)
        # What is left comes until the proxy ends it; a held session ends when we leave altogether.
        try:
            await asyncio.wait_for(reader.read(), 0.5)
        except asyncio.TimeoutError:
            pass
    except OSError:
        pass
    writer.transport.abort()


async def clients(address, seeds):
    room = asyncio.Semaphore(AT_ONCE)

    async def one(seed):
        async with room:
            reader, writer = await asyncio.open_connection(*address)
            await one_end(random.Random(seed), reader, writer, COMMANDS, True)

    await asyncio.gather(*(one(seed) for seed in seeds))


async def traffic(proxy, port, seeds):
    """Server and clients in one loop."""
    rng = random.Random(FIRST)
    served = set()

    async def serve(reader, writer):
        served.add(asyncio.current_task())
        own = random.Random(rng.random())
        if own.randrange(10):
            writer.write(b"220 mx.example.net\r\n")
        await one_end(own, reader, writer, REPLIES, own.randrange(5) > 0)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        await clients(proxy.listening(), seeds)
        await asyncio.gather(*served)


def left(lines):
    """What there is of sessions that have not ended."""
    events = [json.loads(line) for line in lines]
    ended = {e["session"] for e in events if e["event"] == "close"}
    return "not ended:\n" + "\n".join(json.dumps(e)[:300] for e in events if e["session"] not in ended)


def every_session_ends():
    print(f"seeds {FIRST} to {FIRST + SESSIONS - 1}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        rules = pathlib.Path(directory, "all.rules")
        rules.write_text(RULES)
        with Proxy("-r", rules, "--seed", FIRST, "-u", f"127.0.0.1:{port}") as proxy:
            proxy.listening()
            idle = proxy.descriptors()
            asyncio.run(traffic(proxy, port, range(FIRST, FIRST + SESSIONS)))
            deadline = time.monotonic() + DEADLINE
            while proxy.descriptors() > idle:
                assert time.monotonic() < deadline, left(proxy.stdout.lines)
                time.sleep(0.02)
            proxy.stop()
            events = proxy.events()
            opened = [e["session"] for e in events if e["event"] == "open"]
            closed = [e["session"] for e in events if e["event"] == "close"]
            assert sorted(opened) == list(range(1, SESSIONS + 1)), len(opened)
            assert sorted(closed) == sorted(opened), set(opened) ^ set(closed)
            cut_off = {e["session"] for e in events if e["event"] == "close" and e["reason"] == "stopped by SIGTERM"}
            assert not cut_off, "ended by SIGTERM alone:\n" + "\n".join(
                json.dumps(e)[:300] for e in events if e["session"] in cut_off)
            fired = {e["rule"]: e["acted"] for e in events if e["event"] == "rule-summary"}
            assert sum(n > 0 for n in fired.values()) >= 15, fired
            print("sessions ended:", {how: sum(e["event"] == "close" and e["how"] == how for e in events)
                                      for how in {e["how"] for e in events if e["event"] == "close"}})


run([every_session_ends])
