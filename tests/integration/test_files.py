#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is kept in files: messages (--save-messages) and captures (--pcap), octet for octet.

The sink says what a server would have stored; decode says what a capture that was written holds.
"""

import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from running import DEADLINE, ROOT, SMTPSCOPE, Program, Proxy, Skipped, run, send_message

DOTS = b"Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\n\r\nplain\r\n...\r\n"


@contextlib.contextmanager
def directory():
    with tempfile.TemporaryDirectory(prefix="smtpscope-files-") as name:
        yield pathlib.Path(name)


def smtpscope(*arguments, code=0, preexec=None, stdin=subprocess.DEVNULL):
    """Runs it to its end; (standard output, standard error)."""
    done = subprocess.run([SMTPSCOPE, *map(str, arguments)], stdin=stdin, capture_output=True, timeout=10 * DEADLINE,
                          preexec_fn=preexec)
    assert done.returncode == code, f"exit code {done.returncode}: {done.stderr.decode()}"
    return done.stdout, done.stderr.decode()


def files(maildir):
    """The octets of each message, in the order in which they were begun; nothing is left half done."""
    assert not os.listdir(maildir / "tmp") and not os.listdir(maildir / "cur")

    def begun(path):
        return [int(n) for n in re.match(r"(\d+)\.M(\d+)P(\d+)Q(\d+)\.", path.name).groups()]

    found = sorted((maildir / "new").iterdir(), key=begun)
    assert all(path.stat().st_mode & 0o7777 == 0o600 for path in found)
    return [path.read_bytes() for path in found]


def envelope(*recipients, sender="ann@example.org", more=""):
    lines = [f"Return-Path: <{sender}>", *(f"X-Envelope-To: <{recipient}>" for recipient in recipients)]
    return ("\r\n".join(lines) + "\r\n" + more).encode()


def until(condition):
    """Comes back when it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Sink(Program):
    """The built-in server by itself, which keeps what it takes."""

    def __init__(self, maildir):
        super().__init__("sink", "-l", "127.0.0.1:0", "--save-messages", maildir)
        self.url = "%s:%d" % self.listening()


def stuffed(content):
    return re.sub(rb"(?m)^\.", b"..", content)


# Messages


def test_messages_are_what_the_server_stored():
    """By DATA and BDAT, by three clients: the proxy, the capture that it wrote, and the sink keep the same."""
    with directory() as here, Sink(here / "sink") as sink:
        with Proxy("-u", sink.url, "--save-messages", here / "proxy", "--pcap", here / "a.pcap") as proxy:
            host, port = proxy.listening()
            with smtplib.SMTP(host, port) as client:
                client.sendmail("ann@example.org", ["bob@example.net", "carol@example.net"], DOTS)
            client = proxy.connect()
            client.reply()
            client.say("EHLO client.example.org", 250)
            for chunks in ([b".bdat\r\n..\r\n", b".\r\n", b"no line end"], [b""], [b"a\nb\rc\0\xff\r\n"]):
                client.say("MAIL FROM:<ann@example.org>", 250)
                client.say("RCPT TO:<bob@example.net>", 250)
                for chunk in chunks:
                    client.send(b"BDAT %d%s\r\n%s" % (len(chunk), b" LAST" if chunk is chunks[-1] else b"", chunk))
                    assert client.reply()[0] == 250
            # A group in which a recipient is refused behind the chunk that was sent along.
            client.send(b"MAIL FROM:<>\r\nRCPT TO:<bob@example.net>\r\nRCPT TO:<>\r\nBDAT 5 LAST\r\nhello")
            assert [client.reply()[0] for _ in range(4)] == [250, 250, 501, 250]
            assert send_message(client, content=b"bare\nLF\r\n\r\n")[0] == 250
            client.say("MAIL FROM:<ann@example.org>", 250)
            client.say("RCPT TO:<bob@example.net>", 250)
            client.say("DATA", 354)
            client.send(b".\r\n")
            client.reply()
            client.say("QUIT", 221)
            if shutil.which("swaks"):
                subprocess.run(["swaks", "--server", host, "--port", str(port), "--from", "ann@example.org", "--to",
                                "bob@example.net", "--body", ".a dot\n..two\n", "--silent", "3"], check=True)
            proxy.stop()
        sink.stop()
        smtpscope("decode", "-q", "--save-messages", here / "decode", here / "a.pcap")
        stored, kept, decoded = (files(here / name) for name in ("sink", "proxy", "decode"))
        assert kept == stored, (kept, stored)
        assert decoded == stored, (decoded, stored)
        assert stored[0] == envelope("bob@example.net", "carol@example.net") + DOTS
        assert stored[1] == envelope("bob@example.net") + b".bdat\r\n..\r\n.\r\nno line end"
        assert stored[2] == envelope("bob@example.net") and stored[3].endswith(b"a\nb\rc\0\xff\r\n")
        assert stored[4] == envelope("bob@example.net", sender="") + b"hello"


