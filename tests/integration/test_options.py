#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each option, signal and exit code does what smtpscope(1) says, on the running program.

    test_options.py [WORD...]       all tests, or those with one of the words in their name
"""

import base64
import contextlib
import json
import os
import pathlib
import queue
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = os.environ.get("SMTPSCOPE", str(ROOT / "smtpscope"))
PATIENCE = 30       # seconds; only what hangs takes so long


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, expected, what):
    check(got == expected, f"{what}: {got!r}, not {expected!r}")


class Program:
    """A running smtpscope; what it says on both streams is read as it comes."""

    def __init__(self, *arguments, listeners=1):
        self.process = subprocess.Popen([SMTPSCOPE, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said, self.out = [], []
        self._lines = queue.Queue()
        self._readers = [threading.Thread(target=self._read, args=(stream, kept), daemon=True)
                         for stream, kept in ((self.process.stderr, self.said), (self.process.stdout, self.out))]
        for reader in self._readers:
            reader.start()
        self.urls = []
        while len(self.urls) < listeners:
            line = self.wait_for("listening on ")
            self.urls.append(line.strip().removeprefix("listening on "))
        self.ports = [int(url.rpartition(":")[2]) for url in self.urls]
        self.port = self.ports[0] if self.ports else None

    def _read(self, stream, kept):
        for line in stream:
            kept.append(line)
            self._lines.put((kept, line))
        self._lines.put((kept, None))

    def wait_for(self, begins, where=None):
        """The next line, on stderr or on `where`, that begins so."""
        where = self.said if where is None else where
        while True:
            kept, line = self._lines.get(timeout=PATIENCE)
            check(line is not None or kept is not where, f"it ended without {begins!r}: {self.said}")
            if kept is where and line is not None and line.startswith(begins):
                return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def wait(self):
        code = self.process.wait(timeout=PATIENCE)
        for reader in self._readers:
            reader.join(timeout=PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        return code

    def end(self, expected=0):
        """Stops it as a user does; all of its standard output."""
        self.process.send_signal(signal.SIGTERM)
        code = self.wait()
        check(code == expected, f"exit code {code}, not {expected}; it said {self.said}")
        return "".join(self.out)


def proxy(*arguments, **more):
    return Program("proxy", "-l", "127.0.0.1:0", *arguments, **more)


def run(*arguments):
    """Runs it to its end."""
    done = subprocess.run([SMTPSCOPE, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE)
    return done.returncode, done.stdout, done.stderr


class Client:
    """A socket that knows replies."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def reply(self):
        lines = []
        while True:
            line = self.lines.readline()
            lines.append(line)
            if line[3:4] != b"-":
                return b"".join(lines)

    def say(self, line, begins=b""):
        self.send(line + b"\r\n")
        got = self.reply()
        check(got.startswith(begins), f"{line!r} was answered {got!r}, not {begins!r}")
        return got

    def begin(self, helo=b"client.example.org"):
        check(self.reply().startswith(b"220 "), "no greeting")
        return self.say(b"EHLO " + helo, b"250-")

    def message(self, content=b"Subject: x\r\n\r\nHello.\r\n", expected=b"250"):
        self.say(b"MAIL FROM:<ann@example.org>", b"250")
        self.say(b"RCPT TO:<bob@example.net>", b"250")
        self.say(b"DATA", b"354")
        return self.say(content + b".", expected)

    def quit(self):
        self.say(b"QUIT", b"221")
        equal(self.lines.read(), b"", "behind the 221")


def one_session(port, **more):
    with Client(port, **more) as client:
        client.begin()
        client.message()
        client.quit()


def events_of(text):
    return [json.loads(line) for line in text.splitlines()]


def only(events, event, **fields):
    return [e for e in events if e["event"] == event and all(e.get(k) == v for k, v in fields.items())]


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="smtpscope-options-") as name:
        yield pathlib.Path(name)


@contextlib.contextmanager
def rules(text, *more):
    """Rule files, for -r."""
    with folder() as directory:
        paths = []
        for i, one in enumerate((text, *more)):
            paths.append(directory / f"{i}.rules")
            paths[-1].write_text(one)
        yield paths if more else paths[0]


