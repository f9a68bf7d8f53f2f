#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smtpscope between real MTAs: Postfix, Exim and OpenSMTPD.

    test_mta.py [WORD...]       all cases, or those with one of the words in their name

Needs root (namespaces, users) and, the first time, Debian's archive; without, every case is
skipped by name and counted. mta/README says how the MTAs are run.
"""
import os
import sys
import time
import traceback

sys.dont_write_bytecode = True      # nothing is written outside the build folder

from mta import room, swaks                                         # noqa: E402
from mta.exim import Exim                                           # noqa: E402
from mta.opensmtpd import OpenSMTPD                                 # noqa: E402
from mta.postfix import Postfix                                     # noqa: E402
from mta.room import Failure                                        # noqa: E402

ANN = "ann@client.example.org"
BOB = "bob@example.org"
CARL = "carl@example.org"

# A message to which no server has to add anything but its Received: field.
CONTENT = b"""\
Date: Sun, 22 Nov 2026 09:00:00 +0000
From: ann@client.example.org
To: bob@example.org
Message-ID: <1@client.example.org>
Subject: through the scope

A line.
.A line that begins with a dot.
..Two of them.

The last line.
"""

SERVERS = ("Postfix", "Exim", "OpenSMTPD")
CASES = []


class Skip(Exception):
    """A case that cannot run here; the text says why."""


def case(name, *arguments):
    def add(function):
        CASES.append((name, lambda stage: function(stage, *arguments)))
        return function
    return add


def for_each_server(name):
    """Adds the case once for each of SERVERS; name has {} where the server's stands."""
    def add(function):
        for server in SERVERS:
            case(name.format(server), server)(function)
        return function
    return add


def expect(true, what):
    if not true:
        raise Failure(what)


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what}: {got!r}, expected {wanted!r}")


class Stage:
    """The MTAs, each started when a case first asks for it and kept until the end."""

    _MAKERS = {
        "Postfix": lambda: Postfix("postfix", 10025),
        "Exim": lambda: Exim("exim", 10026),
        "OpenSMTPD": lambda: OpenSMTPD("opensmtpd", 10027),
        "Postfix to Exim": lambda: Postfix("postfix-to-exim", 10034, "[127.0.0.1]:10026"),
        "Exim to Postfix": lambda: Exim("exim-to-postfix", 10035, "127.0.0.1::10025"),
    }

    def __init__(self):
        self._running = {}

    def get(self, which):
        if which not in self._running:
            self._running[which] = self._MAKERS[which]()
        return self._running[which]

    def stop(self):
        for mta in self._running.values():
            mta.room.stop()


def expect_received(received, recipients):
    """The server's log and its mailbox tell of one and the same message, from ann."""
    expect_equal(received.sender, ANN, "sender logged")
    expect_equal(received.recipients, sorted(recipients), "recipients logged")
    expect(received.stored is not None, f"no mailbox has {received.id}")
    expect_equal(received.size, received.size_stored(), "size logged, against the mailbox")


@for_each_server("swaks to {}, nothing between")
def swaks_directly(stage, name):
    if not swaks.available():
        raise Skip("no swaks (Debian's package of that name)")
    server = stage.get(name)
    said = swaks.send(server.port, ANN, [BOB, CARL], CONTENT)
    expect_equal(said.code, 0, "exit code of swaks")
    received = server.received(server.id_in(said.final_reply()))
    expect_received(received, [BOB, CARL])
    expect_equal(received.content().rstrip(b"\n"), CONTENT.rstrip(b"\n"), "content kept")


@case("Postfix to Exim, nothing between")
def postfix_directly(stage):
    server, client = stage.get("Exim"), stage.get("Postfix to Exim")
    attempt = client.attempt(client.submit(ANN, [BOB], CONTENT), BOB, "sent")
    expect_received(server.received(server.id_in(attempt["text"])), [BOB])


@case("Exim to Postfix with BDAT, nothing between")
def exim_directly(stage):
    server, client = stage.get("Postfix"), stage.get("Exim to Postfix")
    attempt = client.attempt(client.submit(ANN, [BOB], CONTENT), BOB)
    expect("K" in attempt["flags"], "no BDAT in " + attempt["line"])
    expect_received(server.received(server.id_in(attempt["text"])), [BOB])


def run(cases, why_not):
    """Runs the cases one after the other, tells how each went, and returns the three counts."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    stage = Stage()
    for name, function in cases:
        began, outcome, words = time.monotonic(), "passed", ""
        try:
            if why_not:
                raise Skip(why_not)
            function(stage)
        except Skip as why:
            outcome, words = "skipped", f": {why}"
        except Failure as what:
            outcome, words = "failed", f": {what}"
        except Exception:               # an error of the harness fails its case, not the others
            outcome, words = "failed", ": " + traceback.format_exc()
        counts[outcome] += 1
        print(f"{outcome:7} {name} ({time.monotonic() - began:.1f} s){words}", flush=True)
    stage.stop()
    return counts


def main():
    words = sys.argv[1:]
    cases = [c for c in CASES if not words or any(word in c[0] for word in words)]
    counts = run(cases, room.enter())
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
