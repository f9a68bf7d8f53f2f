#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The control socket, and what ctl does through it to sessions that go on."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import tempfile

from running import DEADLINE, SMTPSCOPE, Proxy, Server, run, send_message

RULES = """
rule "no mail today" {
    on MAIL
    reply 450 4.3.0 "Not today"
}
rule "third recipient" {
    on RCPT
    skip 2
    limit 1
    reply 452 4.5.3 "Too many recipients"
}
rule "counted" {
    on DATA
    expect at least 1
}
"""


@contextlib.contextmanager
def proxy_with(rules=RULES, *arguments):
    with tempfile.TemporaryDirectory(prefix="smtpscope-control.") as directory:
        path = pathlib.Path(directory) / "a.rules"
        path.write_text(rules)
        with Proxy("-r", path, "--control", f"{directory}/ctl", *arguments) as proxy:
            proxy.rules, proxy.path = path, pathlib.Path(directory) / "ctl"
            proxy.listening()
            yield proxy


def ctl(path, *words, code=0):
    done = subprocess.run([SMTPSCOPE, "ctl", path, *map(str, words)], capture_output=True, text=True,
                          timeout=DEADLINE, check=False)
    assert done.returncode == code, f"ctl {words}: exit code {done.returncode}: {done}"
    assert (done.stderr == "") == (code == 0), done
    return done.stdout if code == 0 else done.stderr


def ask(proxy, *words):
    """The answer's objects."""
    return [json.loads(line) for line in ctl(proxy.path, *words, "-f", "json").splitlines()]


def rules_of(proxy):
    return {rule["rule"]: rule for rule in ask(proxy, "rules")}


def begin(proxy):
    client = proxy.connect()
    assert client.reply()[0] == 220
    client.say("EHLO client.example.org", 250)
    return client


def disable_acts_on_a_session_that_goes_on():
    with proxy_with() as proxy:
        client = begin(proxy)
        client.say("MAIL FROM:<ann@example.org>", 450)
        assert ctl(proxy.path, "disable", "no mail today") == '"no mail today" is disabled\n'
        client.say("MAIL FROM:<ann@example.org>", 250)
        assert not rules_of(proxy)["no mail today"]["enabled"]
        assert rules_of(proxy)["no mail today"]["matched"] == 1, "what is not asked is not counted"
        client.say("RSET", 250)
        assert ask(proxy, "enable", "no mail today")[0]["enabled"]
        client.say("MAIL FROM:<ann@example.org>", 450)


def fire_acts_once_whatever_the_dose():
    with proxy_with() as proxy:
        ctl(proxy.path, "disable", "no mail today")
        client = begin(proxy)
        client.say("MAIL FROM:<ann@example.org>", 250)
        assert ctl(proxy.path, "fire", "third recipient") == '"third recipient" acts at its next match\n'
        codes = [client.say(f"RCPT TO:<user{i}@example.net>")[0] for i in range(5)]
        # The one that was fired counts for no dose: two are skipped behind it, and one is the limit.
        assert codes == [452, 250, 250, 452, 250], codes
        rule = rules_of(proxy)["third recipient"]
        assert (rule["matched"], rule["skipped"], rule["acted"], rule["fires"]) == (5, 3, 2, 0), rule
        acted = [proxy.event(event="rule", action='reply 452 4.5.3 "Too many recipients"', fired=fired)
                 for fired in (True, None)]
        assert [e["rule"] for e in acted] == ["third recipient"] * 2, acted
        proxy.stderr.wait(lambda line: line == 'smtpscope: ctl: rule "third recipient" acts at its next match')


def fire_acts_on_a_rule_that_is_disabled():
    with proxy_with() as proxy:
        ctl(proxy.path, "disable", "no mail today")
        ctl(proxy.path, "fire", "no mail today")
        ctl(proxy.path, "fire", "no mail today")
        assert rules_of(proxy)["no mail today"]["fires"] == 2
        client = begin(proxy)
        codes = [client.say("MAIL FROM:<ann@example.org>")[0] for _ in range(3)]
        assert codes[:2] == [450, 450] and codes[2] == 250, codes
        said = ctl(proxy.path, "fire", "counted", code=1)
        assert "no action" in said, said