def wait_until(what, condition):
    """For what leaves no line behind: a file, a process."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("waited for " + what)


# What says something and ends.

def test_version_and_help():
    code, out, err = run("--version")
    equal((code, err), (0, ""), "--version")
    check(re.fullmatch(r"smtpscope \d+\.\d+\.\d+\n", out), out)
    for arguments in (["help"], ["--help"], ["-h"], ["help", "proxy"], ["sink", "-h"]):
        code, out, err = run(*arguments)
        equal((code, err), (0, ""), arguments)
        check(out.startswith("usage: smtpscope "), out)
    code, out, err = run()
    equal((code, out), (2, ""), "without a word")
    check(err.startswith("usage: ") and err.count("\n") <= 4, err)


def test_list_findings():
    for arguments in (["--list-findings"], ["proxy", "--list-findings"], ["explain", "--list-findings"]):
        code, out, err = run(*arguments)
        equal((code, err), (0, ""), arguments)
        rows = out.splitlines()[1:]
        check(len(rows) >= 9, out)
        for row in rows:
            name = row.split()[0]
            equal(run("explain", name)[0], 0, "explain " + name)


def test_wrong_command_lines():
    for arguments in (["proxi"], ["proxy", "--lisen", "x"], ["proxy", "-r"], ["proxy", "operand"], ["check"],
                      ["ctl", "socket"], ["ctl", "socket", "ruels"], ["proxy", "--transparent", "redirect"], ["sink", "-r", "x"],
                      ["proxy", "-l", "127.0.0.1:port"], ["proxy", "-u", "ftp://example.org"]):
        code, out, err = run(*arguments)
        equal((code, out), (2, ""), arguments)
        check(err.startswith("smtpscope: ") and err.endswith("\n"), err)


def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        done = subprocess.run([SMTPSCOPE, "help"], stdout=full, stderr=subprocess.PIPE, text=True)
    equal(done.returncode, 1, "help >/dev/full")
    check("standard output" in done.stderr, done.stderr)
    with folder() as directory:
        code, _, err = run("proxy", "-l", "127.0.0.1:0", "-o", directory / "none" / "file")
        equal(code, 1, "-o in a folder that is not there")
        check("none/file" in err, err)
    with proxy("-o", "/dev/full") as program:
        one_session(program.port)
        program.end(1)
        check(any("lost" in line for line in program.said), program.said)


def test_make_ca():
    with folder() as directory:
        cert, key = directory / "ca.pem", directory / "ca.key"
        names = ["--ca-cert", cert, "--ca-key", key]
        code, out, err = run("proxy", "--make-ca", *names)
        equal((code, out), (0, ""), "--make-ca")
        equal(stat.S_IMODE(key.stat().st_mode), 0o600, "the key's mode")
        trust = [line for line in err.splitlines() if "trust" in line]
        check(len(trust) == 1 and str(cert) in trust[0], err)
        verify = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", cert, cert], capture_output=True,
                                text=True)
        equal(verify.returncode, 0, verify.stderr)
        before = cert.read_bytes(), key.read_bytes()
        code, _, err = run("proxy", "--make-ca", *names)
        equal(code, 2, "--make-ca over files that are there")
        check("not written over" in err, err)
        # One of them alone is there: the other is not left behind.
        code, _, err = run("proxy", "--make-ca", "--ca-cert", cert, "--ca-key", directory / "other.key")
        equal(code, 2, "--make-ca over a certificate")
        equal(sorted(directory.iterdir()), [key, cert], "files")
        equal((cert.read_bytes(), key.read_bytes()), before, "the files")
        # Where sessions are to be relayed, too, what is there will do.
        with proxy("--make-ca", *names) as program:
            one_session(program.port)
            program.end()
        equal((cert.read_bytes(), key.read_bytes()), before, "the files")
        for arguments in (["--make-ca"], ["--make-ca", "--ca-cert", directory / "a"],
                          ["--make-ca", "--ca-cert", directory / "a", "--ca-key", directory / "a"]):
            equal(run("proxy", *arguments)[0], 2, arguments)
        equal(run("proxy", "--make-ca", "--ca-cert", directory / "no" / "a", "--ca-key", directory / "b")[0], 1,
              "a folder that is not there")
        equal(sorted(directory.iterdir()), [key, cert], "files")


# What is listened on, and what is behind.

def test_listeners():
    with Program("proxy", "-l", "127.0.0.1:0", "--listen", "smtp://[::1]:0", "-l", "localhost:0",
                 listeners=3) as program:
        check(re.fullmatch(r"smtp://127\.0\.0\.1:\d+", program.urls[0]), program.urls)
        check(re.fullmatch(r"smtp://\[::1\]:\d+", program.urls[1]), program.urls)
        one_session(program.ports[0])
        one_session(program.ports[1], host="::1")
        equal(program.end().count("** "), 6, "lines of two sessions")


def test_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, err = run("proxy", "-l", f"127.0.0.1:{taken.getsockname()[1]}")
        equal(code, 1, "exit code")
        check("in use" in err, err)


def test_upstreams_in_order():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()[1]
    with Program("sink", "-l", "127.0.0.1:0") as sink:
        with proxy("-f", "json", "-u", f"127.0.0.1:{dead}", "--upstream", f"smtp://127.0.0.1:{sink.port}") as program:
            one_session(program.port)
            events = events_of(program.end())
    equal([(e["outcome"], e["server"]) for e in only(events, "upstream")],
          [("refused", f"127.0.0.1:{dead}"), ("connected", f"127.0.0.1:{sink.port}")], "attempts")


def test_no_upstream():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()[1]
    with proxy("-f", "json", "-u", f"127.0.0.1:{dead}") as program:
        with Client(program.port) as client:
            check(client.reply().startswith(b"421 4.4.1 "), "not refused by 421 4.4.1")
            equal(client.lines.read(), b"", "behind it")
        events = events_of(program.end())
    close, = only(events, "close")
    equal((close["by"], close["how"]), ("proxy", "upstream"), "close")
    check(close["reason"], "no reason")


def test_connect_timeout():
    # Linux drops a SYN where the backlog is full: two connections that nobody accepts fill it.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        port, full = deaf.getsockname()[1], []
        for _ in range(2):
            full.append(socket.socket())
            full[-1].setblocking(False)
            full[-1].connect_ex(("127.0.0.1", port))
        with proxy("-f", "json", "-u", f"127.0.0.1:{port}", "--connect-timeout", "300ms") as program:
            with Client(program.port) as client:
                check(client.reply().startswith(b"421 4.4.1 "), "no 421 4.4.1")
            attempt, = only(events_of(program.end()), "upstream")
        for one in full:
            one.close()
    equal(attempt["outcome"], "timeout", "outcome")
    check(250 <= attempt["duration_ms"] <= 5000, attempt)


# Outputs.

def test_text_is_the_default():
    with proxy() as program:
        one_session(program.port)
        text = program.end()
    for part in ("EHLO client.example.org", "MAIL FROM:<ann@example.org>", "221 ", "\tto CONTENT"):
        check(part in text, text)
    check("\x1b" not in text, "colours in a pipe")
    check("Hello." not in text, "content without -v")
    with proxy("-f", "text", "-v") as program:
        one_session(program.port)
        check("Hello." in program.end(), "no content with -v")


def test_json_on_stdout():
    with proxy("-f", "json") as program:
        one_session(program.port)
        events = events_of(program.end())
    equal([e["event"] for e in events if e["event"] in ("open", "close")], ["open", "close"], "events")
    equal({e["session"] for e in events}, {1}, "session")
    equal(only(events, "message")[0]["recipients"][0]["address"], "bob@example.net", "recipient")


def test_output_files():
    with folder() as directory:
        out, lines = directory / "out.txt", directory / "out.jsonl"
        out.write_text("what was there\n")
        with proxy("-o", out, "--json", lines) as program:
            one_session(program.port)
            equal(program.end(), "", "standard output")
        equal(stat.S_IMODE(lines.stat().st_mode), 0o600, "mode")
        check(out.read_text().startswith("what was there\n#1"), out.read_text())
        equal(len(only(events_of(lines.read_text()), "close")), 1, "close events")


def test_reopened_on_sigusr1():
    with folder() as directory:
        out, lines = directory / "out", directory / "lines"
        with proxy("-o", out, "--json", lines) as program:
            one_session(program.port)
            wait_until("the first session", lambda: "close" in lines.read_text() and "close" in out.read_text())
            for path in (out, lines):
                path.rename(path.with_suffix(".1"))
            program.process.send_signal(signal.SIGUSR1)
            wait_until("new files", lambda: out.exists() and lines.exists())
            one_session(program.port)
            program.end()
        for name in ("lines", "lines.1"):
            sessions = {e["session"] for e in events_of((directory / name).read_text())}
            equal(sessions, {1} if name.endswith(".1") else {2}, name)
        check("#1" in (directory / "out.1").read_text() and "#2" in out.read_text(), "text")


def test_written_within_50_ms():
    """An event is in a pipe while its session goes on."""
    with proxy("-f", "json") as program, Client(program.port) as client:
        client.begin()
        said = time.monotonic()
        program.wait_for('{', program.out)
        while not any('"event":"ehlo"' in line for line in program.out):
            program.wait_for('{', program.out)
        check(time.monotonic() - said < 2, "an event took seconds")       # a busy machine is no failure
        client.quit()


def test_secrets():
    secret = base64.b64encode(b"\0ann\0open sesame")
    for options, shown in (((), False), (("--show-secrets",), True)):
        with folder() as directory:
            with proxy("-o", directory / "text", "--json", directory / "json", "-v", *options) as program:
                with Client(program.port) as client:
                    client.begin()
                    client.say(b"AUTH PLAIN " + secret, b"235")
                    client.quit()
                program.end()
                written = (directory / "text").read_text() + (directory / "json").read_text() + "".join(program.said)
        equal(secret.decode() in written, shown, f"the secret is shown with {options}")
        equal('"secret":' in written, shown, f"the field is there with {options}")
        check("open sesame" not in written, "the password, decoded")
        check(shown or "***" in written, "no mask")


def test_summary_and_sessions():
    with proxy("--summary") as program:
        one_session(program.port)
        one_session(program.port)
        text = program.end()
    check(text.startswith("2 sessions"), text)
    check("EHLO" not in text, "events beside the summary")
    check(not any("2 sessions" in line for line in program.said), "the summary twice")
    with proxy("--sessions") as program:
        one_session(program.port)
        program.wait_for("#1", program.out)
        one_session(program.port)
        text = program.end()
    equal([line.split()[0] for line in text.splitlines()], ["#1", "#2"], "a line a session")


def test_quiet():
    with proxy() as program:
        program.end()
        check(any(line.startswith("0 sessions") for line in program.said), program.said)
    with proxy("-q") as program:
        program.end()
        equal([line for line in program.said if not line.startswith("listening on ")], [], "stderr with -q")


def test_fail_on():
    for severity, line, code in (("warning", b"NOOP", 0), ("warning", b"NOOP\n", 3), ("error", b"NOOP\n", 0),
                                 ("note", b"FROB", 3), ("info", b"FROB", 3), ("warning", b"FROB", 0)):
        with proxy("-f", "json", "--fail-on", severity) as program:
            with Client(program.port) as client:
                client.begin()
                client.send(line if line.endswith(b"\n") else line + b"\r\n")
                client.reply()
                client.quit()
            program.end(code)
            equal(any("--fail-on" in said for said in program.said), code == 3, f"{severity} {line} said")


# Rules.

ANSWER = 'rule "%s" { on RCPT %s reply %s "no" }\n'


def test_rule_files_in_order():
    with rules(ANSWER % ("first", "", "451 4.3.0"), ANSWER % ("second", "", "452 4.3.1")) as (first, second):
        for order, code in (((first, second), b"451"), ((second, first), b"452")):
            with proxy("-r", order[0], "--rules", order[1]) as program:
                with Client(program.port) as client:
                    client.begin()
                    client.say(b"MAIL FROM:<>", b"250")
                    client.say(b"RCPT TO:<bob@example.net>", code)
                    client.quit()
                program.end()


def test_wrong_rule_files():
    with rules('rule "x" { on RCPT repyl 421 "x" }\n', 'rule "y" { on RCTP drop }\n') as (first, second):
        for command in ("proxy", "check"):
            code, _, err = run(command, "-r", first, "-r", second)
            equal(code, 2, command)
            for part in ("0.rules:1:20: ", "did you mean reply?", "1.rules:1:15: ", "did you mean RCPT?", "\n" + " " * 19 + "^"):
                check(part in err, f"no {part!r} in {err}")
    with folder() as directory:
        capture = directory / "x.pcap"
        capture.write_bytes(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(16))
        code, _, err = run("proxy", "-r", capture)
        equal(code, 2, "a capture as a rule file")
        check("capture" in err, err)
        code, _, err = run("proxy", "-r", directory / "none.rules")
        equal(code, 2, "no such rule file")
        check("none.rules" in err, err)


def chances(*options):
    """Which of twenty clients the rule hit, and what the program said."""
    with rules(ANSWER % ("half", "chance 50%", "451 4.3.0")) as file, proxy("-r", file, *options) as program:
        hit = []
        for i in range(20):
            with Client(program.port) as client:
                client.begin(b"client%d.example.org" % i)
                client.say(b"MAIL FROM:<>", b"250")
                hit.append(client.say(b"RCPT TO:<bob@example.net>").startswith(b"451"))
                client.quit()
        program.end()
        return hit, program.said


def test_seed():
    first, said = chances("--seed", "1")
    check(not any("--seed" in line for line in said), said)
    equal(chances("--seed", "1")[0], first, "the same seed")
    check(0 < sum(first) < 20, first)
    check(chances("--seed", "2")[0] != first, "another seed")
    hit, said = chances()
    seed = [found.group(1) for found in (re.search(r"--seed (\d+)", line) for line in said) if found]
    equal(len(seed), 1, f"the seed is printed once in {said}")
    equal(chances("--seed", seed[0])[0], hit, "the printed seed")


def test_expect():
    with rules('rule "came back" { on MAIL expect at least 2 }\n') as file:
        for sessions, code in ((1, 3), (2, 0)):
            with proxy("-r", file) as program:
                for _ in range(sessions):
                    one_session(program.port)
                program.end(code)
                equal(any("came back" in line and "at least 2" in line for line in program.said), code == 3,
                      f"said: {program.said}")


def test_failure_wins_over_expect():
    with rules('rule "never" { on MAIL expect at least 1 }\n') as file, proxy("-r", file, "-o", "/dev/full") as program:
        with Client(program.port) as client:
            client.begin()
            client.quit()
        program.end(1)


def test_reload_on_sighup():
    with rules(ANSWER % ("x", "", "451 4.3.0")) as file, proxy("-r", file) as program:
        def asked():
            with Client(program.port) as client:
                client.begin()
                client.say(b"MAIL FROM:<>", b"250")
                got = client.say(b"RCPT TO:<bob@example.net>")
                client.quit()
                return got[:3]
        equal(asked(), b"451", "before")
        file.write_text(ANSWER % ("x", "", "552 5.2.2"))
        equal(asked(), b"451", "before SIGHUP")
        with Client(program.port) as begun:
            begun.begin()
            program.process.send_signal(signal.SIGHUP)
            program.wait_for("smtpscope: rules reloaded")
            equal(asked(), b"552", "a new session")
            begun.say(b"MAIL FROM:<>", b"250")
            begun.say(b"RCPT TO:<bob@example.net>", b"451")
        file.write_text("rule rule\n")
        program.process.send_signal(signal.SIGHUP)
        program.wait_for(f"{file}:1:6: ")
        program.wait_for("smtpscope: the rules in force stay")
        equal(asked(), b"552", "after a wrong file")
        program.end()


def test_reload_keeps_counts():
    """A rule with the same name and text keeps its counts; one that changed begins anew."""
    same = ANSWER % ("same", "limit 1", "451 4.3.0")
    with rules(same + 'rule "other" { on RCPT expect at least 1 }\n') as file, proxy("-r", file, "-f", "json") as program:
        def asked():
            with Client(program.port) as client:
                client.begin()
                client.say(b"MAIL FROM:<>", b"250")
                got = client.say(b"RCPT TO:<bob@example.net>")
                client.quit()
                return got[:3]
        equal((asked(), asked()), (b"451", b"250"), "the limit")
        file.write_text("# A comment.\n" + same)
        program.process.send_signal(signal.SIGHUP)
        program.wait_for("smtpscope: rules reloaded")
        equal(asked(), b"250", "the limit is used up still")
        file.write_text(ANSWER % ("same", "limit 1", "452 4.3.1"))
        program.process.send_signal(signal.SIGHUP)
        program.wait_for("smtpscope: rules reloaded")
        equal((asked(), asked()), (b"452", b"250"), "a rule that changed")
        program.end()


def test_check():
    with rules(ANSWER % ("first", "limit 1", "451 4.3.0") + ANSWER % ("second", "", "451 4.3.0")) as file:
        equal(run("check", file), (0, f"{file}: 2 rules\n", ""), "check")
        equal(run("check", "-q", file), (0, "", ""), "check -q")
        code, out, err = run("check", "-v", "-r", file)
        equal((code, out), (0, f"{file}: 2 rules\n"), "check -v")
        equal(err, f'{file}:1: rule "first"\n{file}:2: rule "second"\n', "check -v on stderr")


# Limits.

def test_grace():
    for options, signals, least, most in ((("--grace", "400ms"), 1, 0.3, 4), (("--grace", "20s"), 2, 0, 10),
                                          (("--grace", "0"), 1, 0, 4)):
        with proxy("-f", "json", *options) as program, Client(program.port) as client:
            client.begin()
            began = time.monotonic()
            program.process.send_signal(signal.SIGTERM)
            if signals == 2:
                program.wait_for("smtpscope: stopping")
                with contextlib.suppress(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", program.port), timeout=PATIENCE).close()
                    raise AssertionError("it accepts while it stops")
                client.say(b"NOOP", b"250")
                program.process.send_signal(signal.SIGTERM)
            equal(program.wait(), 0, "exit code")
            took = time.monotonic() - began
        check(least <= took <= most, f"{options}: {took} s")
        close, = only(events_of("".join(program.out)), "close")
        equal((close["by"], close["how"]), ("proxy", "stop"), "close")


def test_sessions_finish_in_grace():
    with proxy("-f", "json") as program, Client(program.port) as client:
        client.begin()
        program.process.send_signal(signal.SIGINT)
        program.wait_for("smtpscope: stopping")
        client.message()
        client.quit()
        equal(program.wait(), 0, "exit code")
    close, = only(events_of("".join(program.out)), "close")
    equal(close["how"], "quit", "close")


def test_idle_timeout():
    with proxy("-f", "json", "--idle-timeout", "300ms") as program, Client(program.port) as client:
        client.begin()
        began = time.monotonic()
        client.lines.read()
        check(0.2 <= time.monotonic() - began <= 5, "ended at the wrong time")
        close, = only(events_of(program.end()), "close")
    equal((close["by"], close["how"]), ("proxy", "timeout"), "close")


def test_max_line():
    line = b"NOOP " + b"x" * 600
    for options, cut in ((("--max-line", "256"), True), (("--max-line", "1KiB"), False), ((), False)):
        with proxy("-f", "json", *options) as program:
            with Client(program.port) as client:
                client.begin()
                client.say(line)
                client.quit()
            events = events_of(program.end())
        command, = only(events, "command", verb="NOOP")
        equal(command.get("argument_octets"), 600 if cut else None, f"true length with {options}")
        equal(len(command["argument"]) < 600, cut, "cut")
        equal(len(only(events, "finding", id="line.cut")), int(cut), "finding")


def test_max_content():
    """A last chunk beyond --max-content is not withheld from the server for a rule at its end."""
    text = 'rule "full" { on CONTENT-END reply 452 4.3.1 "full" }\n'
    for options in (("--max-content", "100"), ()):
        with rules(text) as file, proxy("-f", "json", "-r", file, *options) as program:
            with Client(program.port) as client:
                client.begin()
                client.say(b"MAIL FROM:<ann@example.org>", b"250")
                client.say(b"RCPT TO:<bob@example.net>", b"250")
                client.send(b"BDAT 400 LAST\r\n" + b"0123456\r\n" * 44 + b"ab\r\n")
                check(client.reply().startswith(b"452 4.3.1"), "not answered by the rule")
                closes = client.say(b"NOOP")[:3]
            program.end()
        # What was withheld is taken back by RSET; what went to the server costs its connection.
        equal(closes, b"421" if options else b"250", f"the next command with {options}")


def test_max_sessions():
    with proxy("--max-sessions", "1") as program:
        with Client(program.port) as client:
            client.begin()
            with Client(program.port) as second:
                check(second.reply().startswith(b"421 4.3.2 "), "a second session")
                equal(second.lines.read(), b"", "behind the 421")
            client.quit()
        # Another worker may take the next client before the end of the first session is seen.
        deadline = time.monotonic() + 20
        while True:
            with Client(program.port) as client:
                greeting = client.reply()
                if greeting.startswith(b"220 "):
                    client.quit()
                    break
            check(time.monotonic() < deadline, f"still no room: {greeting!r}")
        program.end()
        check(any("--max-sessions" in line for line in program.said), program.said)


def test_max_size():
    for command in ("proxy", "sink"):
        with Program(command, "-l", "127.0.0.1:0", "--max-size", "1KiB") as program:
            with Client(program.port) as client:
                check(b"SIZE 1024\r\n" in client.begin(), "not announced")
                client.message(b"x" * 70 + b"\r\n")
                client.say(b"MAIL FROM:<ann@example.org> SIZE=2000", b"552")
                client.message((b"x" * 70 + b"\r\n") * 20, b"552")
                client.quit()
            program.end()


def test_starttls_pass():
    with proxy("--starttls", "pass") as program:
        one_session(program.port)
        program.end()


def main():
    words = sys.argv[1:]
    passed, failed = 0, []
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (words and not any(word in name for word in words)):
            continue
        try:
            test()
            passed += 1
        except Exception:
            failed.append(name)
            print(f"{name}:\n{traceback.format_exc()}", flush=True)
    if failed:
        print("failed: " + " ".join(failed))
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
