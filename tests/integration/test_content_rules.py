#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rules at CONTENT in the running program: what `save` keeps, what they cost for large messages, and that offline
they change nothing."""

import json
import pathlib
import subprocess
import tempfile

from running import SMTPSCOPE, Proxy, run

RULES = """rule "keep" {
    on CONTENT
    when header["Subject"] ~ /keep/
    save
}
rule "keep at the end" {
    on CONTENT-END
    when content.octets > 200
    save
}
rule "change" {
    on CONTENT
    replace "secret" with ".gone"
    header add "X-Changed" "yes"
}
"""


def kept(directory):
    return sorted(path.read_bytes() for path in (directory / "new").iterdir())


def with_rules(text):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="smtpscope-save-"))
    rules = directory / "t.rules"
    rules.write_text(text)
    return directory, rules


def test_the_messages_that_rules_name_as_they_went_on():
    directory, rules = with_rules(RULES)
    with Proxy("-r", str(rules), "--save-messages", str(directory / "mail")) as proxy:
        client = proxy.connect()
        client.reply()
        client.say("EHLO client.example.org", 250)
        for content in (b"Subject: keep this\r\n\r\nsecret\r\n..dot\r\n", b"Subject: not this\r\n\r\nsecret\r\n",
                        b"Subject: large\r\n\r\n" + b"secret 0123456789\r\n" * 20):
            client.say("MAIL FROM:<ann@example.org>", 250)
            client.say("RCPT TO:<bob@example.net>", 250)
            client.say("DATA", 354)
            client.send(content + b".\r\n")
            assert client.reply()[0] == 250
        client.say("QUIT", 221)
        client.close()
        proxy.stop()
    top = b"Return-Path: <ann@example.org>\r\nX-Envelope-To: <bob@example.net>\r\n"
    assert kept(directory / "mail") == sorted([
        top + b"Subject: keep this\r\nX-Changed: yes\r\n\r\n.gone\r\n.dot\r\n",
        top + b"Subject: large\r\nX-Changed: yes\r\n\r\n" + b".gone 0123456789\r\n" * 20]), kept(directory / "mail")
    assert not list((directory / "mail" / "tmp").iterdir())


def test_save_without_a_place():
    _, rules = with_rules('rule "keep" { on CONTENT save }\n')
    done = subprocess.run([SMTPSCOPE, "proxy", "-l", "127.0.0.1:0", "-r", rules], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 2, done
    assert "t.rules:1: save: there is no place for messages; name a Maildir by --save-messages DIR" in done.stderr


REWRITE = """rule "rewrite" {
    on CONTENT
    replace /^b/ with "BB"
    header add "X-Changed" "yes"
}
"""


def memory(proxy):
    """The most that the proxy has had, in KiB."""
    status = pathlib.Path(f"/proc/{proxy.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def test_a_message_need_not_fit_into_memory():
    _, rules = with_rules(REWRITE)
    lines = (b"a" * 76 + b"\r\n") * 1000 + b"b\r\n"
    times, most = 150, 64 * 1024
    with Proxy("-r", str(rules), "--max-content", "64KiB") as proxy:
        client = proxy.connect()
        client.reply()
        client.say("EHLO client.example.org", 250)
        before = None
        for how in ("DATA", "BDAT", "DATA", "BDAT"):
            client.say("MAIL FROM:<ann@example.org>", 250)
            client.say("RCPT TO:<bob@example.net>", 250)
            if how == "DATA":
                client.say("DATA", 354)
            else:
                client.send(b"BDAT %d LAST\r\n" % (len(lines) * times + 14))
            client.send(b"Subject: x\r\n\r\n")
            for _ in range(times):
                client.send(lines)
            if how == "DATA":
                client.send(b".\r\n")
            assert client.reply()[0] == 250
            message = proxy.event(event="message", transfer=how)
            assert message["octets"] == len(lines) * times + 14, message
            assert message["forwarded_octets"] == message["octets"] + times + len("X-Changed: yes\r\n"), message
            if how == "BDAT" and before is None:
                before = memory(proxy)
        grown = memory(proxy) - before
        client.say("QUIT", 221)
        client.close()
        proxy.stop()
        sent = [e for e in proxy.events() if e["event"] == "command" and e["origin"] == "proxy"]
        assert {e["argument"] for e in sent} == {str(most)} and len(sent) > 300, sent[:3]
    # Sanitizers keep what was freed.
    assert grown < 4096 or "build-" in SMTPSCOPE, f"{grown} KiB for {2 * len(lines) * times} octets"


def test_offline_nothing_is_changed():
    directory, rules = with_rules(REWRITE + 'rule "keep" { on CONTENT-END save }\n')
    capture = directory / "session.pcap"
    with Proxy("--pcap", str(capture)) as proxy:
        client = proxy.connect()
        client.reply()
        client.say("EHLO client.example.org", 250)
        client.say("MAIL FROM:<ann@example.org>", 250)
        client.say("RCPT TO:<bob@example.net>", 250)
        client.say("DATA", 354)
        client.send(b"Subject: b\r\n\r\nb\r\n.\r\n")
        assert client.reply()[0] == 250
        client.say("QUIT", 221)
        client.close()
        proxy.stop()
    done = subprocess.run([SMTPSCOPE, "decode", "-r", rules, "-f", "json", "--save-messages", directory / "mail", capture],
                          capture_output=True, timeout=60, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["action"] for e in events if e["event"] == "rule" and e["dry_run"]] == [
        'replace /^b/ with "BB"', 'header add "X-Changed" "yes"', "save"], events
    message, = (e for e in events if e["event"] == "message")
    assert message["octets"] == 17 and "forwarded_octets" not in message, message
    saved, = kept(directory / "mail")
    assert saved.endswith(b"Subject: b\r\n\r\nb\r\n"), saved


run([test for name, test in list(globals().items()) if name.startswith("test_")])