def rules_are_listed():
    with proxy_with() as proxy:
        client = begin(proxy)
        client.say("MAIL FROM:<ann@example.org>", 450)
        lines = ctl(proxy.path, "rules").splitlines()
        assert lines[0].split() == ["matched", "skipped", "acted", "state", "rule"], lines
        assert lines[1].split()[:4] == ["1", "0", "1", "enabled"] and '"no mail today"' in lines[1], lines
        assert "never reached" in lines[2] and "never reached" not in lines[1], lines
        assert lines[3].endswith("expected at least 1: not met; never reached"), lines
        counted = rules_of(proxy)["counted"]
        assert counted["expect"] == "at least 1" and counted["met"] is False and not counted["reached"], counted
        assert counted["at"].endswith("a.rules:12"), counted


def sessions_are_listed_and_closed():
    with Server() as server, proxy_with("", "-u", server.url) as proxy:
        assert ctl(proxy.path, "sessions") == "no sessions\n"
        first, first_server = proxy.connect(), server.accept()
        second, second_server = proxy.connect(), server.accept()
        first_server.send(b"220 mx.example.net ESMTP\r\n")
        first.reply()
        first.send(b"EHLO client.example.org\r\n")
        assert first_server.line() == b"EHLO client.example.org\r\n"
        one, two = ask(proxy, "sessions")
        assert (one["session"], two["session"]) == (1, 2)
        assert one["helo"] == "client.example.org" and one["awaited"] == "EHLO" and one["commands"] == 1, one
        assert two["helo"] is None and two["awaited"] == "CONNECT" and two["user"] is None, two
        assert one["octets"] == {"client": 25, "server": 26}, one
        lines = ctl(proxy.path, "sessions").splitlines()
        assert len(lines) == 3 and "client.example.org; the server is to answer EHLO" in lines[1], lines
        assert ctl(proxy.path, "close", 2) == "session 2 is closed\n"
        assert second.to_end()[0] == b"" and second_server.to_end()[0] == b""
        close = proxy.event(event="close", session=2)
        assert (close["by"], close["how"], close["reason"]) == ("proxy", "stop", "closed by ctl"), close
        assert "no session 2" in ctl(proxy.path, "close", 2, code=1)
        assert [s["session"] for s in ask(proxy, "sessions")] == [1]
        first_server.send(b"250 mx.example.net\r\n")
        assert first.reply()[0] == 250, "the other one goes on"
        first.close()


def sessions_of_all_workers_are_reached():
    with proxy_with(RULES, "--workers", "3") as proxy:
        clients = [begin(proxy) for _ in range(12)]
        assert [s["session"] for s in ask(proxy, "sessions")] == list(range(1, 13))
        assert ask(proxy, "stats")[0]["sessions"]["open"] == 12
        for client in clients:
            client.say("MAIL FROM:<ann@example.org>", 450)
        ctl(proxy.path, "disable", "no mail today")
        ctl(proxy.path, "fire", "third recipient")
        for client in clients:
            client.say("MAIL FROM:<ann@example.org>", 250)
        codes = [client.say("RCPT TO:<bob@example.net>")[0] for client in clients]
        # One session meets what was fired; two are skipped, and one is the limit, of all of them together.
        assert sorted(codes) == [250] * 10 + [452] * 2 and codes[0] == 452, codes
        for number in range(12, 0, -1):
            ctl(proxy.path, "close", number)
        for client in clients:
            assert client.to_end()[0] == b""
            client.close()
        assert ctl(proxy.path, "sessions") == "no sessions\n"
        assert rules_of(proxy)["no mail today"]["matched"] == 12


def stats_are_counted():
    with proxy_with("") as proxy:
        client = begin(proxy)
        assert send_message(client)[0] == 250
        stats, = ask(proxy, "stats")
        assert stats["sessions"] == {"open": 1, "begun": 1, "ended": 0, "turned_away": 0}, stats
        assert stats["messages"] == {"accepted": 1, "deferred": 0, "refused": 0, "unanswered": 0}, stats
        assert stats["commands"] == 4 and stats["replies"]["2yz"] == 5 and stats["replies"]["3yz"] == 1, stats
        assert "1 open, 1 begun" in ctl(proxy.path, "stats")
        client.close()


