#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smtpscope between real MTAs: Postfix, Exim and OpenSMTPD.

    test_mta.py [WORD...]       all cases, or those with one of the words in their name

What the JSON events say is compared with what the MTAs logged and kept. Needs root (namespaces,
users) and, the first time, Debian's archive; without, every case is skipped by name and
counted. mta/README says how the MTAs are run.
"""
import random
import sys

sys.dont_write_bytecode = True      # nothing is written outside the build folder

import capturing                                                    # noqa: E402
from mta import cases, mail, swaks                                  # noqa: E402
from mta.cases import Skip, case, for_each                          # noqa: E402
from mta.compare import (expect_greeted_by, expect_same_attempt,    # noqa: E402
                         expect_same_dialogue, expect_same_message, expect_whole_session)
from mta.expect import expect, expect_equal                         # noqa: E402
from mta.room import FOLDER                                         # noqa: E402
from mta.scope import BINARY, Scope, lines_of                       # noqa: E402
from mta.stage import PROXY, SERVERS, Stage                         # noqa: E402

PIPELINING = ("Postfix", "Exim")    # the servers that offer it; OpenSMTPD 6.8 does not

ANN = "ann@client.example.org"
JUERGEN = "jürgen@client.example.org"
BOB = "bob@example.org"
CARL = "carl@example.org"
NOSUCH = "nosuch@example.org"       # refused with 550 by every server

# A message to which no server has to add anything but its Received: field.
HEADER = b"""\
Date: Sun, 22 Nov 2026 09:00:00 +0000
From: ann@client.example.org
To: bob@example.org
Message-ID: <1@client.example.org>
"""
CONTENT = HEADER + b"""\
Subject: through the scope

A line.
.A line that begins with a dot.
..Two of them.

