#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads pairs of lines from standard input: octets in hex, and the event that shows them.

Each event must be JSON without a name twice, free of control characters, and must give the
octets back: from its string if they are UTF-8, from NAME_base64 otherwise.
"""
import base64
import codecs
import json
import re
import sys

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
codecs.register_error("one", lambda e: ("\ufffd", e.start + 1))


def once(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def same(shown, encoded, octets):
    assert shown == octets.decode("utf-8", "one"), (shown, octets)
    if encoded is None:
        assert shown.encode() == octets, (shown, octets)
    else:
        assert base64.b64decode(encoded, validate=True) == octets, (encoded, octets)


def check(octets, line):
    assert not CONTROL.search(line), line
    event = json.loads(line, object_pairs_hook=once, parse_constant=lambda c: 1 / 0)
    if event["event"] == "log":
        same(event["text"], event.get("text_base64"), octets)
    elif event["event"] == "command":
        rest = octets.lstrip(b" \t")
        verb = re.match(rb"[^ \t]*", rest).group()
        same(event["argument"], event.get("argument_base64"), rest[len(verb) + 1:])
        if "verb_base64" not in event:
            assert event["verb"] == verb.upper().decode(), (event, octets)
    else:
        lines = re.findall(rb"[^\n]*\n|[^\n]+", octets)
        lines = [re.sub(rb"\r?\n\Z", b"", text) for text in lines]
        encoded = event.get("text_base64", [None] * len(lines))
        assert len(lines) == len(event["text"]) == len(encoded), (event, lines)
        for shown, one, text in zip(event["text"], encoded, lines):
            same(shown, one, text)


def main():
    stream = sys.stdin.buffer.read().split(b"\n")
    pairs = list(zip(stream[::2], stream[1::2]))
    assert len(pairs) == int(sys.argv[1]), len(pairs)
    for octets, line in pairs:
        check(bytes.fromhex(octets.decode()), line.decode("utf-8"))


main()
