# SPDX-License-Identifier: MIT
"""The MTAs of a test run: the servers, and the senders that find smtpscope at port PROXY."""
from .exim import Exim
from .lmtpsink import LmtpSink
from .opensmtpd import OpenSMTPD
from .postfix import Postfix

SERVERS = ("Postfix", "Exim", "OpenSMTPD")
PROXY = 10525


class Stage:
    """Each MTA is started when a case first asks for it, and kept until the end."""

    _MAKERS = {
        "Postfix": lambda: Postfix("postfix", 10025),
        "Exim": lambda: Exim("exim", 10026),
        "OpenSMTPD": lambda: OpenSMTPD("opensmtpd", 10027),
        "sending Postfix": lambda: Postfix("sending-postfix", 10035, f"[127.0.0.1]:{PROXY}"),
        "LMTP server": lambda: LmtpSink("lmtp-server", 10028),
        "LMTP sending Postfix": lambda: Postfix("lmtp-postfix", 10037, "",
                                                default_transport=f"lmtp:inet:127.0.0.1:{PROXY}"),
        "sending Exim": lambda: Exim("sending-exim", 10036, f"127.0.0.1::{PROXY}"),
    }

    def __init__(self):
        self._running = {}

    def get(self, which):
        if which not in self._running:
            self._running[which] = self._MAKERS[which]()
        return self._running[which]

    def stop(self):
        for mta in self._running.values():
            mta.room.stop()
