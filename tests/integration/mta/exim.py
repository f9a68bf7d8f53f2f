# SPDX-License-Identifier: MIT
"""Exim, as the server that keeps mail for example.org and as a client that sends BDAT.

The daemon stays in the foreground (-bdf) and delivers at once; its main log is the room's
var/log/exim4/mainlog.
"""
import re

from . import mail
from .room import Log, Room

_USERS = {"Debian-exim": 104, "mail": 8, **mail.USERS}

_CONFIGURATION = """
primary_hostname = %(host)s
qualify_domain = %(domain)s
domainlist local_domains = %(local)s
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%%slog
log_selector = +pipelining +received_recipients +received_sender +smtp_confirmation \\
    +smtp_incomplete_transaction +8bitmime +deliver_time
timezone = UTC
local_interfaces = 127.0.0.1
daemon_smtp_ports = %(port)s
host_lookup =
rfc1413_query_timeout = 0s
%(main)s
message_size_limit = 20M
recipients_max = 100
keep_environment = SSLKEYLOGFILE
trusted_users = root
acl_smtp_rcpt = recipients
acl_smtp_data = content
never_users = root

begin acl
recipients:
  deny domains = ! +local_domains
       message = relay not permitted
  deny ! verify = recipient
       message = Unknown user
       log_message = Unknown user
  accept
content:
  accept

begin routers
mailboxes:
  driver = accept
  domains = +local_domains
  local_parts = %(people)s
  transport = maildir
bounces:
  driver = accept
  domains = %(senders)s
  transport = nowhere
%(relay)s

begin transports
maildir:
  driver = appendfile
  directory = /var/mail/$local_part_data
  maildir_format
  user = $local_part_data
nowhere:
  driver = appendfile
  file = /dev/null
  user = mail
smtp:
  driver = smtp
  allow_localhost
%(transport)s

begin retry
* * F,1d,1h
"""

_RELAY = """
relayhost:
  driver = manualroute
  domains = ! +local_domains
  transport = smtp
  route_list = * %s
  self = send
"""


class Exim:
    def __init__(self, name, port, relayhost=None, certificate=None, smtps=None, main=(), transport=()):
        """An Exim that listens on 127.0.0.1:port; with relayhost ("127.0.0.1::PORT", Exim's
        way to write it) it sends everything there, without it keeps mail for example.org.

        With certificate (PEM, its key in front) it offers STARTTLS, and at the port smtps, if given,
        TLS from the start. main and transport are lines for
        the main section and for the transport that sends by SMTP.
        """
        self.room = Room(name, "exim", _USERS)
        self.log = Log(self.room.path / "var/log/exim4/mainlog")
        self.port = port
        main = [*main, "tls_advertise_hosts = *", "tls_certificate = /etc/exim4/tls.pem"] if certificate \
            else [*main, "tls_advertise_hosts ="]
        ports = str(port) if smtps is None else f"{port} : {smtps}"
        if smtps is not None:
            main.append(f"tls_on_connect_ports = {smtps}")
        if certificate is not None:
            self.room.write("etc/exim4/tls.pem", certificate)
        self.room.write("etc/exim4/exim4.conf", _CONFIGURATION % {
            "host": f"{name}.example.org", "domain": f"{name}.example.org", "port": ports,
            "local": "" if relayhost else mail.DOMAIN, "senders": mail.SENDER_DOMAIN,
            "main": "\n".join(main), "transport": "".join(f"  {line}\n" for line in transport),
            "people": " : ".join(mail.USERS), "relay": _RELAY % relayhost if relayhost else ""})
        for folder in ("var/log/exim4", "var/spool/exim4"):
            self.room.make(folder, "Debian-exim", mode=0o750)
        mail.make_mailboxes(self.room)
        self.room.start(port, "/usr/sbin/exim4", "-bdf", "-oX", ports)

    def submit(self, sender, recipients, content):
        """Hands content to exim's sendmail(8) and returns the message id that it got."""
        since = self.log.mark()
        self.room.run("/usr/sbin/exim4", "-i", "-f", sender, *recipients, stdin=content)
        return self.log.wait(re.compile(rf" (\S+) <= {re.escape(sender)} U=root P=local"), since)[1]

    def flush(self):
        """Tries everything in the queue again now, and returns when it has been tried."""
        self.room.run("/usr/sbin/exim4", "-qff")

    @staticmethod
    def id_in(reply):
        """The message id in the final reply of an Exim server."""
        return re.search(r"id=(\S+)", reply)[1]

    def refusal(self, recipient):
        """The reply that was logged for the last RCPT of recipient that was refused."""
        pattern = re.compile(rf" rejected RCPT <{re.escape(recipient)}>: (.*): Unrouteable address$")
        self.log.wait(pattern)
        return "550 " + [m[1] for m in map(pattern.search, self.log.lines()) if m][-1]

    def received(self, message_id):
        """Waits until a message is out of the queue, and returns what was logged about it."""
        self.wait_until_gone(message_id)
        found = self.log.find(re.compile(
            rf" {message_id} <= .* P=\S+(?P<flags>(?: [KL][-.]*| (?:X|CV|SNI)=\S+)*) S=(?P<size>\d+) .*"
            r"from <(?P<sender>.*)> for (?P<recipients>.*)$"))
        recipients = sorted(found["recipients"].split())
        stored = mail.find_stored(self.room, recipients[0], message_id)
        return mail.Received(message_id, found["sender"], recipients, int(found["size"]), len(stored),
                             "K" in found["flags"].split(), stored)

    def attempt(self, message_id, recipient):
        """One delivery over SMTP as its log line has it, a dict: flags (K is BDAT, L pipelining),
        text (the server's final reply) and line."""
        found = self.log.wait(re.compile(
            rf" {message_id} [=-]> {re.escape(recipient)} R=relayhost T=smtp H=\S+ \S+"
            r'(?P<flags>(?: [KL][-.]*)*) C="(?P<text>.*?)"'))
        return {"flags": found["flags"].split(), "text": found["text"].replace(r"\\n", " "),
                "line": found.string}

    def deferral(self, message_id, recipient):
        """The log line that says why a delivery was put off."""
        return self.log.wait(re.compile(rf" {message_id} == {re.escape(recipient)} .* defer ")).string

    def wait_until_gone(self, message_id):
        self.log.wait(re.compile(rf" {message_id} Completed"))

