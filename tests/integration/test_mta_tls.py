#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smtpscope with TLS towards both sides, between real MTAs: Postfix, Exim and OpenSMTPD.

    test_mta_tls.py [WORD...]       all cases, or those with one of the words in their name

mta/README says how the MTAs are run, and when cases are skipped.
"""
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True      # nothing is written outside the build folder

import capturing                                                    # noqa: E402
from mta import cases, swaks                                        # noqa: E402
from mta.cases import Skip, case, for_each                          # noqa: E402
from mta.compare import expect_same_message, expect_whole_session   # noqa: E402
from mta.exim import Exim                                           # noqa: E402
from mta.expect import expect, expect_equal, wait_for                         # noqa: E402
from mta.opensmtpd import OpenSMTPD                                 # noqa: E402
from mta.postfix import Postfix                                     # noqa: E402
from mta.room import FOLDER                                         # noqa: E402
from mta.scope import BINARY, Scope                                 # noqa: E402

PROXY = 10526
PORTS = {"Postfix": (10125, 10465), "Exim": (10126, 10466), "OpenSMTPD": (10127, 10467)}
ANN, BOB = "ann@client.example.org", "bob@example.org"
CONTENT = b"""\
Date: Sun, 22 Nov 2026 09:00:00 +0000
From: ann@client.example.org
To: bob@example.org
Message-ID: <1@client.example.org>
Subject: through the scope

A line.
.A line that begins with a dot.
"""
TLS = FOLDER / "rooms" / "tls"


def openssl(*arguments):
    run = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    expect(run.returncode == 0, f"openssl {arguments[0]}: {run.stderr}")
    return run.stdout


class Stage:
    """The MTAs, each started when it is first asked for; the CA that signs for servers, and smtpscope's own."""

    def __init__(self):
        self._running = {}
        self._made = False

    def _make_cas(self):
        if self._made:
            return
        if shutil.which("openssl") is None:
            raise Skip("no openssl (Debian's package of that name)")
        TLS.mkdir(parents=True, exist_ok=True)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", TLS / "servers.key", "-out", TLS / "servers.pem",
                "-days", "2", "-subj", "/CN=CA of the servers")
        made = subprocess.run([BINARY, "proxy", "--make-ca", "--ca-cert", TLS / "ca.pem", "--ca-key", TLS / "ca.key"],
                              capture_output=True, text=True)
        expect_equal(made.returncode, 0, made.stderr)
        self._made = True

    def _certificate(self, name):
        """Key, certificate and CA of a server, in one."""
        key, request, cert = (TLS / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}.example.org",
                "-addext", f"subjectAltName=DNS:{name}.example.org")
        openssl("x509", "-req", "-in", request, "-CA", TLS / "servers.pem", "-CAkey", TLS / "servers.key", "-CAcreateserial",
                "-days", "2", "-copy_extensions", "copy", "-out", cert)
        return key.read_text() + cert.read_text() + (TLS / "servers.pem").read_text()

    def _make(self, which):
        self._make_cas()
        port, smtps = PORTS.get(which, (None, None))
        if which == "Postfix":
            return Postfix("postfix-tls", port, certificate=self._certificate("postfix-tls"), smtps=smtps)
        if which == "Exim":
            return Exim("exim-tls", port, certificate=self._certificate("exim-tls"), smtps=smtps)
        if which == "OpenSMTPD":
            return OpenSMTPD("opensmtpd-tls", port, certificate=self._certificate("opensmtpd-tls"), smtps=smtps)
        if which == "sending OpenSMTPD":
            return OpenSMTPD("sending-opensmtpd", 10140, relay=f"smtp+tls://127.0.0.1:{PROXY}")
        settings, ca = SENDERS[which]
        sender = Postfix("sending-" + which.replace(" ", "-"), 10130 + list(SENDERS).index(which), f"[127.0.0.1]:{PROXY}",
                         smtp_tls_CAfile="/etc/postfix/ca.pem", smtp_tls_loglevel="1", **settings)
        sender.room.write("etc/postfix/ca.pem", (TLS / ca).read_text())
        return sender

    def get(self, which):
        if which not in self._running:
            self._running[which] = self._make(which)
        return self._running[which]

    def stop(self):
        for mta in self._running.values():
            mta.room.stop()


# Postfixes that send with TLS: their settings, and the file of the CA that they know.
SENDERS = {
    "encrypting": ({"smtp_tls_security_level": "encrypt"}, "ca.pem"),
    "verifying": ({"smtp_tls_security_level": "verify", "smtp_tls_verify_cert_match": "postfix-tls.example.org"}, "ca.pem"),
    "distrusting": ({"smtp_tls_security_level": "verify", "smtp_tls_verify_cert_match": "postfix-tls.example.org"},
                    "servers.pem"),
}


