# SPDX-License-Identifier: MIT
"""Postfix, as the server that keeps mail for example.org and as the client that relays it.

master(8) is started directly: postfix(1) would want a shell, and correct owners in a tree that
is read-only here. Everything logs through postlogd(8) into the room's var/log/mail.log.
"""
import json
import re

from . import mail
from .room import Log, Room

_USERS = {"postfix": 101, "postdrop": 102, "nobody": 65534, **mail.USERS}

_PRIVATE_FOLDERS = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
                    "private", "saved", "trace")

_MASTER = """
pickup    unix  n  -  n  60    1  pickup
cleanup   unix  n  -  n  -     0  cleanup
qmgr      unix  n  -  n  300   1  qmgr
tlsmgr    unix  -  -  n  1000? 1  tlsmgr
rewrite   unix  -  -  n  -     -  trivial-rewrite
bounce    unix  -  -  n  -     0  bounce
defer     unix  -  -  n  -     0  bounce
trace     unix  -  -  n  -     0  bounce
flush     unix  n  -  n  1000? 0  flush
proxymap  unix  -  -  n  -     -  proxymap
smtp      unix  -  -  n  -     -  smtp
lmtp      unix  -  -  n  -     -  lmtp
showq     unix  n  -  n  -     -  showq
error     unix  -  -  n  -     -  error
retry     unix  -  -  n  -     -  error
discard   unix  -  -  n  -     -  discard
virtual   unix  -  n  n  -     -  virtual
anvil     unix  -  -  n  -     1  anvil
scache    unix  -  -  n  -     1  scache
postlog   unix-dgram n - n -   1  postlogd
"""

# No timer matters: the tests flush the queue when they want a next try, and the back-off of an
# hour keeps Postfix from making one by itself.
_MAIN = {
    "compatibility_level": "3.6",
    "queue_directory": "/var/spool/postfix",
    "data_directory": "/var/lib/postfix",
    "command_directory": "/usr/sbin",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "maillog_file": "/var/log/mail.log",
    "inet_interfaces": "loopback-only",
    "inet_protocols": "ipv4",
    "mydomain": "example.org",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "alias_maps": "",
    "alias_database": "",
    "notify_classes": "",
    "message_size_limit": "20000000",
    "virtual_mailbox_limit": "0",
    "smtp_tls_security_level": "none",
    "smtpd_tls_security_level": "none",
    "disable_dns_lookups": "yes",
    "minimal_backoff_time": "1h",
    "maximal_backoff_time": "2h",
    "queue_run_delay": "1h",
    "transport_retry_time": "1h",
}

_SERVER = {
    "virtual_mailbox_domains": mail.DOMAIN,
    "virtual_mailbox_base": "/var/mail",
    "virtual_mailbox_maps": "inline:{ %s }" % ", ".join(
        f"{{ {name}@{mail.DOMAIN} = {name}/ }}" for name in mail.USERS),
    "virtual_minimum_uid": "1000",
    "virtual_uid_maps": "inline:{ %s }" % ", ".join(
        f"{{ {name}@{mail.DOMAIN} = {uid} }}" for name, uid in mail.USERS.items()),
    "virtual_gid_maps": "$virtual_uid_maps",
    "smtpd_relay_restrictions": "reject_unauth_destination",
}


