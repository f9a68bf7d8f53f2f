#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TLS that the running proxy itself speaks, between two ends of the test's own and with openssl and swaks."""

import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from running import DEADLINE, SMTPSCOPE, End, Proxy, Server, Skipped, run, send_message
from securing import NAME, Between, Certificates, Handshake, secure

CERTIFICATES = Certificates(SMTPSCOPE)
LONG = os.environ.get("SMTPSCOPE_LONG") == "1"


def intercept(*options):
    return Between(CERTIFICATES, "--starttls", "intercept", *options)


def a_message_by_starttls(version, name):
    with intercept() as b:
        b.connect().greet()
        b.client.send(b"STARTTLS\r\n")
        assert b.server.line() == b"STARTTLS\r\n"
        b.server.send(b"220 2.0.0 Ready\r\n")
        secure(b.server, CERTIFICATES.server(version=version), True)
        assert b.client.reply()[0] == 220
        # The certificate is for the server's name, and signed by our CA.
        secure(b.client, CERTIFICATES.client(version=version))
        assert b.client.sock.version() == b.server.sock.version() == name
        assert b.hello("PIPELINING") == ["PIPELINING", "SIZE"]
        b.pass_line(b"MAIL FROM:<ann@example.org>\r\n")
        b.pass_line(b"RCPT TO:<bob@example.net>\r\n")
        b.pass_line(b"DATA\r\n", b"354 Go ahead\r\n")
        b.client.send(b"Subject: in TLS\r\n\r\nx\r\n.\r\n")
        while b.server.line() != b".\r\n":
            pass
        b.server.send(b"250 2.0.0 Queued\r\n")
        assert b.client.reply()[0] == 250
        assert b.quit() == (b"", "fin")
        close = b.closed()
        assert close["how"] == "quit" and close["commands"] == 7 and close["messages"] == 1, close
        assert close["encrypted"] == {"client": 0, "server": 0}, close
        b.proxy.stop()
        events = b.proxy.events()
        server, client = (e for e in events if e["event"] == "tls")
        assert server["side"] == "server" and client["side"] == "client"
        for e in server, client:
            assert e["outcome"] == "established" and e["version"] == name and e["cipher"].startswith("TLS_"), e
        assert server["subject"] == f"CN={NAME}" and server["verified"] is False, server
        assert "self-signed" in server["verify_error"], server
        assert client["verified"] is None and client["sni"] == NAME, client
        assert [e["tls"] for e in events if e["event"] == "ehlo"] == [False, True]
        assert next(e for e in events if e["event"] == "message")["header"]["subject"] == "in TLS"
        # The 220 was kept back until the server's handshake was done.
        order = [e["event"] + e.get("side", "") for e in events if e["event"] == "tls" or e.get("to") == "STARTTLS"]
        assert order == ["tlsserver", "reply", "tlsclient"], order


def starttls_by_tls_1_3():
    a_message_by_starttls(ssl.TLSVersion.TLSv1_3, "TLSv1.3")


def starttls_by_tls_1_2():
    a_message_by_starttls(ssl.TLSVersion.TLSv1_2, "TLSv1.2")


def a_server_that_fails_leaves_the_client_454():
    with intercept() as b:
        b.connect().greet()
        b.client.send(b"STARTTLS\r\n")
        assert b.server.line() == b"STARTTLS\r\n"
        b.server.send(b"220 2.0.0 Ready\r\n")
        assert b.server.sock.recv(1) == b"\x16", "no hello"
        b.server.send(b"\x15\x03\x03\x00\x02\x02\x28")         # handshake_failure
        assert b.client.reply()[0] == 454
        code, text = b.client.say("MAIL FROM:<ann@example.org>")
        assert code == 421 and text.startswith("4.3.2"), (code, text)
        assert b.client.to_end() == (b"", "fin")
        failed = b.tls("server")
        assert failed["outcome"] == "failed" and failed["alert"] == "handshake_failure" and failed["reason"], failed
        reply = b.proxy.event(event="reply", code=454)
        assert reply["origin"] == "proxy" and reply["original"]["code"] == 220, reply
        close = b.closed()
        assert close["how"] == "tls" and close["by"] == "server", close


