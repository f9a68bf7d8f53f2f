#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The sink's TLS, by STARTTLS and from the start, with real clients: openssl s_client, swaks, curl, Python."""

import shutil
import socket
import ssl
import subprocess
import sys
import warnings

from test_sink import MESSAGE, SMTPSCOPE, Client, Sink, Skip, check, equal, main, swaks

PATIENCE = 60
BOTH = ("smtp://127.0.0.1:0", "smtps://127.0.0.1:0")


def trusting_all():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class SecureClient(Client):
    """A client that can begin TLS."""

    def begin_tls(self, context=None):
        self.lines.close()
        self.socket = (context or trusting_all()).wrap_socket(self.socket, server_hostname="localhost")
        self.lines = self.socket.makefile("rb")

    def greet(self):
        check(self.reply().startswith(b"220 "), "no greeting")
        return self.say(b"EHLO client.example.org", b"250-")


def openssl(*arguments, input=b""):
    if shutil.which("openssl") is None:
        raise Skip("openssl is not installed")
    return subprocess.run(["openssl", *map(str, arguments)], input=input, capture_output=True, timeout=PATIENCE, check=False)


def make_certificate(directory, name="localhost"):
    """A certificate of its own, and its key."""
    cert, key = f"{directory}/cert.pem", f"{directory}/key.pem"
    made = openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                   "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1")
    equal(made.returncode, 0, made.stderr)
    return cert, key


def test_what_is_glued_behind_starttls_is_never_read():
    with Sink(keep=True) as sink, SecureClient(sink.port) as client:
        check(b"250-STARTTLS\r\n" in client.greet(), "STARTTLS is not offered")
        client.say(b"MAIL FROM:<ann@example.org>", b"250")
        client.send(b"STARTTLS\r\nRCPT TO:<eve@example.net>\r\nDATA\r\n")
        check(client.reply().startswith(b"220 2.0.0"), "no 220")
        client.begin_tls()
        # Neither the glued commands nor the transaction from before are there.
        client.say(b"RCPT TO:<bob@example.net>", b"503")
        check(b"STARTTLS" not in client.say(b"EHLO client.example.org", b"250-"), "STARTTLS is offered in TLS")
        client.say(b"STARTTLS", b"503")
        client.say(b"MAIL FROM:<ann@example.org>", b"250")
        client.say(b"RCPT TO:<bob@example.net>", b"250")
        client.say(b"DATA", b"354")
        client.say(MESSAGE + b".", b"250")
        client.say(b"QUIT", b"221")
        # It says close_notify: Python raises an error where that is missing.
        equal(client.socket.recv(1), b"", "behind QUIT")
        equal(len(sink.files()), 1, "messages")
        check(b"bob@example.net" in sink.kept()[0] and b"eve@" not in sink.kept()[0], sink.kept())


def test_a_large_message_both_ways():
    content = b"".join(b"%06d " % n + b"x" * 70 + b"\r\n" for n in range(30000))
    with Sink(keep=True, listen=BOTH) as sink:
        for port in sink.ports:
            with SecureClient(port) as client:
                if port == sink.ports[1]:
                    client.begin_tls()
                    client.greet()
                else:
                    client.greet()
                    client.say(b"STARTTLS", b"220")
                    client.begin_tls()
                    client.say(b"EHLO client.example.org", b"250-")
                client.say(b"MAIL FROM:<ann@example.org>", b"250")
                client.say(b"RCPT TO:<bob@example.net>", b"250")
                client.say(b"DATA", b"354")
                client.say(content + b".", b"250")
                # Many replies at once, which the client does not read at first.
                client.send(b"HELP\r\n" * 3000)
                for _ in range(3000):
                    check(client.reply().startswith(b"214"), "HELP")
                client.say(b"QUIT", b"221")
        equal([kept.split(b"\r\n", 2)[2] == content for kept in sink.kept()], [True, True], "the messages")


def test_versions_and_a_given_certificate():
    with Sink(keep=True) as first:
        cert, key = make_certificate(first.directory.name)
        with Sink("--cert", cert, "--key", key, "--tls-max", "1.2", "-v", listen=BOTH) as sink:
            context = ssl.create_default_context(cafile=cert)
            for port in sink.ports:
                with SecureClient(port) as client:
                    if port == sink.ports[0]:
                        client.greet()
                        client.say(b"STARTTLS", b"220")
                    client.begin_tls(context)
                    equal(client.socket.version(), "TLSv1.2", "version")
                    client.say(b"EHLO client.example.org", b"") if port == sink.ports[0] else client.greet()
                    client.say(b"QUIT", b"221")
            check("TLS begins: TLSv1.2" in sink.end(), "it did not say so with -v")
        # One session that only TLS 1.0 could serve: the library takes it when it is told to.
        with Sink("--tls-min", "1.0", "--tls-max", "1.0") as sink:
            out = openssl("s_client", "-connect", f"127.0.0.1:{sink.port}", "-starttls", "smtp", "-tls1", "-cipher",
                          "ALL:@SECLEVEL=0", "-quiet", input=b"QUIT\r\n")
            check(b"221 2.0.0" in out.stdout, out.stdout + out.stderr)


