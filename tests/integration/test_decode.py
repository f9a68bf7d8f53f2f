#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`smtpscope decode` on captures that are made here: parity with the live proxy, holes, other
protocols, damaged files, rules run dry.

    test_decode.py [WORD...]    all, or the tests whose names have one of the words in them

SMTPSCOPE is the program, TEST_TRANSCRIPTS the reader of transcripts (build/tests/unit/test_transcripts).
"""

import concurrent.futures
import fcntl
import gzip
import json
import lzma
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback

from running import Skipped

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = pathlib.Path(os.environ.get("SMTPSCOPE", ROOT / "smtpscope")).resolve()
BESIDE = SMTPSCOPE.parent / "tests" / "unit" / "test_transcripts"
READER = pathlib.Path(os.environ.get(
    "TEST_TRANSCRIPTS", BESIDE if BESIDE.exists() else ROOT / "build" / "tests" / "unit" / "test_transcripts"))
DEADLINE = 120      # seconds; ends only what would hang

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = "192.0.2.1", "192.0.2.25"
ETHERNET = 1
MSS = 1400
FEW_OCTETS = 8192   # of a longer write only so many at each end travel one by one


class Wire:
    """One TCP connection as a capture shows it. Every packet comes a millisecond behind the one before."""

    def __init__(self, port=25, client_port=40000, syn=True, start=1_700_000_000_000_000):
        self.time, self.packets = start, []
        self.port = {"client": client_port, "server": port}
        self.seq = {"client": 0xfffffff0, "server": 7000}       # the client's wraps at once
        if syn:
            self.packet("client", SYN, ack=False)
            self.packet("server", SYN)
            self.packet("client", 0)

    def packet(self, side, flags, data=b"", ack=True, seq=None):
        other = "server" if side == "client" else "client"
        begin = self.seq[side] if seq is None else seq
        if ack:
            flags |= ACK
        tcp = struct.pack(">HHIIBBHHH", self.port[side], self.port[other], begin & 0xffffffff,
                          self.seq[other] & 0xffffffff if ack else 0, 5 << 4, flags, 65535, 0, 0) + data
        ends = (CLIENT, SERVER) if side == "client" else (SERVER, CLIENT)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0,
                         *map(socket.inet_aton, ends)) + tcp
        self.packets.append((self.time, side, b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + ip))
        self.time += 1000
        if seq is None:
            self.seq[side] += len(data) + (1 if flags & (SYN | FIN) else 0)

    def say(self, side, data, cuts=(), order=None, again=()):
        """Writes data in segments that end at cuts, in the given order, some of them twice; the other end acks."""
        pieces = []
        for begin, until in zip([0, *cuts], [*cuts, len(data)]):
            pieces += [(at, data[at:min(at + MSS, until)]) for at in range(begin, until, MSS)]
        base = self.seq[side]
        sent = list(range(len(pieces)))
        if order:
            order(sent)
        for i in sent:
            self.packet(side, PSH, pieces[i][1], seq=base + pieces[i][0])
        for i in sent:
            if i in again:
                self.packet(side, PSH, pieces[i][1], seq=base + pieces[i][0])
        self.seq[side] = base + len(data)
        self.packet("server" if side == "client" else "client", 0)

    def lose(self, side, data):
        """Data that was sent and received, and that the capture lacks."""
        self.seq[side] += len(data)
        self.packet("server" if side == "client" else "client", 0)

    def talk(self, *lines):
        """Lines "C: text" and "S: text", each a write; "-C: text" is lost."""
        for line in lines:
            side = {"C": "client", "S": "server"}[line.lstrip("-")[0]]
            data = line.lstrip("-")[3:].encode() + b"\r\n"
            (self.lose if line[0] == "-" else self.say)(side, data)
        return self

    def end(self):
        self.packet("client", FIN)
        self.packet("server", FIN)
        self.packet("client", 0)
        return self

    def only(self, side):
        self.packets = [p for p in self.packets if p[1] == side]
        return self

    def pcap(self, link=ETHERNET):
        return pcap_header(link) + b"".join(record(time, octets) for time, _, octets in self.packets)


def pcap_header(link=ETHERNET):
    return struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)


def record(time, octets, length=None):
    """length: that it had on the wire, where not all of it was captured."""
    return struct.pack("<IIII", time // 1000000, time % 1000000, len(octets), length or len(octets)) + octets


class Answer:
    """What decode did: exit code, events, standard error."""

    def __init__(self, done):
        self.code, self.lines = done.returncode, done.stdout.splitlines(keepends=True)
        self.stderr = done.stderr.decode(errors="replace")
        assert self.code >= 0, f"decode ended with signal {-self.code}: {self.stderr}"
        self.events = [json.loads(line) for line in self.lines]

    def of(self, kind, **fields):
        return [e for e in self.events
                if e["event"] == kind and all(e.get(name) == value for name, value in fields.items())]

    def findings(self):
        return [e["id"] for e in self.of("finding")]

    def verbs(self):
        return [e["verb"] for e in self.of("command")]

    def replies(self):
        return [(e["code"], e["to"]) for e in self.of("reply")]

    def close(self):
        (event,) = self.of("close")
        return event


def run(*arguments, stdin=None):
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return Answer(subprocess.run([SMTPSCOPE, "decode", "-f", "json", *map(str, arguments)], cwd=ROOT,
                                 capture_output=True, timeout=DEADLINE, **given))


def decode(wire, *arguments):
    """The answer to a capture that is sound: exit code 0."""
    answer = run(*arguments, "-", stdin=wire.pcap())
    assert answer.code == 0, f"exit code {answer.code}: {answer.stderr}"
    return answer


def same(got, wanted, what=""):
    assert got == wanted, f"{what}: {got!r}, and not {wanted!r}"


# ---- parity: transcripts as captures

# Nothing in these is SMTP: a capture has no session of them.
NO_SMTP = {"nothing-at-all", "client-leaves-before-greeting", "not-smtp-at-all"}
# The same events in another place: what the proxy itself does cannot be in a capture.
NOT_IN_A_CAPTURE = {"server-unreachable": "no server, no octets"}


def whole(data, _):
    return {}


def octet_by_octet(data, _):
    places = range(1, len(data))
    if len(data) > 2 * FEW_OCTETS:
        places = [*range(1, FEW_OCTETS), *range(len(data) - FEW_OCTETS, len(data))]
    return {"cuts": places}


def disordered(data, chance):
    def order(pieces):
        for begin in range(0, len(pieces), 6):
            window = pieces[begin:begin + 6]
            chance.shuffle(window)
            pieces[begin:begin + 6] = window

    cuts = sorted({chance.randrange(1, len(data)) for _ in range(12)}) if len(data) > 1 else []
    return {"cuts": cuts, "order": order, "again": {chance.randrange(14) for _ in range(5)}}


def wire_of(script, way):
    wire, chance = Wire(), random.Random(script["name"])
    for step in script["steps"]:
        side, octets = step["writer"], bytes.fromhex(step["octets"])
        if octets:
            wire.say(side, octets, **way(octets, chance))
        if step["ends"] == "close":
            wire.packet(side, FIN)
        elif step["ends"] == "reset":
            wire.packet(side, RST)
    return wire


def as_live(lines):
    """The events as the proxy would have written them: its own upstream event, and not the capture's name."""
    for line in lines:
        event = json.loads(line)
        if event["event"] != "open":
            yield line
            continue
        same(event["source"], "pcap", "the source")
        event.update(source="proxy", capture=None)
        yield json.dumps(event).encode() + b"\n"
        yield json.dumps({"time": event["time"], "session": event["session"], "event": "upstream",
                          "server": event["server"], "outcome": "connected", "duration_ms": 1.0,
                          "reason": None}).encode() + b"\n"


