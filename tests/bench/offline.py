# SPDX-License-Identifier: MIT
"""Reading a capture: libpcap's bare loop, `smtpscope decode`, tshark.

The capture is made on the spot, by smtpscope's own --pcap of sessions through it.
"""
import os
import subprocess
import time

import peers

FIELDS = ["-e", "frame.time_epoch", "-e", "tcp.stream", "-e", "smtp.req.command", "-e", "smtp.req.parameter",
          "-e", "smtp.response.code", "-e", "smtp.rsp.parameter"]


def make(folder, sessions):
    """A capture of so many sessions of one small message each."""
    capture = folder / "sessions.pcap"
    peer = peers.Live("smtpscope", folder / "recording", "--pcap", str(capture))
    try:
        subprocess.run([str(peers.BUILD / "send"), str(peer.port), "mail", str(sessions), "20", "1", "1024"],
                       check=True, timeout=300)
    finally:
        peer.close()
    return capture


def seconds(command, output):
    """What a program that ends by itself takes, its output going to a file: CPU, and by the clock."""
    with open(output, "wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    elapsed = time.monotonic() - began
    if process.returncode != 0 or elapsed > 600:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, elapsed


def measure(run, folder, names, cases):
    capture = str(make(folder, 100 if run.args.short else 20000))
    output = folder / "output"
    programs = {
        ("decode", "smtpscope"): [peers.SMTPSCOPE, "decode", "-q", "-f", "json", capture],
        ("summary", "smtpscope"): [peers.SMTPSCOPE, "decode", "--summary", capture],
        ("decode", "tshark"): ["tshark", "-n", "-r", capture, "-Y", "smtp", "-T", "fields", *FIELDS],
    }

    def add(case, name, figures):
        run.add(case, name, figures[0])
        run.add(f"{case} elapsed", name, figures[1])

    for number in range(run.args.rounds):
        bare = seconds([str(peers.BUILD / "packets"), capture], output)
        for (case, name), command in programs.items():
            # One run of tshark takes longer than all the others: what it is compared with is steady.
            if case not in cases or name not in names or (name == "tshark" and number > 0):
                continue
            add(case, name, seconds(command, output))
        for case in ("decode", "summary"):
            if case in cases and "floor" in names:
                add(case, "floor", bare)