def a_switch_goes_by_the_name():
    """Rules that are loaded again have the switch that they had, with another text too."""
    with proxy_with() as proxy:
        old = begin(proxy)
        ctl(proxy.path, "disable", "no mail today")
        proxy.rules.write_text(RULES.replace("Not today", "Perhaps tomorrow"))
        proxy.signal(signal.SIGHUP)
        proxy.stderr.wait(lambda line: "rules reloaded" in line)
        assert not any("counts anew" in line for line in proxy.stderr.lines), "it had counted nothing"
        new = begin(proxy)
        old.say("MAIL FROM:<ann@example.org>", 250)
        new.say("MAIL FROM:<ann@example.org>", 250)
        old.say("RSET", 250), new.say("RSET", 250)
        ctl(proxy.path, "enable", "no mail today")
        assert old.say("MAIL FROM:<ann@example.org>", 450)[1].endswith("Not today")
        assert new.say("MAIL FROM:<ann@example.org>", 450)[1].endswith("Perhaps tomorrow")


def what_reloaded_rules_do_not_go_on_with_is_said():
    with proxy_with() as proxy:
        client = begin(proxy)
        client.say("MAIL FROM:<ann@example.org>", 450)
        ctl(proxy.path, "disable", "no mail today")
        client.say("MAIL FROM:<ann@example.org>", 250)
        client.say("DATA", 503)
        kept = RULES[RULES.index('rule "counted"'):]
        changed = RULES[:RULES.index('rule "third')].replace("Not today", "No")
        proxy.rules.write_text(changed + kept)
        proxy.signal(signal.SIGHUP)
        proxy.stderr.wait(lambda line: "rules reloaded" in line)
        proxy.rules.write_text(kept)
        proxy.signal(signal.SIGHUP)
        proxy.stderr.wait(lambda line: "rules reloaded: 1" in line)
        client.close()
        proxy.stop(0)
        said = [line.split(": ", 1)[1] for line in proxy.stderr.all() if line.startswith(str(proxy.rules))]
        assert said == ['rule "no mail today" is another one now, and counts anew: it matched 1, was skipped 0, acted 1'], said