def parity_of(path):
    script = json.loads(subprocess.run([READER, "--steps", path], check=True, capture_output=True, cwd=ROOT).stdout)
    if script["name"] in NOT_IN_A_CAPTURE:
        return None
    options = ["--max-line", script["max_line"]]
    options += ["--show-secrets"] if script["show_secrets"] else []
    for way in (whole, octet_by_octet, disordered):
        answer = decode(wire_of(script, way), *options)
        if script["name"] in NO_SMTP:
            same(answer.lines, [], f"{way.__name__}: no SMTP")
            continue
        with tempfile.NamedTemporaryFile(prefix="smtpscope-decode.") as lines:
            lines.write(b"".join(as_live(answer.lines)))
            lines.flush()
            judged = subprocess.run([READER, "--events", path, lines.name], capture_output=True, cwd=ROOT)
        assert judged.returncode == 0, f"{way.__name__}: {judged.stderr.decode(errors='replace')}"
    return None


def transcripts():
    for path in sorted((ROOT / "tests" / "transcripts").glob("*.txt")):
        if not any(line.startswith("|") for line in path.read_text().splitlines()):
            yield str(path.relative_to(ROOT))


# ---- holes

GREETING = ["S: 220 mx.example.net ESMTP"]
HELLO = ["C: EHLO client.example.org", "S: 250-mx.example.net\r\n250 PIPELINING"]
GROUP = "C: MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nRCPT TO:<eve@example.net>\r\nDATA"
ANSWERS = ["S: 250 2.1.0 Ok", "S: 250 2.1.5 Ok", "S: 550 5.1.1 No such mailbox", "S: 354 Go on"]
CONTENT = ["C: Subject: one\r\n\r\nfirst", "C: second", "C: third\r\n."]
STORED = ["S: 250 2.0.0 Stored"]
QUIT = ["C: QUIT", "S: 221 2.0.0 Bye"]
VERBS = ["EHLO", "MAIL", "RCPT", "RCPT", "DATA"]
SESSION = [*GREETING, *HELLO, GROUP, *ANSWERS, *CONTENT, *STORED, *QUIT]


