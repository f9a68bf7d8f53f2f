# SPDX-License-Identifier: MIT
"""What a test expects, and waiting for it: for events that must come, never for a time."""
import time

PATIENCE = 30       # seconds until an event that did not come is a failure


class Failure(AssertionError):
    """What a test expected and did not get."""


def expect(true, what):
    if not true:
        raise Failure(what)


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what}: {got!r}, expected {wanted!r}")


def wait_for(what, probe):
    """Returns the first true value that probe() gives; raises Failure naming what never came."""
    end = time.monotonic() + PATIENCE
    while True:
        value = probe()
        if value:
            return value
        expect(time.monotonic() < end, f"waited {PATIENCE} s in vain for {what}")
        time.sleep(0.01)