def test_a_message_without_its_end_is_kept_and_marked():
    with directory() as here, Proxy("--save-messages", here / "mail") as proxy:
        for number, end in enumerate(("reset", "eof", "abandoned"), 1):
            client = proxy.connect()
            client.reply()
            client.say("EHLO client.example.org", 250)
            client.say("MAIL FROM:<ann@example.org>", 250)
            client.say("RCPT TO:<bob@example.net>", 250)
            if end == "abandoned":
                client.say("BDAT 9\r\n..begun", 250)
                client.say("RSET", 250)
                client.close()
            else:
                client.say("DATA", 354)
                client.send(b"..begun\r\n")
                until(lambda: any(b".begun\r\n" in path.read_bytes() for path in (here / "mail" / "tmp").iterdir()))
                client.reset() if end == "reset" else client.close()
            proxy.event(event="close", session=number)
        proxy.stop()
        assert files(here / "mail") == [
            envelope("bob@example.net", more="X-Smtpscope-Incomplete: reset\r\n") + b".begun\r\n",
            envelope("bob@example.net", more="X-Smtpscope-Incomplete: eof\r\n") + b".begun\r\n",
            envelope("bob@example.net", more="X-Smtpscope-Incomplete: abandoned\r\n") + b"..begun\r\n"]


def test_what_rules_swallow_is_kept():
    rules = """
        rule "full" { on CONTENT-END when sender == "full@example.org" reply 452 4.3.1 "full" }
        rule "data" { on DATA when sender == "data@example.org" reply 354 "go on" }
        rule "lost" { on reply to CONTENT when sender == "lost@example.org" reset client }
    """
    with directory() as here:
        (here / "a.rules").write_text(rules)
        with Proxy("-r", here / "a.rules", "--save-messages", here / "new") as proxy:
            for sender in ("full", "data"):
                client = proxy.connect()
                client.reply()
                client.say("EHLO a", 250)
                assert send_message(client, sender=f"{sender}@example.org")[0] == (452 if sender == "full" else 451)
                client.close()
            client = proxy.connect()
            client.reply()
            client.say("EHLO a", 250)
            client.send(b"MAIL FROM:<lost@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n")
            assert [client.reply()[0] for _ in range(3)] == [250, 250, 354]
            client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
            assert client.to_end()[1] == "reset"
            proxy.stop()
        content = b"Subject: x\r\n\r\nx\r\n"
        assert files(here / "new") == [
            envelope("bob@example.net", sender="full@example.org", more="X-Smtpscope-Reply: 452\r\n") + content,
            envelope("bob@example.net", sender="data@example.org", more="X-Smtpscope-Reply: 451\r\n") + content,
            envelope("bob@example.net", sender="lost@example.org", more="X-Smtpscope-Reply: none\r\n") + content]


def test_a_directory_that_cannot_be_used_is_said():
    with directory() as here:
        (here / "file").write_text("")
        for command in (("proxy", "-l", "127.0.0.1:0"), ("decode", "nothing.pcap")):
            said = smtpscope(*command, "--save-messages", here / "file", code=1)[1]
            assert said == f"smtpscope: --save-messages {here}/file: cannot open the directory: Not a directory\n", said


def limited(what, amount):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(what, (amount, amount))
    return limit