def session(lines=(), **options):
    return Wire(**options).talk(*(lines or SESSION)).end()


def lost(*lines):
    """The session without these lines of it."""
    return session([("-" if line in lines else "") + line for line in SESSION])


def has_gap(answer, count, side):
    same(answer.close()["gaps"], count, "gaps")
    same([e["side"] for e in answer.of("finding", id="cap.gap")], [side] * count, "findings of gaps")


def test_whole_session():
    answer = decode(session())
    same(answer.verbs(), [*VERBS, "QUIT"], "commands")
    same([code for code, _ in answer.replies()], [220, 250, 250, 250, 550, 354, 250, 221], "replies")
    same(answer.findings(), [], "findings")
    same(answer.close()["gaps"], 0, "gaps")
    (message,) = answer.of("message")
    same((message["complete"], message["code"]), (True, 250), "the message")


def test_times_are_the_captures():
    answer = decode(session())
    same(answer.events[0]["time"][:23], "2023-11-14T22:13:20.003", "the first packet with data")
    assert all(a["time"] <= b["time"] for a, b in zip(answer.events, answer.events[1:])), "time runs backwards"


def test_greeting_missing():
    answer = decode(lost(*GREETING))
    has_gap(answer, 1, "server")
    same(answer.verbs(), [*VERBS, "QUIT"], "commands")
    same([code for code, _ in answer.replies()], [250, 250, 250, 550, 354, 250, 221], "replies")
    same(answer.replies()[0], (250, "EHLO"), "the first reply")
    same(answer.of("message")[0]["complete"], True, "the message")


