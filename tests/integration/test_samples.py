#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each file of samples/rules makes the fault that its head promises, in a running proxy.

The dialogues of samples/dialogues are played between two scripted ends, and what both receive,
octet for octet, must be what stands there (samples/rules/README.md says how they are written).
In them each rule of a sample must have acted. A sample without a dialogue, without a head as it
should be, or missing in the catalogue is a failure.

    test_samples.py [NAME...]       all, or these alone
"""

import concurrent.futures
import json
import re
import sys
import tempfile

import test_transcripts
from test_transcripts import ROOT, Difference, Player

RULES, DIALOGUES = ROOT / "samples" / "rules", ROOT / "samples" / "dialogues"
CATALOGUE = RULES / "README.md"


def head(path):
    """The comment that a file begins with, as paragraphs."""
    lines = []
    for line in path.read_text().split("\n"):
        if not line.startswith("#"):
            break
        lines.append(line[1:].strip())
    return [" ".join(part.split("\n")) for part in "\n".join(lines).split("\n\n")]


def check_head(path):
    parts = head(path)
    if len(parts) < 2 or not parts[0].endswith("."):
        return f"{path}: its head does not begin with a paragraph that says what the fault is"
    about = [part for part in parts if re.match(r"Proves\b|Shows\b", part)]
    if len(about) != 1:
        return f"{path}: one paragraph of its head should begin with \"Proves\" (or \"Shows\")"
    if not re.search(r"\bRFC \d+ [\dA-Z]", about[0]):
        return f"{path}: no RFC and section behind what it proves"
    return None


def check_catalogue(names):
    """Each sample is a row, once, under one of the catalogue's headings."""
    rows = re.findall(r"(?m)^\| `([^`]+)` \|", CATALOGUE.read_text())
    wrong = [f"{name}: no row in {CATALOGUE}" for name in names if name not in rows]
    wrong += [f"{CATALOGUE}: {row}: there is no such sample" for row in rows if row not in names]
    wrong += [f"{CATALOGUE}: {row}: more than one row" for row in sorted(set(rows)) if rows.count(row) > 1]
    return wrong


def rules_that_must_act(text):
    """Names of the rules; those that expect that nothing matches are proven by an exit code."""
    for name, body in re.findall(r'(?ms)^rule "((?:[^"\\]|\\.)*)"\s*\{(.*?)^\}', text):
        if not re.search(r"\bexpect\s+(?:exactly|at\s+most)\s+0\b", body):
            yield name


def play(path):
    """Returns the names of the rules that acted, or what is wrong."""
    path = str(path.relative_to(ROOT))
    with tempfile.TemporaryDirectory(prefix="smtpscope-sample.") as directory:
        try:
            player = Player(path, directory)
            player.run()
            events = [json.loads(line) for line in player.lines.read_text().splitlines()]
        except Difference as difference:
            return set(), str(difference)
        except test_transcripts.subprocess.CalledProcessError as error:
            return set(), error.stderr.decode(errors="replace")
    return {e["rule"] for e in events if e["event"] == "rule"}, None


def try_sample(name):
    """All that is wrong with it."""
    path = RULES / f"{name}.rules"
    dialogues = sorted([*DIALOGUES.glob(f"{name}.txt"), *DIALOGUES.glob(f"{name}.*.txt")])
    wrong = [check_head(path)]
    if not dialogues:
        return [*filter(None, wrong), f"{path}: there is no {DIALOGUES / name}.txt"]
    acted = set()
    for dialogue in dialogues:
        if f"option: rules {path.relative_to(ROOT)}\n" not in dialogue.read_text():
            wrong.append(f"{dialogue}: no line \"option: rules {path.relative_to(ROOT)}\"")
        else:
            names, difference = play(dialogue)
            acted |= names
            wrong.append(difference)
    if not any(wrong):
        wrong += [f"{path}: rule \"{rule}\" does not act in any dialogue"
                  for rule in rules_that_must_act(path.read_text()) if rule not in acted]
    return [what for what in wrong if what]


def main():
    for program in (test_transcripts.SMTPSCOPE, test_transcripts.READER):
        if not program.exists():
            sys.exit(f"{program} is not there: `make programs` builds it")
    samples = sorted(path.name.removesuffix(".rules") for path in RULES.glob("*.rules"))
    names = [name for name in samples if not sys.argv[1:] or name in sys.argv[1:]]
    orphans = [path.name for path in DIALOGUES.glob("*.txt") if path.name.split(".")[0] not in samples]
    results = [[f"{DIALOGUES / name}: there is no such sample" for name in orphans], check_catalogue(samples)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results += pool.map(try_sample, names)
    for wrong in results:
        for what in wrong:
            print(what)
    failed = sum(1 for wrong in results if wrong)
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not names else 0)


if __name__ == "__main__":
    main()
