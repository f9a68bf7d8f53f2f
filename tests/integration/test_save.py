#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`save`: the messages that rules name, and no others, in the Maildir of --save-messages, as they went on."""

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


run([test for name, test in list(globals().items()) if name.startswith("test_")])