def test_reply_missing_in_a_group():
    answer = decode(lost(ANSWERS[2]))
    has_gap(answer, 1, "server")
    same(answer.verbs(), [*VERBS, "QUIT"], "commands")
    assert (354, "DATA") in answer.replies(), answer.replies()
    same(answer.replies()[-1], (221, "QUIT"), "the last reply")
    (message,) = answer.of("message")
    same((message["complete"], message["code"]), (True, 250), "the message")


def test_content_with_a_hole():
    answer = decode(lost(CONTENT[1]))
    has_gap(answer, 1, "client")
    (message,) = answer.of("message")
    same((message["complete"], message["code"]), (False, 250), "the message")
    same(answer.replies()[-1], (221, "QUIT"), "the last reply")


def test_end_of_content_missing():
    answer = decode(lost(CONTENT[2]))
    has_gap(answer, 1, "client")
    same([m["complete"] for m in answer.of("message")], [False], "the message")
    same(answer.verbs()[-1], "QUIT", "decoding goes on")


def test_command_missing():
    answer = decode(lost(GROUP))
    has_gap(answer, 1, "client")
    same(answer.verbs()[-1], "QUIT", "decoding goes on")
    same(answer.replies()[-1], (221, "QUIT"), "the last reply")


def test_any_one_line_missing():
    for line in SESSION:
        answer = decode(lost(line))
        has_gap(answer, 1, "client" if line[0] == "C" else "server")


def test_client_alone():
    answer = decode(session().only("client"))
    same([f for f in answer.findings() if f.startswith("cap.") and f != "cap.gap"], ["cap.oneside"], "findings")
    same(answer.verbs(), [*VERBS, "QUIT"], "commands")
    same(answer.replies(), [], "replies")
    same(answer.findings().count("pipe.early-talk"), 0, "commands in front of a greeting that is missing")
    same(answer.close()["gaps"], 5, "gaps, that of the greeting among them; those of a group's answers are one")
    same(answer.findings().count("pipe.unoffered"), 0, "whether commands waited for their answers cannot be seen")
    same([(m["complete"], m["code"]) for m in answer.of("message")], [(True, None)], "the message")


def test_server_alone():
    answer = decode(session().only("server"))
    same([f for f in answer.findings() if f.startswith("cap.") and f != "cap.gap"], ["cap.oneside"], "findings")
    same(answer.verbs(), [], "commands")
    same(answer.replies(), [(220, "CONNECT"), (250, "EHLO"), (250, None), (250, None), (550, None), (354, "DATA"),
                            (250, "CONTENT"), (221, "QUIT")], "replies, paired where one command only has them")
    same([(m["complete"], m["code"]) for m in answer.of("message")], [(False, 250)], "the message")
    same(answer.close()["how"], "quit", "the end")


def test_silent_server_is_not_a_missing_one():
    wire = Wire()
    wire.talk(*[line for line in SESSION if line[0] == "C"]).end()
    answer = decode(wire)
    same([finding for finding in answer.findings() if finding.startswith("cap.")], [], "findings of the capture")
    same(answer.verbs()[:2], ["EHLO", "MAIL"], "commands")


def test_start_in_the_middle():
    full = session().packets
    for first in range(3, len(full) - 6):
        wire = Wire(syn=False)
        wire.packets = full[first:]
        answer = decode(wire)
        same(answer.findings().count("cap.midstream"), 1, f"findings from packet {first} on")
        same(answer.verbs()[-1:], ["QUIT"], f"the last command from packet {first} on")


def test_capture_ends_in_the_middle():
    wire = session()
    wire.packets = wire.packets[:-12]
    answer = decode(wire)
    same(answer.close()["how"], "capture-end", "the end")
    same([m["complete"] for m in answer.of("message")], [False], "the message")


def test_ports_in_use_again():
    first, second = session(), session(start=1_700_000_100_000_000)
    first.packets += second.packets
    second = decode(first)
    same([e["session"] for e in second.of("open")], [1, 2], "sessions")