def test_messages_that_cannot_be_kept_are_counted():
    """A disk that is full, and no descriptor left: said once, counted, exit code 1; all else goes on."""
    with directory() as here:
        capture = Capture()
        talks = [capture.talk(port=40000 + n) for n in range(40)]
        for step in (Talk.begin_message, lambda talk: talk.client(b"Subject: many\r\n\r\n"),
                     lambda talk: talk.client(100 * b"0123456789\r\n" + b".\r\n"),
                     lambda talk: talk.server(b"250 Ok\r\n"), Talk.quit):
            for talk in talks:
                step(talk)
        capture.write(here / "a.pcap")
        # Beside the messages: standard streams, three directories, the capture, and some that libraries take.
        out, said = smtpscope("decode", "-q", "-f", "json", "--save-messages", here / "few", here / "a.pcap", code=1,
                              preexec=limited(resource.RLIMIT_NOFILE, 20))
        kept = files(here / "few")
        assert 5 < len(kept) < 20 and all(len(message) == len(kept[0]) for message in kept)
        assert f"session {len(kept) + 1} cannot be kept: Too many open files\n" in said, said
        assert f"{here}/few: {40 - len(kept)} messages were not kept\n" in said, said
        assert said.count("\n") == 2, said
        assert sum(json.loads(line)["event"] == "message" for line in out.splitlines()) == 40
        said = smtpscope("decode", "-q", "-o", "/dev/null", "--save-messages", here / "full", here / "a.pcap", code=1,
                         preexec=limited(resource.RLIMIT_FSIZE, 600))[1]
        assert "message 1 of session 1 cannot be kept: File too large\n" in said, said
        assert "40 messages were not kept\n" in said and files(here / "full") == [], said


# Captures