def a_client_that_does_not_trust():
    with intercept() as b:
        b.connect().greet()
        b.start_tls()
        try:
            secure(b.client, ssl.create_default_context())
            assert False, "it trusts"
        except ssl.SSLCertVerificationError:
            pass
        failed = b.tls("client")
        assert failed["outcome"] == "failed" and failed["alert"] == "unknown_ca", failed
        assert "--ca-cert" in failed["hint"], failed
        assert b.server.to_end() == (b"", "fin"), "the server hears of it by close_notify"
        close = b.closed()
        assert close["how"] == "tls" and close["by"] == "client", close


def a_client_that_speaks_no_tls():
    with intercept() as b:
        b.connect().greet()
        b.start_tls()
        b.client.send(b"MAIL FROM:<ann@example.org>\r\n")
        failed = b.tls("client")
        assert failed["outcome"] == "failed" and failed["reason"], failed
        assert b.server.to_end() == (b"", "fin")
        assert b.closed()["how"] == "tls"
        # An alert in the clear, where OpenSSL has one for that, and the end.
        octets, end = b.client.to_end()
        assert octets[:1] in (b"", b"\x15") and end == "fin", (octets, end)


def octets_behind_starttls_are_never_inside(mode):
    with intercept("--glued", mode) as b:
        b.connect().greet()
        b.client.send(b"STARTTLS\r\nMAIL FROM:<eve@example.org>\r\n")
        assert b.server.line() == b"STARTTLS\r\n"
        if mode == "pass":      # in the clear, where a server may fall for it
            assert b.server.line() == b"MAIL FROM:<eve@example.org>\r\n"
        b.server.send(b"220 2.0.0 Ready\r\n250 2.1.0 injected\r\n")
        secure(b.server, CERTIFICATES.server(), True)
        assert b.client.reply()[0] == 220
        if mode == "pass":
            assert b.client.reply()[1] == "2.1.0 injected"
        secure(b.client, CERTIFICATES.client())
        assert b.hello("PIPELINING") == ["PIPELINING", "SIZE"]
        b.quit()
        b.closed()
        b.proxy.stop()
        events = b.proxy.events()
        findings = [(e["id"], e["side"]) for e in events if e["event"] == "finding"]
        assert sorted(findings) == [("tls.cmd-inject", "client"), ("tls.rsp-inject", "server")], findings
        assert [e["verb"] for e in events if e["event"] == "command"] == ["EHLO", "STARTTLS", "EHLO", "QUIT"]


def glued_octets_are_dropped():
    octets_behind_starttls_are_never_inside("drop")


def glued_octets_are_passed_in_the_clear():
    octets_behind_starttls_are_never_inside("pass")


def glued_octets_are_dropped_where_tls_is_passed():
    hello = hello_octets()
    with Server() as server_socket, Proxy("-u", server_socket.url, "--glued", "drop") as proxy:
        client, server = proxy.connect(), server_socket.accept()
        server.send(b"220 mx.example.net ESMTP\r\n")
        client.reply()
        client.send(b"STARTTLS\r\nMAIL FROM:<eve@example.org>\r\n")
        assert server.line() == b"STARTTLS\r\n"
        server.send(b"220 2.0.0 Ready\r\n250 2.1.0 injected\r\n")
        assert client.reply()[0] == 220
        client.send(hello)
        assert server.sock.recv(len(hello), socket.MSG_WAITALL) == hello
        server.close()
        assert client.to_end()[0] == b""
        client.close()
        proxy.event(event="close")
        proxy.stop()
        ids = [e["id"] for e in proxy.events() if e["event"] == "finding"]
        assert sorted(ids) == ["tls.cmd-inject", "tls.rsp-inject"], ids


def stripped():
    with Between(CERTIFICATES, "--starttls", "strip") as b:
        # What is of use to TLS alone would do nothing here.
        assert b.proxy.wait() == 2
        assert "with --starttls strip TLS is hidden" in b.proxy.stderr.all()[0]
    with Proxy("--starttls", "strip") as proxy:
        client = proxy.connect()
        client.reply()
        assert "STARTTLS" not in client.say("EHLO client.example.org", 250)[1]
        assert client.say("STARTTLS", 502)[1].startswith("5.5.1")
        assert send_message(client)[0] == 250
        client.say("QUIT", 221)
        client.close()
        assert proxy.event(event="command", verb="STARTTLS")["forwarded"] is False
        proxy.stop()


