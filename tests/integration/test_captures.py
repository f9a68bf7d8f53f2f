#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each capture of samples/captures decodes to the text and the JSON that lie beside it, and the README has it."""

import difflib
import re
import sys

from running import ROOT, run

SAMPLES = ROOT / "samples" / "captures"
sys.dont_write_bytecode = True
sys.path.insert(0, str(SAMPLES))

import record       # noqa: E402

CAPTURES = sorted(SAMPLES.glob("*.pcap"))


def difference(name, wanted, got):
    return "".join(difflib.unified_diff(wanted.decode().splitlines(True), got.decode().splitlines(True), name, "decode"))


def test_captures_decode_to_what_lies_beside_them():
    for path in CAPTURES:
        for suffix, form in ((".txt", "text"), (".jsonl", "json")):
            beside = path.with_suffix(suffix)
            assert beside.exists(), f"{beside} is missing: samples/captures/record.py --decode writes it"
            wanted, got = beside.read_bytes(), record.decode(path, form)
            assert wanted == got, difference(beside.name, wanted, got)


def test_all_is_there_and_nothing_else():
    names = sorted(record.EXAMPLES)
    assert [path.stem for path in CAPTURES] == names
    rows = re.findall(r"(?m)^\| `([^`]+)` \|", (SAMPLES / "README.md").read_text())
    assert sorted(rows) == names, "the README's table"
    stray = [path.name for path in SAMPLES.iterdir() if path.stem not in [*names, "README", "record", "__pycache__"]]
    assert not stray, stray


if __name__ == "__main__":
    run([test for name, test in list(globals().items()) if name.startswith("test_")])
