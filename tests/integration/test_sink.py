#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`smtpscope sink` by real sockets and real clients: Python's smtplib, swaks, curl."""

import os
import pathlib
import re
import resource
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = os.environ.get("SMTPSCOPE", str(ROOT / "smtpscope"))
MESSAGE = b"From: <ann@example.org>\r\nTo: <bob@example.net>\r\nSubject: x\r\n\r\n.dot\r\n..dots\r\nend\r\n"
SANITIZED = "sanitize" in os.path.dirname(SMTPSCOPE) or "address" in os.path.dirname(SMTPSCOPE)


class Sink:
    """A running sink: its ports by scheme, what it said, and its Maildir where it has one."""

    def __init__(self, *options, listen=("smtp://127.0.0.1:0",), keep=False):
        self.directory = tempfile.TemporaryDirectory(prefix="smtpscope-sink-")
        self.maildir = pathlib.Path(self.directory.name) / "Maildir"
        command = [SMTPSCOPE, "sink", *options]
        for url in listen:
            command += ["-l", url]
        if keep:
            command += ["--save-messages", str(self.maildir)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.said = [self.process.stderr.readline() for _ in listen]
        self.urls = [re.fullmatch(r"listening on ((smtps?|lmtp)://(.+):(\d+))\n", line) for line in self.said]
        assert all(self.urls), self.said
        self.ports = [int(url.group(4)) for url in self.urls]
        self.port = self.ports[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.directory.cleanup()

    def end(self, number=signal.SIGTERM):
        """Ends it as a user does; what else it had said on stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        equal(self.process.returncode, 0, "exit code")
        equal(out, "", "standard output")
        return err

    def files(self, sub="new"):
        return sorted((self.maildir / sub).iterdir())

    def kept(self):
        return [path.read_bytes() for path in self.files()]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_for_descriptors(self, count):
        """Until what its sessions had is closed."""
        until = time.monotonic() + 20
        while self.descriptors() > count:
            check(time.monotonic() < until, f"{self.descriptors()} descriptors are open, not {count}")
            time.sleep(0.01)

    def memory(self):
        """Resident octets."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024


class Client:
    """A socket that knows lines."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=20)
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def reply(self):
        """All lines of one reply."""
        lines = []
        while True:
            line = self.lines.readline()
            lines.append(line)
            if line[3:4] != b"-":
                return b"".join(lines)

    def say(self, line, begins):
        self.send(line + b"\r\n")
        got = self.reply()
        check(got.startswith(begins), f"{line!r} was answered {got!r}, not {begins!r}")
        return got

    def begin(self):
        check(self.reply().startswith(b"220 "), "no greeting")
        self.say(b"EHLO client.example.org", b"250-")
        self.say(b"MAIL FROM:<ann@example.org>", b"250 2.1.0")
        self.say(b"RCPT TO:<bob@example.net>", b"250 2.1.5")


class Skip(Exception):
    pass


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, expected, what):
    check(got == expected, f"{what}: {got!r}, not {expected!r}")


def until(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, what)
        time.sleep(0.02)


def test_a_message_by_smtplib_is_kept():
    with Sink("-v", keep=True) as sink:
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=20) as client:
            client.ehlo("client.example.org")
            equal(sorted(client.esmtp_features), ["8bitmime", "auth", "chunking", "dsn", "enhancedstatuscodes",
                                                  "pipelining", "size", "smtputf8", "starttls"], "EHLO keywords")
            client.login("ann", "secret")
            client.sendmail("ann@example.org", ["bob@example.net", "carol@example.net"], MESSAGE)
        equal(sink.kept(), [b"Return-Path: <ann@example.org>\r\nX-Envelope-To: <bob@example.net>\r\n"
                            b"X-Envelope-To: <carol@example.net>\r\n" + MESSAGE], "the Maildir")
        equal(sink.files()[0].stat().st_mode & 0o777, 0o600, "mode of the file")
        equal(sink.files("tmp"), [], "tmp/")
        name = sink.files()[0].name
        equal(sink.end(), f"message from <ann@example.org> to 2 recipients, {len(MESSAGE)} octets by DATA: 250, "
                          f"kept as new/{name}\n", "standard error")


def test_nothing_is_said_or_kept_without_being_asked():
    with Sink() as sink:
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=20) as client:
            client.sendmail("ann@example.org", ["bob@example.net"], MESSAGE)
        equal(sink.end(signal.SIGINT), "", "standard error")
        equal(list(pathlib.Path(sink.directory.name).iterdir()), [], "the directory")


def test_lmtp_and_ipv6():
    with Sink("-v", listen=("smtp://[::1]:0", "lmtp://127.0.0.1:0"), keep=True) as sink:
        equal([url.group(2) + " " + url.group(3) for url in sink.urls], ["smtp [::1]", "lmtp 127.0.0.1"], "URLs")
        with Client(sink.port, "::1") as client:
            client.begin()
            client.say(b"QUIT", b"221 2.0.0")
        with Client(sink.ports[1]) as client:
            check(client.reply().startswith(b"220"), "no greeting")
            client.say(b"EHLO client.example.org", b"500")
            client.say(b"LHLO client.example.org", b"250-")
            client.say(b"MAIL FROM:<ann@example.org>", b"250")
            client.say(b"RCPT TO:<bob@example.net>", b"250")
            client.say(b"RCPT TO:<carol@example.net>", b"250")
            client.say(b"DATA", b"354")
            client.send(MESSAGE + b".\r\n")
            check(client.reply().startswith(b"250 2.0.0 Ok <bob@example.net>"), "bob's reply")
            check(client.reply().startswith(b"250 2.0.0 Ok <carol@example.net>"), "carol's reply")
            client.say(b"QUIT", b"221")
        equal(len(sink.files()), 1, "messages")


def test_a_port_and_the_default_scheme():
    with Sink(listen=("127.0.0.1:0",)) as sink:
        equal(sink.said, [f"listening on smtp://127.0.0.1:{sink.port}\n"], "what it says")


def test_chunks_with_binary_octets():
    content = bytes(range(256)) * 1000 + b"\r\n.\r\n"
    with Sink(keep=True) as sink:
        with Client(sink.port) as client:
            client.begin()
            for start in range(0, len(content), 100000):
                part = content[start:start + 100000]
                last = start + 100000 >= len(content)
                client.send(b"BDAT %d%s\r\n%s" % (len(part), b" LAST" if last else b"", part))
                check(client.reply().startswith(b"250 2.0.0"), "a chunk is refused")
            client.say(b"QUIT", b"221")
        equal(sink.kept()[0].split(b"\r\n", 2)[2], content, "the content")


def test_content_beyond_size_is_read_to_its_end():
    with Sink("--max-size", "10KiB", keep=True) as sink:
        with Client(sink.port) as client:
            client.begin()
            client.say(b"DATA", b"354")
            client.send(b"0123456789\r\n" * 200000 + b".\r\n")
            check(client.reply().startswith(b"552 5.3.4"), "552")
            client.say(b"MAIL FROM:<ann@example.org> SIZE=10241", b"552 5.3.4")
            client.say(b"MAIL FROM:<ann@example.org> SIZE=10240", b"250")
            client.say(b"QUIT", b"221")
        equal(sink.files() + sink.files("tmp"), [], "files")


def test_a_client_that_vanishes_in_its_content():
    with Sink("-v", keep=True) as sink:
        with Client(sink.port) as client:
            client.begin()
            client.say(b"DATA", b"354")
            client.send(b"half of it\r\n" * 1000)
            until(lambda: sink.files("tmp"), "the message has not begun")
        until(lambda: not sink.files("tmp"), "what was left of it stays in tmp/")
        equal(sink.files(), [], "new/")
        equal(sink.end(), "", "standard error")


def test_quit_with_more_behind_it():
    # Octets that nobody reads make a close a reset, and a reset may overtake the 221.
    with Sink() as sink:
        for _ in range(50):
            with Client(sink.port) as client:
                client.send(b"QUIT\r\n" + b"NOOP\r\n" * 5000)
                check(client.reply().startswith(b"220"), "no greeting")
                check(client.reply().startswith(b"221"), "no 221")
                equal(client.lines.readline(), b"", "behind the 221")


def test_octets_that_are_not_smtp():
    with Sink() as sink:
        for octets in (bytes(range(256)) * 300 + b"\r\n", b"\x16\x03\x01\x02\x00\x01\x00" * 100,
                       b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", b"\r\n" * 1000, b"\0" * 100000 + b"\n"):
            with Client(sink.port) as client:
                client.send(octets)
                check(client.reply().startswith(b"220"), "no greeting")
                check(client.reply().startswith(b"500"), f"{octets[:20]!r} is no error")
        with Client(sink.port) as client:
            client.begin()


def test_a_client_that_does_not_read_is_not_read():
    with Sink() as sink:
        with Client(sink.port) as client:
            before = sink.memory()
            client.socket.setblocking(False)
            sent, stuck = 0, 0
            flood = b"HELP\r\n" * 10000
            while stuck < 50 and sent < 200 << 20:
                try:
                    sent += client.socket.send(flood[sent % len(flood):])
                    stuck = 0
                except BlockingIOError:
                    stuck += 1
                    time.sleep(0.01)
            check(stuck == 50, f"{sent} octets were taken and no reply read")
            check(SANITIZED or sink.memory() - before < 2 << 20, f"it holds {sink.memory() - before} octets more")
            with Client(sink.port) as other:
                other.begin()
            client.socket.settimeout(20)
            client.socket.shutdown(socket.SHUT_WR)
            replies = client.lines.read().count(b"\n214 ")
            equal(replies, sent // 6, "replies")


def test_many_sessions_at_once():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 2000
    if hard < count + 100:
        raise Skip(f"no more than {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 100), hard))
    with Sink() as sink:
        # The process of the sink began with the soft limit that we had then; it raises its own.
        after, idle = [], sink.descriptors()
        for _ in range(4):
            before = sink.memory()
            clients = [Client(sink.port) for _ in range(count)]
            for client in clients:
                check(client.reply().startswith(b"220"), "no greeting")
            each = (sink.memory() - before) / count
            check(SANITIZED or each < 4096, f"{each:.0f} octets a session")
            for client in clients:
                client.send(b"EHLO client.example.org\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n")
            for client in clients:
                equal([client.reply()[:3] for _ in range(4)], [b"250", b"250", b"250", b"354"], "replies")
                client.send(MESSAGE + b".\r\nQUIT\r\n")
            for client in clients:
                equal([client.reply()[:3] for _ in range(2)], [b"250", b"221"], "replies")
                client.__exit__()
            sink.wait_for_descriptors(idle)
            after.append(sink.memory())
        # What the first rounds needed may stay with malloc; the last needs no more.
        check(SANITIZED or after[3] - after[1] < 256 << 10, f"memory after each round: {after}")
        sink.end()


def test_open_sessions_are_told_of_the_end():
    with Sink() as sink:
        with Client(sink.port) as client:
            check(client.reply().startswith(b"220"), "no greeting")
            sink.end()
            check(client.reply().startswith(b"421 4.3.2"), "no 421")
            equal(client.lines.readline(), b"", "behind the 421")


def run(*arguments):
    return subprocess.run([SMTPSCOPE, "sink", *arguments], capture_output=True, text=True, timeout=20, check=False)


def test_what_is_wrong_with_the_command_line():
    done = run("-l", "mx:example.org")
    equal(done.returncode, 2, "exit code of a domain")
    check("mx:example.org" in done.stderr, done.stderr)
    done = run("-l", "mx.example.org:25")
    equal(done.returncode, 2, "exit code of a name")
    with Sink() as sink:
        url = f"smtp://127.0.0.1:{sink.port}"
        done = run("-l", url)
        equal(done.returncode, 1, "exit code of a port that is taken")
        check(url in done.stderr and "in use" in done.stderr, done.stderr)
        # What was bound before the one that fails is given back.
        done = run("-l", "127.0.0.1:0", "-l", url)
        equal(done.returncode, 1, "exit code of a second port that is taken")
    done = run("--save-messages", "/dev/null/here", "-l", "127.0.0.1:0")
    equal(done.returncode, 1, "exit code of a Maildir that cannot be")
    check("--save-messages /dev/null/here: " in done.stderr, done.stderr)
    check("listening" not in done.stderr, done.stderr)


def swaks(*arguments):
    if shutil.which("swaks") is None:
        raise Skip("swaks is not installed")
    done = subprocess.run(["swaks", "--from", "ann@example.org", "--to", "bob@example.net", "--ehlo",
                           "client.example.org", *arguments], capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, "exit code of swaks: " + done.stdout + done.stderr)
    return done.stdout


def test_swaks():
    with Sink("-v", listen=("127.0.0.1:0", "lmtp://127.0.0.1:0"), keep=True) as sink:
        server = f"127.0.0.1:{sink.port}"
        for mechanism in "PLAIN", "LOGIN":
            out = swaks("--server", server, "--auth", mechanism, "--auth-user", "ann", "--auth-password", "secret")
            check("235 2.7.0" in out, out)
        swaks("--server", server, "--pipeline", "--to", "bob@example.net,carol@example.net")
        swaks("--server", server, "--protocol", "SMTP")
        swaks("--server", f"127.0.0.1:{sink.ports[1]}", "--protocol", "LMTP")
        equal(len(sink.files()), 5, "messages")


def test_curl():
    if shutil.which("curl") is None:
        raise Skip("curl is not installed")
    if "smtp" not in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split():
        raise Skip("curl has no SMTP here")
    with Sink(keep=True) as sink:
        for more in [], ["--user", "ann:secret"], ["--user", "ann:secret", "--login-options", "AUTH=LOGIN"]:
            done = subprocess.run(["curl", "--silent", "--show-error", "--url",
                                   f"smtp://127.0.0.1:{sink.port}/client.example.org", "--mail-from", "ann@example.org",
                                   "--mail-rcpt", "bob@example.net", "--upload-file", "-", *more],
                                  input=MESSAGE, capture_output=True, timeout=60, check=False)
            equal(done.returncode, 0, f"exit code of curl: {done.stderr!r}")
        equal([kept.split(b"\r\n", 2)[2] for kept in sink.kept()], [MESSAGE] * 3, "the messages")


def main(names=None):
    passed = failed = skipped = 0
    for name, test in sorted((names or globals()).items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            passed += 1
        except Skip as reason:
            print(f"skipped: {name}: {reason}")
            skipped += 1
        except Exception as problem:  # every one is a failure of this test alone
            print(f"FAILED: {name}: {type(problem).__name__}: {problem}")
            failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
