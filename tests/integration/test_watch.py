#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`smtpscope watch` on a loopback of its own: what it finds, who it becomes, how it ends, what it refuses.

Needs root: without it only what it says then is tested.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile

import capturing
from running import DEADLINE, SMTPSCOPE, Program, Skipped, run

NOBODY = 65534


class Watch(Program):
    """It watches once it is made."""

    def __init__(self, *arguments, preexec=None, interface="lo"):
        super().__init__("watch", "-i", interface, *arguments, preexec=preexec)
        try:
            self.stderr.wait(lambda line: line == f"watching {interface}", "its word that it watches")
        except AssertionError:
            self.process.kill()
            raise

    def event(self, **fields):
        def wanted(line):
            event = json.loads(line)
            return all(event.get(name) == value for name, value in fields.items())

        return json.loads(self.stdout.wait(wanted, f"an event with {fields}"))


def refused(*arguments, code=1, preexec=None):
    done = subprocess.run([SMTPSCOPE, "watch", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=DEADLINE, preexec_fn=preexec)
    assert (done.returncode, done.stdout) == (code, b""), done
    return done.stderr.decode()


def nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def as_root():
    if not ROOT:
        raise Skipped(WHY_NOT)


def talk(port, name):
    """A session by a client of that name with a server of this test's, on this port."""
    with socket.create_server(("127.0.0.1", port)) as listener, \
            socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        server = listener.accept()[0]
        with server:
            for end, octets in ((server, b"220 mx.example.net ESMTP\r\n"), (client, b"EHLO %s\r\n" % name.encode()),
                                (server, b"250 mx.example.net\r\n"), (client, b"QUIT\r\n"), (server, b"221 Bye\r\n")):
                end.sendall(octets)
                other = client if end is server else server
                assert other.recv(100) == octets
            client.shutdown(socket.SHUT_WR)
            assert server.recv(100) == b""


def test_ports_of_smtp_are_watched_by_default():
    """And those of --port; a session on another is not captured at all."""
    as_root()
    with Watch("-f", "json", "--port", "10025") as watch:
        for port, name in ((9999, "other.example.org"), (10025, "own.example.org"), (2525, "usual.example.org")):
            talk(port, name)
        watch.event(session=2, event="close")
        watch.signal(signal.SIGINT)
        assert watch.wait() == 0
        events = [json.loads(line) for line in watch.stdout.all()]
    assert [(e["argument"], e["session"]) for e in events if e["event"] == "command" and e["verb"] == "EHLO"] == \
        [("own.example.org", 1), ("usual.example.org", 2)]
    assert {(e["source"], e["server"]) for e in events if e["event"] == "open"} == \
        {("watch", "127.0.0.1:10025"), ("watch", "127.0.0.1:2525")}
    assert [(e["how"], e["gaps"]) for e in events if e["event"] == "close"] == [("quit", 0)] * 2
    summary = "\n".join(watch.stderr.all())
    assert re.search(r"(?m)^2 sessions in .*2 quit$", summary), summary


def test_a_filter_of_the_users_own():
    as_root()
    with Watch("-f", "json", "tcp port 9999") as watch:
        talk(2525, "usual.example.org")
        talk(9999, "own.example.org")
        assert watch.event(event="command", verb="EHLO")["argument"] == "own.example.org"
        watch.stop()


def test_who_it_becomes():
    """--user, or who called sudo: no rights are left, and the files are theirs."""
    as_root()
    for options, environment in ((["--user", "nobody"], {}), ([], {"SUDO_USER": "nobody"})):
        with tempfile.TemporaryDirectory(prefix="smtpscope-watch.") as directory:
            os.chmod(directory, 0o777)
            path = pathlib.Path(directory) / "events"
            with Watch(*options, "-f", "json", "--json", path, preexec=lambda e=environment: os.environ.update(e)) as watch:
                for field, wanted in (("Uid", NOBODY), ("Gid", NOBODY)):
                    assert watch.status(field) == wanted, field
                status = pathlib.Path(f"/proc/{watch.pid}/status").read_text()
                assert re.search(r"(?m)^CapEff:\s+0+$", status) and re.search(rf"(?m)^Groups:\s+({NOBODY})?\s*$", status), status
                talk(2525, "client.example.org")
                watch.event(event="close")
                watch.stop()
            assert (path.stat().st_uid, '"event":"close"' in path.read_text()) == (NOBODY, True)


def test_ends_with_what_is_open():
    """Ctrl-C inside a session: what was said so far is told, and that it had not ended."""
    as_root()
    with Watch("-f", "json") as watch, socket.create_server(("127.0.0.1", 2525)) as listener:
        with socket.create_connection(("127.0.0.1", 2525), DEADLINE) as client, listener.accept()[0] as server:
            server.sendall(b"220 mx.example.net ESMTP\r\n")
            assert client.recv(100)
            watch.event(event="reply", to="CONNECT")
            watch.signal(signal.SIGINT)
            assert watch.wait() == 0
    (close,) = [json.loads(line) for line in watch.stdout.all() if '"event":"close"' in line]
    assert close["how"] == "capture-end", close


def test_what_it_cannot_do_it_says():
    assert "-i IFACE is missing" in refused(code=2)
    assert "put it in quotes" in refused("-i", "lo", "tcp", "port", code=2)
    if not ROOT:
        assert "CAP_NET_RAW" in refused("-i", "lo")
        raise Skipped("what only root can do: " + WHY_NOT)
    assert "CAP_NET_RAW" in refused("-i", "lo", preexec=nobody)
    said = refused("-i", "nosuch0")
    assert "nosuch0: No such device" in said and "lo" in said.partition("there are ")[2], said
    assert 'the filter "tcp prt 25"' in refused("-i", "lo", "tcp prt 25")
    assert 'there is no user "nobody-at-all"' in refused("-i", "lo", "--user", "nobody-at-all")
    assert "only root can" not in refused("-i", "lo", "--user", "root", preexec=nobody)


if __name__ == "__main__":
    ROOT, WHY_NOT = os.geteuid() == 0, "not root"
    if ROOT:
        try:
            capturing.own_loopback()    # in front of all threads
        except capturing.Unavailable as why:
            ROOT, WHY_NOT = False, str(why)
    run([test for name, test in list(globals().items()) if name.startswith("test_")])