class Capture:
    """A capture that is made up here: Ethernet, IPv4, TCP."""

    def __init__(self):
        self.time, self.packets = 1795348763_000000, []

    def talk(self, **ends):
        return Talk(self, **ends)

    def add(self, octets):
        self.time += 1234
        self.packets.append((self.time, bytes(12) + b"\x08\x00" + octets))

    def write(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for time, octets in self.packets:
                file.write(struct.pack("<IIII", time // 1000000, time % 1000000, len(octets), len(octets)) + octets)


class Talk:
    """One connection of a capture."""

    def __init__(self, capture, port=40123, server_port=25, handshake=True):
        self.capture, self.ports = capture, (port, server_port)
        self.hosts = (socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.25"))
        self.seq = [0xFFFFFFF0, 5000]
        if handshake:
            self.segment(0, 0x02)
            self.segment(1, 0x12)
            self.segment(0, 0x10)

    def segment(self, end, flags, octets=b""):
        tcp = struct.pack("!HHIIBBHHH", self.ports[end], self.ports[not end], self.seq[end], self.seq[not end], 0x50,
                          flags, 65535, 0, 0) + octets
        self.capture.add(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0, self.hosts[end],
                                     self.hosts[not end]) + tcp)
        self.seq[end] = (self.seq[end] + len(octets) + (flags & 0x03 != 0)) % (1 << 32)

    def client(self, octets):
        for at in range(0, len(octets), 1000):
            self.segment(0, 0x18, octets[at:at + 1000])

    def server(self, octets):
        for at in range(0, len(octets), 1000):
            self.segment(1, 0x18, octets[at:at + 1000])

    def lose(self, end, octets):
        self.seq[end] = (self.seq[end] + octets) % (1 << 32)

    def begin_message(self):
        self.server(b"220 mx.example.net\r\n")
        for line, reply in ((b"EHLO client.example.org", b"250-mx.example.net\r\n250 AUTH PLAIN LOGIN"),
                            (b"MAIL FROM:<ann@example.org>", b"250 Ok"), (b"RCPT TO:<bob@example.net>", b"250 Ok"),
                            (b"DATA", b"354 Go")):
            self.client(line + b"\r\n")
            self.server(reply + b"\r\n")

    def quit(self):
        self.client(b"QUIT\r\n")
        self.server(b"221 Bye\r\n")
        self.segment(1, 0x11)
        self.segment(0, 0x11)


def events_of(output, *without):
    """Events, without what a capture that was written again has otherwise, and what the test leaves out."""
    found = []
    for line in output.decode().splitlines():
        event = json.loads(line)
        for field in ("time", "latency_ms", "duration_ms", "capture", *without):
            event.pop(field, None)
        found.append(event)
    return found


def decode(path, *arguments):
    return smtpscope("decode", "-q", "-f", "json", *arguments, path)[0]


def decode_twice(here, path, *arguments):
    """The events of a capture, and those of what --pcap made of it."""
    again = here / "again.pcap"
    first = decode(path, "--pcap", again, "--show-secrets", *arguments)
    assert again.stat().st_mode & 0o7777 == 0o600
    return events_of(first), events_of(decode(again, "--show-secrets"))


def test_decoded_again_it_says_the_same():
    def plain(capture):
        talk = capture.talk()
        talk.begin_message()
        talk.client(stuffed(DOTS) + b".\r\n")
        talk.server(b"250 Ok\r\n")
        talk.quit()

    def pipelined(capture):
        talk = capture.talk()
        talk.server(b"220 mx\r\n")
        talk.client(b"EHLO a\r\n")
        talk.server(b"250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n")
        talk.client(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.net>\r\nRCPT TO:<x@example.net>\r\nDATA\r\n")
        talk.server(b"250 Ok\r\n250 Ok\r\n550 No\r\n")
        talk.server(b"354 Go\r\n")
        talk.client(DOTS[:20])
        talk.client(b"\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.net>\r\nBDAT 5000 LAST\r\n" + 5000 * b".")
        talk.server(b"250 Ok\r\n250 Ok\r\n250 Ok\r\n250 Ok\r\n")
        talk.segment(0, 0x14)

    def early(capture):
        talk = capture.talk()
        talk.client(b"EHLO a\r\nMAIL FROM:<>\r\nDATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n")
        talk.segment(0, 0x11)
        talk.server(b"220 mx\r\n250 mx\r\n250 Ok\r\n354 Go\r\n250 Ok\r\n221 Bye\r\n")
        talk.segment(1, 0x11)

    def gaps(capture):
        talk = capture.talk()
        talk.server(b"220 mx\r\n")
        talk.client(b"EHLO a\r\n")
        talk.lose(1, 300)
        talk.client(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@exa")
        talk.lose(0, 20)
        talk.server(b"250 Ok\r\n")
        talk.client(b"DATA\r\n")
        talk.server(b"250 Ok\r\n354 Go\r\n")
        talk.client(b"Subject: x\r\n\r\n..")
        talk.lose(0, 2000)
        talk.client(b".gap\r\n..dot\r\n.\r\n")
        talk.server(b"250 Ok\r\n")
        talk.quit()

    def midstream(capture):
        talk = capture.talk(handshake=False)
        talk.client(b"MAIL FROM:<ann@example.org>\r\n")
        talk.server(b"250 Ok\r\n")
        talk.client(b"QUIT\r\n")
        talk.server(b"221 Bye\r\n")

    def one_side(capture):
        talk = capture.talk()
        talk.server(b"220 mx\r\n250 mx\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n250 Ok\r\n")
        talk.segment(1, 0x11)

    def server_alone(capture):
        talk = capture.talk(handshake=False)
        talk.seq[0] += 1
        talk.segment(1, 0x12)
        talk.server(b"220 mx\r\n")
        for said, reply in ((8, b"250 mx"), (30, b"250 Ok"), (30, b"250 Ok"), (6, b"354 Go"), (500, b"250 Ok"), (6, b"221 Bye")):
            talk.lose(0, said)
            talk.server(reply + b"\r\n")
        talk.segment(1, 0x11)

    def client_alone(capture):
        talk = capture.talk(handshake=False)
        talk.segment(0, 0x02)
        talk.seq[1] += 1
        for line, answered in ((b"EHLO a", 100), (b"MAIL FROM:<ann@example.org>", 8), (b"RCPT TO:<bob@example.net>", 8),
                               (b"DATA", 8), (b"Subject: x\r\n\r\n..\r\n.", 8), (b"QUIT", 9)):
            talk.lose(1, answered)
            talk.client(line + b"\r\n")
        talk.lose(1, 9)
        talk.segment(0, 0x11)

    def credentials(capture):
        talk = capture.talk(server_port=587)
        talk.server(b"220 mx\r\n")
        for line, reply in ((b"AUTH LOGIN", b"334 VXNlcm5hbWU6"), (b"YW5u", b"334 UGFzc3dvcmQ6"), (b"c2VjcmV0", b"535 No"),
                            (b"AUTH PLAIN AGFubgBzZWNyZXQ=", b"235 Ok"), (b"MAIL FROM:<> AUTH=ann", b"250 Ok")):
            talk.client(line + b"\r\n")
            talk.server(reply + b"\r\n")
        talk.quit()

    with directory() as here:
        for make in (plain, pipelined, early, gaps, midstream, one_side, server_alone, client_alone, credentials):
            capture = Capture()
            make(capture)
            capture.write(here / "a.pcap")
            first, again = decode_twice(here, here / "a.pcap")
            assert len(first) > 3 and first == again, (make.__name__, first, again)
            assert any(event.get("id") == "cap.oneside" for event in first) == make.__name__.endswith("alone")
        # Sessions that interleave are as they were, in their order.
        capture = Capture()
        talks = [capture.talk(port=41000 + n) for n in range(50)]
        for step in (Talk.begin_message, lambda talk: talk.client(DOTS + b".\r\n"), lambda talk: talk.server(b"250 Ok\r\n"),
                     Talk.quit):
            for talk in talks:
                step(talk)
        capture.write(here / "a.pcap")
        first, again = decode_twice(here, here / "a.pcap")
        assert first == again


def test_samples_decoded_again_say_the_same():
    captures = sorted((ROOT / "samples" / "captures").glob("**/*.pcap*"))
    if not captures:
        raise Skipped("there is no samples/captures")
    with directory() as here:
        for path in captures:
            first, again = decode_twice(here, path)
            assert first == again, path


def test_the_proxy_writes_its_clients_leg():
    """What --pcap of the proxy holds decodes to the proxy's own events, but for what only a proxy knows."""
    rules = """rule "later" { on RCPT when recipient == "later@example.net" reply 450 4.2.1 "later" }
               rule "bye" { on QUIT delay 50ms }"""
    only_live = ("source", "server", "origin", "forwarded", "forwarded_line", "original", "excerpt")
    with directory() as here:
        (here / "a.rules").write_text(rules)
        for host in ("127.0.0.1", "::1"):
            listen = f"[{host}]:0" if ":" in host else f"{host}:0"
            with Proxy("-r", here / "a.rules", "--pcap", here / "a.pcap", "--show-secrets", listen=listen) as proxy:
                client = proxy.connect()
                client.reply()
                client.say("EHLO client.example.org", 250)
                client.say("AUTH PLAIN AGFubgBzZWNyZXQ=", 235)
                assert send_message(client, content=stuffed(DOTS))[0] == 250
                client.send(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<later@example.net>\r\nRSET\r\n")
                assert [client.reply()[0] for _ in range(3)] == [250, 450, 250]
                client.say("QUIT", 221)
                assert client.to_end() == (b"", "fin")
                client.close()
                proxy.event(session=1, event="close")
                proxy.stop()
                live = [event for event in events_of("\n".join(proxy.stdout.all()).encode(), *only_live)
                        if event["event"] not in ("upstream", "rule", "rule-summary")]
            again = events_of(decode(here / "a.pcap", "--show-secrets"), *only_live)
            # A reply of a rule is none of the server's octets, except to who reads the capture.
            assert live[-1].pop("octets")["client"] == again[-1].pop("octets")["client"]
            assert live == again, (live, again)
            assert live[0]["client"].startswith("[::1]:" if ":" in host else "127.0.0.1:")


def test_the_proxy_writes_the_leg_that_is_asked_for():
    rules = """rule "later" { on RCPT when recipient == "later@example.net" reply 450 4.2.1 "later" }
               rule "other" { on reply to RCPT reply 550 5.1.1 "no" }"""
    said = {"client": ["MAIL", "RCPT", "RCPT", "QUIT"], "server": ["MAIL", "RCPT", "QUIT"]}
    told = {"client": [250, 450, 550, 221], "server": [250, 250, 221]}
    with directory() as here, Sink(here / "sink") as sink:
        (here / "a.rules").write_text(rules)
        for leg in ("client", "server", "both"):
            path = here / f"{leg}.pcap"
            with Proxy("-u", sink.url, "-r", here / "a.rules", "--pcap", path, "--pcap-leg", leg) as proxy:
                client = proxy.connect()
                client.reply()
                client.send(b"EHLO client.example.org\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<later@example.net>\r\n"
                            b"RCPT TO:<bob@example.net>\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\nQUIT\r\n")
                assert client.to_end()[1] == "fin"
                client.close()
                proxy.event(session=1, event="close")
                proxy.stop()
            assert b"AGFubgBzZWNyZXQ" not in path.read_bytes()
            events = events_of(decode(path))
            sessions = {event["session"] for event in events if "session" in event}
            for number, session in enumerate(sorted(sessions)):
                # The greeting comes on the server's leg first.
                own = leg if leg != "both" else ("server", "client")[number]
                verbs = [event["verb"] for event in events if event["event"] == "command" and event["session"] == session]
                codes = [event["code"] for event in events if event["event"] == "reply" and event["session"] == session]
                assert verbs == ["EHLO", *said[own][:-1], "AUTH", "QUIT"], (leg, verbs)
                assert [codes[at] for at in (*range(2, len(codes) - 2), -1)] == told[own], (leg, codes)
            assert len(sessions) == (2 if leg == "both" else 1)
            if shutil.which("tshark"):
                # Without a word about ports: the proxy's is not one that is known for SMTP.
                shown = subprocess.run(["tshark", "-r", path, "-Y", "smtp.req.command == MAIL"], capture_output=True,
                                       text=True).stdout
                assert len(shown.splitlines()) == len(sessions), shown
        said = smtpscope("proxy", "--pcap-leg", "both", code=2)[1]
        assert said == "smtpscope: --pcap-leg: of which capture? --pcap FILE writes one\n", said


def test_credentials_are_masked():
    with directory() as here:
        capture = Capture()
        talk = capture.talk()
        talk.server(b"220 mx\r\n")
        for line, reply in ((b"AUTH LOGIN", b"334 VXNlcm5hbWU6"), (b"c2VjcmV0LXVzZXI=", b"334 UGFzc3dvcmQ6"),
                            (b"c2VjcmV0LXBhc3M=", b"535 No"), (b"AUTH PLAIN AHNlY3JldABzZWNyZXQ=", b"504 No"),
                            (b"c2VjcmV0LXBhc3M=", b"500 What"), (b"MAIL FROM:<ann@example.org> AUTH=secret", b"250 Ok")):
            talk.client(line + b"\r\n")
            talk.server(reply + b"\r\n")
        talk.quit()
        capture.write(here / "a.pcap")
        for name, options in (("masked", []), ("open", ["--show-secrets"])):
            decode(here / "a.pcap", "--pcap", here / f"{name}.pcap", *options)
        masked, unmasked = ((here / f"{name}.pcap").read_bytes() for name in ("masked", "open"))
        for secret in (b"c2VjcmV0LXVzZXI=", b"c2VjcmV0LXBhc3M=", b"AHNlY3JldABzZWNyZXQ=", b"AUTH=secret"):
            assert secret in unmasked and secret not in masked, secret
        assert len(masked) == len(unmasked) and b"AUTH PLAIN ********************\r\n" in masked
        assert masked.count(b"****************\r\n") == 4


def certificate(here):
    """(certificate, key) that were made for this."""
    names = here / "cert.pem", here / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mx.example.net",
                    "-out", names[0], "-keyout", names[1]], check=True, capture_output=True)
    return names


class InTLS:
    """The rest of a talk goes through TLS, whose secrets are written to a key log."""

    def __init__(self, talk, here, version):
        contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)]
        contexts[0].check_hostname = False
        contexts[0].verify_mode = ssl.CERT_NONE
        contexts[0].keylog_filename = str(here / "keylog")
        contexts[0].minimum_version = contexts[0].maximum_version = version
        contexts[1].load_cert_chain(*certificate(here))
        self.talk, self.bio = talk, [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(2)]
        self.end = [context.wrap_bio(*bio, server_side=side == 1) for side, (context, bio) in
                    enumerate(zip(contexts, self.bio))]
        for _ in range(4):
            for side in (0, 1):
                with contextlib.suppress(ssl.SSLWantReadError):
                    self.end[side].do_handshake()
                self.pump(side)

    def pump(self, side):
        octets = self.bio[side][1].read()
        (self.talk.server if side else self.talk.client)(octets)
        self.bio[not side][0].write(octets)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.end[not side].read(65536)

    def client(self, octets):
        self.end[0].write(octets)
        self.pump(0)

    def server(self, octets):
        self.end[1].write(octets)
        self.pump(1)


def starttls(here, version=ssl.TLSVersion.TLSv1_3):
    """A capture whose session goes on in TLS, with its key log, in here."""
    capture = Capture()
    talk = capture.talk(server_port=587)
    talk.server(b"220 mx.example.net\r\n")
    for line, reply in ((b"EHLO a", b"250-mx\r\n250 STARTTLS"), (b"STARTTLS", b"220 Go")):
        talk.client(line + b"\r\n")
        talk.server(reply + b"\r\n")
    inside = InTLS(talk, here, version)
    for line, reply in ((b"EHLO a", b"250 mx"), (b"MAIL FROM:<ann@example.org>", b"250 Ok"),
                        (b"RCPT TO:<bob@example.net>", b"250 Ok"), (b"DATA", b"354 Go"),
                        (b"Subject: in TLS\r\n\r\n..dot\r\n.", b"250 Ok"), (b"QUIT", b"221 Bye")):
        inside.client(line + b"\r\n")
        inside.server(reply + b"\r\n")
    talk.segment(0, 0x11)
    talk.segment(1, 0x11)
    capture.write(here / "a.pcap")


def test_of_tls_that_is_read_the_inside_is_written():
    """Behind STARTTLS a reader would look for TLS: it is left out with its reply and the handshake."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with directory() as here:
            starttls(here, version)
            maildir, written = here / "mail", here / "b.pcap"
            first = events_of(decode(here / "a.pcap", "--keylog", here / "keylog", "--pcap", written, "--save-messages",
                                     maildir), "tls", "octets", "encrypted", "commands", "replies")
            again = events_of(decode(written), "tls", "octets", "encrypted", "commands", "replies")
            left_out = [event for event in first if event["event"] == "tls" or event.get("verb") == "STARTTLS" or
                        event.get("to") == "STARTTLS"]
            assert [event["event"] for event in left_out] == ["command", "reply", "tls"], first
            assert [event for event in first if event not in left_out] == again, (first, again)
            assert files(maildir) == [envelope("bob@example.net") + b"Subject: in TLS\r\n\r\n.dot\r\n"]
            octets = written.read_bytes()
            assert b"MAIL FROM:<ann@example.org>\r\n" in octets and b"STARTTLS\r\n220" not in octets


def test_of_tls_that_is_not_read_all_is_written():
    with directory() as here:
        starttls(here)
        (here / "other").write_text(f"CLIENT_RANDOM {'00' * 32} {'11' * 48}\n")
        for options in ([], ["--keylog", here / "other"]):
            first, again = decode_twice(here, here / "a.pcap", *options)
            assert first == again and any(event["event"] == "tls" for event in first), (first, again)


def test_tshark_reads_it():
    if not shutil.which("tshark"):
        raise Skipped("tshark is not installed")

    def tshark(path, *arguments):
        return subprocess.run(["tshark", "-n", "-r", path, *arguments], check=True, capture_output=True,
                              text=True).stdout.split()

    with directory() as here:
        starttls(here)
        decode(here / "a.pcap", "--keylog", here / "keylog", "--pcap", here / "tls.pcap")
        capture = Capture()
        talk = capture.talk()
        talk.begin_message()
        talk.client(5000 * b"many octets\r\n" + b".\r\n")
        talk.server(b"250 Ok\r\n")
        talk.quit()
        capture.write(here / "b.pcap")
        decode(here / "b.pcap", "--pcap", here / "plain.pcap")
        for name in ("tls", "plain"):
            path = here / f"{name}.pcap"
            commands = tshark(path, "-Y", "smtp.req.command", "-T", "fields", "-e", "smtp.req.command")
            codes = tshark(path, "-Y", "smtp.response.code", "-T", "fields", "-e", "smtp.response.code")
            ehlos = ["EHLO", "EHLO"] if name == "tls" else ["EHLO"]
            assert commands == [*ehlos, "MAIL", "RCPT", "DATA", "QUIT"], commands
            assert codes == ["220", *(["250"] * len(ehlos)), "250", "250", "354", "250", "221"], codes
            wrong = tshark(path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y",
                           "tcp.checksum.status != 1 || ip.checksum.status != 1 || tcp.analysis.flags || _ws.malformed")
            assert wrong == [], wrong


def test_standard_output_is_for_one():
    with directory() as here:
        capture = Capture()
        capture.talk().begin_message()
        capture.write(here / "a.pcap")
        said = smtpscope("decode", "--pcap", "-", here / "a.pcap", code=2)[1]
        assert said == "smtpscope: --pcap -: standard output has the events; name a file, or send them elsewhere with " \
            "-o FILE\n", said
        for option, what in (("--summary", "the summary"), ("--sessions", "the sessions")):
            said = smtpscope("decode", option, "-o", "/dev/null", "--pcap", "-", here / "a.pcap", code=2)[1]
            assert said == f"smtpscope: --pcap -: standard output has {what}; name a file\n", said
        assert smtpscope("decode", "-o", "/dev/null", "--json", "-", "--pcap", "-", here / "a.pcap", code=2)[0] == b""
        out = smtpscope("decode", "-q", "-o", here / "events", "--pcap", "-", here / "a.pcap")[0]
        (here / "b.pcap").write_bytes(out)
        assert events_of(decode(here / "a.pcap")) == events_of(decode(here / "b.pcap"))
        # From standard input to standard output.
        with open(here / "a.pcap", "rb") as file:
            assert smtpscope("decode", "-q", "-o", "/dev/null", "--pcap", "-", "-", stdin=file)[0] == out


def test_a_capture_that_is_read_is_not_overwritten():
    with directory() as here:
        capture = Capture()
        capture.talk().begin_message()
        capture.write(here / "a.pcap")
        octets = (here / "a.pcap").read_bytes()
        (here / "link.pcap").symlink_to(here / "a.pcap")
        for name in ("a.pcap", "link.pcap"):
            said = smtpscope("decode", "--pcap", here / name, here / "a.pcap", code=2)[1]
            assert said == f"smtpscope: --pcap: {here}/{name} is to be read; name another file to write\n", said
            assert (here / "a.pcap").read_bytes() == octets
        # Another one that is there is begun anew.
        (here / "b.pcap").write_bytes(octets * 2)
        decode(here / "a.pcap", "--pcap", here / "b.pcap")
        assert events_of(decode(here / "b.pcap")) == events_of(decode(here / "a.pcap"))


def test_a_full_disk_is_said():
    with directory() as here:
        capture = Capture()
        for n in range(100):
            talk = capture.talk(port=40000 + n)
            talk.begin_message()
            talk.client(1000 * b"0123456789\r\n" + b".\r\n")
        capture.write(here / "a.pcap")
        said = smtpscope("decode", "-q", "--pcap", "/dev/full", here / "a.pcap", code=1)[1]
        assert said == "smtpscope: --pcap: cannot write /dev/full: No space left on device\n", said
        said = smtpscope("decode", "-q", "-o", "/dev/null", "--pcap", here / "b.pcap", here / "a.pcap", code=1,
                         preexec=limited(resource.RLIMIT_FSIZE, 500_000))[1]
        assert re.fullmatch(r"smtpscope: --pcap: cannot write (\S+): File too large\n"
                            r"smtpscope: --pcap: \d+ packets are missing from \1\n", said), said
        # What is there is whole.
        assert 498_000 < (here / "b.pcap").stat().st_size <= 500_000
        assert smtpscope("decode", "-q", "-f", "json", here / "b.pcap")[1] == ""


def test_the_proxy_says_that_a_disk_is_full():
    with directory() as here:
        with Proxy("--pcap", here / "a.pcap", preexec=limited(resource.RLIMIT_FSIZE, 1000)) as proxy:
            client = proxy.connect()
            client.reply()
            for _ in range(20):
                client.say("NOOP", 250)
            proxy.stderr.wait(lambda line: "cannot write" in line, "a word about the full disk")
            client.say("QUIT", 221)
            proxy.stop(1)
            assert sum("missing from" in line for line in proxy.stderr.all()) == 1


if __name__ == "__main__":
    run([test for name, test in list(globals().items()) if name.startswith("test_")])
