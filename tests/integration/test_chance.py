#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Chance does not know what runs beside a session: the same set of dialogues gets the same set of
faults with one session at a time and with fifty, and in whatever order they are served.

Each dialogue is told from the others by its words, some are equal: what those get is compared as a
set. Compared are the replies that the clients read, and what was thrown for which rule.
"""

import asyncio
import collections
import json
import pathlib
import random
import tempfile

from running import DEADLINE, Proxy, run

DIALOGUES = 120         # of which so many are equal to another:
EQUAL = 40
RULES = """
rule "one in three" { on RCPT chance 33% reply 451 4.7.1 "not now" }
rule "spoilt" { on NOOP chance 50% corrupt 2 }
rule "any time" { on VRFY delay 0ms..3ms }
rule "changed" { on reply to RCPT chance 40% skip 0 set reply.text "another word" }
rule "gone" { on RSET chance 20% reply 421 4.3.2 "gone" close }
"""


def dialogue(number):
    """Lines, in groups of which each is answered before the next is sent."""
    rng = random.Random(number)
    groups = [[f"EHLO host{number}.example.org"], ["MAIL FROM:<ann@example.org>"]]
    groups.append([f"RCPT TO:<user{rng.randint(1, 5)}@example.net>" for _ in range(rng.randint(1, 8))])
    groups.append([f"NOOP {number}", f"VRFY {rng.randint(1, 3)}", "NOOP", "VRFY bob"])
    if rng.random() < 0.5:
        groups.append([f"RSET {number}"])
    return groups


def equal_dialogue():
    """One throw in each: what follows from it does not depend on which of the equal ones gets it."""
    return [["EHLO same.example.org"], ["MAIL FROM:<ann@example.org>"], ["RCPT TO:<bob@example.net>"]]


async def server(reader, writer):
    """Answers by the line alone, so that only rules make a difference."""
    try:
        writer.write(b"220 mx.example.net ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-mx.example.net\r\n250 PIPELINING\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 2.0.0 Bye\r\n")
            else:
                writer.write(b"250 2.0.0 " + line[:40].strip().hex().encode() + b"\r\n")
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def reply(reader):
    lines = []
    while not lines or lines[-1][3:4] == b"-":
        line = await reader.readline()
        if not line:
            return None
        lines.append(line)
    return b"".join(lines).decode("latin-1")


async def client(port, groups, at_once):
    """What it read."""
    async with at_once:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        heard = [await reply(reader)]
        for group in groups:
            writer.write("".join(line + "\r\n" for line in group).encode())
            for _ in group:
                heard.append(await reply(reader))
            if heard[-1] is None or heard[-1].startswith("421"):
                break
        writer.close()
        return tuple(heard)


async def all_of(port, order, at_once):
    limit = asyncio.Semaphore(at_once)
    talks = [dialogue(n) if n >= 0 else equal_dialogue() for n in order]
    heard = await asyncio.wait_for(asyncio.gather(*(client(port, talk, limit) for talk in talks)), DEADLINE * 4)
    return collections.Counter(zip((n if n >= 0 else "equal" for n in order), heard))


def served(order, at_once, seed):
    """What all clients read, and what was thrown for whom (by what it called itself): both as sets with counts."""

    async def serve():
        listener = await asyncio.start_server(server, "127.0.0.1", 0)
        with tempfile.TemporaryDirectory(prefix="smtpscope-chance-") as folder:
            rules = pathlib.Path(folder) / "chance.rules"
            rules.write_text(RULES)
            upstream = "127.0.0.1:%d" % listener.sockets[0].getsockname()[1]
            with Proxy("-u", upstream, "-r", rules, "--seed", seed) as proxy:
                port = proxy.listening()[1]
                heard = await all_of(port, order, at_once)
                await asyncio.to_thread(proxy.stop)
                return heard, proxy.events()

    heard, events = asyncio.run(serve())
    names = {e["session"]: e["argument"] for e in events if e["event"] == "command" and e["verb"] == "EHLO"}
    thrown = collections.Counter((names[e["session"]], e["rule"], json.dumps(e.get("throw")))
                                 for e in events if e["event"] == "rule")
    return heard, thrown


ORDER = [*range(DIALOGUES - EQUAL), *[-1] * EQUAL]


def same(one, other, what):
    for mine, theirs in zip(one, other):
        assert mine == theirs, f"{what}: {list((mine - theirs).items())[:3]} and {list((theirs - mine).items())[:3]}"


def one_by_one_and_fifty_at_once_in_any_order():
    first = served(ORDER, 1, 7)
    assert len(first[1]) > DIALOGUES, "hardly a fault"
    equal = {heard for (who, heard) in first[0] if who == "equal"}
    assert len(equal) > 1, "equal sessions must not be equal in their faults"
    same(first, served(ORDER[::-1], 1, 7), "the other way round")
    for seed in (1, 2):
        order = ORDER[:]
        random.Random(seed).shuffle(order)
        same(first, served(order, 50, 7), "fifty at once")


def another_seed_other_faults():
    assert served(ORDER[:40], 1, 7) != served(ORDER[:40], 1, 8)


run([one_by_one_and_fifty_at_once_in_any_order, another_seed_other_faults])
