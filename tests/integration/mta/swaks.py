# SPDX-License-Identifier: MIT
"""swaks (Debian's package), the sender whose every word the test chooses."""
import re
import shutil
import subprocess

from .expect import PATIENCE


def available():
    return shutil.which("swaks") is not None


class Transcript:
    """What swaks said and heard: sent and heard are the lines behind its arrows, code its exit code."""

    def __init__(self, code, text):
        self.code = code
        text = text.replace("\r\n", "\n")
        self.sent = re.findall(r"^ ?[~-]{1,2}> ?(.*)$", text, re.M)
        self.heard = re.findall(r"^<[-~*]{1,2} +(.*)$", text, re.M)

    def final_reply(self):
        """The reply to the content: the last one in front of that to QUIT."""
        return self.heard[-2]


def send(port, sender, recipients, content, *options):
    """One session with 127.0.0.1:port. content is the whole message, octets, lines ended by LF."""
    run = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(port), "--helo", "client.example.org",
         "--from", sender, "--to", ",".join(recipients), "--data", "@-", *options],
        input=content, capture_output=True, timeout=PATIENCE)
    return Transcript(run.returncode, (run.stdout + run.stderr).decode("utf-8", "replace"))
