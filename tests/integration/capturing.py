# SPDX-License-Identifier: MIT
"""What a capture of the proxy's legs says, against what the proxy itself has said.

Tcpdump records loopback; everything that was sent before stop() is in its file then. legs()
decodes that, and difference() compares a leg with the live events.
"""

import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

PATIENCE = 30
BUFFER_KIB = 65536      # of the kernel: a test writes less than that
_CLONE_NEWNET, _SIOCSIFFLAGS, _IFF_UP = 0x40000000, 0x8914, 1


class Unavailable(Exception):
    """Nothing can be captured here; the text says why."""


def own_loopback():
    """Puts this process, which must have one thread, into a network namespace whose loopback is its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        raise Unavailable(f"no network namespace of its own ({os.strerror(ctypes.get_errno())})")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


class Tcpdump:
    """Records all TCP of the loopback into a file until stop()."""

    def __init__(self, path):
        if shutil.which("tcpdump") is None:
            raise Unavailable("no tcpdump (Debian's package of that name)")
        self.path, self.words = pathlib.Path(path), pathlib.Path(f"{path}.stderr")
        # Its standard output is ours to open: it may become another user.
        with open(self.path, "wb") as out, open(self.words, "wb") as err:
            self.process = subprocess.Popen(
                ["tcpdump", "-i", "lo", "-U", "-B", str(BUFFER_KIB), "-w", "-", "tcp"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        late = time.monotonic() + PATIENCE
        while "listening on" not in self.said():
            if self.process.poll() is not None:
                raise Unavailable(f"tcpdump ended with {self.process.returncode}: {self.said()}")
            assert time.monotonic() < late, f"tcpdump does not listen: {self.said()}"
            time.sleep(0.01)

    def said(self):
        return self.words.read_text(errors="replace").strip()

    def stop(self):
        """Waits until all that was sent is in the file."""
        marker, late = os.urandom(16).hex().encode(), time.monotonic() + PATIENCE
        with socket.create_server(("127.0.0.1", 0)) as server, \
                socket.create_connection(server.getsockname()) as end:
            end.sendall(marker)
            while not self._has(marker):
                assert time.monotonic() < late, f"tcpdump does not write: {self.said()}"
                time.sleep(0.02)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        if "\n0 packets dropped by kernel" not in self.said():
            raise Unavailable(f"tcpdump lost packets: {self.said()}")

    def kill(self):
        """However the test has ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _has(self, marker):
        with open(self.path, "rb") as file:
            file.seek(max(0, self.path.stat().st_size - 65536))
            return marker in file.read()


def legs(smtpscope, capture, *options):
    """{(client, server): events} of all sessions in the capture, in the order of their first octets.

    Addresses are those of a leg's own two ends. Ports in use again make longer lists.
    """
    done = subprocess.run([smtpscope, "decode", "-f", "json", "-q", *map(str, options), capture],
                          capture_output=True, timeout=10 * PATIENCE)
    assert done.returncode == 0, f"decode ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
    sessions, found = {}, {}
    for line in done.stdout.splitlines():
        event = json.loads(line)
        sessions.setdefault(event["session"], []).append(event)
    for events in sessions.values():
        found.setdefault((events[0]["client"], events[0]["server"]), []).append(events)
    return found


# What only one of the two can know, or sees from another place.
_OWN = {
    "open": ("client", "server", "source", "capture"),
    "command": ("forwarded", "forwarded_line", "origin"),
    "reply": ("latency_ms", "origin", "original", "delivered"),
    "ehlo": ("server_keywords",),
    "message": ("server_code", "forwarded_octets"),
    "close": ("duration_ms",),
}


def _seen(event):
    """The event as both must tell it; None: it is of one of them alone."""
    if event["event"] in ("upstream", "rule", "rule-summary", "log"):
        return None
    hidden = ("time", "session", *_OWN.get(event["event"], ()))
    event = {name: value for name, value in event.items() if name not in hidden}
    if "recipients" in event:
        event["recipients"] = [{name: value for name, value in recipient.items() if name != "server_code"}
                               for recipient in event["recipients"]]
    return event