# ---- what is not SMTP, and where SMTP is

OTHERS = {
    "HTTP": ["C: POST /mail HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 20\r\n\r\nMAIL FROM:<a@b.org>",
             "S: HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n220 hello"],
    "POP3": ["S: +OK mx.example.net ready", "C: USER ann", "S: +OK", "C: PASS secret", "S: +OK 1 message", "C: RETR 1",
             "S: +OK 90 octets\r\nSubject: one\r\n\r\n250 ok\r\n.", "C: QUIT", "S: +OK bye"],
    "IMAP": ["S: * OK [CAPABILITY IMAP4rev1] mx.example.net ready", "C: a1 NOOP", "S: a1 OK done",
             "C: a2 LOGIN ann secret", "S: a2 OK logged in", "C: a3 LOGOUT", "S: * BYE\r\na3 OK done"],
    "FTP": ["S: 220 ftp.example.net FTP server ready", "C: USER anonymous", "S: 331 Password please",
            "C: PASS ann@example.org", "S: 230 Logged in", "C: SYST", "S: 215 UNIX Type: L8", "C: HELP",
            "S: 214 None", "C: NOOP", "S: 200 Ok", "C: QUIT", "S: 221 Goodbye"],
    "FTP with a banner of lines": ["S: 220-ftp.example.net\r\n220-Welcome to the mail archive\r\n220 Ready",
                                   "C: FEAT", "S: 211-Features\r\n MDTM\r\n211 End", "C: AUTH TLS",
                                   "S: 234 Go on", "C: QUIT", "S: 221 Goodbye"],
    "IRC": ["C: NICK ann\r\nUSER ann 0 * :Ann", "S: :irc.example.net 001 ann :Welcome\r\n:irc.example.net 251 ann :1",
            "C: HELP", "S: :irc.example.net 421 ann HELP :Unknown command", "C: QUIT :bye", "S: ERROR :Closing link"],
}


def test_other_protocols():
    wrong = []
    for name, lines in OTHERS.items():
        for port in (21, 25, 80, 110, 143, 2525, 6667, 10025):
            if decode(session(lines, port=port)).lines:
                wrong.append(f"{name} at port {port}")
    same(wrong, [], "taken for SMTP")


def test_smtp_on_any_port():
    for port in (24, 80, 110, 10025, 50000):
        answer = decode(session(port=port))
        same(answer.of("open")[0]["server"], f"192.0.2.25:{port}", "the server")
        same(answer.verbs(), [*VERBS, "QUIT"], f"commands at port {port}")


PREFACES = {
    "PROXY protocol v1 for 198.51.100.7:4711": [
        ("client", b"PROXY TCP4 198.51.100.7 192.0.2.25 4711 25\r\n")],
    "PROXY protocol v2 for 198.51.100.7:4711": [
        ("client", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("198.51.100.7") +
         socket.inet_aton("192.0.2.25") + struct.pack(">HH", 4711, 25))],
    "SOCKS5": [
        ("client", b"\5\1\0"), ("server", b"\5\0"),
        ("client", b"\5\1\0\1" + socket.inet_aton("192.0.2.25") + b"\0\x19"),
        ("server", b"\5\0\0\1" + socket.inet_aton("192.0.2.1") + b"\x10\0")],
    "HTTP CONNECT": [
        ("client", b"CONNECT mx.example.net:25 HTTP/1.1\r\nHost: mx.example.net:25\r\n\r\n"),
        ("server", b"HTTP/1.1 200 Connection established\r\n\r\n")],
}


def test_prefaces_are_stepped_over():
    plain = decode(session())
    for name, writes in PREFACES.items():
        for cut in (False, True):
            wire = Wire(port=1080)
            for side, data in writes:
                wire.say(side, data, cuts=range(1, len(data)) if cut else ())
            answer = decode(wire.talk(*SESSION).end())
            same(answer.of("open")[0].get("preface"), name, "what stood in front")
            same(answer.verbs(), plain.verbs(), f"commands behind {name}")
            same(answer.replies(), plain.replies(), f"replies behind {name}")
            same(answer.findings(), [], f"findings behind {name}")