def tls_with_the_client_alone():
    with Between(CERTIFICATES, "--tls-client", "starttls") as b:
        b.connect().greet()
        assert b.hello("PIPELINING") == ["PIPELINING", "SIZE", "STARTTLS"]
        b.client.say("STARTTLS now", 501)
        b.client.say("STARTTLS", 220)
        # Nothing is known of the server but its address; the client says whom it wants.
        secure(b.client, CERTIFICATES.client())
        assert b.hello() == ["SIZE"], "STARTTLS is not offered inside"
        b.client.say("STARTTLS", 503)
        b.quit()
        assert b.tls("client")["outcome"] == "established"
        assert b.closed()["how"] == "quit"


def tls_with_the_server_alone():
    with Between(CERTIFICATES, "--tls-server", "starttls") as b:
        b.connect()
        b.client.send(b"EHLO early.example.org\r\n")
        b.server.send(b"220 mx.example.net ESMTP\r\n")
        assert b.server.line().startswith(b"EHLO ")
        b.server.send(b"250-mx.example.net\r\n250 STARTTLS\r\n")
        assert b.server.line() == b"STARTTLS\r\n"
        b.server.send(b"220 2.0.0 Ready\r\n220 2.0.0 injected\r\n")
        secure(b.server, CERTIFICATES.server(), True)
        assert b.client.reply() == (220, "mx.example.net ESMTP")
        assert b.server.line() == b"EHLO early.example.org\r\n"
        b.server.send(b"250 mx.example.net\r\n")
        assert b.client.reply()[0] == 250
        b.client.say("STARTTLS", 502)
        b.quit()
        b.closed()
        b.proxy.stop()
        events = b.proxy.events()
        own = [(e["verb"], e["origin"]) for e in events if e["event"] == "command" and e["origin"] != "client"]
        assert own == [("EHLO", "proxy"), ("STARTTLS", "proxy")], own
        assert sorted(e["id"] for e in events if e["event"] == "finding") == ["pipe.early-talk", "tls.rsp-inject"]
        assert [e["side"] for e in events if e["event"] == "tls"] == ["server"]


def a_server_without_tls_is_left():
    for offer, answer in ((b"SIZE", None), (b"STARTTLS", b"454 4.7.0 not now\r\n")):
        with Between(CERTIFICATES, "--tls-server", "starttls") as b:
            b.connect()
            b.server.send(b"220 mx.example.net ESMTP\r\n")
            b.server.line()
            b.server.send(b"250-mx.example.net\r\n250 " + offer + b"\r\n")
            if answer is not None:
                assert b.server.line() == b"STARTTLS\r\n"
                b.server.send(answer)
            assert b.client.reply()[0] == 421
            assert b.client.to_end() == (b"", "fin")
            assert b.tls("server")["outcome"] == "refused"
            assert b.closed()["how"] == "tls"


def implicit_on_both_legs():
    with Between(CERTIFICATES, listen="smtps://127.0.0.1:0", scheme="smtps://") as b:
        b.connect()
        asked = []
        context = CERTIFICATES.server()
        context.sni_callback = lambda sock, name, _: asked.append(name)
        client = Handshake(b.client, CERTIFICATES.client())
        secure(b.server, context, True)
        assert client.done() is None, client.fault
        assert asked == [NAME], "SNI is passed on"
        b.greet()
        b.quit()
        assert b.closed()["how"] == "quit"
        assert b.tls("server")["sni"] == b.tls("client")["sni"] == NAME


def implicit_towards_one_end():
    with Between(CERTIFICATES, listen="smtps://127.0.0.1:0") as b:
        b.connect()
        secure(b.client, CERTIFICATES.client())
        assert b.greet() == ["SIZE"]
        b.quit()
    with Between(CERTIFICATES, scheme="smtps://") as b:
        b.connect()
        secure(b.server, CERTIFICATES.server(), True)
        assert b.greet() == ["SIZE"]
        b.client.say("STARTTLS", 502)
        b.quit()
    with Between(CERTIFICATES, "--tls-client", "starttls", scheme="smtps://") as b:
        b.connect()
        secure(b.server, CERTIFICATES.server(), True)
        assert "STARTTLS" in b.greet()
        b.client.say("STARTTLS", 220)
        secure(b.client, CERTIFICATES.client())
        assert b.hello() == ["SIZE"]
        b.quit()
        assert b.closed()["how"] == "quit"