def require_tls(port, *options):
    """The server must be able to speak TLS with nothing between: OpenSMTPD 6.8 cannot with OpenSSL 3."""
    said = swaks.send(port, ANN, [BOB], CONTENT, "--quit-after", "EHLO", *options)
    if said.code != 0:
        raise Skip(f"the server's TLS fails with nothing between, too (exit code of swaks: {said.code})")


def intercepting(*more):
    return ["--starttls", "intercept", "--ca-cert", TLS / "ca.pem", "--ca-key", TLS / "ca.key",
            "--upstream-ca", TLS / "servers.pem", *more]


def expect_secured(session, server, version=None):
    """Both legs had TLS, and the server's certificate is told as it is."""
    legs = {e["side"]: e for e in session.of("tls")}
    expect_equal({side: e["outcome"] for side, e in legs.items()}, {"client": "established", "server": "established"},
                 "tls events")
    if version is not None:
        expect_equal({e["version"] for e in legs.values()}, {version}, "versions")
    expect_equal(legs["server"]["subject"], f"CN={server.room.name}.example.org", "subject")
    expect_equal(legs["server"]["issuer"], "CN=CA of the servers", "issuer")


@for_each(PORTS, "swaks by STARTTLS, intercepted, into {}")
def starttls(stage, name):
    server = stage.get(name)
    require_tls(server.port, "-tls")
    for protocol, version in (("tlsv1_2", "TLSv1.2"), ("tlsv1_3", "TLSv1.3")):
        with Scope(server.port, options=intercepting("--tls-max", version, "--tls-min", version)) as scope:
            said = swaks.send(scope.port, ANN, [BOB], CONTENT, "-tls", "--tls-protocol", protocol, "--tls-verify",
                              "--tls-ca-path", str(TLS / "ca.pem"), "--tls-sni", f"{server.room.name}.example.org")
            session = scope.session()
        expect_equal(said.code, 0, "exit code of swaks")
        received = server.received(server.id_in(said.final_reply()))
        expect_secured(session, server, version)
        expect_same_message(session, received)
        expect_equal([e["tls"] for e in session.of("ehlo")], [False, True], "tls of the EHLOs")
        expect_equal(session.one("tls", side="server")["verified"], False, "verified, for 127.0.0.1")
        expect_equal(session.one("close")["encrypted"], {"client": 0, "server": 0}, "undecoded")


@for_each(PORTS, "swaks by implicit TLS, both legs, into {}")
def implicit(stage, name):
    server, port = stage.get(name), PORTS[name][1]
    require_tls(port, "-tlsc")
    with Scope(port, scheme="smtps", options=intercepting("--upstream-verify", "full")) as scope:
        said = swaks.send(scope.port, ANN, [BOB], CONTENT, "-tlsc", "--tls-verify", "--tls-ca-path", str(TLS / "ca.pem"),
                          "--tls-sni", f"{server.room.name}.example.org")
        session = scope.session()
    expect_equal(said.code, 0, "exit code of swaks")
    expect_same_message(session, server.received(server.id_in(said.final_reply())))
    expect_secured(session, server)
    expect_whole_session(session)
    # The client's SNI went on, and says what the certificate must be for.
    leg = session.one("tls", side="server")
    expect_equal((leg["sni"], leg["verified"]), (f"{server.room.name}.example.org", True), "SNI and verdict")


@case("implicit TLS to the client, STARTTLS to Exim; STARTTLS to the client, implicit TLS to Exim")
def mixed(stage):
    server = stage.get("Exim")
    for listen, upstream, port, option in (("smtps", "smtp", PORTS["Exim"][0], "-tlsc"),
                                           ("smtp", "smtps", PORTS["Exim"][1], "-tls")):
        with Scope(port, scheme=listen, upstream_scheme=upstream, options=intercepting()) as scope:
            said = swaks.send(scope.port, ANN, [BOB], CONTENT, option)
            session = scope.session()
        expect_equal(said.code, 0, f"exit code of swaks, {listen} and {upstream}")
        expect_secured(session, server)
        expect_same_message(session, server.received(server.id_in(said.final_reply())))


