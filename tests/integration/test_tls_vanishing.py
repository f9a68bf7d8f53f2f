#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sessions with TLS towards both ends, whose clients and servers vanish anywhere in the handshake or
behind it, leave nothing behind: descriptors and memory of the proxy return to where they were."""

import concurrent.futures
import os
import pathlib
import random
import socket
import socketserver
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from running import DEADLINE, SMTPSCOPE, Program, run

# A program that is built to look for faults is slower by far.
LONG = "1000" if "build-" in str(SMTPSCOPE) else "5000"
SESSIONS = int(os.environ.get("SMTPSCOPE_VANISHING", LONG if os.environ.get("SMTPSCOPE_LONG") else "120"))
AT_ONCE = 12
CLIENTS_MAX, SERVERS_MAX = 600, 1500    # octets: about what either end sends until it is through


class Gone(Exception):
    """This end vanishes now, or the other one did."""


class Talk:
    """TLS without a socket of its own, so that what is sent can be cut at any octet."""

    def __init__(self, sock, context, server_side, budget):
        self.sock, self.budget = sock, budget       # octets until it vanishes; None: it does not
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.come, self.go, server_side=server_side,
                                    server_hostname=None if server_side else "mx.example.org")

    def send_out(self):
        octets = self.go.read()
        if self.budget is not None and len(octets) >= self.budget:
            self.sock.sendall(octets[:self.budget])
            raise Gone
        if self.budget is not None:
            self.budget -= len(octets)
        if octets:
            self.sock.sendall(octets)

    def attempt(self, what, *arguments):
        """what(*arguments) of the SSL object, for which it is fed until it has all that it wants."""
        while True:
            try:
                done = what(*arguments)
                self.send_out()
                return done
            except ssl.SSLWantReadError:
                self.send_out()
            octets = self.sock.recv(16384)
            if not octets:
                raise Gone
            self.come.write(octets)

    def line(self):
        got = b""
        while not got.endswith(b"\n"):
            got += self.attempt(self.tls.read, 1)
            if not got:
                raise Gone
        return got

    def reply(self):
        while self.line()[3:4] == b"-":
            pass


def plain_line(sock):
    got = b""
    while not got.endswith(b"\n"):
        octet = sock.recv(1)
        if not octet:
            raise Gone
        got += octet
    return got


def plain_reply(sock):
    while True:
        line = plain_line(sock)
        if line[3:4] != b"-":
            return line


def vanish(sock, rng):
    how = rng.choice(("reset", "close", "half"))
    try:
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "half":
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(16384):
                pass
    except OSError:
        pass
    sock.close()


def client(address, implicit, seed):
    """One session; returns how far it came."""
    rng = random.Random(seed)
    sock = socket.create_connection(address, DEADLINE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = rng.choice((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))
    far = "plain"
    try:
        if not implicit:
            plain_reply(sock)
            sock.sendall(b"EHLO client.example.org\r\n")
            plain_reply(sock)
            sock.sendall(b"STARTTLS\r\n")
            if rng.random() < 0.1:
                raise Gone
            if not plain_reply(sock).startswith(b"220"):
                return "refused"
        far = "handshake"
        talk = Talk(sock, context, False, rng.choice((None, rng.randrange(1, CLIENTS_MAX))))
        talk.attempt(talk.tls.do_handshake)
        far = "secured"
        if implicit:
            talk.reply()
        for command in (b"EHLO client.example.org\r\n", b"MAIL FROM:<ann@example.org>\r\n", b"RSET\r\n", b"QUIT\r\n"):
            if rng.random() < 0.1:
                raise Gone
            talk.attempt(talk.tls.write, command)
            talk.reply()
        far = "quit"
    except (Gone, OSError):     # an error of TLS is an OSError, too
        pass
    finally:
        vanish(sock, rng)
    return far


class Server(socketserver.ThreadingTCPServer):
    """A server with TLS that vanishes anywhere, like its clients."""

    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128

    def __init__(self, certificate, key):
        super().__init__(("127.0.0.1", 0), None)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.rng, self.lock = random.Random(3207), threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        with self.lock:
            rng = random.Random(self.rng.random())
        request.settimeout(DEADLINE)
        try:
            self.serve(request, rng)
        except (Gone, OSError):
            pass
        vanish(request, rng)

    def serve(self, sock, rng):
        sock.sendall(b"220 mx.example.org ESMTP\r\n")
        while True:
            line = plain_line(sock)
            if line.startswith(b"STARTTLS"):
                break
            sock.sendall(b"250-mx.example.org\r\n250 STARTTLS\r\n")
        if rng.random() < 0.1:
            raise Gone
        sock.sendall(b"220 2.0.0 go on\r\n")
        talk = Talk(sock, self.context, True, rng.choice((None, rng.randrange(1, SERVERS_MAX))))
        talk.attempt(talk.tls.do_handshake)
        while True:
            line = talk.line()
            if rng.random() < 0.1:
                raise Gone
            talk.attempt(talk.tls.write, b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 mx.example.org\r\n")

    def handle_error(self, request, client_address):
        pass


def until(what, holds):
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


def sessions(proxy, first, count):
    """Runs so many; how far they came."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        ends = [pool.submit(client, proxy.listening(n % 2), n % 2 == 1, n) for n in range(first, first + count)]
        counts = {}
        for end in ends:
            counts[end.result()] = counts.get(end.result(), 0) + 1
        return counts