def a_server_of_implicit_tls_that_fails():
    with Between(CERTIFICATES, scheme="smtps://") as b:
        b.connect()
        b.server.send(b"220 this is no TLS\r\n")
        assert b.client.reply()[0] == 421
        assert b.client.to_end() == (b"", "fin")
        assert b.tls("server")["outcome"] == "failed"
    with Between(CERTIFICATES, listen="smtps://127.0.0.1:0", scheme="smtps://") as b:
        b.connect()
        client = Handshake(b.client, CERTIFICATES.client())
        b.server.send(b"220 this is no TLS\r\n")
        assert client.done() is None, client.fault
        assert b.client.reply()[0] == 421, "it is told in TLS"
        assert b.closed()["how"] == "tls"


def rules(text):
    file = tempfile.NamedTemporaryFile("w", suffix=".rules", prefix="smtpscope-tls-")
    file.write(text)
    file.flush()
    return file


def rules_at_starttls():
    with rules('rule "454" { on STARTTLS reply 454 4.7.0 "not now" }') as file, intercept("-r", file.name) as b:
        b.connect().greet()
        b.client.say("STARTTLS", 454)
        b.quit()
        assert b.closed()["how"] == "quit"
    # The server agreed and has its TLS, the client was told otherwise and goes on in the clear.
    with rules('rule "454" { on reply to STARTTLS reply 454 4.7.0 "not now" }') as file, intercept("-r", file.name) as b:
        b.connect().greet()
        b.client.send(b"STARTTLS\r\n")
        assert b.server.line() == b"STARTTLS\r\n"
        b.server.send(b"220 2.0.0 Ready\r\n")
        secure(b.server, CERTIFICATES.server(), True)
        assert b.client.reply()[0] == 454
        b.hello("PIPELINING")
        b.quit()
        assert b.closed()["how"] == "quit"
    # An error of the server's, and a handshake with the client behind it all the same.
    with rules('rule "220" { on reply to STARTTLS reply 220 2.0.0 "go" }') as file, intercept("-r", file.name) as b:
        b.connect().greet()
        b.client.send(b"STARTTLS\r\n")
        assert b.server.line() == b"STARTTLS\r\n"
        b.server.send(b"454 4.7.0 not now\r\n")
        assert b.client.reply()[0] == 220
        secure(b.client, CERTIFICATES.client())
        assert b.hello() == ["SIZE"]
        b.quit()
        assert b.closed()["how"] == "quit"


def a_220_and_no_handshake():
    with rules('rule "220" { on STARTTLS reply 220 2.0.0 "go" }\n rule "never" { on tls hold }') as file, \
            intercept("-r", file.name) as b:
        b.connect().greet()
        b.client.say("STARTTLS", 220)
        b.client.send(b"\x16\x03\x01\x00\x05hello")
        b.proxy.event(event="rule", rule="never")
        b.client.sock.settimeout(0.2)
        try:
            assert b.client.sock.recv(1) == b"nothing comes"
        except socket.timeout:
            pass
    # Where TLS is passed, nobody has one for it: the server is not told.
    with rules('rule "220" { on STARTTLS reply 220 2.0.0 "go" }') as file, Proxy("-r", file.name) as proxy:
        client = proxy.connect()
        client.reply()
        client.say("EHLO client.example.org", 250)
        client.say("STARTTLS", 220)
        client.send(b"\x16\x03\x01\x00\x05hello\r\n")
        client.half_close()
        assert client.to_end() == (b"", "fin")
        assert proxy.event(event="close")["commands"] == 2
        proxy.stop()


def rules_at_tls():
    with rules('rule "slow" { on tls delay 100ms log "hello of %{session.helo}" }') as file, \
            intercept("-r", file.name) as b:
        b.connect().greet()
        b.start_tls()
        secure(b.client, CERTIFICATES.client())
        b.hello("PIPELINING")
        b.quit()
        assert b.closed()["how"] == "quit"
    with rules('rule "end" { on tls close }') as file, intercept("-r", file.name) as b:
        b.connect().greet()
        b.start_tls()
        assert b.client.to_end() == (b"", "fin")
        assert b.closed()["how"] == "rule"
    with rules('rule "slow" { on tls delay 50ms }') as file, \
            Between(CERTIFICATES, "-r", file.name, listen="smtps://127.0.0.1:0") as b:
        b.connect()
        secure(b.client, CERTIFICATES.client())
        b.greet()
        b.proxy.event(event="rule", rule="slow")


