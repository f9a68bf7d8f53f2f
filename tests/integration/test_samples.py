#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each file of samples/rules makes the fault that its head promises, in a running proxy.

The client of each test does what an MTA would; the server is the built-in one. Samples that
wait for half a minute are run with their seconds made milliseconds. A sample without a test
here is a failure.
"""

import contextlib
import re
import tempfile
import time

from running import ROOT, Proxy, run, send_message

SAMPLES = ROOT / "samples" / "rules"
MAIL, RCPT = "MAIL FROM:<ann@example.org>", "RCPT TO:<{}@example.net>"


@contextlib.contextmanager
def proxy_with(name, fast=False, **more):
    text = (SAMPLES / f"{name}.rules").read_text()
    if fast:
        body = re.sub(r"(?m)^(?!#)(.*)$", lambda m: re.sub(r"\b(\d+)s\b", r"\1ms", m.group(1)), text)
        assert body != text, "nothing to make faster"
        text = body
    with tempfile.NamedTemporaryFile("w", suffix=".rules") as file:
        file.write(text)
        file.flush()
        with Proxy("-r", file.name, *more.get("options", ())) as proxy:
            yield proxy
            proxy.stop()


def begin(proxy, helo="EHLO client.example.org"):
    client = proxy.connect()
    assert client.reply()[0] == 220
    return client, client.say(helo, 250)[1].split("\n")[1:]


def closed(client, how="fin"):
    """The other end is gone; so is this one, then."""
    assert client.to_end() == (b"", how)
    client.close()


def quit_session(client):
    client.say("QUIT", 221)
    closed(client)


def deliver(proxy):
    client, _ = begin(proxy)
    assert send_message(client)[0] == 250
    quit_session(client)


def sample_421_in_transaction():
    with proxy_with("421-in-transaction") as proxy:
        client, _ = begin(proxy)
        client.say(MAIL, 250)
        client.say(RCPT.format("bob"), 421)
        closed(client)
        deliver(proxy)


def sample_421_third_recipient():
    with proxy_with("421-third-recipient") as proxy:
        for third in (421, 250):
            client, _ = begin(proxy)
            client.say(MAIL, 250)
            client.say(RCPT.format("bob"), 250)
            client.say(RCPT.format("carol"), 250)
            client.say(RCPT.format("dave"), third)
            if third == 421:
                closed(client)
            else:
                quit_session(client)


def sample_452_at_content_end():
    with proxy_with("452-at-content-end") as proxy:
        client, _ = begin(proxy)
        assert send_message(client) == (452, "4.3.1 Insufficient system storage")
        quit_session(client)
        deliver(proxy)


def sample_550_one_recipient():
    with proxy_with("550-one-recipient") as proxy:
        client, _ = begin(proxy)
        group = [MAIL, RCPT.format("bob"), RCPT.format("Nobody.here"), RCPT.format("carol"), "DATA"]
        client.send("".join(line + "\r\n" for line in group).encode())
        replies = [client.reply() for _ in group]
        assert [code for code, _ in replies] == [250, 250, 550, 250, 354], replies
        assert replies[2][1] == "5.1.1 <Nobody.here@example.net>: no such mailbox here"
        client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert client.reply()[0] == 250
        quit_session(client)


def sample_auth_refused():
    with proxy_with("auth-refused") as proxy:
        client, _ = begin(proxy)
        client.say("AUTH PLAIN AGFubgBzZWNyZXQ=", 535)
        client.say("AUTH LOGIN", 535)
        quit_session(client)


def sample_banner_554():
    with proxy_with("banner-554") as proxy:
        client = proxy.connect()
        assert client.reply() == (554, "mx.example.org No SMTP service here")
        client.say("EHLO client.example.org", 503)
        quit_session(client)


def sample_data_refused():
    with proxy_with("data-refused") as proxy:
        client, _ = begin(proxy)
        client.say(MAIL, 250)
        client.say(RCPT.format("bob"), 250)
        client.say("DATA", 554)
        client.say("RSET", 250)
        quit_session(client)


def sample_drop_reply_to_rcpt():
    with proxy_with("drop-reply-to-rcpt") as proxy:
        client, _ = begin(proxy)
        client.send(f"{MAIL}\r\n{RCPT.format('bob')}\r\n{RCPT.format('carol')}\r\nNOOP\r\n".encode())
        replies = [client.reply()[1] for _ in range(3)]
        assert replies[1].startswith("2.1.5") and replies[2].startswith("2.0.0"), replies
        client.close()
        proxy.event(event="close")


def sample_greylisting():
    with proxy_with("greylisting", fast=True) as proxy:
        client, _ = begin(proxy)
        client.say(MAIL, 250)
        assert client.say(RCPT.format("bob"), 450)[1].endswith("half a minute")
        codes = []
        while 250 not in codes and len(codes) < 1000:
            codes.append(client.say(RCPT.format("bob"))[0])
        assert set(codes) <= {250, 450} and codes[-1] == 250, codes
        quit_session(client)
        deliver(proxy)      # its other sessions are known, too


def sample_hide_chunking():
    with proxy_with("hide-chunking") as proxy:
        client, keywords = begin(proxy)
        assert not {"CHUNKING", "BINARYMIME"} & set(keywords) and "PIPELINING" in keywords, keywords
        client.say(MAIL, 250)
        client.say(RCPT.format("bob"), 250)
        client.send(b"BDAT 5 LAST\r\nhello")
        assert client.reply()[0] == 502
        quit_session(client)


def sample_hide_pipelining():
    with proxy_with("hide-pipelining") as proxy:
        client, keywords = begin(proxy)
        assert "PIPELINING" not in keywords and "CHUNKING" in keywords, keywords
        assert send_message(client)[0] == 250
        quit_session(client)
    with Proxy("-r", SAMPLES / "hide-pipelining.rules") as proxy:
        client, _ = begin(proxy)
        client.send(f"{MAIL}\r\n{RCPT.format('bob')}\r\nQUIT\r\n".encode())
        assert [client.reply()[0] for _ in range(3)] == [250, 250, 221]
        closed(client)
        proxy.event(event="close")
        proxy.stop(3)       # what was expected not to happen did
        assert any(e["event"] == "finding" and e["id"] == "pipe.unoffered" for e in proxy.events())


def sample_hide_starttls():
    with proxy_with("hide-starttls") as proxy:
        client, keywords = begin(proxy)
        assert "STARTTLS" not in keywords, keywords
        assert send_message(client)[0] == 250
        quit_session(client)
        assert "in the clear" in str(proxy.event(event="rule", rule="mail in the clear"))


def sample_lost_final_reply():
    with proxy_with("lost-final-reply") as proxy:
        client, _ = begin(proxy)
        client.say(MAIL, 250)
        client.say(RCPT.format("bob"), 250)
        client.say("DATA", 354)
        client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        closed(client, "reset")
        message = proxy.event(event="message")
        assert message["server_code"] == 250 and message["code"] is None, message
        deliver(proxy)


def sample_malformed_reply():
    with proxy_with("malformed-reply") as proxy:
        client, _ = begin(proxy)
        client.send(f"{MAIL}\r\n".encode())
        assert client.line() == b"2500 2.1.0 Ok\r\n"
        client.send(f"{MAIL}\r\n".encode())
        assert [client.line() for _ in range(2)] == [b"250-2.1.0 Ok\r\n", b"550 5.1.0 or not\r\n"]
        assert send_message(client)[0] == 250
        quit_session(client)


def sample_null_sender_refused():
    with proxy_with("null-sender-refused") as proxy:
        client, _ = begin(proxy)
        client.say("MAIL FROM:<>", 550)
        assert send_message(client)[0] == 250
        quit_session(client)


def sample_size_too_small():
    with proxy_with("size-too-small") as proxy:
        client, keywords = begin(proxy)
        assert [k for k in keywords if k.startswith("SIZE")] == ["SIZE 1000"], keywords
        for size, code in ((1000, 250), (999, 250), (1001, 552), (10000, 552)):
            client.say(f"{MAIL} SIZE={size}", code)
            client.say("RSET", 250)
        client.say(f"{MAIL} size=5000 BODY=8BITMIME", 552)
        quit_session(client)


def sample_slow_greeting():
    with proxy_with("slow-greeting", fast=True) as proxy:
        start = time.monotonic()
        client, _ = begin(proxy)
        assert time.monotonic() - start >= 0.03
        quit_session(client)
        early = proxy.connect()
        early.send(b"EHLO early.example.org\r\n")
        early.reply(), early.reply()
        quit_session(early)
        assert "early.example.org" in proxy.event(event="log")["text"]


def sample_slow_server():
    with proxy_with("slow-server", fast=True) as proxy:
        client, _ = begin(proxy)
        client.say(MAIL, 250)
        start = time.monotonic()
        client.say(RCPT.format("bob"), 250)
        assert time.monotonic() - start >= 0.005
        client.say("DATA", 354)
        start = time.monotonic()
        client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert client.reply()[0] == 250 and time.monotonic() - start >= 0.09
        quit_session(client)


def sample_tempfail_ten_percent():
    told = []
    for _ in range(2):
        codes = []
        with proxy_with("tempfail-ten-percent", options=("--seed", "7")) as proxy:
            client, _ = begin(proxy)
            client.say(MAIL, 250)
            for i in range(300):
                codes.append(client.say(RCPT.format(f"user{i}"))[0])
            quit_session(client)
        assert set(codes) == {250, 451} and 10 <= codes.count(451) <= 60, codes
        told.append(codes)
    assert told[0] == told[1], "the same seed, other faults"


def every_sample_has_a_test():
    tested = {name.removeprefix("sample_") for name in globals() if name.startswith("sample_")}
    samples = {path.stem.replace("-", "_") for path in SAMPLES.glob("*.rules")}
    assert tested == samples, tested ^ samples


run([test for name, test in list(globals().items()) if name.startswith("sample_")] + [every_sample_has_a_test])
