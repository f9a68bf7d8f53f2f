# SPDX-License-Identifier: MIT
"""Postfix' smtp-sink(1) as an LMTP server, which takes everything and keeps it in one file.

A server of Postfix' test tools, not an MTA: but none of the three MTAs speaks LMTP as a server.
"""
import re

from .room import Room


class LmtpSink:
    def __init__(self, name, port):
        self.room = Room(name, "postfix", {"postfix": 101})
        self.port = port
        self.room.make("var/mail", "postfix")
        self.room.start(port, "/usr/sbin/smtp-sink", "-L", "-u", "postfix", "-h", f"{name}.example.org",
                        "-R", "/var/mail", "-D", "taken", f"127.0.0.1:{port}", "20")

    def taken(self):
        """[(reverse-path, forward-paths)] of the messages so far."""
        path = self.room.path / "var/mail/taken"
        text = path.read_text() if path.exists() else ""
        found = re.findall(r"^X-Mail-Args: <(.*?)>.*\n((?:X-Rcpt-Args: .*\n)*)", text, re.M)
        return [(sender, re.findall(r"<(.*?)>", recipients)) for sender, recipients in found]
