# SPDX-License-Identifier: MIT
"""OpenSMTPD, as the server that keeps mail for example.org.

smtpd -d stays in the foreground and logs to stderr, which is the room's file "output".
"""
import re

from . import mail
from .expect import wait_for
from .room import Log, Room

_USERS = {"opensmtpd": 105, "opensmtpq": 106, "nobody": 65534, **mail.USERS}

_CONFIGURATION = """
smtp max-message-size 20M
%(listeners)s
action "deliver" maildir "/var/mail/%%{user.username}"
action "relay" relay host "%(relay)s" tls no-verify
match from any for domain "%(domain)s" action "%(action)s"
"""


class OpenSMTPD:
    def __init__(self, name, port, certificate=None, smtps=None, relay=None):
        """An OpenSMTPD that listens on 127.0.0.1:port. With certificate (PEM, its key in front) it
        offers STARTTLS, and at the port smtps, if given, TLS from the start. With relay (a URL of its
        kind: smtp+tls://HOST:PORT) it sends what comes for example.org there, whatever the certificate."""
        self.room = Room(name, "opensmtpd", _USERS)
        self.log = Log(self.room.path / "output")
        self.port = port
        self.room.write("etc/smtpd.conf", _CONFIGURATION % {
            "listeners": self._listeners(name, certificate, smtps), "host": f"{name}.example.org", "domain": mail.DOMAIN,
            "relay": relay or "127.0.0.1", "action": "relay" if relay else "deliver"})
        self.room.write("etc/mailname", f"{name}.example.org\n")
        self._make_folders()
        self.room.start(port, "/usr/sbin/smtpd", "-d")

    def _listeners(self, name, certificate, smtps):
        line = f"listen on 127.0.0.1 port {self.port} hostname {name}.example.org"
        if certificate is None:
            return line
        begin = "-----BEGIN CERTIFICATE"
        self.room.write("etc/tls.key", certificate.partition(begin)[0]).chmod(0o600)
        self.room.write("etc/tls.cert", begin + certificate.partition(begin)[2])
        lines = [f'pki own {kind} "/etc/tls.{kind}"' for kind in ("cert", "key")] + [line + " tls pki own"]
        if smtps is not None:
            lines.append(f"listen on 127.0.0.1 port {smtps} smtps pki own hostname {name}.example.org")
        return "\n".join(lines)

    def _make_folders(self):
        room, spool = self.room, "var/spool/smtpd"
        room.make("var/lib/opensmtpd/empty")
        room.make(spool, mode=0o711)
        room.make(f"{spool}/offline", "root", "opensmtpq", 0o770)
        for folder in ("corrupt", "incoming", "queue", "temporary"):
            room.make(f"{spool}/{folder}", "opensmtpq", "root", 0o700)
        room.make(f"{spool}/purge", "opensmtpq", "root", 0o700)
        mail.make_mailboxes(room)

    @staticmethod
    def id_in(reply):
        """The message id in the final reply of an OpenSMTPD server."""
        return re.search(r"2\.0\.0 (\w+) Message accepted", reply)[1]

    def refusal(self, recipient):
        """The reply that was logged for the last RCPT of recipient that was refused."""
        pattern = re.compile(rf'failed-command command="RCPT TO:<{re.escape(recipient)}>.*" result="(.*)"')
        self.log.wait(pattern)
        return [m[1] for m in map(pattern.search, self.log.lines()) if m][-1]

    def received(self, message_id):
        """Waits until a message is delivered, and returns what was logged about it."""
        found = self.log.wait(re.compile(
            rf"smtp message msgid={message_id} size=(?P<size>\d+) nrcpt=(?P<nrcpt>\d+) "))
        delivered = re.compile(
            rf"mda delivery evpid={message_id}\w+ from=<(.*?)> to=<(.*?)> .* result=Ok ")

        def all_delivered():
            done = list(filter(None, map(delivered.search, self.log.lines())))
            return done if len(done) == int(found["nrcpt"]) else None
        done = wait_for(f"{found['nrcpt']} deliveries of {message_id}", all_delivered)
        recipients = sorted(m[2] for m in done)
        stored = mail.find_stored(self.room, recipients[0], message_id)
        return mail.Received(message_id, done[0][1], recipients, int(found["size"]), len(stored),
                             None, stored)

