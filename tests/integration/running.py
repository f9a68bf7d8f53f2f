# SPDX-License-Identifier: MIT
"""What tests of the running program share: start it, wait for what it says, and two ends to put it between.

Everything waits for an event (a line, octets, an exit), never for a time; DEADLINE only ends
a test that would hang.
"""

import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = os.environ.get("SMTPSCOPE", str(ROOT / "smtpscope"))
DEADLINE = float(os.environ.get("TEST_DEADLINE", "30"))


class Lines:
    """The lines of a pipe, as they come, read by a thread."""

    def __init__(self, pipe):
        self.lines, self.ended, self.changed = [], False, threading.Condition()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe):
        for line in pipe:
            with self.changed:
                self.lines.append(line.decode("utf-8").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, wanted, what="a line"):
        """The first line for which wanted(line) holds, once it is there."""
        seen, deadline = 0, time.monotonic() + DEADLINE
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self.lines)
                assert not self.ended, f"the program ended without {what}: {self.lines}"
                assert self.changed.wait(deadline - time.monotonic()), f"no {what}: {self.lines}"

    def all(self):
        """All lines, once the pipe is closed."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.ended, DEADLINE)
            return self.lines


class Program:
    """smtpscope with these arguments; killed, if it has to be, at the end of `with`."""

    def __init__(self, *arguments, preexec=None):
        self.process = subprocess.Popen([SMTPSCOPE, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=preexec)
        self.stdout, self.stderr = Lines(self.process.stdout), Lines(self.process.stderr)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, fault, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if fault is not None:
            print("-- it said, on standard error:", *self.stderr.all()[-60:], sep="\n   ")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """The exit code."""
        return self.process.wait(DEADLINE)

    def stop(self, code=0):
        """SIGTERM; the exit code must be this one."""
        self.signal(signal.SIGTERM)
        got = self.wait()
        assert got == code, f"exit code {got}: {self.stderr.all()}"

    def listening(self, n=0):
        """(host, port) of the n-th listener."""
        found = []

        def wanted(line):
            match = re.fullmatch(r"listening on \w+://\[?([^\]]*?)\]?:(\d+)", line)
            if match and match.groups() not in found:
                found.append(match.groups())
            return len(found) > n

        self.stderr.wait(wanted, "a listener")
        return found[n][0], int(found[n][1])

    def status(self, field):
        """A number of /proc/PID/status."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M).group(1))

    def sanitized(self):
        """Whether it was built with the address sanitizer, which does not give memory back."""
        return "libasan" in pathlib.Path(f"/proc/{self.pid}/maps").read_text()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Proxy(Program):
    """smtpscope proxy that writes JSON Lines to standard output."""

    def __init__(self, *arguments, listen="127.0.0.1:0", preexec=None):
        super().__init__("proxy", "-l", listen, "-f", "json", *arguments, preexec=preexec)

    def events(self):
        """All events, once the program has ended."""
        return [json.loads(line) for line in self.stdout.all()]

    def event(self, **fields):
        """The first event that has these fields, once it is there."""

        def wanted(line):
            event = json.loads(line)
            return all(event.get(name) == value for name, value in fields.items())

        return json.loads(self.stdout.wait(wanted, f"an event with {fields}"))

    def connect(self, n=0):
        return End(socket.create_connection(self.listening(n), DEADLINE))


class End:
    """One end of a connection."""

    def __init__(self, sock):
        sock.settimeout(DEADLINE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.rest = sock, b""

    def send(self, octets):
        self.sock.sendall(octets)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def line(self):
        while b"\n" not in self.rest:
            octets = self.sock.recv(65536)
            assert octets, f"closed behind {self.rest!r}"
            self.rest += octets
        line, self.rest = self.rest.split(b"\n", 1)
        return line + b"\n"

    def reply(self):
        """A whole reply, as (code, text of all lines)."""
        lines = []
        while True:
            line = self.line()
            lines.append(line[4:].rstrip(b"\r\n").decode())
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(lines)

    def say(self, line, code=None):
        """Sends a command and returns its reply."""
        self.send(line.encode() + b"\r\n")
        reply = self.reply()
        assert code is None or reply[0] == code, f"{line}: {reply}"
        return reply

    def to_end(self):
        """(octets, "fin" or "reset"): all that comes."""
        octets = self.rest
        try:
            while more := self.sock.recv(65536):
                octets += more
        except ConnectionResetError:
            return octets, "reset"
        return octets, "fin"


class Server:
    """A listener on loopback whose connections the test answers for."""

    def __init__(self, host="127.0.0.1"):
        self.sock = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.settimeout(DEADLINE)
        self.port = self.sock.getsockname()[1]
        self.url = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def accept(self):
        return End(self.sock.accept()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def free_port():
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def send_message(client, sender="ann@example.org", recipient="bob@example.net", content=b"Subject: x\r\n\r\nx\r\n"):
    """A mail transaction; returns the final reply."""
    client.say(f"MAIL FROM:<{sender}>", 250)
    client.say(f"RCPT TO:<{recipient}>", 250)
    client.say("DATA", 354)
    client.send(content + b".\r\n")
    return client.reply()


class Skipped(Exception):
    """Raised by a test that cannot be made here, with the reason."""


def run(tests):
    """Runs functions, prints what failed and the count, exits."""
    passed = failed = skipped = 0
    wanted = sys.argv[1:]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        try:
            test()
            passed += 1
        except Skipped as reason:
            skipped += 1
            print(f"-- {test.__name__}: skipped: {reason}")
        except Exception:
            failed += 1
            print(f"-- {test.__name__}:")
            traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or not passed else 0)
