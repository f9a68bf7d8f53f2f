#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sessions on several workers: each in order, none twice, counted together, stopped together."""

import concurrent.futures
import json
import pathlib
import signal
import subprocess
import tempfile

from running import SMTPSCOPE, Program, Proxy, run, send_message

SESSIONS = 120
RULES = """
rule "five of all" {
    on RCPT
    limit 5
    reply 452 4.5.3 "Too many recipients"
}
rule "one each" {
    on MAIL
    limit 1 per session
    delay 1ms
}
rule "one in all for a client" {
    on DATA
    limit 1 per client
    tag client "seen"
}
rule "counted" {
    on QUIT
    expect exactly %d
}
""" % SESSIONS


def one_session(proxy, n):
    """One message, or none where the rule refuses its recipient. True: it was delivered."""
    client = proxy.connect()
    client.reply()
    client.say(f"EHLO client{n}.example.org", 250)
    client.say(f"MAIL FROM:<ann{n}@example.org>", 250)
    code = client.say("RCPT TO:<bob@example.net>")[0]
    if code == 250:
        client.say("DATA", 354)
        client.send(f"Subject: {n}\r\n\r\nx\r\n.\r\n".encode())
        assert client.reply()[0] == 250
    client.say("QUIT", 221)
    assert client.to_end() == (b"", "fin")
    client.close()
    return code == 250


def sessions_at_once(proxy):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda n: one_session(proxy, n), range(SESSIONS)))


def threads(program):
    return len(list(pathlib.Path(f"/proc/{program.pid}/task").iterdir()))


def nothing_is_lost_or_told_twice():
    with tempfile.TemporaryDirectory(prefix="smtpscope-workers.") as directory:
        folder = pathlib.Path(directory)
        (folder / "a.rules").write_text(RULES)
        with Proxy("--workers", 4, "-r", folder / "a.rules", "--pcap", folder / "pcap", "--save-messages",
                   folder / "mail", "--json", folder / "json") as proxy:
            delivered = sessions_at_once(proxy)
            # main's and three more workers, and the writer.
            assert threads(proxy) >= 5, threads(proxy)
            proxy.stop()
            events = proxy.events()
            assert (folder / "json").read_text().count("\n") == len(events)
            said = proxy.stderr.all()
        of = {}
        for event in events:
            if event["event"] != "rule-summary":
                of.setdefault(event["session"], []).append(event)
        assert sorted(of) == list(range(1, SESSIONS + 1)), sorted(of)
        for of_one in of.values():
            kinds = [e["event"] for e in of_one]
            assert kinds[0] == "open" and kinds[-1] == "close" and kinds.count("open") == kinds.count("close") == 1, kinds
            times = [e["time"] for e in of_one]
            assert times[0] == min(times) and times[-1] == max(times), of_one
            commands = [e["verb"] for e in of_one if e["event"] == "command"]
            assert commands in (["EHLO", "MAIL", "RCPT", "DATA", "QUIT"], ["EHLO", "MAIL", "RCPT", "QUIT"]), commands
        assert delivered.count(False) == 5, delivered
        acted = {e["rule"]: (e["matched"], e["acted"]) for e in events if e["event"] == "rule-summary"}
        assert acted == {"five of all": (SESSIONS, 5), "one each": (SESSIONS, SESSIONS),
                         "one in all for a client": (SESSIONS - 5, 1), "counted": (SESSIONS, 0)}, acted
        assert any(line.startswith(f"{SESSIONS} sessions") for line in said), said
        assert len(list((folder / "mail" / "new").iterdir())) == SESSIONS - 5
        again = subprocess.run([SMTPSCOPE, "decode", "-q", "-f", "json", folder / "pcap"], capture_output=True,
                               text=True, check=True).stdout
        closed = [json.loads(line) for line in again.splitlines() if '"event":"close"' in line]
        assert len(closed) == SESSIONS and {e["how"] for e in closed} == {"quit"}, len(closed)


def a_line_a_session():
    with Program("proxy", "-l", "127.0.0.1:0", "--workers", 3, "--sessions") as proxy:
        # It is no Proxy: standard output has the sessions.
        proxy.connect = lambda: Proxy.connect(proxy)
        sessions_at_once(proxy)
        proxy.stop()
        lines = proxy.stdout.all()
        assert len(lines) == SESSIONS and all(line.startswith("#") and "; messages: 1 accepted" in line for line in lines)