def test_smtp_among_others():
    wire = session(port=10025)
    for i, lines in enumerate(OTHERS.values()):
        wire.packets += session(lines, port=2000 + i, client_port=50000 + i).packets
    wire.packets.sort(key=lambda packet: packet[0])
    same([e["server"] for e in decode(wire).of("open")], ["192.0.2.25:10025"], "sessions")


# ---- files

def refused(directory, name, octets, *words):
    path = pathlib.Path(directory) / name
    if octets is not None:
        path.write_bytes(octets)
    answer = run(path)
    same((answer.code, answer.lines), (1, []), f"{name}: exit code and events")
    for word in (str(path), *words):
        assert word in answer.stderr, f"{name}: {word!r} is not in {answer.stderr!r}"


def test_files_that_are_no_captures():
    with tempfile.TemporaryDirectory(prefix="smtpscope-decode.") as directory:
        refused(directory, "none.pcap", None, "No such file")
        refused(directory, "", None, "directory")
        refused(directory, "empty.pcap", b"", "empty")
        refused(directory, "a.rules", b'# mine\nrule "one" {\n    on RCPT\n    reply 550 "no"\n}\n', "rule file", "-r")
        refused(directory, "text.pcap", b"some words, and more than 24 octets of them\n", "pcap")
        refused(directory, "link.pcap", session().pcap(link=147), "147")
        for tool, octets in (("gzip", gzip.compress(session().pcap())), ("xz", lzma.compress(session().pcap()))):
            refused(directory, f"a.pcap.{tool}", octets, f"{tool} -dc")
    for octets, word in ((b"", "standard input is empty"), (b"some words, and more than 24 octets", "standard input: ")):
        answer = run("-", stdin=octets)
        assert answer.code == 1 and word in answer.stderr, answer.stderr


def test_nothing_to_show_has_a_reason():
    """No packets, none with data, other protocols, data that was not captured: each is said."""
    wire = session()
    packets = wire.packets
    for chosen, cut, word in (([], 0, "has no packets"), (packets[:3], 0, "no TCP connection has data"),
                              (packets, 20, "captured in part"), (session(OTHERS["FTP"]).packets, 0, "1 TCP connection with")):
        records = [record(time, octets[:len(octets) - cut] if len(octets) > 54 else octets, len(octets))
                   for time, _, octets in chosen]
        answer = run("-", stdin=pcap_header() + b"".join(records))
        assert answer.code == 0 and word in answer.stderr, answer.stderr
        assert word not in run("-q", "-", stdin=pcap_header()).stderr