def how_a_stream_ends_is_told():
    with intercept() as b:
        b.connect().greet()
        b.start_tls()
        secure(b.client, CERTIFICATES.client())
        b.hello("PIPELINING")
        # FIN without close_notify; the other end is told by both.
        b.client.sock.shutdown(socket.SHUT_RDWR)
        assert b.server.to_end() == (b"", "fin")
        b.server.close()
        close = b.closed()
        assert close["how"] == "eof" and "close_notify" in close["reason"], close
    with intercept() as b:
        b.connect().greet()
        b.start_tls()
        secure(b.client, CERTIFICATES.client())
        b.hello("PIPELINING")
        b.server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        b.server.sock.close()
        b.server = None
        try:
            assert b.client.to_end()[1] == "reset"
        except ssl.SSLEOFError:
            pass
        close = b.closed()
        assert close["how"] == "reset" and close["by"] == "server", close


def large_writes_against_slow_readers():
    octets = os.urandom(1 << 16).hex().encode() * 40
    lines = b"".join(octets[i:i + 70] + b"\r\n" for i in range(0, len(octets), 70))
    with intercept() as b:
        b.connect().greet()
        b.start_tls()
        secure(b.client, CERTIFICATES.client())
        b.hello("PIPELINING")
        b.pass_line(b"MAIL FROM:<ann@example.org>\r\n")
        b.pass_line(b"RCPT TO:<bob@example.net>\r\n")
        b.pass_line(b"DATA\r\n", b"354 Go ahead\r\n")
        b.server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        sending = Sender(b.client, lines + b".\r\n")
        got = b.server.rest
        while not got.endswith(b"\r\n.\r\n"):
            more = b.server.sock.recv(3000)
            assert more, "it ends early"
            got += more
        b.server.rest = b""
        sending.join(DEADLINE)
        assert got == lines + b".\r\n"
        b.server.send(b"250 2.0.0 Queued\r\n")
        assert b.client.reply()[0] == 250
        b.quit()
        assert b.closed()["messages"] == 1


class Sender(Handshake):
    def __init__(self, end, octets):
        self.octets = octets
        super().__init__(end, None)

    def run(self):
        self.how[0].send(self.octets)


def a_handshake_that_takes_too_long():
    with intercept("--handshake-timeout", "200ms") as b:
        b.connect().greet()
        b.start_tls()
        failed = b.tls("client")
        assert failed["outcome"] == "failed" and "within 0.2 s" in failed["reason"], failed
        assert b.closed()["how"] == "tls"
        assert b.server.to_end() == (b"", "fin")


def a_client_that_leaves_behind_starttls():
    for reset in False, True:
        with intercept() as b:
            b.connect().greet()
            b.client.send(b"STARTTLS\r\n")
            assert b.server.line() == b"STARTTLS\r\n"
            b.client.reset() if reset else b.client.close()
            b.client = None
            if not reset:
                assert b.server.sock.recv(1) == b"", "the client's FIN"
                b.server.send(b"220 2.0.0 Ready\r\n")
            b.server.close()
            assert b.closed()["by"] == "client"
            b.proxy.stop()