The last line.
"""
CONTENT_8BIT = HEADER + """\
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Viele Grüße.
""".encode()

RULE_LMTP = """\
rule "carl's mailbox is full, once" {
    on reply to CONTENT
    when recipient == "carl@example.org"
    limit 1
    reply 452 4.2.2 "Mailbox full"
}
"""

# The rule of the README, and an assertion: the first try meets a 421, the next one nothing; where
# none comes, smtpscope ends with 3.
RULE_421 = """\
rule "421 after RCPT, once" {
    on RCPT
    limit 1
    expect at least 2
    reply 421 4.3.2 "mx.example.org Service not available, closing transmission channel"
    close
}
"""


def two_megabytes():
    """Lines of all lengths that SMTP allows, many of which begin with a dot."""
    rng = random.Random(5321)
    lines = []
    octets = 0
    while octets < 2_000_000:
        line = rng.choice((".", "..", "", "x")) + rng.choice("abc. ") * rng.randrange(0, 950)
        lines.append(line)
        octets += len(line) + 2
    return CONTENT + "\n".join(lines).encode() + b"\nThe end.\n"


def send_by_swaks(port, recipients, content, *options):
    if not swaks.available():
        raise Skip("no swaks (Debian's package of that name)")
    said = swaks.send(port, ANN, recipients, content, *options)
    expect_equal(said.code, 0, "exit code of swaks")
    return said


def expect_content(received, content):
    """What the server keeps ends in what was submitted, octet for octet."""
    kept = received.content().rstrip(b"\n")     # swaks adds an empty line of its own
    expect(kept.endswith(content.rstrip(b"\n")),
           f"{received.id}: {len(kept)} octets kept are not the {len(content)} that were sent")


# Without smtpscope: if these fail, the fault is in the MTAs or in how they are run.

@for_each(SERVERS, "swaks to {}, nothing between")
def swaks_directly(stage, name):
    server = stage.get(name)
    said = send_by_swaks(server.port, [BOB, CARL], CONTENT)
    received = server.received(server.id_in(said.final_reply()))
    expect_equal((received.sender, received.recipients), (ANN, [BOB, CARL]), "envelope logged")
    expect_equal(received.size, received.size_stored, "size logged, against the mailbox")
    expect_content(received, CONTENT)


# A message through smtpscope, whole, and what both ends say of it.

@for_each(SERVERS, "swaks through smtpscope into {}")
def from_swaks(stage, name):
    server = stage.get(name)
    with Scope(server.port) as scope:
        said = send_by_swaks(scope.port, [BOB, CARL], CONTENT)
        session = scope.session()
    received = server.received(server.id_in(said.final_reply()))
    expect_greeted_by(session, server)
    expect_whole_session(session)
    expect_same_dialogue(session, said)
    expect_same_message(session, received)
    expect_content(received, CONTENT)
    message = session.one("message")
    expect_equal((message["reverse_path"], [r["address"] for r in message["recipients"]]),
                 (ANN, [BOB, CARL]), "envelope")
    expect_equal((message["header"]["subject"], message["header"]["message_id"]),
                 ("through the scope", "<1@client.example.org>"), "header")


@for_each(SERVERS, "Postfix through smtpscope into {}")
def from_postfix(stage, name):
    server, client = stage.get(name), stage.get("sending Postfix")
    with Scope(server.port, PROXY) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT)
        attempt = client.attempt(queue_id, BOB, "sent")
        session = scope.session()
    received = server.received(server.id_in(attempt["text"]))
    expect_greeted_by(session, server)
    expect_whole_session(session)
    expect_same_attempt(session, attempt)
    expect_same_message(session, received)
    expect_content(received, CONTENT)
    command = session.one("command", verb="MAIL")
    expect_equal((command["address"], int(command["params"]["SIZE"])), (ANN, client.size(queue_id)),
                 "MAIL, against the sender's log")
    expect_equal(session.one("command", verb="EHLO")["argument"], "sending-postfix.example.org", "EHLO")


@for_each(("Postfix", "Exim"), "Exim through smtpscope into {}, with BDAT")
def from_exim(stage, name):
    server, client = stage.get(name), stage.get("sending Exim")
    with Scope(server.port, PROXY) as scope:
        attempt = client.attempt(client.submit(ANN, [BOB, CARL], CONTENT), BOB)
        session = scope.session()
    received = server.received(server.id_in(attempt["text"]))
    expect("K" in attempt["flags"], "no BDAT in " + attempt["line"])
    expect_equal(session.one("message")["transfer"], "BDAT", "transfer")
    expect_equal(attempt["text"], session.final_reply(), "text in Exim's log, against the event")
    expect_greeted_by(session, server)
    expect_whole_session(session)
    expect_same_message(session, received)
    expect_content(received, CONTENT)


@case("a delay made by a rule is in Postfix's delays, and not in latency_ms")
def delayed(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with Scope(server.port, PROXY, 'rule "slow" { on CONTENT-END delay 700ms }') as scope:
        attempt = client.attempt(client.submit(ANN, [BOB], CONTENT), BOB, "sent")
        session = scope.session()
    expect_same_message(session, server.received(server.id_in(attempt["text"])))
    expect_same_attempt(session, attempt)
    transmission = float(attempt["delays"].split("/")[3]) * 1000
    latency = session.one("reply", to="CONTENT")["latency_ms"]
    expect(transmission - latency >= 690, f"latency_ms is {latency} in {attempt['line']}")


# Groups, size and octets.

@for_each(PIPELINING, "a pipelined group with one recipient refused, swaks into {}")
def refused_in_group(stage, name):
    server = stage.get(name)
    with Scope(server.port) as scope:
        said = send_by_swaks(scope.port, [BOB, NOSUCH, CARL], CONTENT, "--pipeline")
        session = scope.session()
    expect_whole_session(session)
    expect_same_dialogue(session, said)
    expect_same_message(session, server.received(server.id_in(said.final_reply())))
    expect_refused(session, server, [BOB, NOSUCH, CARL])


@for_each(SERVERS, "two recipients with one refused, Postfix into {}")
def one_of_two_refused(stage, name):
    server, client = stage.get(name), stage.get("sending Postfix")
    with Scope(server.port, PROXY) as scope:
        queue_id = client.submit(ANN, [NOSUCH, BOB], CONTENT)
        bounced, sent = client.attempt(queue_id, NOSUCH, "bounced"), client.attempt(queue_id, BOB, "sent")
        session = scope.session()
    expect_whole_session(session)
    expect_same_attempt(session, sent)
    expect_same_message(session, server.received(server.id_in(sent["text"])))
    reply = expect_refused(session, server, [c["address"] for c in session.of("command", verb="RCPT")])
    expect_equal(bounced["text"], "host 127.0.0.1[127.0.0.1] said: " + " ".join(lines_of(reply))
                 + " (in reply to RCPT TO command)", "text in Postfix's log, against the event")
    expect_equal(bounced["dsn"], reply["enhanced"] or "5.0.0", "dsn")
    # Postfix sends MAIL to DATA in one piece where the server allows it, and one by one else.
    arrived, answered = session.one("command", verb="DATA")["time"], session.one("reply", to="MAIL")["time"]
    expect_equal(arrived <= answered, name in PIPELINING, "DATA came before MAIL was answered")


def expect_refused(session, server, recipients):
    """NOSUCH was refused and nobody else, as the server logged it; returns that reply."""
    replies = session.of("reply", to="RCPT")
    wanted = [550 if r == NOSUCH else 250 for r in recipients]
    expect_equal([r["code"] for r in replies], wanted, "codes to RCPT")
    expect_equal([(r["address"], r["code"]) for r in session.one("message")["recipients"]],
                 list(zip(recipients, wanted)), "recipients of the message")
    reply = replies[recipients.index(NOSUCH)]
    expect_equal(server.refusal(NOSUCH), " ".join(lines_of(reply)), "the server's log, against the event")
    return reply


@for_each(SERVERS, "2 MB, Postfix into {}")
def big_from_postfix(stage, name):
    server, client = stage.get(name), stage.get("sending Postfix")
    content = two_megabytes()
    with Scope(server.port, PROXY) as scope:
        attempt = client.attempt(client.submit(ANN, [BOB], content), BOB, "sent")
        session = scope.session()
    received = server.received(server.id_in(attempt["text"]))
    expect_whole_session(session)
    expect_same_attempt(session, attempt)
    expect_same_message(session, received)
    expect_content(received, content)


@for_each(("Postfix", "Exim"), "2 MB, Exim into {}, with BDAT")
def big_from_exim(stage, name):
    server, client = stage.get(name), stage.get("sending Exim")
    content = two_megabytes()
    with Scope(server.port, PROXY) as scope:
        attempt = client.attempt(client.submit(ANN, [BOB], content), BOB)
        session = scope.session()
    received = server.received(server.id_in(attempt["text"]))
    expect_equal(session.one("message")["transfer"], "BDAT", "transfer")
    expect_whole_session(session)
    expect_same_message(session, received)
    expect_content(received, content)


@for_each(SERVERS, "8BITMIME, Postfix into {}")
def eight_bits(stage, name):
    server, client = stage.get(name), stage.get("sending Postfix")
    with Scope(server.port, PROXY) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT_8BIT, "-B", "8BITMIME")
        attempt = client.attempt(queue_id, BOB, "sent")
        session = scope.session()
    received = server.received(server.id_in(attempt["text"]))
    expect_equal(session.one("command", verb="MAIL")["params"].get("BODY"), "8BITMIME", "BODY=")
    expect_equal(session.one("message")["header"]["subject"], "Grüße", "subject")
    expect_same_message(session, received)
    expect_content(received, CONTENT_8BIT)


@for_each(("Postfix", "Exim"), "SMTPUTF8, Postfix into {}")
def utf8_addresses(stage, name):
    server, client = stage.get(name), stage.get("sending Postfix")
    with Scope(server.port, PROXY) as scope:
        attempt = client.attempt(client.submit(JUERGEN, [BOB], CONTENT_8BIT), BOB, "sent")
        session = scope.session()
    received = server.received(server.id_in(attempt["text"]))
    command = session.one("command", verb="MAIL")
    expect_equal(command["address"], JUERGEN, "reverse-path")
    expect_equal(command["params"].get("SMTPUTF8", "absent"), None, "SMTPUTF8")
    expect_equal(received.sender, JUERGEN, "sender in the server's log")
    expect_same_message(session, received)


@case("LMTP: 452 after the content for one of two recipients, Postfix defers that one alone")
def lmtp(stage):
    server, client = stage.get("LMTP server"), stage.get("LMTP sending Postfix")
    with Scope(server.port, PROXY, RULE_LMTP, scheme="lmtp") as scope:
        queue_id = client.submit(ANN, [BOB, CARL], CONTENT)
        sent, deferred = client.attempt(queue_id, BOB, "sent"), client.attempt(queue_id, CARL, "deferred")
        first = scope.session(1)
        client.flush()
        client.attempt(queue_id, CARL, "sent")
        second = scope.session(2)
        client.wait_until_gone(queue_id)
    replies = first.of("reply", to="CONTENT")
    expect_equal([(r["recipient"], r["code"], r["origin"]) for r in replies],
                 [(BOB, 250, "server"), (CARL, 452, "rule")], "replies to the content")
    expect_equal(sent["text"], " ".join(lines_of(replies[0])), "text in Postfix's log, against the event")
    expect(" ".join(lines_of(replies[1])) in deferred["text"], "another reason is in " + deferred["line"])
    expect_equal((sent["dsn"], deferred["dsn"]), tuple(r["enhanced"] for r in replies), "dsn")
    message = first.one("message")
    expect_equal([r["final"]["code"] for r in message["recipients"]], [250, 452], "final codes")
    expect_equal(message["code"], 452, "code of the message: the highest")
    # The server had taken it for carl all the same: what the client repeats is a duplicate.
    expect_equal(server.taken(), [(ANN, [BOB, CARL]), (ANN, [CARL])], "messages at the server")
    expect_equal(second.one("message")["code"], 250, "code of the second message")


# Why smtpscope exists: a sender is made to see a 421, and must come back.

@for_each(SERVERS, "a forced 421 after RCPT: Postfix defers, then delivers into {}")
def forced_421(stage, name):
    server, client = stage.get(name), stage.get("sending Postfix")
    before = mail.count_stored(server.room, BOB)
    with Scope(server.port, PROXY, RULE_421) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT)
        deferred = client.attempt(queue_id, BOB, "deferred")
        first = scope.session(1)
        expect_equal(client.queue(), {queue_id: "deferred"}, "Postfix's queue after the first try")
        expect_equal(mail.count_stored(server.room, BOB), before, "messages at the server")
        client.flush()
        sent = client.attempt(queue_id, BOB, "sent")
        second = scope.session(2)
        client.wait_until_gone(queue_id)
        expect_equal(client.queue(), {}, "Postfix's queue after the second try")
    reply = expect_421(first)
    expect_equal(deferred["text"], "host 127.0.0.1[127.0.0.1] said: " + " ".join(lines_of(reply))
                 + " (in reply to RCPT TO command)", "text in Postfix's log, against the event")
    expect_equal(deferred["dsn"], "4.3.2", "dsn")
    expect_delivered_after_421(scope, second, server, sent["text"])
    expect_same_attempt(second, sent)


@case("a forced 421 after RCPT: Exim defers, then delivers into Postfix with BDAT")
def forced_421_for_exim(stage):
    server, client = stage.get("Postfix"), stage.get("sending Exim")
    with Scope(server.port, PROXY, RULE_421) as scope:
        message_id = client.submit(ANN, [BOB], CONTENT)
        deferred = client.deferral(message_id, BOB)
        first = scope.session(1)
        client.flush()
        sent = client.attempt(message_id, BOB)
        second = scope.session(2)
    reply = expect_421(first)
    expect(deferred.endswith(" ".join(lines_of(reply))), "another reason is in " + deferred)
    expect_delivered_after_421(scope, second, server, sent["text"])


@case("a forced 421 after RCPT, and no next try: smtpscope ends with 3")
def forced_421_and_nothing(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with Scope(server.port, PROXY, RULE_421, code=3) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT)
        client.attempt(queue_id, BOB, "deferred")
        expect_421(scope.session())
    client.delete(queue_id)


@case("a server that refuses connections: Postfix defers on 421 4.4.1, then delivers into Postfix")
def no_upstream(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with Scope(1, PROXY) as scope:      # nobody listens on port 1 here
        queue_id = client.submit(ANN, [BOB], CONTENT)
        deferred = client.attempt(queue_id, BOB, "deferred")
        session = scope.session()
    expect_equal(session.one("upstream")["outcome"], "refused", "outcome of the connection")
    reply = session.one("reply", to="CONNECT")
    expect_equal((reply["code"], reply["enhanced"], reply["origin"]), (421, "4.4.1", "proxy"), "greeting")
    expect_equal(deferred["text"], "host 127.0.0.1[127.0.0.1] refused to talk to me: "
                 + " ".join(lines_of(reply)), "text in Postfix's log, against the event")
    expect_equal((session.one("close")["by"], session.one("close")["how"]), ("proxy", "upstream"),
                 "who closed, and how")
    with Scope(server.port, PROXY) as scope:
        client.flush()
        sent = client.attempt(queue_id, BOB, "sent")
        expect_same_message(scope.session(), server.received(server.id_in(sent["text"])))


# The same sessions, as the wire has them.

@case("Postfix into Postfix, a forced 421 and the next try: what tcpdump records of the legs tells the same")
def recorded_by_tcpdump(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    try:
        tcpdump = capturing.Tcpdump(FOLDER / "rooms" / "legs.pcap")
    except capturing.Unavailable as why:
        raise Skip(str(why)) from None
    try:
        with Scope(server.port, PROXY, RULE_421) as scope:
            queue_id = client.submit(ANN, [BOB], two_megabytes())
            client.attempt(queue_id, BOB, "deferred")
            first = scope.session(1)
            client.flush()
            client.attempt(queue_id, BOB, "sent")
            second = scope.session(2)
        tcpdump.stop()
    except capturing.Unavailable as why:
        raise Skip(str(why)) from None
    finally:
        tcpdump.kill()
    legs = capturing.legs(BINARY, tcpdump.path)
    expect_equal(capturing.difference_on_clients_leg(first.events, client_leg(legs, first)), None,
                 "the client's leg of the 421")
    expect_equal(capturing.difference(second.events, client_leg(legs, second)), None, "the client's leg")
    to_server = [sessions for (_, end), sessions in legs.items() if end == f"127.0.0.1:{server.port}"]
    expect_equal([len(sessions) for sessions in to_server], [1, 1], "sessions with the server")
    expect_equal(capturing.difference(second.events, to_server[1][0]), None, "the server's leg")


def client_leg(legs, session):
    (captured,) = legs[session.one("open")["client"], f"127.0.0.1:{PROXY}"]
    return captured


def expect_421(session):
    """The session that the rule ended: RCPT kept from the server, 421 sent for it, then FIN."""
    reply = session.one("reply", to="RCPT")
    expect_equal((reply["code"], reply["enhanced"], reply["origin"], reply["latency_ms"]),
                 (421, "4.3.2", "rule", None), "reply to RCPT")
    expect_equal(session.one("command", verb="RCPT")["forwarded"], False, "RCPT forwarded")
    expect_equal([r["rule"] for r in session.of("rule")], ["421 after RCPT, once"] * 2, "rules that acted")
    expect(session.events.index(session.of("rule")[0]) < session.events.index(reply),
           "the rule comes behind the reply that it made")
    expect_equal(session.of("message"), [], "messages")
    close = session.one("close")
    expect_equal((close["by"], close["how"]), ("proxy", "rule"), "who closed, and how")
    return reply


def expect_delivered_after_421(scope, session, server, final_reply):
    """The second try: as if there were no rule. And the program's own account of both."""
    expect_equal(session.of("rule"), [], "rules that acted")
    expect_whole_session(session)
    expect_same_message(session, server.received(server.id_in(final_reply)))
    summary = [e for e in scope.events() if e["event"] == "rule-summary"]
    expect_equal([(e["rule"], e["matched"], e["acted"]) for e in summary],
                 [("421 after RCPT, once", 2, 1)], "rule-summary")


if __name__ == "__main__":
    sys.exit(cases.main(Stage))