@for_each(("encrypting", "verifying"), "a Postfix that is {} delivers, and logs whom it trusts")
def sending_postfix(stage, which):
    server, client = stage.get("Postfix"), stage.get(which)
    since = client.log.mark()
    with Scope(server.port, PROXY, options=intercepting()) as scope:
        attempt = client.attempt(client.submit(ANN, [BOB], CONTENT), BOB, "sent")
        session = scope.session()
    expect_same_message(session, server.received(server.id_in(attempt["text"])))
    expect_secured(session, server)
    expect_equal(attempt["dsn"], "2.0.0", "dsn")
    word = {"encrypting": "Trusted", "verifying": "Verified"}[which]
    client.log.wait(re.compile(rf"{word} TLS connection established to 127\.0\.0\.1"), since)


@case("OpenSMTPD by STARTTLS, intercepted, into Postfix")
def sending_opensmtpd(stage):
    server, client = stage.get("Postfix"), stage.get("sending OpenSMTPD")
    # It keeps the connection for another message, which is not waited for.
    with Scope(server.port, PROXY, options=intercepting("--grace", "0")) as scope:
        expect_equal(swaks.send(client.port, ANN, [BOB], CONTENT).code, 0, "exit code of swaks")
        wait_for("the message", lambda: [e for e in scope.events() if e["event"] == "message"])
    session = scope.session()
    expect_secured(session, server)
    expect_same_message(session, server.received(server.id_in(session.final_reply())))
    client.log.wait(re.compile(r"tls ciphers=TLSv1\.[23]:"))


@case("a Postfix that does not know the CA defers")
def distrusting_postfix(stage):
    server, client = stage.get("Postfix"), stage.get("distrusting")
    with Scope(server.port, PROXY, options=intercepting()) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT)
        deferred = client.attempt(queue_id, BOB, "deferred")
        first = scope.session(1)
        expect("ertificate" in deferred["text"], "another reason is in " + deferred["line"])
        expect_equal(first.of("message"), [], "messages")
        # It ends the handshake, and says QUIT: no alert tells what it did not like.
        expect_equal([f["id"] for f in first.of("finding")], ["tls.left"], "findings")
    client.delete(queue_id)


@case("the wire's capture with --keylog, by decode and by tshark, tells what the live run told")
def recorded(stage):
    server, client = stage.get("Postfix"), stage.get("encrypting")
    keylog = TLS / "keylog"
    try:
        tcpdump = capturing.Tcpdump(TLS / "legs.pcap")
    except capturing.Unavailable as why:
        raise Skip(str(why)) from None
    try:
        with Scope(server.port, PROXY, options=intercepting("--keylog", keylog)) as scope:
            client.attempt(client.submit(ANN, [BOB], CONTENT), BOB, "sent")
            session = scope.session()
        tcpdump.stop()
    except capturing.Unavailable as why:
        raise Skip(str(why)) from None
    finally:
        tcpdump.kill()
    legs = capturing.legs(BINARY, tcpdump.path, "--keylog", keylog)
    ((_, captured),) = [(ends, s) for ends, s in legs.items() if ends[1] == f"127.0.0.1:{PROXY}"]
    expect_equal(len(captured), 1, "sessions on the client's leg")
    expect_equal(capturing.difference(said(session.events), said(captured[0])), None, "the client's leg")
    ((_, captured),) = [(ends, s) for ends, s in legs.items() if ends[1] == f"127.0.0.1:{server.port}"]
    expect_equal(capturing.difference(said(session.events), said(captured[0])), None, "the server's leg")
    if shutil.which("tshark") is None:
        raise Skip("decode agrees; there is no tshark (Debian's package of that name)")
    # Postfix sends QUIT with the end of its message, where tshark does not look for commands.
    commands = [line for line in session.commands() if line != "QUIT"]
    for port in (PROXY, server.port):
        seen = [line for line in lines_of_tshark(tcpdump.path, keylog, port) if line != "QUIT"]
        expect_equal(seen, commands, f"commands on port {port} by tshark")


def said(events):
    """Without what only an end of TLS knows, or only who sees one leg."""
    return [e for e in events if e["event"] != "tls"]


def lines_of_tshark(capture, keylog, port):
    """The command lines on the leg with that port, as tshark has them with the key log."""
    run = subprocess.run(
        ["tshark", "-r", capture, "-o", f"tls.keylog_file:{keylog}", "-d", f"tcp.port=={port},smtp",
         "-Y", f"smtp.req && tcp.port=={port}", "-T", "fields", "-E", "aggregator=|", "-e", "smtp.command_line"],
        capture_output=True, text=True)
    expect_equal(run.returncode, 0, f"exit code of tshark: {run.stderr}")
    return [line for frame in run.stdout.split("\n") for line in frame.replace("\\r\\n", "").split("|") if line]


if __name__ == "__main__":
    sys.exit(cases.main(Stage))