def test_interfaces_that_are_not_alike():
    """libpcap reads no pcapng with two link layers: that is said, and how to take one out."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    interface = [block(1, struct.pack("<HHI", link, 0, 65535)) for link in (ETHERNET, 113)]
    time, _, octets = session().packets[0]
    packet = [block(6, struct.pack("<IIIII", i, time >> 32, time & 0xffffffff, len(octets), len(octets)) + octets)
              for i in (0, 1)]
    start = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))
    answer = run("-", stdin=start + interface[0] + packet[0] + interface[1] + packet[1])
    assert answer.code == 1 and "tshark" in answer.stderr and ": 1 packet\n" in answer.stderr, answer.stderr


def test_several_files():
    with tempfile.TemporaryDirectory(prefix="smtpscope-decode.") as directory:
        one, two = pathlib.Path(directory) / "one.pcap", pathlib.Path(directory) / "two.pcap"
        one.write_bytes(session().pcap())
        two.write_bytes(session(client_port=40001, start=1_700_000_100_000_000).pcap())
        answer = run(one, two)
        same(answer.code, 0, "exit code")
        same([(e["client"], e["capture"]) for e in answer.of("open")],
             [("192.0.2.1:40000", str(one)), ("192.0.2.1:40001", str(two))], "sessions")
        same(len(run(one, "-", stdin=two.read_bytes()).of("close")), 2, "sessions, one of them from standard input")
        answer = run(one, pathlib.Path(directory) / "none.pcap", two)
        same((answer.code, len(answer.of("close"))), (1, 2), "one missing: exit code and sessions")


def test_session_across_files():
    with tempfile.TemporaryDirectory(prefix="smtpscope-decode.") as directory:
        one, two = pathlib.Path(directory) / "one.pcap", pathlib.Path(directory) / "two.pcap"
        wire = session()
        whole_session, packets = decode(wire), wire.packets
        for path, part in ((one, packets[:20]), (two, packets[20:])):
            wire.packets = part
            path.write_bytes(wire.pcap())
        answer = run(one, two)
        same(answer.code, 0, "exit code")
        same(answer.lines[1:], whole_session.lines[1:], "events")


def test_a_pipe_is_told_as_it_comes_and_may_be_left():
    """Events of what is there, while the writer of the capture is silent, inside a packet too; then a signal."""
    octets, wanted = session().pcap(), run("-", stdin=session().pcap()).events
    for end in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen([SMTPSCOPE, "decode", "-f", "json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as program:
            ender = threading.Timer(DEADLINE, program.kill)
            ender.start()
            program.stdin.write(octets[:-700])
            program.stdin.flush()
            assert json.loads(program.stdout.readline()) == wanted[0]
            program.send_signal(end)
            events = [json.loads(line) for line in program.stdout]
            said = program.stderr.read().decode()
            ender.cancel()
            same(program.wait(), 0, f"exit code, {said}")
        same((events[-1]["event"], events[-1]["how"]), ("close", "capture-end"), "the end")
        assert "stopped behind" in said and "1 session" in said, said


def many_sessions(count):
    """One session so many times, each of another client port: where that stands in Ethernet, IPv4 and TCP."""
    packets = session().packets
    records = []
    for port in range(10000, 10000 + count):
        for time_us, _, octets in packets:
            at = 36 if octets[34:36] == struct.pack(">H", 25) else 34
            records.append(record(time_us, octets[:at] + struct.pack(">H", port) + octets[at + 2:], len(octets)))
    return pcap_header() + b"".join(records)


def is_stalled(program):
    """Its pipe is full, and none of its threads runs."""
    waiting = struct.unpack("i", fcntl.ioctl(program.stdout, termios.FIONREAD, bytes(4)))[0]
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0]
              for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir()]
    return waiting > 60000 and all(state == "S" for state in states)


def test_a_reader_that_has_stopped_can_be_left():
    """Nobody reads the events any more: the second signal ends the program, whatever it waits for."""
    if len(os.sched_getaffinity(0)) < 2:
        raise Skipped("one processor: one thread reads and waits for the reader, and does not look for signals")
    with tempfile.TemporaryDirectory(prefix="smtpscope-decode.") as directory:
        path = pathlib.Path(directory) / "many.pcap"
        path.write_bytes(many_sessions(4000))
        with subprocess.Popen([SMTPSCOPE, "decode", "-q", "-f", "json", path], stdout=subprocess.PIPE) as program:
            deadline = time.monotonic() + DEADLINE
            while not is_stalled(program):
                assert program.poll() is None and time.monotonic() < deadline, "it does not wait for its reader"
                time.sleep(0.05)
            while program.poll() is None:
                assert time.monotonic() < deadline, "it goes on, whatever comes"
                program.send_signal(signal.SIGTERM)
                try:
                    program.wait(0.3)
                except subprocess.TimeoutExpired:
                    pass
            same(program.returncode, -signal.SIGTERM, "how it ended")


# What the end of a capture leads to; everything else must be as in the whole.
AT_THE_END = {"message", "finding", "close"}


def check_cut(octets, at, events):
    answer = run("-", stdin=octets[:at])
    assert answer.code in (0, 1), f"exit code {answer.code}"
    common = 0
    while common < len(answer.events) and answer.events[common] == events[common]:
        common += 1
    rest = [e["event"] for e in answer.events[common:]]
    assert set(rest) <= AT_THE_END and rest.count("close") <= 1, f"behind {common} events: {rest}"
    if at < len(octets):
        last = answer.events[-1:]
        assert not last or last[0]["event"] == "close", f"the session has no end: {last}"
    return common, answer.code


def test_cut_at_every_octet():
    wire = session()
    octets, events = wire.pcap(), decode(wire).events
    ends, at = {24}, 24
    for _, _, packet in wire.packets:
        at += 16 + len(packet)
        ends.add(at)
    before = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        cuts = range(1, len(octets) + 1)
        for at, (common, code) in zip(cuts, pool.map(lambda cut: check_cut(octets, cut, events), cuts)):
            assert common >= before, f"cut at {at}: {common} events are right, and of less octets {before}"
            same(code, 0 if at in ends else 1, f"cut at {at}: exit code")
            before = common
    same(before, len(events), "events at the end")


# ---- rules

RULES = """rule "not to bob" {
    on RCPT
    expect exactly %d
    reply 550 5.1.1 "Not here"
}
rule "never" {
    on VRFY
    reply 252 "Who knows"
}
"""


def dry_run(expected):
    with tempfile.NamedTemporaryFile("w", prefix="smtpscope-decode.", suffix=".rules") as rules:
        rules.write(RULES % expected)
        rules.flush()
        return run("-r", rules.name, "-", stdin=session().pcap())


def test_rules_run_dry():
    answer, plain = dry_run(2), decode(session())
    same(answer.code, 0, f"exit code ({answer.stderr})")
    acted = answer.of("rule", rule="not to bob")
    same([e["dry_run"] for e in acted], [True, True], "rule events")
    same([(e["rule"], e["acted"], e["reached"]) for e in answer.of("rule-summary")],
         [("not to bob", 2, True), ("never", 0, False)], "the summary")
    table = answer.stderr.splitlines()
    at = next(i for i, line in enumerate(table) if line.split() == ["rules", "matched", "skipped", "acted"])
    same([line.split() for line in table[at + 1:at + 3]],
         [["not", "to", "bob", "2", "0", "2"], ["never", "0", "0", "0", "never", "reached"]], "the table")
    same([e for e in answer.events if e["event"] not in ("rule", "rule-summary")], plain.events, "everything else")


def test_expectation_that_is_not_met():
    answer = dry_run(3)
    same(answer.code, 3, "exit code")
    assert "rule \"not to bob\": expected exactly 3, and it matched 2 times" in answer.stderr, answer.stderr


def main():
    for program in (SMTPSCOPE, READER):
        if not program.exists():
            sys.exit(f"{program} is not there: `make programs` builds it")
    tests = [(name, lambda f=f: f()) for name, f in globals().items() if name.startswith("test_")]
    tests += [("parity of " + path, lambda path=path: parity_of(path)) for path in transcripts()]
    words = sys.argv[1:]
    tests = [test for test in tests if not words or any(word in test[0] for word in words)]
    failed = skipped = 0
    for name, test in tests:
        try:
            test()
        except Skipped as reason:
            skipped += 1
            print(f"-- {name}: skipped: {reason}")
        except Exception as fault:
            failed += 1
            where = traceback.extract_tb(fault.__traceback__)
            lines = [frame.lineno for frame in where if frame.filename == __file__]
            print(f"{name} (lines {lines}): {fault or type(fault).__name__}"[:3000], flush=True)
    print(f"{len(tests) - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or not tests else 0)


if __name__ == "__main__":
    main()
