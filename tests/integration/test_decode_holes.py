#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`smtpscope decode` on captures that lack something: packets, one side, the start, the next file."""

import pathlib
import tempfile

from running import run as run_tests
from test_decode import (ANSWERS, CONTENT, GREETING, HELLO, QUIT, ROOT, SESSION, STORED, Wire, decode, has_gap,
                         run, same, session)

MANY = 5000     # commands: more than a session keeps unanswered
PIPELINED = "C: MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>"


def message(answer):
    (event,) = answer.of("message")
    return event["complete"], event["code"], [r["address"] for r in event["recipients"]]


# ---- replies whose commands are missing

def test_the_one_command_that_a_reply_can_answer():
    """QUIT, EHLO and DATA are missing, each alone: their replies say that they were there."""
    for lost, wanted in ((QUIT[0], (221, "QUIT")), (HELLO[0], (250, "EHLO"))):
        answer = decode(session([*GREETING, *(f"-{line}" if line == lost else line for line in [*HELLO, *QUIT])]))
        has_gap(answer, 1, "client")
        assert wanted in answer.replies(), answer.replies()
        same(answer.close()["how"], "quit", "the end")
    same(len(decode(session([*GREETING, f"-{HELLO[0]}", HELLO[1], *QUIT])).of("ehlo")), 1, "the offer")


def test_an_unasked_221_is_no_answer():
    answer = decode(session([*GREETING, *HELLO, "S: 221 2.0.0 Bye"]))
    same(answer.replies()[-1], (221, None), "the reply")
    same(answer.findings(), ["rsp.unsolicited"], "findings")


def test_quit_behind_a_content_whose_end_is_missing():
    """The reply to the content is missing too: the 221 is none."""
    answer = decode(session([*GREETING, *HELLO, PIPELINED + "\r\nDATA", *ANSWERS[:2], ANSWERS[3], CONTENT[0],
                             f"-{CONTENT[2]}", f"-{STORED[0]}", f"-{QUIT[0]}", QUIT[1]]))
    same(answer.replies()[-1], (221, "QUIT"), "the last reply")
    same(message(answer), (False, None, ["bob@example.net"]), "the message")
    same(answer.close()["how"], "quit", "the end")


def test_data_is_missing_and_its_354_is_not():
    answer = decode(session([*GREETING, *HELLO, PIPELINED, *ANSWERS[:2], "-C: DATA", ANSWERS[3], *CONTENT, *STORED, *QUIT]))
    same((354, "DATA") in answer.replies(), True, "the 354")
    same(message(answer), (True, 250, ["bob@example.net"]), "the message")


# ---- content whose DATA and 354 are missing

FIELDS = ["C: Received: from client.example.org\r\n\tby mx.example.net; Sun, 22 Nov 2026 09:00:00 +0000",
          "C: Subject: one\r\nTo: bob@example.net", "C: \r\nHelo is no word of this line's\r\nHello Bob,\r\nQUIT is\r\n."]
BEFORE = [*GREETING, *HELLO, PIPELINED, *ANSWERS[:2]]
BEHIND = [*STORED, *QUIT]


def test_content_shows_itself_by_its_header():
    """However its first lines are cut; it is one message, and none of it is a command."""
    for lines in (FIELDS, ["\r\n".join(["C: " + FIELDS[0][3:]] + [f[3:] for f in FIELDS[1:]])]):
        answer = decode(session([*BEFORE, "-C: DATA", f"-{ANSWERS[3]}", *lines, *BEHIND]))
        same(answer.verbs(), ["EHLO", "MAIL", "RCPT", "QUIT"], "commands")
        same(answer.replies()[-2:], [(250, "CONTENT"), (221, "QUIT")], "replies")
        same(message(answer), (False, 250, ["bob@example.net"]), "the message")


def test_content_shows_itself_by_its_end():
    """What is left of it is text: only the dot says what it was."""
    answer = decode(session([*BEFORE, "-C: DATA", f"-{ANSWERS[3]}", "-C: Subject: one\r\n\r\nHello", "C: Bob,\r\nsee you.\r\n.",
                             *BEHIND]))
    same(answer.verbs(), ["EHLO", "MAIL", "RCPT", "QUIT"], "commands")
    same(answer.replies()[-2:], [(250, "CONTENT"), (221, "QUIT")], "replies")
    same(message(answer), (False, 250, ["bob@example.net"]), "the message")


