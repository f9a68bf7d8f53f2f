#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What rules cost that do not match: smtpscope with 1,000 of them, by smtpscope with none.

    tests/bench/rules.py [--rounds N] [--sessions N] [--rules N]

Short sessions of one 1 KB message, 20 at once, as case short20 of bench.py. Both run in each
round, and the ratio is the median of the rounds' own. Exits with 1 where one is 2 or more.
"""
import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peers  # noqa: E402


def rule(number, place, when):
    return f'rule "rule {number}" {{\n    on {place}\n    when {when}\n    drop\n}}\n'


def elsewhere(count):
    """At places that these sessions never come to."""
    places = ("VRFY", "EXPN", "AUTH", "BDAT", "reply to AUTH", "reply to VRFY", "reply to BDAT", "ETRN")
    return [rule(n, places[n % len(places)], f"session.number == {n}000000") for n in range(count)]


def spread(count):
    """On every command and reply of these sessions, with a condition of each kind, all of which fail."""
    places = ("MAIL", "RCPT", "DATA", "EHLO", "reply to MAIL", "reply to RCPT", "reply to DATA", "reply to CONTENT")
    whens = ('sender == "user{n}@example.com"', 'session.helo == "host{n}.example.com"', 'line ~ /^user{n}x/',
             'session.client in 198.51.{m}.0/24', 'session.commands > {n}0000')
    return [rule(n, places[n % len(places)], whens[n % len(whens)].format(n=n, m=n % 256)) for n in range(count)]


def recipients(count):
    """A rule for each of so many recipients, all on RCPT: the list that is walked is as long as can be."""
    return [rule(n, "RCPT", f'recipient == "user{n}@example.net"') for n in range(count)]


def patterns(count):
    """The same with patterns."""
    return [rule(n, "RCPT", f"recipient ~ /^user{n}-.*@example\\.net$/") for n in range(count)]


SETS = {"elsewhere": elsewhere, "spread": spread, "recipients": recipients, "patterns": patterns}


def measure(peer, sessions):
    before = peer.cpu()
    subprocess.run([str(peers.BUILD / "send"), str(peer.port), "mail", str(sessions), "20", "1", "1024"],
                   timeout=120, capture_output=True, check=True)
    cost = peer.cpu() - before
    peer.empty()
    return cost / sessions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--rules", type=int, default=1000)
    args = parser.parse_args()
    peers.raise_descriptors()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="smtpscope-bench-"))
    folder.chmod(0o755)
    running, costs = {}, {}
    try:
        running["none"] = peers.Live("smtpscope", folder / "none")
        for name, rules in SETS.items():
            path = folder / f"{name}.rules"
            path.write_text("\n".join(rules(args.rules)))
            running[name] = peers.Live("smtpscope", folder / name, "-r", str(path))
        for number in range(args.rounds):
            names = list(running)
            first = number % len(names)
            for name in names[first:] + names[:first]:
                costs.setdefault(name, []).append(measure(running[name], args.sessions))
    finally:
        for peer in running.values():
            peer.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"CPU of a session without rules: {statistics.median(costs['none']) * 1e6:.0f} us")
    print(f"with {args.rules:,} rules that do not match, by that (median of {args.rounds} rounds):")
    worst = 0
    for name, rules in SETS.items():
        ratio = statistics.median(a / b for a, b in zip(costs[name], costs["none"]))
        worst = max(worst, ratio)
        print(f"    {name:<11} {ratio:5.2f}    {rules.__doc__.split(chr(10))[0]}")
    return 1 if worst >= 2 else 0


if __name__ == "__main__":
    sys.exit(main())
