#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What smtpscope costs, beside a floor that understands nothing and the peers that are installed.

    tests/bench/bench.py [--short] [--rounds N] [--cases a,b] [--peers a,b] [--json FILE]

Prints one table of ratios. See README.md beside it for what is measured and how.
"""
import argparse
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import offline  # noqa: E402
import peers  # noqa: E402

# name: what it is, what the figure is, (sessions, at once, messages of each, octets), what it is per
MAIL = {
    "short20": ("short sessions, 1 KB, 20 at once", "CPU s / 10,000", (3000, 20, 1, 1024), 1e4),
    "short200": ("short sessions, 1 KB, 200 at once", "CPU s / 10,000", (3000, 200, 1, 1024), 1e4),
    "long": ("1 KB messages, 4 sessions that stay", "CPU s / 10,000", (4, 4, 3000, 1024), 1e4),
    "bulk": ("10 MB messages, 4 sessions that stay", "CPU s / GB", (4, 4, 20, 10_000_000), 100),
}
CASES = [*MAIL, "noop", "idle", "decode", "summary"]


class Failed(Exception):
    """A peer did not do what was asked of it."""


def send(peer, *words, limit=120):
    try:
        done = subprocess.run([str(peers.BUILD / "send"), str(peer.port), *map(str, words)],
                              timeout=limit, capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"not done in {limit} s") from None
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return done.stdout


class Run:
    """The figures, as they come: of each case and peer one a round."""

    def __init__(self, args, folder):
        self.args, self.folder, self.figures, self.failed = args, folder, {}, set()

    def add(self, case, peer, value):
        self.figures.setdefault(case, {}).setdefault(peer, []).append(value)

    def mail(self, case, peer):
        sessions, at_once, messages, octets = MAIL[case][2]
        if self.args.short:
            sessions, messages = max(at_once, sessions // 30), max(1, messages // 20)
        before = peer.cpu()
        send(peer, "mail", sessions, at_once, messages, octets)
        if peer.process:
            self.add(case, peer.name, (peer.cpu() - before) / (sessions * messages) * MAIL[case][3])
        peer.empty()

    def noop(self, peer):
        said = send(peer, "noop", 200 if self.args.short else 5000)
        for name, value in re.findall(r"(p\d+)=([\d.]+)", said):
            self.add(f"noop {name}", peer.name, float(value))
        peer.empty()

    def idle(self, peer):
        count = 100 if self.args.short else 3000
        before = peer.memory()
        with subprocess.Popen([str(peers.BUILD / "send"), str(peer.port), "idle", str(count)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sender:
            if sender.stdout.readline() != b"ready\n":
                raise Failed(f"did not take {count} sessions")
            self.add("idle", peer.name, (peer.memory() - before) / count)
            sender.stdin.close()
        peer.empty()

    def try_one(self, measure, peer, case):
        """A peer that fails once is not asked for that case again: its figure would be of something else."""
        if (case, peer.name) in self.failed:
            return
        try:
            measure(peer)
        except Failed as why:
            print(f"{case}: {peer.name} failed: {why}", file=sys.stderr)
            self.failed.add((case, peer.name))
            for figures in (v for k, v in self.figures.items() if k.split()[0] == case):
                figures.pop(peer.name, None)

    def live(self, names, cases):
        """One peer after the other in each round, each round beginning with another."""
        running = []
        try:
            for name in names:
                running.append(peers.Live(name, self.folder / name))
            for number in range(self.args.rounds):
                first = number % len(running)
                for case in cases:
                    for peer in running[first:] + running[:first]:
                        if case != "idle":
                            self.try_one(self.noop if case == "noop" else lambda p, c=case: self.mail(c, p), peer, case)
        finally:
            for peer in running:
                peer.close()
        if "idle" in cases:
            self.live_idle(names)

    def live_idle(self, names):
        """A fresh process each: what earlier sessions left behind is not an idle session's."""
        for name in names:
            if name == "direct":
                continue
            peer = peers.Live(name, self.folder / f"{name}-idle")
            try:
                self.try_one(self.idle, peer, "idle")
            finally:
                peer.close()


