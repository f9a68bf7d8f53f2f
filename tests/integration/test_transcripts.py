#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plays tests/transcripts through a running `smtpscope proxy`, between two scripted ends.

Each end writes when both have received all that the write before led to: never after a time.
Octets received must be those of the transcript; the events must be those that the same
transcript leads to without a socket. Writes are cut at random places (a fixed seed a name).

    test_transcripts.py [NAME...]       all, or these alone

SMTPSCOPE is the program, TEST_TRANSCRIPTS the reader of transcripts (build/tests/unit/test_transcripts).
"""

import concurrent.futures
import json
import os
import pathlib
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = pathlib.Path(os.environ.get("SMTPSCOPE", ROOT / "smtpscope")).resolve()
BESIDE = SMTPSCOPE.parent / "tests" / "unit" / "test_transcripts"
READER = pathlib.Path(os.environ.get(
    "TEST_TRANSCRIPTS", BESIDE if BESIDE.exists() else ROOT / "build" / "tests" / "unit" / "test_transcripts"))
SERVER = b"192.0.2.25:25"    # as transcripts call the server
PATIENCE = 20       # seconds until what should have come is missing


class Difference(Exception):
    """The proxy did not do what the transcript says."""


class End:
    """One of the two ends: what it has received, and how its connection stands."""

    def __init__(self, name, sock):
        self.name = name
        self.sock = sock
        self.got = bytearray()
        self.ended = ""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)

    def read(self):
        """Takes what is there; false: nothing was."""
        if self.ended or self.sock.fileno() < 0:
            return False
        try:
            octets = self.sock.recv(1 << 16)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            self.ended = "reset"
            return True
        self.got += octets
        if not octets:
            self.ended = "close"
        return True

    def leave(self, how):
        if how == "close":
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass        # the other side was faster
        elif how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()


def address_of(name):
    return "%s:%d" % name


class Player:
    """One transcript, one proxy, one session."""

    def __init__(self, path, directory):
        self.path = path
        self.script = json.loads(subprocess.run(
            [READER, "--steps", path], check=True, capture_output=True, cwd=ROOT).stdout)
        self.directory = pathlib.Path(directory)
        self.random = random.Random(self.script["name"])
        self.ends, self.sessions = {}, 0
        self.legs = []          # of each session, by end: addresses of the connection's client and server
        self.surplus = []       # octets by which what its client was told of the server's address is longer
        self.lines = self.directory / "events.jsonl"

    def listen(self):
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        if all(step["server_is"] != "refused" for step in self.script["steps"]):
            sock.listen(1)
        sock.setblocking(False)
        return sock

    def start(self, port):
        scheme = "lmtp" if self.script["lmtp"] else "smtp"
        command = [SMTPSCOPE, "proxy", "-l", f"{scheme}://127.0.0.1:0", "-u", f"{scheme}://127.0.0.1:{port}",
                   "-f", "json", "-o", self.lines, "--seed", str(self.script["seed"]),
                   "--max-line", str(self.script["max_line"]), "--max-content", str(self.script["max_content"])]
        if self.script["show_secrets"]:
            command.append("--show-secrets")
        if self.script["rules"]:
            rules = self.directory / (self.script["name"] + ".rules")
            rules.write_bytes(bytes.fromhex(self.script["rules"]))
            command += ["-r", rules]
        self.stderr = open(self.directory / "stderr", "w+")
        self.proxy = subprocess.Popen(command, stderr=self.stderr, stdin=subprocess.DEVNULL, cwd=ROOT)
        self.wait(lambda: "listening on " in self.said() or self.proxy.poll() is not None,
                  lambda: "the proxy does not listen")
        if self.proxy.poll() is not None:
            raise Difference(f"the proxy ended at once: {self.said()}")
        return int(self.said().split("listening on ")[1].split()[0].rsplit(":", 1)[1])

    def said(self):
        return pathlib.Path(self.stderr.name).read_text(errors="replace")

    def wait(self, done, complaint):
        """Reads from both ends until done() holds."""
        late = time.monotonic() + PATIENCE
        while not done():
            for end in self.ends.values():
                while end.read():
                    pass
            if done():
                return
            if time.monotonic() > late:
                raise Difference(complaint())
            readable = [end.sock for end in self.ends.values() if not end.ended and end.sock.fileno() >= 0]
            select.select(readable, [], [], 0.005)

    def received(self):
        return all(bytes(end.got) == self.want[name] and end.ended == self.want_ended[name]
                   for name, end in self.ends.items())

    def differences(self):
        said = []
        for name, end in self.ends.items():
            got, want = bytes(end.got), bytes(self.want[name])
            if got == want and end.ended == self.want_ended[name]:
                continue
            same = len(os.path.commonprefix([got, want]))
            said.append(f"the {name} received {got[same:same + 200]!r} ({end.ended or 'open'}) where it should have "
                        f"received {want[same:same + 200]!r} ({self.want_ended[name] or 'open'}), "
                        f"behind {same} octets that are right")
        return "; ".join(said)

    def check_not_too_much(self):
        for name, end in self.ends.items():
            if not self.want[name].startswith(end.got):
                raise Difference(self.differences())

    def write(self, end, octets):
        """Sends octets, cut at random places."""
        cuts = sorted({self.random.randrange(len(octets)) for _ in range(self.random.randrange(8))} if octets else ())
        for begin, until in zip([0, *cuts], [*cuts, len(octets)]):
            piece = memoryview(octets)[begin:until]
            while piece:
                try:
                    piece = piece[end.sock.send(piece):]
                except BlockingIOError:
                    self.wait_writable(end)
                except (BrokenPipeError, ConnectionResetError):
                    return      # what was to be received says whether that is right
            time.sleep(0)

    def wait_writable(self, end):
        late = time.monotonic() + PATIENCE
        while not select.select([], [end.sock], [], 0.01)[1]:
            for other in self.ends.values():
                other.read()
            if time.monotonic() > late:
                raise Difference(f"the {end.name}'s octets are not taken")

    def events(self):
        return self.lines.read_bytes().count(b"\n") if self.lines.exists() else 0

    def play(self, step):
        begun = time.monotonic()
        for name in ("client", "server"):
            self.want[name] += bytes.fromhex(step[name]["received"]).replace(SERVER, self.address)
            self.want_ended[name] = step[name]["ended"] or self.want_ended[name]
        if step["writer"]:
            end = self.ends[step["writer"]]
            self.write(end, bytes.fromhex(step["octets"]))
            end.leave(step["ends"])
            if step["ends"] == "reset":
                # The end itself knows nothing of what comes behind its reset.
                del self.ends[step["writer"]]
        self.wait(lambda: self.received() or self.check_not_too_much(), self.differences)
        took = (time.monotonic() - begun) * 1e6
        if took < step["takes_us"]:
            raise Difference(f"this took {took:.0f} us, not at least {step['takes_us']}")
        if not any(step[name]["received"] or step[name]["ended"] for name in ("client", "server")):
            # Nothing arrives anywhere: that the proxy has read it can only be seen in its events.
            self.wait(lambda: self.events() >= step["events"],
                      lambda: f"only {self.events()} events, not {step['events']}")

    def begin(self, step):
        """A session begins; the one before is over."""
        if self.sessions:
            self.end()
        self.sessions += 1
        self.want = {"client": bytearray(), "server": bytearray()}
        self.want_ended = {"client": "", "server": ""}
        client, proxy = socket.socket(), ("127.0.0.1", self.port)
        client.bind(("127.0.0.1", 0))
        self.legs.append({"client": (address_of(client.getsockname()), address_of(proxy))})
        client.settimeout(PATIENCE)
        try:
            client.connect(proxy)
            ended = ""
        except ConnectionResetError:
            ended = "reset"     # so soon that connect() hears of it
        self.ends = {"client": End("client", client)}
        self.ends["client"].ended = ended
        if step["server_is"] == "up":
            self.server.settimeout(PATIENCE)
            accepted, dialler = self.server.accept()
            self.ends["server"] = End("server", accepted)
            self.legs[-1]["server"] = (address_of(dialler), address_of(accepted.getsockname()))
        self.dialled = step["server_is"] != "none"

    def end(self):
        """The session is over when its last event is there; both ends have what they should, then."""
        self.wait(lambda: self.lines.read_bytes().count(b'"event":"close"') == self.sessions,
                  lambda: "the session does not end")
        for end in self.ends.values():
            while end.read():
                pass
            end.sock.close()
        if not self.received():
            raise Difference(self.differences())
        self.surplus.append(self.want["client"].count(self.address) * (len(self.address) - len(SERVER)))
        if not self.dialled and select.select([self.server], [], [], 0)[0]:
            raise Difference("the server was dialled, and should not have been")

    def session(self):
        try:
            for step in self.script["steps"]:
                try:
                    time.sleep(step["pause_us"] / 1e6)
                    if step["begins"]:
                        self.begin(step)
                    self.play(step)
                except Difference as difference:
                    raise Difference(f"{self.path}:{step['line']}: {difference}") from None
            self.end()
        finally:
            for end in self.ends.values():
                if end.sock.fileno() >= 0:
                    end.sock.close()

    def as_written(self, line):
        """The event as it is where the server has the transcripts' address."""
        line = line.replace(self.address, SERVER)
        event = json.loads(line)
        if event["event"] != "close" or not self.surplus[event["session"] - 1]:
            return line
        event["octets"]["server"] -= self.surplus[event["session"] - 1]
        return json.dumps(event).encode() + b"\n"

    def run(self):
        self.server = self.listen()
        try:
            self.address = b"127.0.0.1:%d" % self.server.getsockname()[1]
            self.port = self.start(self.server.getsockname()[1])
            self.session()
        finally:
            self.server.close()
            if hasattr(self, "proxy"):
                self.proxy.send_signal(signal.SIGTERM)
                try:
                    code = self.proxy.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    self.proxy.kill()
                    code = self.proxy.wait()
        if code != self.script["exit"]:
            raise Difference(f"the proxy ended with {code}: {self.said()}")
        self.lines.write_bytes(b"".join(map(self.as_written, self.lines.read_bytes().splitlines(keepends=True))))
        judged = subprocess.run([READER, "--events", self.path, self.lines], capture_output=True, text=True, cwd=ROOT)
        if judged.returncode != 0:
            raise Difference(judged.stderr or f"{READER} ended with {judged.returncode}")


def play(path):
    with tempfile.TemporaryDirectory(prefix="smtpscope-live.") as directory:
        try:
            Player(path, directory).run()
        except Difference as difference:
            return str(difference)
        except subprocess.CalledProcessError as error:
            return error.stderr.decode(errors="replace")
    return None


def main():
    for program in (SMTPSCOPE, READER):
        if not program.exists():
            sys.exit(f"{program} is not there: `make programs` builds it")
    names = sys.argv[1:]
    paths = sorted((ROOT / "tests" / "transcripts").glob("*.txt"))
    paths = [str(path.relative_to(ROOT)) for path in paths if not names or path.stem in names]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for path, difference in zip(paths, pool.map(play, paths)):
            if difference is not None:
                failed += 1
                print(f"{path}: {difference}")
    print(f"{len(paths) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not paths else 0)


if __name__ == "__main__":
    main()
