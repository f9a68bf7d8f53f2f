# SPDX-License-Identifier: MIT
"""What is the same at every MTA of the tests: who gets mail, and what a server says it took."""
import dataclasses
import re

from .expect import Failure

DOMAIN = "example.org"
SENDER_DOMAIN = "client.example.org"    # what is sent back there is thrown away

# Mailboxes of example.org, each a user of its own in the MTA's room. Any other name is refused.
USERS = {"ann": 1001, "bob": 1002, "carl": 1003}


@dataclasses.dataclass
class Received:
    """One message as the server's log has it, once all its deliveries are done."""
    id: str
    sender: str             # the reverse-path, without brackets
    recipients: list        # the forward-paths that it accepted, sorted
    size: int               # octets as logged, the server's own Received: field included
    size_stored: int        # the same, counted from stored as this MTA counts
    chunking: object        # True or False where the log tells BDAT from DATA, else None
    stored: bytes           # the message from its Received: field on, line ends LF

    def content(self):
        """The message content as the client sent it: all behind the server's own Received:."""
        return re.sub(rb"\AReceived: [^\n]*\n(?:[ \t][^\n]*\n)*", b"", self.stored)

    def octets(self):
        """The length of content() as it travels: a line end is CRLF there."""
        return len(self.content()) + self.content().count(b"\n")


def make_mailboxes(room):
    room.make("var/mail")
    for name in USERS:
        room.make(f"var/mail/{name}", name, mode=0o700)
        for part in ("cur", "new", "tmp"):
            room.make(f"var/mail/{name}/{part}", name, mode=0o700)


def _stored(room, recipient):
    return list((room.path / "var/mail" / recipient.partition("@")[0] / "new").iterdir())


def count_stored(room, recipient):
    return len(_stored(room, recipient))


def find_stored(room, recipient, message_id):
    """The message that the MTA of room kept for recipient under its own message_id.

    What was added at delivery, in front of the Received: field, is taken off.
    """
    for path in _stored(room, recipient):
        stored = path.read_bytes()
        start = re.search(rb"^Received: ", stored, re.M).start()
        if message_id.encode() in stored[start:].partition(b"\nReceived:")[0]:
            return stored[start:]
    raise Failure(f"no message {message_id} in the mailbox of {recipient} at {room.name}")