def all_are_stopped_and_may_finish():
    with Proxy("--workers", 4, "--grace", "60s") as proxy:
        clients = [proxy.connect() for _ in range(24)]
        for client in clients:
            client.reply()
        proxy.signal(signal.SIGTERM)
        proxy.stderr.wait(lambda line: "24 sessions may finish" in line)
        for client in clients:
            client.say("EHLO client.example.org", 250)
            assert send_message(client)[0] == 250
            client.say("QUIT", 221)
            client.close()
        assert proxy.wait() == 0
        closed = [e for e in proxy.events() if e["event"] == "close"]
        assert len(closed) == 24 and {e["how"] for e in closed} == {"quit"}, closed


def a_second_signal_cuts_all_off():
    with Proxy("--workers", 4, "--grace", "60s") as proxy:
        clients = [proxy.connect() for _ in range(24)]
        for client in clients:
            client.reply()
        proxy.signal(signal.SIGTERM)
        proxy.stderr.wait(lambda line: "24 sessions may finish" in line)
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        closed = [e for e in proxy.events() if e["event"] == "close"]
        assert len(closed) == 24 and {e["how"] for e in closed} == {"stop"}, closed
        for client in clients:
            client.close()


def new_rules_are_all_workers():
    with tempfile.TemporaryDirectory(prefix="smtpscope-workers.") as directory:
        rules = pathlib.Path(directory) / "a.rules"
        rules.write_text('rule "r" { on NOOP reply 250 2.0.0 "first" }')
        with Proxy("--workers", 4, "-r", rules) as proxy:
            old = [proxy.connect() for _ in range(16)]
            for client in old:
                client.reply()
            rules.write_text('rule "r" { on NOOP reply 250 2.0.0 "second" }')
            proxy.signal(signal.SIGHUP)
            proxy.stderr.wait(lambda line: "rules reloaded" in line)
            # A worker hears of it when it comes round: then all of its new sessions have the new rules.
            for _ in range(16):
                while True:
                    client = proxy.connect()
                    client.reply()
                    text = client.say("NOOP", 250)[1]
                    client.close()
                    assert text in ("2.0.0 first", "2.0.0 second"), text
                    if text == "2.0.0 second":
                        break
            for client in old:
                assert client.say("NOOP", 250)[1] == "2.0.0 first"
                client.close()
            proxy.stop()


def control_finds_them_all():
    with tempfile.TemporaryDirectory(prefix="smtpscope-workers.") as directory:
        path = pathlib.Path(directory) / "ctl"

        def ask(*words, code=0):
            done = subprocess.run([SMTPSCOPE, "ctl", "-f", "json", path, *words], capture_output=True, text=True, check=False)
            assert done.returncode == code, done
            return [json.loads(line) for line in done.stdout.splitlines()]

        with Proxy("--workers", 4, "--control", path) as proxy:
            clients = [proxy.connect() for _ in range(24)]
            for client in clients:
                client.reply()
                client.say("EHLO client.example.org", 250)
            assert [row["session"] for row in ask("sessions")] == list(range(1, 25))
            stats = ask("stats")[0]
            assert stats["sessions"]["open"] == 24 and stats["commands"] == 24, stats
            for number in range(1, 25):
                ask("close", str(number))
            ask("close", "7", code=1)
            for client in clients:
                client.close()
            proxy.stop()
            closed = [e for e in proxy.events() if e["event"] == "close"]
            assert {e["reason"] for e in closed} == {"closed by ctl"} and len(closed) == 24, closed


def two_proxies_do_not_share_a_port():
    with Proxy("--workers", 2) as first:
        host, port = first.listening()
        with Program("proxy", "-l", f"{host}:{port}", "--workers", 2) as second:
            assert second.wait() == 1
            assert any("another program listens there" in line for line in second.stderr.all())
        first.stop()


run([nothing_is_lost_or_told_twice, a_line_a_session, all_are_stopped_and_may_finish, a_second_signal_cuts_all_off,
     new_rules_are_all_workers, control_finds_them_all, two_proxies_do_not_share_a_port])