def ratios(of, to):
    """Round by round: what runs beside hits both. None where there is nothing to divide by: a short run may cost no tick."""
    both = [a / b for a, b in zip(of or [], to or []) if b > 0]
    return statistics.median(both) if both else None


def added(figures, case, peer):
    direct = figures[case].get("direct")
    return [max(a - b, 0.01) for a, b in zip(figures[case][peer], direct)]


def rows(figures):
    """(case, unit, {peer: figures}) in the order of the table."""
    for case, (title, unit, _, _) in MAIL.items():
        if case in figures:
            yield title, unit, figures[case]
    for case in ("noop p50", "noop p99"):
        if "direct" in figures.get(case, {}):
            yield (f"{case.replace('noop', 'NOOP,')} beyond direct", "us",
                   {p: added(figures, case, p) for p in figures[case] if p != "direct"})
    for case, title, unit in (("idle", "an idle session", "KiB"), ("decode", "decode, JSON of everything", "CPU s"),
                              ("decode elapsed", "the same, by the clock", "s"), ("summary", "decode --summary", "CPU s"),
                              ("summary elapsed", "the same, by the clock", "s")):
        if case in figures:
            yield title, unit, figures[case]


def table(figures):
    """As text: the floor's own figure, each one's ratio to it, and smtpscope's to the best peer."""
    names = [n for n in (*peers.LIVE, "tshark") if n not in ("direct", "floor")]
    names = [n for n in names if any(n in v for _, _, v in rows(figures))]
    head = ["", "floor", "unit", *(f"{n} / floor" for n in names), "smtpscope / best peer"]
    lines = [head, ["---"] + ["--:"] * (len(head) - 1)]
    for title, unit, of in rows(figures):
        to = of.get("floor", [])
        line = [title, f"{statistics.median(to):.3g}" if to else "-", unit]
        for name in names:
            ratio = ratios(of.get(name), to)
            # The floor keeps next to nothing of a session: what is left there is the figure itself.
            line.append("-" if ratio is None else f"{statistics.median(of[name]):.2f} KiB" if unit == "KiB"
                        else f"{ratio:.2f}")
        best = [ratios(of.get("smtpscope"), of.get(n)) for n in names if n not in peers.OURS]
        best = [ratio for ratio in best if ratio is not None]
        line.append(f"{max(best):.2f}" if best else "-")
        lines.append(line)
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines)


def choose(words, known, what):
    chosen = [w for w in words.split(",") if w]
    for word in chosen:
        if word not in known:
            sys.exit(f"bench.py: no {what} \"{word}\"; known are {', '.join(known)}")
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one round of next to nothing: does it still run?")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", default=",".join(CASES), help="of " + ", ".join(CASES))
    parser.add_argument("--peers", default=",".join([*peers.LIVE, "tshark"]))
    parser.add_argument("--json", help="where to put all figures of all rounds")
    args = parser.parse_args()
    cases = choose(args.cases, CASES, "case")
    names = choose(args.peers, [*peers.LIVE, "tshark"], "peer")
    if args.short:
        args.rounds = 1
    missing = [n for n in names if not peers.installed(n)]
    if missing:
        print(f"left out, not installed: {', '.join(missing)}", file=sys.stderr)
    names = [n for n in names if n not in missing]
    peers.raise_descriptors()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="smtpscope-bench-"))
    folder.chmod(0o755)
    run = Run(args, folder)
    try:
        live = [c for c in cases if c in MAIL or c in ("noop", "idle")]
        if live:
            run.live([n for n in names if n != "tshark"], live)
        if "decode" in cases or "summary" in cases:
            offline.measure(run, folder, names, cases)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"medians of {args.rounds} round{'' if args.rounds == 1 else 's'}; a ratio is the median of the rounds' own")
    print(table(run.figures))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(run.figures, indent=1) + "\n")
    wanted = [c if c != "noop" else "noop p50" for c in cases]
    silent = [c for c in wanted for p in ("floor", "smtpscope") if p in names and not run.figures.get(c, {}).get(p)]
    if silent:
        sys.exit(f"bench.py: no figure for {', '.join(sorted(set(silent)))}")


if __name__ == "__main__":
    main()