def test_the_certificate_it_makes():
    with Sink() as sink:
        with Client(sink.port) as plain:
            plain.begin()
        shown = openssl("s_client", "-connect", f"127.0.0.1:{sink.port}", "-starttls", "smtp", "-showcerts")
        at = shown.stdout.index(b"-----BEGIN CERTIFICATE")
        with open(f"{sink.directory.name}/own.pem", "wb") as file:
            file.write(shown.stdout[at:shown.stdout.index(b"-----END CERTIFICATE-----") + 26])
        # Who is given it trusts it, for the names by which a sink is reached.
        for name in ("localhost", "smtpscope.invalid"):
            context = ssl.create_default_context(cafile=f"{sink.directory.name}/own.pem")
            with socket.create_connection(("127.0.0.1", sink.port), timeout=20) as raw:
                raw.recv(1000)
                raw.sendall(b"EHLO client.example.org\r\nSTARTTLS\r\n")
                got = b""
                while b"\n220" not in got or not got.endswith(b"\n"):
                    got += raw.recv(1000)
                context.wrap_socket(raw, server_hostname=name).close()


def test_a_handshake_that_fails_harms_nobody_else():
    with Sink(listen=BOTH) as sink:
        before = sink.descriptors()
        for octets in (b"EHLO client.example.org\r\n" * 50, b"\x16\x03\x01\x02\x00\x01\x00", b""):
            with Client(sink.ports[1]) as client:
                client.send(octets)
                if octets.startswith(b"E"):
                    try:    # an alert, and the end
                        while client.socket.recv(1000):
                            pass
                    except ConnectionResetError:
                        pass
        with SecureClient(sink.port) as client:
            client.greet()
            client.say(b"STARTTLS", b"220")
            try:
                client.begin_tls(ssl.create_default_context())
                raise AssertionError("an unknown certificate was trusted")
            except ssl.SSLCertVerificationError:
                pass
        with SecureClient(sink.port) as client:
            client.greet()
            client.say(b"STARTTLS", b"220")
            client.begin_tls()
            client.say(b"QUIT", b"221")
        sink.wait_for_descriptors(before)
        said = sink.end()
        check("sent what is no TLS" in said, said)
        check("the client sent the alert unknown_ca" in said, said)


def test_wrong_files():
    with Sink() as sink:
        for arguments, words in ((["--cert", "/none"], "--cert /none: No such file"),
                                 (["--key", "/none"], "name it with --cert"),
                                 (["--tls-min", "1.3", "--tls-max", "1.2"], "no version is left"),
                                 (["--ciphers", "NONSENSE"], "openssl ciphers")):
            done = subprocess.run([SMTPSCOPE, "sink", "-l", "127.0.0.1:0", *arguments], capture_output=True,
                                  text=True, timeout=PATIENCE, check=False)
            equal(done.returncode, 2, arguments)
            check(words in done.stderr, done.stderr)
        sink.end()


def test_openssl_s_client():
    with Sink("-v", listen=BOTH) as sink:
        for port, more in ((sink.ports[0], ["-starttls", "smtp"]), (sink.ports[1], [])):
            for version in ("-tls1_2", "-tls1_3"):
                out = openssl("s_client", "-connect", f"127.0.0.1:{port}", "-quiet", version, *more,
                              input=b"EHLO client.example.org\r\nQUIT\r\n")
                check(b"221 2.0.0" in out.stdout, out.stdout + out.stderr)
        said = sink.end()
        check("TLSv1.2" in said and "TLSv1.3" in said, said)


def test_swaks():
    with Sink(listen=BOTH, keep=True) as sink:
        out = swaks("--server", f"127.0.0.1:{sink.ports[0]}", "-tls", "--auth", "PLAIN", "--auth-user", "ann",
                    "--auth-password", "secret")
        check("TLS started" in out and "235 2.7.0" in out, out)
        out = swaks("--server", f"127.0.0.1:{sink.ports[1]}", "-tlsc")
        check("TLS started" in out, out)
        equal(len(sink.files()), 2, "messages")


def test_curl():
    if shutil.which("curl") is None:
        raise Skip("curl is not installed")
    if "smtps" not in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split():
        raise Skip("curl has no smtps here")
    with Sink(listen=BOTH, keep=True) as sink:
        for scheme, port, more in (("smtp", sink.ports[0], ["--ssl-reqd"]), ("smtps", sink.ports[1], [])):
            done = subprocess.run(["curl", "--silent", "--show-error", "--insecure", "--url",
                                   f"{scheme}://127.0.0.1:{port}/client.example.org", "--mail-from", "ann@example.org",
                                   "--mail-rcpt", "bob@example.net", "--upload-file", "-", *more],
                                  input=MESSAGE, capture_output=True, timeout=PATIENCE, check=False)
            equal(done.returncode, 0, f"exit code of curl: {done.stderr!r}")
        equal([kept.split(b"\r\n", 2)[2] for kept in sink.kept()], [MESSAGE] * 2, "the messages")


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.exit(main(globals()))
