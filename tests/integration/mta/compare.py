# SPDX-License-Identifier: MIT
"""What smtpscope told of a session, against what the ends of that session say of it."""
import re

from .expect import expect, expect_equal
from .scope import lines_of


def accepted(code):
    return code is not None and 200 <= code < 300


def expect_same_message(session, received):
    """The one message of session is the one that the server logged and keeps: who, how much."""
    message = session.one("message")
    expect(received.id in session.final_reply(), f"{received.id} is not in {session.final_reply()}")
    expect_equal(message["reverse_path"], received.sender, "reverse_path, against the server's log")
    expect_equal(sorted(r["address"] for r in message["recipients"] if accepted(r["code"])),
                 received.recipients, "recipients, against the server's log")
    expect_equal(message["octets"], received.octets(), "octets, against the server's mailbox")
    expect_equal(received.size, received.size_stored, "size in the server's log, against its mailbox")
    expect_equal(message["complete"], True, "complete")
    expect_equal(message["code"], 250, "code")
    if received.chunking is not None:
        expect_equal(message["transfer"] == "BDAT", received.chunking, "BDAT, against the server's log")


def expect_same_dialogue(session, said):
    """Each line and the count of octets are those of swaks' transcript."""
    content = said.sent.index("DATA") + 1
    expect_equal(session.commands(), said.sent[:content] + said.sent[-1:], "commands, against swaks")
    expect_equal(session.reply_lines(), said.heard, "replies, against swaks")
    expect_equal(session.one("close")["octets"],
                 {"client": octets_of(said.sent), "server": octets_of(said.heard)},
                 "octets, against swaks")


def octets_of(lines):
    return sum(len(line.encode()) + 2 for line in lines)


def expect_same_attempt(session, attempt):
    """The attempt in the sending Postfix's log got the final reply, and took the time, that
    session tells of: text, dsn, delays (a/b/c/d; d is the transmission, MAIL to final reply)."""
    final = session.one("reply", to="CONTENT")
    expect_equal(attempt["text"], session.final_reply(), "text in Postfix's log, against the event")
    # Where the server gives no enhanced code, Postfix logs the first digit alone.
    expect_equal(attempt["dsn"], final["enhanced"] or f"{final['code'] // 100}.0.0", "dsn")
    transmission = float(attempt["delays"].split("/")[3]) * 1000
    expect(final["latency_ms"] <= transmission + 10,        # logged to the hundredth of a second
           f"latency_ms {final['latency_ms']} is above the {transmission} ms of " + attempt["line"])


def expect_whole_session(session):
    """Greeting, replies in the order of commands, and a QUIT that was answered."""
    asked = ["CONNECT"] + [c["verb"] for c in session.of("command")]
    for at, verb in reversed(list(enumerate(asked))):
        if verb == "DATA":
            asked.insert(at + 1, "CONTENT")
        elif verb == "BDAT" and re.search(r" LAST$", session.commands()[at - 1], re.I):
            asked[at] = "CONTENT"
    expect_equal([r["to"] for r in session.of("reply")], asked, "what the replies answer")
    expect_equal([r["origin"] for r in session.of("reply")], ["server"] * len(asked), "origins")
    expect(all(r["latency_ms"] >= 0 for r in session.of("reply")), "a latency below 0, or none")
    close = session.one("close")
    expect_equal((close["by"], close["how"]), ("client", "quit"), "who closed, and how")
    expect_equal((close["commands"], close["replies"], close["messages"]),
                 (len(session.of("command")), len(asked), 1), "commands, replies, messages")


def expect_greeted_by(session, server):
    """The session went to this server and no other, and its EHLO was understood."""
    expect_equal(session.one("open")["server"].rpartition(":")[2], str(server.port), "server")
    expect_equal(session.one("upstream")["outcome"], "connected", "outcome of the connection")
    greeting = session.one("reply", to="CONNECT")
    expect_equal(greeting["code"], 220, "code of the greeting")
    name = f"{server.room.name}.example.org"
    expect(greeting["text"][0].startswith(name), f"no {name} in {lines_of(greeting)}")
    ehlo = session.one("ehlo")
    expect_equal(ehlo["name"], name, "name in the reply to EHLO")
    listed = session.one("reply", to="EHLO")["text"][1:]
    expect_equal(ehlo["keywords"], {k.upper(): p for k, _, p in (t.partition(" ") for t in listed)},
                 "keywords, against the reply")