class Postfix:
    def __init__(self, name, port, relayhost=None, certificate=None, smtps=None, **settings):
        """A Postfix that listens on 127.0.0.1:port; with relayhost it sends everything there.

        Without, it keeps mail for the people of example.org. What bounces to the senders of the
        tests is thrown away. With certificate (PEM, its key in front) it offers STARTTLS, and
        at the port smtps, if given, TLS from the start. settings are lines of main.cf.
        """
        self.room = Room(name, "postfix", _USERS)
        self.log = Log(self.room.path / "var/log/mail.log")
        self.port = port
        main = dict(_MAIN, myhostname=f"{name}.example.org")
        main["transport_maps"] = "inline:{ { %s = discard: } }" % mail.SENDER_DOMAIN
        main.update({"relayhost": relayhost, "local_transport": "error:not here"}
                    if relayhost is not None else _SERVER)
        if certificate is not None:
            self.room.write("etc/postfix/tls.pem", certificate)
            main.update({"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": "/etc/postfix/tls.pem"})
        main.update(settings)
        self.room.write("etc/postfix/main.cf", "".join(f"{k} = {v}\n" for k, v in main.items()))
        listeners = f"127.0.0.1:{port} inet n - n - - smtpd"
        if smtps is not None:
            listeners += f"\n127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes"
        self.room.write("etc/postfix/master.cf", listeners + _MASTER)
        self._make_folders()
        self.room.start(port, "/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix")

    def _make_folders(self):
        room, spool = self.room, "var/spool/postfix"
        room.make("var/log")
        room.make("var/lib/postfix", "postfix", mode=0o700)
        room.make(spool)
        room.make(f"{spool}/pid")
        for folder in _PRIVATE_FOLDERS:
            room.make(f"{spool}/{folder}", "postfix", mode=0o700)
        room.make(f"{spool}/maildrop", "postfix", "postdrop", 0o730)
        room.make(f"{spool}/public", "postfix", "postdrop", 0o710)
        mail.make_mailboxes(room)

    def submit(self, sender, recipients, content, *options):
        """Hands content to sendmail(1) and returns the queue id that it got."""
        since = self.log.mark()
        self.room.run("/usr/sbin/sendmail", "-i", *options, "-f", sender, *recipients, stdin=content)
        # pickup(8) is woken by postdrop(1); its line is the first with the queue id.
        return self.log.wait(re.compile(r"postfix/pickup\[\d+\]: (\w+): uid="), since)[1]

    def flush(self):
        """Makes the queue manager try everything again now, as a mail engineer would."""
        self.room.run("/usr/sbin/postqueue", "-f")

    def delete(self, queue_id):
        """Takes a message out of the queue, wherever it is there."""
        self.room.run("/usr/sbin/postsuper", "-d", queue_id)

    def attempt(self, queue_id, recipient, status, since=0):
        """One delivery attempt as its log line has it, a dict: relay, delay, delays, dsn, status,
        text (the words in brackets) and line."""
        found = self.log.wait(re.compile(
            rf": {queue_id}: (?P<fields>to=<{re.escape(recipient)}>, .*), "
            rf"status=(?P<status>{status}) \((?P<text>.*)\)$"), since)
        fields = dict(re.findall(r"(\w+)=<?([^>,]*)>?", found["fields"]))
        return {**fields, "status": found["status"], "text": found["text"], "line": found.string}

    @staticmethod
    def id_in(reply):
        """The queue id in the final reply of a Postfix server: to DATA or to BDAT."""
        return re.search(r"queued as (\w+)", reply)[1]

    def size(self, queue_id):
        """The size of a message in the queue, as logged; the client sends it as SIZE=."""
        return int(self.log.wait(re.compile(rf"qmgr\[\d+\]: {queue_id}: from=<.*?>, size=(\d+), "))[1])

    def refusal(self, recipient):
        """The reply that was logged for the last RCPT of recipient that was refused."""
        pattern = re.compile(rf"reject: RCPT from \S+: (.*); from=<.*> to=<{re.escape(recipient)}> ")
        self.log.wait(pattern)
        return [m[1] for m in map(pattern.search, self.log.lines()) if m][-1]

    def received(self, queue_id):
        """Waits until a message is out of the queue, and returns what was logged about it."""
        self.wait_until_gone(queue_id)
        sender = self.log.find(re.compile(rf"qmgr\[\d+\]: {queue_id}: from=<(.*?)>, "))[1]
        delivered = re.compile(rf": {queue_id}: to=<(.*?)>, .*, status=sent ")
        recipients = sorted(m[1] for m in map(delivered.search, self.log.lines()) if m)
        stored = mail.find_stored(self.room, recipients[0], queue_id)
        return mail.Received(queue_id, sender, recipients, self.size(queue_id), _size_queued(stored),
                             None, stored)

    def wait_until_gone(self, queue_id):
        self.log.wait(re.compile(rf"qmgr\[\d+\]: {queue_id}: removed"))

    def queue(self):
        """{queue id: name of the queue it is in} of all that is not delivered."""
        entries = map(json.loads, self.room.run("/usr/sbin/postqueue", "-j").splitlines())
        return {entry["queue_id"]: entry["queue_name"] for entry in entries}



def _size_queued(stored):
    """What qmgr(8) logs as size: the octets of the queue file's records, one a line, each with
    its type and its length in front (a second octet of length from 128 on)."""
    return sum(len(line) + (2 if len(line) < 128 else 3) for line in stored.split(b"\n")[:-1])