def _all_seen(events):
    return [event for event in map(_seen, events) if event is not None]


def _first_difference(live, captured):
    for at, (one, other) in enumerate(zip(live, captured)):
        if one != other:
            return f"event {at} is\n  live      {json.dumps(one)}\n  captured  {json.dumps(other)}"
    if len(live) == len(captured):
        return None
    name, events = ("live", live) if len(live) > len(captured) else ("captured", captured)
    return f"only {name}: {json.dumps(events[min(len(live), len(captured))])}"


def difference(live, captured):
    """None, or where the events of a session in which the peers alone spoke differ first."""
    return _first_difference(_all_seen(live), _all_seen(captured))


# Behind these the two ends are out of step on purpose: what a reply answers cannot be told from one leg alone.
_OUT_OF_STEP = ("drop", "hold", "inject", "truncate", "repeat", "corrupt")


def _puts_out_of_step(event):
    return event["event"] == "rule" and event["action"].split()[0] in _OUT_OF_STEP


def _on_the_clients_leg(event):
    """Whether the client has sent it, or was sent it."""
    if event["event"] == "reply":
        return event["delivered"]
    if event["event"] == "command":
        return event["origin"] == "client"
    # What a rule made raises no findings, and the server's own reply raises them although it was changed.
    # Whether the client had a forged reply when it sent more cannot be known; a line is cut for the rules' sake.
    return event["event"] != "finding" or (event["side"] == "client" and not event["id"].startswith("pipe.") and
                                           event["id"] != "line.cut")


def _hidden(live):
    """What the client's leg cannot tell as the proxy does: by type, fields, or None: all of it."""
    hidden = {"command": ("pipelined",), "close": ()}
    if any(event["event"] == "close" and event["by"] == "proxy" for event in live):
        # It shows a server that ends the session, in the place of a reply that is owed, and what is said behind that.
        hidden["close"] = ("by", "how", "reason", "commands", "octets")
        hidden["reply"] = ("to",)
        hidden["tls"] = None
        if any(event["event"] == "message" and not event["complete"] for event in live):
            # Ended inside it by a rule, which lets none of it go on: how much more the client had sent.
            hidden["message"] = ("octets", "lines", "header", "complete")
    elif any(event["event"] == "reply" and event["code"] == 421 and event["origin"] != "server" for event in live):
        hidden["close"] = ("by", "how")
    if any(event["event"] == "reply" and event["to"] == "STARTTLS" and event["origin"] != "server" for event in live):
        # The TLS that it begins is for nobody: it is thrown away, and is on the leg all the same.
        hidden["close"] += ("octets", "encrypted")
        hidden["tls"] = None
    return hidden


def _by_type(events, hidden):
    types = {}
    for event in _all_seen(filter(_on_the_clients_leg, events)):
        if hidden.get(event["event"], ()) is None:
            continue
        kept = {name: value for name, value in event.items() if name not in hidden.get(event["event"], ())}
        types.setdefault(event["event"], []).append(kept)
    return types


def difference_on_clients_leg(live, captured):
    """The same for a session in which rules or the proxy acted: of each type, events in their order.

    Where a rule has put the two ends out of step, what is in front of that.
    """
    parted = next((at for at, event in enumerate(live) if _puts_out_of_step(event)), None)
    hidden = _hidden(live)
    live, captured = _by_type(live[:parted], hidden), _by_type(captured, hidden)
    for name in sorted(set(live) | set(captured)):
        one, other = live.get(name, []), captured.get(name, [])
        if parted is not None or (name == "command" and "reply" in hidden):
            other = other[:len(one)]
        found = _first_difference(one, other)
        if found:
            return found
    return None
