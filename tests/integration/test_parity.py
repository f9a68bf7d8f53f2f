#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What tcpdump records of the proxy's two legs while it plays tests/transcripts, decoded, against the
events that the proxy itself has written: where the peers alone speak on both legs, else on the client's.

    test_parity.py [NAME...]       all transcripts, or these alone

Needs root and tcpdump. SMTPSCOPE and TEST_TRANSCRIPTS are as for test_transcripts.py.
"""

import concurrent.futures
import json
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True

import capturing                                                        # noqa: E402
from test_transcripts import ROOT, SERVER, SMTPSCOPE, Player            # noqa: E402

# Nothing in these is SMTP: a capture has no session of them.
NO_SMTP = {"nothing-at-all", "client-leaves-before-greeting", "not-smtp-at-all"}


class Recorded(Player):
    """A transcript that is played while tcpdump records it."""

    def live(self):
        """By session: the events, with the server's address as the client may have been told it."""
        sessions = {}
        for line in self.lines.read_bytes().replace(SERVER, self.address).splitlines():
            event = json.loads(line)
            sessions.setdefault(event["session"], []).append(event)
        sessions.pop(None, None)        # what is told of rules at the end
        return [sessions[number] for number in sorted(sessions)]

    def options(self):
        """What decode must be told to see as the proxy did."""
        secrets = ["--show-secrets"] if self.script["show_secrets"] else []
        return "--max-line", str(self.script["max_line"]), *secrets

    def compare(self, found):
        """found: the sessions in the capture. Returns None, or what is not the same."""
        for legs, live in zip(self.legs, self.live()):
            acted = "server" not in legs or any(event["event"] == "rule" for event in live)
            for end in ("client",) if acted else ("client", "server"):
                said = self.compare_leg(live, found.get(legs[end], []), acted)
                if said:
                    return f"session {live[0]['session']}, the {end}'s leg: {said}"
        return None

    def compare_leg(self, live, captured, acted):
        said = any(event["event"] in ("command", "reply") for event in live)
        if not captured and (self.script["name"] in NO_SMTP or not said):
            return None
        if len(captured) != 1:
            return f"{len(captured)} sessions in the capture"
        if acted:
            return capturing.difference_on_clients_leg(live, captured[0])
        return capturing.difference(live, captured[0])


def play(path, directory):
    directory = pathlib.Path(directory) / pathlib.Path(path).stem
    directory.mkdir()
    player = Recorded(path, directory)
    player.run()
    return player


def record(paths, directory):
    """Plays all transcripts; returns them as (path, Recorded or what went wrong), and the capture."""
    tcpdump = capturing.Tcpdump(pathlib.Path(directory) / "loopback.pcap")
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            runs = [(path, pool.submit(play, path, directory)) for path in paths]
            played = [(path, run.exception() or run.result()) for path, run in runs]
        tcpdump.stop()
    finally:
        tcpdump.kill()
    return played, tcpdump.path


def main():
    names = sys.argv[1:]
    paths = sorted((ROOT / "tests" / "transcripts").glob("*.txt"))
    paths = [str(path.relative_to(ROOT)) for path in paths if not names or path.stem in names]
    decoded, failed = {}, 0
    with tempfile.TemporaryDirectory(prefix="smtpscope-parity.") as directory:
        try:
            capturing.own_loopback()
            played, capture = record(paths, directory)
        except capturing.Unavailable as why:
            print(f"-- parity of what tcpdump records: skipped: {why}")
            print(f"0 passed, 0 failed, {len(paths)} skipped")
            return 0
        for path, player in played:
            if isinstance(player, Exception):
                said = str(player)
            else:
                options = player.options()
                if options not in decoded:
                    decoded[options] = capturing.legs(SMTPSCOPE, capture, *options)
                said = player.compare(decoded[options])
            if said is not None:
                failed += 1
                print(f"{path}: {said}")
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