def test_start_inside_a_content():
    """The capture begins in the header: it is content, and RFC 5321's commands come behind its end."""
    wire = Wire(syn=False).talk(*FIELDS, *STORED, "C: MAIL FROM:<ann@example.org>", "S: 250 Ok", *QUIT).end()
    answer = decode(wire)
    same(answer.verbs(), ["MAIL", "QUIT"], "commands")
    same(answer.replies(), [(250, "CONTENT"), (250, "MAIL"), (221, "QUIT")], "replies")
    same(message(answer), (False, 250, []), "the message")


def test_the_end_of_a_command_is_no_header():
    """RCPT is cut by the gap: "TO: <...>" alone is no content."""
    wire = Wire().talk(*GREETING, *HELLO, "C: MAIL FROM:<ann@example.org>", "S: 250 Ok")
    wire.lose("client", b"RCPT ")
    answer = decode(wire.talk("C: TO: <bob@example.net>", "S: 250 Ok", "C: RSET", "S: 250 Ok", *QUIT).end())
    same(answer.verbs(), ["EHLO", "MAIL", "RSET", "QUIT"], "commands")
    same(answer.of("message"), [], "messages")


def test_content_without_its_354_and_its_start():
    """DATA is there, the 354 and what came behind it are not, or only the reply to all of it is."""
    for lost in ([CONTENT[0]], CONTENT[:2], CONTENT):
        lines = [f"-{line}" if line in lost else line for line in CONTENT]
        answer = decode(session([*GREETING, *HELLO, PIPELINED + "\r\nDATA", *ANSWERS[:2], f"-{ANSWERS[3]}", *lines, *BEHIND]))
        same(answer.verbs(), ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"], "commands")
        same(answer.replies()[-2:], [(250, "CONTENT"), (221, "QUIT")], "replies")
        same(message(answer), (False, 250, ["bob@example.net"]), "the message")


# ---- AUTH and the offer

AUTH = ["C: AUTH PLAIN", "S: 334 ", "C: AGFubgBzZWNyZXQ=", "S: 235 2.7.0 Ok"]


def test_a_line_of_an_auth_that_is_missing():
    """Any one or two of its lines; the secret is never a command, and QUIT always is one."""
    for first in range(4):
        for count in (1, 2):
            lines = [f"-{line}" if first <= i < first + count else line for i, line in enumerate(AUTH)]
            answer = decode(session([*GREETING, *HELLO, *lines, *QUIT]))
            same([verb for verb in answer.verbs() if verb != "AUTH"], ["EHLO", "QUIT"], f"commands without {lines}")
            same(answer.replies()[-1], (221, "QUIT"), f"the last reply without {lines}")
            if lines[3] == AUTH[3]:
                assert (235, "AUTH") in answer.replies(), (lines, answer.replies())
            assert b"AGFubg" not in b"".join(answer.lines), lines


def test_what_was_offered_may_be_missing():
    """Without the reply to EHLO nobody knows whether PIPELINING was offered; with it, it is known again."""
    group = ["C: MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA", *ANSWERS[:2], ANSWERS[3], *CONTENT, *STORED]
    answer = decode(session([*GREETING, HELLO[0], f"-{HELLO[1]}", *group, *group, *QUIT]))
    same(answer.findings().count("pipe.unoffered"), 0, "findings")
    again = ["C: EHLO client.example.org", "S: 250 mx.example.net"]
    answer = decode(session([*GREETING, HELLO[0], f"-{HELLO[1]}", *group, *again, *group, *QUIT]))
    same(answer.findings().count("pipe.unoffered"), 2, "findings behind an EHLO that is there")


# ---- one side

def test_gaps_of_one_side_are_joined():
    """A server alone acknowledges a content in many steps: that is one gap."""
    wire = Wire().talk(*GREETING, *HELLO, "C: DATA", ANSWERS[3])
    for _ in range(40):
        wire.say("client", b"a line of the content\r\n")
    wire.talk("C: .", *STORED, *QUIT).end()
    answer = decode(wire.only("server"))
    same(answer.close()["gaps"], 4, "gaps: EHLO, DATA, the content, QUIT")
    same([e["detail"].split()[0] for e in answer.of("finding", id="cap.gap")], ["25", "6", str(40 * 23 + 3), "6"],
         "their octets")


def test_a_client_alone_that_says_very_much():
    wire = Wire().talk(*GREETING, *HELLO)
    for _ in range(MANY // 50):
        wire.say("client", b"NOOP\r\n" * 50)
        wire.say("server", b"250 Ok\r\n" * 50)
    answer = decode(wire.talk(*QUIT).end().only("client"))
    same(answer.verbs().count("NOOP"), MANY, "commands")
    same(answer.verbs()[-1], "QUIT", "the last")
    same(answer.findings().count("pipe.unoffered"), 0, "of an offer that is not in the capture")


# ---- TLS that begins too early to be seen

STARTTLS = ROOT / "samples" / "captures" / "starttls13-exim-postfix"


def payloads(path):
    """(side, octets) of the segments with data of a capture's one connection, which one loopback has seen."""
    data, at, found = path.read_bytes(), 24, []
    while at < len(data):
        length = int.from_bytes(data[at + 8:at + 12], "little")
        tcp = data[at + 16 + 14 + 20:at + 16 + length]      # behind Ethernet, and IP without options
        octets = tcp[4 * (tcp[12] >> 4):]
        if octets:
            found.append(("server" if int.from_bytes(tcp[:2], "big") == 10025 else "client", octets))
        at += 16 + length
    return found


def test_a_hello_that_does_not_wait_for_the_220():
    """In one segment with STARTTLS, in front of the 220, with a 220 that is missing: it is read all the same."""
    plain = run("--keylog", f"{STARTTLS}.keylog", f"{STARTTLS}.pcap")
    talk = payloads(STARTTLS.with_suffix(".pcap"))
    at = talk.index(("client", b"STARTTLS\r\n"))
    start, ready, hello = talk[at][1], talk[at + 1][1], talk[at + 2][1]
    assert ready.startswith(b"220 ") and hello[0] == 0x16, (ready, hello)
    for way in ("one segment", "in front", "missing"):
        wire = Wire(port=10025)
        for side, octets in talk[:at]:
            wire.say(side, octets)
        for octets in [start + hello] if way == "one segment" else [start, hello]:
            wire.say("client", octets)
        (wire.lose if way == "missing" else wire.say)("server", ready)
        for side, octets in talk[at + 3:]:
            wire.say(side, octets)
        answer = decode(wire.end(), "--keylog", f"{STARTTLS}.keylog")
        same([e["outcome"] for e in answer.of("tls")], ["established"], f"{way}: TLS")
        same(answer.verbs(), plain.verbs(), f"{way}: commands")
        same(answer.replies()[-5:], plain.replies()[-5:], f"{way}: replies")
        same(answer.close()["how"], "quit", f"{way}: the end")


# ---- what the handshake tells

def test_latency_of_the_greeting():
    """From the client's ACK; where that is missing, from the server's SYN."""
    for drop, wanted in ((None, 5.0), (2, 6.0), (1, 5.0), (0, 5.0)):
        wire = Wire()
        wire.time += 4000
        wire.talk(*GREETING, *HELLO, *QUIT).end()
        if drop is not None:
            del wire.packets[drop]
        (greeting,) = decode(wire).of("reply", to="CONNECT")
        same(greeting["latency_ms"], wanted, f"without packet {drop} of the handshake")
    wire = Wire(syn=False).talk(*GREETING, *HELLO, *QUIT).end()
    same([e["latency_ms"] for e in decode(wire).of("reply", to="CONNECT")], [], "no handshake, no greeting")


# ---- numbers

def merged(*wires):
    """As one capture, by time."""
    wires[0].packets = sorted((packet for wire in wires for packet in wire.packets), key=lambda packet: packet[0])
    return wires[0]


def late(client_port, port, behind, *lines, pause=0):
    """A session that begins so many microseconds behind; pause: between its first line and the others."""
    wire = Wire(port=port, client_port=client_port, start=1_700_000_000_000_000 + behind)
    wire.talk(lines[0])
    wire.time += pause
    return wire.talk(*lines[1:]).end()


def test_sessions_are_numbered_by_their_first_octets():
    """What the first one is, only its second line tells; the others are known at once, and one is over by then."""
    unsure = ["S: 220 mail", "C: EHLO client.example.org", "S: 250 mail", *QUIT]
    http = ["C: GET / HTTP/1.1\r\nHost: example.org\r\n", "S: HTTP/1.1 200 OK\r\n"]
    for pause, wanted in ((500_000, [40001, 40003, 40004]), (60_000_000, [40003, 40004, 40001])):
        answer = decode(merged(late(40001, 10025, 0, *unsure, pause=pause), late(40002, 8080, 100, *http),
                               late(40003, 25, 200, *SESSION), late(40004, 25, 100_000, *SESSION, pause=3_000_000)))
        same([(e["session"], int(e["client"].rpartition(":")[2])) for e in answer.of("open")],
             list(enumerate(wanted, 1)), f"sessions and client's ports, known {pause} us later")
        same([e["how"] for e in answer.of("close")], ["quit"] * 3, "ends")
        for number in (1, 2, 3):
            times = [e["time"] for e in answer.events if e["session"] == number]
            same(times, sorted(times), "times of a session")


def test_a_connection_that_never_says_what_it_is():
    """Those behind it wait for it, and not for ever; it has no number."""
    silent = Wire(port=10025, client_port=40001).talk("S: 220 mail")
    answer = decode(merged(silent, *[late(40002 + i, 25, 1000 * (i + 1), *SESSION) for i in range(300)]))
    same([e["session"] for e in answer.of("close")], list(range(1, 301)), "sessions")
    same({e["how"] for e in answer.of("close")}, {"quit"}, "ends")


# ---- files

def decode_files(*wires, code=0, extra=()):
    with tempfile.TemporaryDirectory(prefix="smtpscope-holes.") as directory:
        paths = [pathlib.Path(directory) / f"{i}.pcap" for i in range(len(wires))]
        for path, wire in zip(paths, wires):
            path.write_bytes(wire.pcap())
        answer = run(*extra, *paths)
    same(answer.code, code, "exit code")
    return answer


def unfinished(**options):
    return Wire(**options).talk(*GREETING, *HELLO, PIPELINED)


def closes(answer):
    return [(e["session"], e["how"]) for e in answer.of("close")]


def test_unrelated_files_with_the_same_ports():
    """The same ports and sequence numbers, and no end: a later file, an earlier one, one at the same time."""
    for shift in (100_000_000, -100_000_000, 0):
        answer = decode_files(unfinished(), session(start=1_700_000_000_000_000 + shift))
        same(closes(answer), [(1, "capture-end"), (2, "quit")], f"sessions, {shift} us apart")
        same(answer.findings(), [], "findings")
        same(answer.stderr.count("begins before the end"), 1 if shift < 0 else 0, answer.stderr)


def test_unrelated_files_that_begin_in_the_middle():
    other = session(start=1_700_000_100_000_000)
    first = unfinished()
    del other.packets[:3]
    moved = Wire(syn=False, start=1_700_000_100_000_000)
    moved.seq = {"client": 0x50000000, "server": 0x60000000}
    moved.talk(*GREETING, *HELLO, PIPELINED, *ANSWERS[:2], *QUIT).end()
    answer = decode_files(first, moved)
    same(closes(answer), [(1, "capture-end"), (2, "quit")], "sessions")
    same(answer.findings(), ["cap.midstream"], "findings")


def test_parts_of_one_capture_go_on():
    """At each packet; in the wrong order they do not, and it is said why."""
    wire = session()
    whole, packets = decode(wire), wire.packets
    for cut in range(1, len(packets)):
        parts = [Wire(syn=False), Wire(syn=False)]
        parts[0].packets, parts[1].packets = packets[:cut], packets[cut:]
        for part in parts:      # the clock of a capture may run back a little
            part.packets = [(time - 500 * (part is parts[1]), side, octets) for time, side, octets in part.packets]
        answer = decode_files(*parts)
        same([e["event"] for e in answer.events], [e["event"] for e in whole.events], f"events, cut at {cut}")
        same(answer.findings(), [], "findings")
    parts[0].packets, parts[1].packets = packets[20:], packets[:20]
    parts[0].packets = [(time + 10_000_000, side, octets) for time, side, octets in parts[0].packets[:-4]]
    assert "mergecap" in decode_files(*parts).stderr
    assert "mergecap" not in decode_files(*parts, extra=["-q"]).stderr


def test_ports_that_were_silent_for_very_long():
    """Longer than RFC 5321 lets anybody wait: what comes then is another connection, SYN or not."""
    wire, later = unfinished(), Wire(syn=False, start=1_700_000_000_000_000 + 3_700_000_000)
    later.seq = dict(wire.seq)
    later.talk(*GREETING, *HELLO, *QUIT).end()
    wire.packets += later.packets
    same(closes(decode(wire)), [(1, "capture-end"), (2, "quit")], "sessions")


if __name__ == "__main__":
    run_tests([test for name, test in list(globals().items()) if name.startswith("test_") and callable(test)])
