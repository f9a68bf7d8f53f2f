#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""200 sessions at once of 100 messages each lose nothing, and leave nothing behind: memory and
descriptors of the proxy return to where they were."""

import asyncio
import json
import os
import pathlib
import re
import tempfile
import time

from running import DEADLINE, Program, run

SESSIONS = 200
MESSAGES = int(os.environ.get("SMTPSCOPE_LOAD", "100"))
CONTENT = b"".join(b"Line %d of a message of the usual kind, neither short nor long.\r\n" % n for n in range(8))


async def session(address, number, messages, all_there):
    reader, writer = await asyncio.open_connection(*address)
    assert (await reader.readline()).startswith(b"220 ")
    writer.write(b"EHLO client.example.org\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    all_there.arrived += 1
    if all_there.arrived == SESSIONS:
        all_there.set()
    await all_there.wait()
    for n in range(messages):
        # A pipelined group, as Postfix sends it; then the content with the next command's wait.
        writer.write(b"MAIL FROM:<s%d@example.org>\r\nRCPT TO:<m%d@example.net>\r\nDATA\r\n" % (number, n))
        for code in (b"250", b"250", b"354"):
            line = await reader.readline()
            assert line.startswith(code), line
        writer.write(b"Message-ID: <%d.%d@example.org>\r\n\r\n" % (number, n) + CONTENT + b".\r\n")
        line = await reader.readline()
        assert line.startswith(b"250"), line
    writer.write(b"QUIT\r\n")
    assert (await reader.readline()).startswith(b"221")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def sessions(address, messages):
    all_there = asyncio.Event()
    all_there.arrived = 0
    await asyncio.gather(*(session(address, n, messages, all_there) for n in range(SESSIONS)))


def until(what, holds):
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def nothing_is_lost_and_nothing_stays():
    with tempfile.TemporaryDirectory() as directory:
        log = pathlib.Path(directory, "events")
        with Program("sink", "-l", "127.0.0.1:0", "-v") as sink, \
                Program("proxy", "-l", "127.0.0.1:0", "-u", "%s:%d" % sink.listening(), "--json", log,
                        "-o", "/dev/null") as proxy:
            proxy.listening()       # it has opened all that it keeps open
            idle = proxy.descriptors()
            # The first sessions make what is kept for all later ones (buffers, the allocator's pools).
            asyncio.run(sessions(proxy.listening(), 5))
            until("descriptors of the first sessions", lambda: proxy.descriptors() == idle)
            before = proxy.status("VmRSS")
            asyncio.run(sessions(proxy.listening(), MESSAGES))
            until("descriptors", lambda: proxy.descriptors() == idle)
            after = proxy.status("VmRSS")
            peak = proxy.status("VmHWM")
            print(f"VmRSS {before} KiB, then {after} KiB, at most {peak} KiB")
            assert after <= before + 1024 or proxy.sanitized(), (before, after)
            proxy.stop()
            sink.stop()
            count = SESSIONS * (MESSAGES + 5)
            stored = sum(line.startswith("message from") and ": 250" in line for line in sink.stderr.all())
            assert stored == count, (stored, count)
            with log.open() as lines:
                kinds, ids = {}, set()
                for line in lines:
                    event = json.loads(line)
                    kinds[event["event"]] = kinds.get(event["event"], 0) + 1
                    if event["event"] == "message":
                        assert event["code"] == 250 and event["complete"], event
                        ids.add((event["session"], event["header"]["message_id"]))
            assert kinds["message"] == count and len(ids) == count, kinds
            assert kinds["open"] == kinds["close"] == 2 * SESSIONS and "undecoded" not in kinds, kinds
            assert any(re.match(rf"{2 * SESSIONS} sessions", line) for line in proxy.stderr.all())


run([nothing_is_lost_and_nothing_stays])