def hello_octets():
    """A ClientHello, as OpenSSL writes it."""
    out = ssl.MemoryBIO()
    try:
        ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=NAME).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def clients_that_vanish_in_the_handshake():
    """At many points, by FIN and by reset; nothing stays behind."""
    hello = hello_octets()
    rounds = (1000 if "build-" in str(SMTPSCOPE) else 5000) if LONG else 150
    with Proxy("-u", "sink", "--starttls", "intercept", "-q", *CERTIFICATES.options()) as proxy:
        host, port = proxy.listening()
        before = None
        for n in range(rounds):
            sock = socket.create_connection((host, port), DEADLINE)
            client = End(sock)
            client.reply()
            client.say("EHLO client.example.org", 250)
            if n % 7 == 6:
                client.send(b"STARTTLS\r\n")
                client.close()
                continue
            client.say("STARTTLS", 220)
            if n % 5 == 4:
                secure(client, ssl._create_unverified_context())
                if n % 2 == 0:
                    client.say("EHLO client.example.org", 250)
                client.sock.close()
            else:
                client.send(hello[:len(hello) * (n % 5) // 3])
                if n % 5 == 3:
                    client.sock.recv(n % 2000 + 1)
                client.reset() if n % 2 else client.close()
            if n == rounds // 3:
                before = proxy.status("VmRSS")
        deadline = time.monotonic() + 10 * DEADLINE
        while sum('"event":"close"' in line for line in proxy.stdout.lines) < rounds and time.monotonic() < deadline:
            time.sleep(0.05)
        # All are over: what is left is what listens.
        idle = Proxy("-u", "sink", "--starttls", "intercept", "-q", *CERTIFICATES.options())
        with idle:
            idle.listening()
            wanted = idle.descriptors()
            deadline = time.monotonic() + DEADLINE
            while proxy.descriptors() > wanted and time.monotonic() < deadline:
                time.sleep(0.05)
            assert proxy.descriptors() <= wanted, (proxy.descriptors(), wanted)
        if not proxy.sanitized():
            assert proxy.status("VmRSS") < before + 3000, (before, proxy.status("VmRSS"))
        proxy.stop()


def by_openssl_s_client():
    if shutil.which("openssl") is None:
        raise Skipped("openssl is not installed")
    for version in "-tls1_2", "-tls1_3":
        with intercept() as b:
            client = subprocess.Popen(["openssl", "s_client", "-starttls", "smtp", "-connect", "%s:%d" % b.proxy.listening(),
                                       "-CAfile", str(CERTIFICATES.ca), "-verify_return_error", "-verify_hostname", NAME,
                                       "-quiet", "-no_ign_eof", "-crlf", version], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL)
            b.server = b.server_socket.accept()
            b.server.send(b"220 mx.example.net ESMTP\r\n")
            assert b.server.line().startswith(b"EHLO ")
            b.server.send(b"250-mx.example.net\r\n250 STARTTLS\r\n")
            assert b.server.line() == b"STARTTLS\r\n"
            b.server.send(b"220 2.0.0 Ready\r\n")
            secure(b.server, CERTIFICATES.server(), True)
            client.stdin.write(b"NOOP\n")
            client.stdin.flush()
            assert b.server.line() == b"NOOP\r\n"
            b.server.send(b"250 2.0.0 seen\r\n")
            while client.stdout.readline() != b"250 2.0.0 seen\r\n":
                pass
            client.stdin.close()
            assert b.server.to_end()[0] == b""
            b.server.close()
            client.wait(DEADLINE)
            assert b.tls("client")["version"] == {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}[version]


def by_swaks():
    done = subprocess.run(["swaks", "--support"], capture_output=True, text=True, check=False)
    if "=== TLS supported" not in done.stdout:
        raise Skipped("swaks has no TLS here (Net::SSLeay)")
    with Proxy("--tls-client", "starttls", *CERTIFICATES.options()) as proxy:
        host, port = proxy.listening()
        done = subprocess.run(["swaks", "--server", host, "--port", str(port), "--from", "ann@example.org", "--to",
                               "bob@example.net", "--tls", "--silent", "2"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert proxy.event(event="close")["messages"] == 1
        proxy.stop()


def what_contradicts():
    for words, said in ((["--tls-client", "plain", "-l", "smtps://127.0.0.1:0"], "contradicts"),
                        (["-u", "smtps://127.0.0.1", "-u", "127.0.0.1"], "begin with TLS"),
                        (["--tls-server", "implicit"], "does not begin with TLS")):
        done = subprocess.run([SMTPSCOPE, "proxy", *words], capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 2 and said in done.stderr, (words, done.stderr)


if __name__ == "__main__":
    with CERTIFICATES:
        run([starttls_by_tls_1_3, starttls_by_tls_1_2, a_server_that_fails_leaves_the_client_454,
             a_client_that_does_not_trust, a_client_that_speaks_no_tls, glued_octets_are_dropped,
             glued_octets_are_passed_in_the_clear,
             glued_octets_are_dropped_where_tls_is_passed, stripped, tls_with_the_client_alone, tls_with_the_server_alone,
             a_server_without_tls_is_left, implicit_on_both_legs, implicit_towards_one_end,
             a_server_of_implicit_tls_that_fails, rules_at_starttls, a_220_and_no_handshake, rules_at_tls,
             how_a_stream_ends_is_told, large_writes_against_slow_readers, a_handshake_that_takes_too_long,
             a_client_that_leaves_behind_starttls, clients_that_vanish_in_the_handshake, by_openssl_s_client, by_swaks, what_contradicts])
