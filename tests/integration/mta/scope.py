# SPDX-License-Identifier: MIT
"""smtpscope proxy in front of an MTA, and what it told about the sessions that it saw."""
import json
import os
import re
import signal
import subprocess
from pathlib import Path

from .expect import PATIENCE, Failure, expect, expect_equal, wait_for
from .room import FOLDER

BINARY = Path(os.environ.get("SMTPSCOPE") or FOLDER.parents[1] / "smtpscope").resolve()


class Scope:
    """A running proxy; use it with `with`. Leaving the block stops it."""

    _count = 0

    def __init__(self, upstream_port, listen_port=0, rules=None, scheme="smtp", code=0, options=(),
                 upstream_scheme=None):
        """Between 127.0.0.1:listen_port (0: one that is free) and 127.0.0.1:upstream_port.

        rules is the text of a rule file; code the exit code that it must end with; upstream_scheme
        is scheme where it is not given.
        """
        self._code = code
        expect(BINARY.exists(), f"no {BINARY}: run make first, or set SMTPSCOPE")
        Scope._count += 1
        folder = FOLDER / "rooms" / "scope"
        folder.mkdir(parents=True, exist_ok=True)
        self.text, self.json, self.errors, rule_file = (
            folder / f"{Scope._count}.{kind}" for kind in ("txt", "jsonl", "stderr", "rules"))
        argv = [BINARY, "proxy", "-l", f"{scheme}://127.0.0.1:{listen_port}",
                "-u", f"{upstream_scheme or scheme}://127.0.0.1:{upstream_port}", "-o", self.text,
                "--json", self.json, *options]
        if rules:
            rule_file.write_text(rules)
            argv += ["--seed", "1", "-r", rule_file]
        with open(self.errors, "wb") as errors:
            self._process = subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL,
                                             stdout=errors, stderr=errors)
        self.port = int(wait_for("smtpscope to listen", self._listening)[1])

    def _said(self):
        return self.errors.read_text(errors="replace").strip()

    def _listening(self):
        expect(self._process.poll() is None,
               f"smtpscope ended with {self._process.returncode}: {self._said()}")
        return re.search(r"listening on \w+://127\.0\.0\.1:(\d+)", self._said())

    def __enter__(self):
        return self

    def __exit__(self, kind, what, trace):
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if kind is not None and issubclass(kind, Failure):
            raise Failure(f"{what}\n{self.text.read_text(errors='replace')}{self._said()}") from what
        if kind is None:
            expect_equal(code, self._code, f"exit code of smtpscope, which said: {self._said()}\n")

    def events(self):
        """All events so far; a line that is not written whole yet is not there yet."""
        if not self.json.exists():
            return []
        whole = self.json.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def session(self, number=1):
        """Waits until a session has ended, and returns it."""
        def closed():
            events = [e for e in self.events() if e["session"] == number]
            return events if events and events[-1]["event"] == "close" else None
        return Session(wait_for(f"the end of session {number}", closed))


class Session:
    """The events of one session."""

    def __init__(self, events):
        self.events = events

    def of(self, event, **fields):
        """The events of that name whose fields have these values."""
        return [e for e in self.events if e["event"] == event
                and all(e.get(k) == v for k, v in fields.items())]

    def one(self, event, **fields):
        found = self.of(event, **fields)
        expect_equal(len(found), 1, f"number of {event} {fields or ''} events")
        return found[0]

    def commands(self):
        """The command lines as the client sent them."""
        return [" ".join(filter(None, (c["verb"], c["argument"]))) for c in self.of("command")]

    def reply_lines(self):
        """The lines of all replies as the client was sent them."""
        return [line for reply in self.of("reply") for line in lines_of(reply)]

    def final_reply(self):
        """The reply to the content, as the text that an MTA logs."""
        return " ".join(lines_of(self.one("reply", to="CONTENT")))


def lines_of(reply):
    last = len(reply["text"]) - 1
    return [f"{reply['code']}{' ' if i == last else '-'}{text}" for i, text in enumerate(reply["text"])]
