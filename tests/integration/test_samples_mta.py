#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Postfix and Exim make of the faults of samples/rules: each case is a sample, run as it is.

    test_samples_mta.py [WORD...]       all cases, or those with one of the words in their name

Needs what test_mta.py needs, and is skipped where that is; mta/README says how the MTAs are run.
"""
import re
import sys

sys.dont_write_bytecode = True      # nothing is written outside the build folder

from mta import cases, mail                                         # noqa: E402
from mta.cases import case                                          # noqa: E402
from mta.compare import expect_same_message                         # noqa: E402
from mta.expect import expect, expect_equal                         # noqa: E402
from mta.room import FOLDER                                         # noqa: E402
from mta.scope import Scope                                         # noqa: E402
from mta.stage import PROXY, Stage                                  # noqa: E402

ANN = "ann@client.example.org"
BOB, CARL, ANN_HERE = "bob@example.org", "carl@example.org", "ann@example.org"
HEADER = b"Date: Sun, 22 Nov 2026 09:00:00 +0000\nFrom: ann@client.example.org\nTo: bob@example.org\n"
CONTENT = HEADER + b"Subject: a fault\n\nA line.\n"
CONTENT_8BIT = HEADER + "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
Content-Transfer-Encoding: 8bit\n\nViele Grüße.\n".encode()


def scope_with(sample, server):
    return Scope(server.port, PROXY, (FOLDER.parents[1] / "samples" / "rules" / f"{sample}.rules").read_text())


def verbs(session):
    return [c["verb"] for c in session.of("command")]


def expect_kept_once(server, before, copies=1):
    expect_equal(mail.count_stored(server.room, BOB) - before, copies, "copies in the mailbox")


@case("ehlo-refused: Postfix falls back to HELO, without parameters, and delivers")
def ehlo_refused(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("ehlo-refused", server) as scope:
        attempt = client.attempt(client.submit(ANN, [BOB], CONTENT), BOB, "sent")
        session = scope.session()
    expect_equal(verbs(session), ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT"], "verbs")
    expect_equal([c["params"] for c in session.of("command") if c["verb"] in ("MAIL", "RCPT")], [{}, {}], "parameters")
    expect_same_message(session, server.received(server.id_in(attempt["text"])))


@case("ehlo-refused: Exim falls back to HELO, and delivers by DATA")
def ehlo_refused_for_exim(stage):
    server, client = stage.get("Postfix"), stage.get("sending Exim")
    with scope_with("ehlo-refused", server) as scope:
        client.attempt(client.submit(ANN, [BOB], CONTENT), BOB)
        session = scope.session()
    expect_equal(verbs(session)[:2], ["EHLO", "HELO"], "verbs")
    expect_equal(session.one("message")["transfer"], "DATA", "transfer")


@case("ehlo-refused-for-good: Postfix tries both, defers, and says why")
def ehlo_refused_for_good(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("ehlo-refused-for-good", server) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT)
        attempt = client.attempt(queue_id, BOB, "bounced|deferred")
        session = scope.session()
    expect_equal(verbs(session), ["EHLO", "HELO", "QUIT"], "verbs")
    expect("your name is not welcome here" in attempt["text"], "another reason is in " + attempt["line"])
    client.delete(queue_id)


@case("hide-pipelining: Postfix waits for each reply")
def hide_pipelining(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("hide-pipelining", server) as scope:
        client.attempt(client.submit(ANN, [BOB, CARL], CONTENT), BOB, "sent")
        session = scope.session()
    expect_equal(session.of("finding", id="pipe.unoffered"), [], "findings")
    expect("PIPELINING" not in session.one("ehlo")["keywords"], "PIPELINING was offered")
    expect_equal(session.one("message")["code"], 250, "code")


@case("hide-size: Postfix sends no SIZE")
def hide_size(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("hide-size", server) as scope:
        client.attempt(client.submit(ANN, [BOB], CONTENT), BOB, "sent")
        session = scope.session()
    expect("SIZE" not in session.one("command", verb="MAIL")["params"], "SIZE was sent")
    expect("SIZE" in session.one("ehlo")["server_keywords"], "the server did not offer it either")


@case("size-too-small: Postfix returns a message of 5,000 octets without a transaction")
def size_too_small(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("size-too-small", server) as scope:
        attempt = client.attempt(client.submit(ANN, [BOB], CONTENT + b"x" * 70 * 70 + b"\n"), BOB, "bounced")
        session = scope.session()
    expect(re.search(r"message size \d+ exceeds size limit 1000 of server", attempt["text"]),
           "another reason is in " + attempt["line"])
    expect("MAIL" not in verbs(session), f"verbs: {verbs(session)}")


@case("hide-8bitmime: Postfix encodes the content anew")
def hide_8bitmime(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("hide-8bitmime", server) as scope:
        attempt = client.attempt(client.submit(ANN, [BOB], CONTENT_8BIT, "-B", "8BITMIME"), BOB, "sent")
        session = scope.session()
    received = server.received(server.id_in(attempt["text"]))
    expect_same_message(session, received)
    expect(b"Viele Gr=C3=BC=C3=9Fe." in received.content() and
           b"Content-Transfer-Encoding: quoted-printable" in received.content(), f"as it was: {received.content()!r}")


@case("hide-chunking: Exim goes back to DATA")
def hide_chunking(stage):
    server, client = stage.get("Postfix"), stage.get("sending Exim")
    with scope_with("hide-chunking", server) as scope:
        attempt = client.attempt(client.submit(ANN, [BOB], CONTENT), BOB)
        session = scope.session()
    expect_equal(session.one("message")["transfer"], "DATA", "transfer")
    expect("K" not in attempt["flags"], "BDAT in " + attempt["line"])


@case("lost-final-reply: Postfix sends it again, and the mailbox has two copies (RFC 1047)")
def lost_final_reply(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    before = mail.count_stored(server.room, BOB)
    with scope_with("lost-final-reply", server) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT)
        client.attempt(queue_id, BOB, "deferred")
        first = scope.session(1)
        client.flush()
        attempt = client.attempt(queue_id, BOB, "sent")
        second = scope.session(2)
    one, two = first.one("message"), second.one("message")
    expect_equal((one["code"], one["server_code"], two["code"]), (None, 250, 250), "codes")
    expect_equal(one["header"]["message_id"], two["header"]["message_id"], "Message-ID of both")
    server.received(server.id_in(attempt["text"]))
    expect_kept_once(server, before, 2)


@case("421-at-content-end: Postfix sends it again, and the mailbox has one copy")
def lost_before_the_end(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    before = mail.count_stored(server.room, BOB)
    with scope_with("421-at-content-end", server) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT)
        client.attempt(queue_id, BOB, "deferred")
        expect_equal(scope.session(1).one("message")["code"], 421, "code")
        client.flush()
        attempt = client.attempt(queue_id, BOB, "sent")
        scope.session(2)
    server.received(server.id_in(attempt["text"]))
    expect_kept_once(server, before)


@case("452-too-many-recipients: Postfix keeps the third for later, and delivers to two")
def too_many_recipients(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("452-too-many-recipients", server) as scope:
        queue_id = client.submit(ANN, [BOB, CARL, ANN_HERE], CONTENT)
        codes = [r["code"] for r in scope.session(1).one("message")["recipients"]]
        client.flush()
        client.wait_until_gone(queue_id)
        second = scope.session(2)
    expect_equal(codes, [250, 250, 452], "codes to RCPT")
    expect_equal(second.one("message")["recipients"][0]["code"], 250, "code of the third, in the next session")
    expect_equal(len(second.one("message")["recipients"]), 1, "recipients of the next session")


@case("551-recipient-moved: Postfix returns it, with the new address in its words, and does not follow")
def moved(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("551-recipient-moved", server) as scope:
        queue_id = client.submit(ANN, [BOB, CARL], CONTENT)
        bounced = client.attempt(queue_id, BOB, "bounced")
        client.attempt(queue_id, CARL, "sent")
        session = scope.session()
    expect("551 5.1.6 User not local; please try <bob@example.com>" in bounced["text"],
           "another reason is in " + bounced["line"])
    expect_equal({c["address"] for c in session.of("command", verb="RCPT")}, {BOB, CARL}, "recipients")


@case("data-answered-250: Postfix sends no content behind it")
def data_answered_250(stage):
    server, client = stage.get("Postfix"), stage.get("sending Postfix")
    with scope_with("data-answered-250", server) as scope:
        queue_id = client.submit(ANN, [BOB], CONTENT)
        client.attempt(queue_id, BOB, "deferred|bounced")
        session = scope.session()
    expect_equal(session.of("message"), [], "messages")
    expect(verbs(session)[-1] in ("QUIT", "RSET"), f"verbs: {verbs(session)}")
    if queue_id in client.queue():
        client.delete(queue_id)


@case("reply-without-text, multiline-greeting: Postfix and Exim deliver all the same")
def odd_but_right(stage):
    server = stage.get("Postfix")
    for sample in ("reply-without-text", "multiline-greeting"):
        for name in ("sending Postfix", "sending Exim"):
            client = stage.get(name)
            with scope_with(sample, server) as scope:
                queue_id = client.submit(ANN, [BOB], CONTENT)
                client.wait_until_gone(queue_id)
                session = scope.session()
            expect_equal(session.one("message")["code"], 250, f"code, {sample}, {name}")
            expect_equal(session.of("finding", id="pipe.early-talk"), [], f"findings, {sample}, {name}")


if __name__ == "__main__":
    sys.exit(cases.main(Stage))