def intercepting(directory, upstream, *more):
    return Program("proxy", "-l", "127.0.0.1:0", "-l", "smtps://127.0.0.1:0", "-u", upstream, "--starttls", "intercept",
                   "--ca-cert", directory / "ca.pem", "--ca-key", directory / "ca.key", "-o", "/dev/null", *more)


def goes_back_to_where_it_was(directory, upstream):
    with intercepting(directory, upstream) as proxy:
        proxy.listening(1)
        idle = proxy.descriptors()
        counts = sessions(proxy, 0, SESSIONS // 4)
        until(lambda: f"{proxy.descriptors()} descriptors, not {idle}", lambda: proxy.descriptors() == idle)
        before = proxy.status("VmRSS")
        more = sessions(proxy, SESSIONS, SESSIONS)
        until(lambda: f"{proxy.descriptors()} descriptors, not {idle}", lambda: proxy.descriptors() == idle)
        after = proxy.status("VmRSS")
        print(f"{upstream}: {counts}, then {more}; VmRSS {before} KiB, then {after} KiB")
        assert {"handshake", "secured", "quit"} <= more.keys(), more
        assert after <= before + 2048 or proxy.sanitized(), (before, after)
        # Those who came in between are as well served as ever.
        fine = [client(proxy.listening(0), False, seed) for seed in range(10_000, 10_030)]
        assert "quit" in fine, fine
        # The address sanitizer looks for what was left behind at the end.
        proxy.stop()


def made_ca(directory):
    subprocess.run([SMTPSCOPE, "proxy", "--make-ca", "--ca-cert", directory / "ca.pem", "--ca-key", directory / "ca.key"],
                   check=True, stderr=subprocess.DEVNULL)


def clients_vanish():
    with tempfile.TemporaryDirectory() as name:
        made_ca(pathlib.Path(name))
        goes_back_to_where_it_was(pathlib.Path(name), "sink")


def servers_vanish():
    with tempfile.TemporaryDirectory() as name:
        made_ca(pathlib.Path(name))
        with Server(pathlib.Path(name, "ca.pem"), pathlib.Path(name, "ca.key")) as server:
            goes_back_to_where_it_was(pathlib.Path(name), "%s:%d" % server.server_address)
            server.shutdown()


def a_client_that_closes_its_half_behind_starttls_is_let_go():
    with tempfile.TemporaryDirectory() as name:
        made_ca(pathlib.Path(name))
        with intercepting(pathlib.Path(name), "sink") as proxy, \
                socket.create_connection(proxy.listening(0), DEADLINE) as sock:
            plain_reply(sock)
            sock.sendall(b"EHLO client.example.org\r\nSTARTTLS\r\n")
            sock.shutdown(socket.SHUT_WR)
            assert plain_reply(sock).startswith(b"250 ")
            # Its FIN may overtake the server's handshake or not: in the end it is not left waiting.
            while sock.recv(1000):
                pass
            proxy.stop()


def a_server_that_closes_instead_of_answering_starttls():
    """The client, in TLS from the start, waits for the certificate that the server's would have decided on."""
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        made_ca(pathlib.Path(name))
        with intercepting(pathlib.Path(name), "%s:%d" % listener.getsockname()) as proxy, \
                socket.create_connection(proxy.listening(1), DEADLINE) as sock:
            context = ssl.create_default_context(cafile=pathlib.Path(name, "ca.pem"))
            client = threading.Thread(target=serve_and_close, args=(listener,))
            client.start()
            with context.wrap_socket(sock, server_hostname="mx.example.org") as talk:
                lines = talk.makefile("rb")
                assert lines.readline().startswith(b"421 4.7.0 ")
                assert lines.readline() == b""
            client.join()
            proxy.stop()


def serve_and_close(listener):
    sock, _ = listener.accept()
    with sock:
        sock.sendall(b"220 mx.example.org ESMTP\r\n")
        assert plain_line(sock).startswith(b"EHLO")
        sock.sendall(b"250-mx.example.org\r\n250 STARTTLS\r\n")
        assert plain_line(sock) == b"STARTTLS\r\n"


run([clients_vanish, servers_vanish, a_client_that_closes_its_half_behind_starttls_is_let_go,
     a_server_that_closes_instead_of_answering_starttls])