def rules_of_standard_input_cannot_be_read_again():
    with subprocess.Popen([SMTPSCOPE, "proxy", "-l", "127.0.0.1:0", "-r", "-"], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as proxy:
        proxy.stdin.write(RULES)
        proxy.stdin.close()
        said = []
        for wanted, number in (("listening on", signal.SIGHUP), ("stay as they were", signal.SIGTERM)):
            while not said or wanted not in said[-1]:
                line = proxy.stderr.readline()
                assert line, f"no line with {wanted}: {said}"
                said.append(line)
            proxy.send_signal(number)
        proxy.stderr.read()
        assert proxy.wait(DEADLINE) == 3, said      # "counted" was not met
        assert "rules from standard input cannot be read again" in said[-2], said


def the_end_tells_of_every_rule():
    with proxy_with() as proxy:
        client = begin(proxy)
        client.say("MAIL FROM:<ann@example.org>", 450)
        client.say("RCPT TO:<bob@example.net>", 503)
        client.close()
        proxy.event(event="close")
        proxy.stop(3)
        said = proxy.stderr.all()
        table = said[next(i for i, line in enumerate(said) if line.split()[:1] == ["rules"]):]
        assert table[0].split() == ["rules", "matched", "skipped", "acted"], said
        assert re.fullmatch(r" +no mail today +1 +0 +1", table[1]), table
        assert re.fullmatch(r" +third recipient +1 +1 +0", table[2]), table
        assert re.fullmatch(r" +counted +0 +0 +0  never reached", table[3]), table
        assert any('rule "counted": expected at least 1, and it matched 0 times' in line for line in said), said
        summary = {e["rule"]: (e["matched"], e["skipped"], e["acted"], e["reached"])
                   for e in proxy.events() if e["event"] == "rule-summary"}
        assert summary == {"no mail today": (1, 0, 1, True), "third recipient": (1, 1, 0, True),
                           "counted": (0, 0, 0, False)}, summary


def what_is_wrong_is_said():
    with proxy_with() as proxy:
        assert "did you mean \"third recipient\"?" in ctl(proxy.path, "disable", "third recipent", code=1)
        assert "there is no rule \"xyzzy\"" in ctl(proxy.path, "fire", "xyzzy", code=1)
        assert "did you mean rules?" in ctl(proxy.path, "ruels", code=2)
        assert "the name of a rule is missing" in ctl(proxy.path, "enable", code=2)
        assert "put it in quotes" in ctl(proxy.path, "enable", "no", "mail", code=2)
        assert "not the number of a session" in ctl(proxy.path, "close", "one", code=2)
        assert "nothing stands behind it" in ctl(proxy.path, "stats", "now", code=2)
        assert "is no socket" in ctl(proxy.rules, "rules", code=1)
        assert "there is no such socket" in ctl(proxy.path.with_name("none"), "rules", code=1)
    with proxy_with("") as proxy:
        assert "no rules" in ctl(proxy.path, "rules") and "has no rules" in ctl(proxy.path, "fire", "a", code=1)


def the_socket_is_its_owners_and_goes():
    with proxy_with() as proxy:
        status = os.lstat(proxy.path)
        assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600, oct(status.st_mode)
        proxy.stop(3)
        assert not proxy.path.exists()


def a_dead_ones_socket_is_replaced():
    with proxy_with() as proxy:
        proxy.signal(signal.SIGKILL)
        proxy.wait()
        assert proxy.path.exists(), "it could not be removed"
        assert "nobody listens" in ctl(proxy.path, "rules", code=1)
        with Proxy("--control", proxy.path) as next_one:
            next_one.listening()
            assert ctl(proxy.path, "rules") == "no rules\n"
            with Proxy("--control", proxy.path) as third:
                assert third.wait() == 1
                assert any("a running program listens there" in line for line in third.stderr.all())
            assert ctl(proxy.path, "rules") == "no rules\n", "the live one's socket is still there"


def what_is_no_socket_is_left_alone():
    with tempfile.NamedTemporaryFile() as file, Proxy("--control", file.name) as proxy:
        assert proxy.wait() == 1
        assert any("is no socket" in line for line in proxy.stderr.all())
        assert pathlib.Path(file.name).exists()
    with Proxy("--control", "/tmp/" + "x" * 200) as proxy:
        assert proxy.wait() == 1
        assert any("107" in line for line in proxy.stderr.all())


def who_asks_badly_harms_nobody():
    with proxy_with() as proxy:
        silent = [socket.socket(socket.AF_UNIX) for _ in range(12)]
        for one in silent:
            one.connect(str(proxy.path))
        for one, octets in zip(silent, (b"", b"\0", b"1\0text\0rules", b"x" * 100000, b"2\0text\0rules\0",
                                        b"1\0text\0" + b"a\0" * 50, b"1\0json\0close\0", b"\xff\0\xff")):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                one.sendall(octets)
                one.shutdown(socket.SHUT_WR)
        for one in silent[:8]:
            with contextlib.suppress(ConnectionResetError):
                while one.recv(65536):
                    pass
        for one in silent:
            one.close()
        assert "no mail today" in ctl(proxy.path, "rules")


run([disable_acts_on_a_session_that_goes_on, fire_acts_once_whatever_the_dose, fire_acts_on_a_rule_that_is_disabled,
     the_end_tells_of_every_rule, what_reloaded_rules_do_not_go_on_with_is_said,
     rules_of_standard_input_cannot_be_read_again, rules_are_listed, sessions_are_listed_and_closed,
     sessions_of_all_workers_are_reached, stats_are_counted, a_switch_goes_by_the_name, what_is_wrong_is_said, the_socket_is_its_owners_and_goes, a_dead_ones_socket_is_replaced,
     what_is_no_socket_is_left_alone, who_asks_badly_harms_nobody])
