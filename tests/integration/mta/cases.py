# SPDX-License-Identifier: MIT
"""Named cases, run one after the other, and their count in the last line."""
import sys
import time
import traceback

from . import room
from .expect import Failure

_CASES = []


class Skip(Exception):
    """A case that cannot run here; the text says why."""


def case(name, *arguments):
    """Decorates a function(stage, *arguments)."""
    def add(function):
        _CASES.append((name, lambda stage: function(stage, *arguments)))
        return function
    return add


def for_each(names, name):
    """Adds the case once for each of names; the case's name has {} where it stands."""
    def add(function):
        for one in names:
            case(name.format(one), one)(function)
        return function
    return add


def main(make_stage):
    """Runs the cases that the command line chooses (all, without words), inside the namespaces.

    make_stage() makes what they share. Returns the exit code.
    """
    words = sys.argv[1:]
    chosen = [c for c in _CASES if not words or any(word in c[0] for word in words)]
    why_not = room.enter()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    stage = make_stage()
    for name, function in chosen:
        began = time.monotonic()
        outcome, said = ("skipped", f": {why_not}") if why_not else _run(function, stage)
        counts[outcome] += 1
        print(f"{outcome:7} {name} ({time.monotonic() - began:.1f} s){said}", flush=True)
    stage.stop()
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


def _run(function, stage):
    try:
        function(stage)
        return "passed", ""
    except Skip as why:
        return "skipped", f": {why}"
    except Failure as what:
        return "failed", f": {what}"
    except Exception:       # an error of the harness fails its case, not the others
        return "failed", ": " + traceback.format_exc()
