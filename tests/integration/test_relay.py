#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The running proxy between two ends of the test's own: connections, their ends, signals, limits, exit codes."""

import os
import pathlib
import resource
import signal
import socket
import tempfile

from running import DEADLINE, End, Program, Proxy, Server, free_port, run, send_message


def a_session_with_the_built_in_server():
    with Proxy() as proxy:
        client = proxy.connect()
        assert client.reply()[0] == 220
        assert "PIPELINING" in client.say("EHLO client.example.org", 250)[1]
        assert send_message(client)[0] == 250
        client.say("QUIT", 221)
        assert client.to_end() == (b"", "fin")
        client.close()
        close = proxy.event(event="close")
        assert close["how"] == "quit" and close["messages"] == 1 and close["commands"] == 5, close
        proxy.stop()
        events = proxy.events()
        assert [e["event"] for e in events[:3]] == ["open", "upstream", "reply"], events
        assert events[0]["source"] == "proxy" and events[0]["server"] == "sink", events[0]
        assert events[1]["outcome"] == "connected", events[1]
        message = next(e for e in events if e["event"] == "message")
        assert message["code"] == 250 and message["octets"] == len("Subject: x\r\n\r\nx\r\n"), message
        assert any("1 session" in line for line in proxy.stderr.all()), proxy.stderr.all()


def several_listeners_and_ipv6():
    with Server("::1") as server, Proxy("-l", "[::1]:0", "-l", "lmtp://127.0.0.1:0", "-u", server.url) as proxy:
        for n, host in enumerate(("127.0.0.1", "::1", "127.0.0.1")):
            assert proxy.listening(n)[0] == host
            client = proxy.connect(n)
            mta = server.accept()
            mta.send(b"220 mx.example.net ESMTP\r\n")
            assert client.reply() == (220, "mx.example.net ESMTP")
            client.close()
            mta.close()
        assert proxy.event(event="open", session=2)["client"].startswith("[::1]:")
        assert proxy.event(event="open", session=1)["server"] == server.url
        assert proxy.event(event="upstream", session=1)["server"] == server.url
        proxy.stop()


def a_name_is_resolved():
    with Server() as server, Proxy("-u", f"localhost:{server.port}") as proxy:
        client = proxy.connect()
        server.accept().close()
        client.close()
        assert proxy.event(event="open")["server"] == f"localhost:{server.port}"
        assert proxy.event(event="upstream", outcome="connected")["server"] == f"127.0.0.1:{server.port}"
        proxy.stop()


def half_close_and_what_follows_it():
    with Server() as server, Proxy("-u", server.url) as proxy:
        client = proxy.connect()
        mta = server.accept()
        client.send(b"QUIT\r\nand no line end")
        client.half_close()
        assert mta.to_end() == (b"QUIT\r\nand no line end", "fin")
        mta.send(b"221 Bye\r\n221 again")
        mta.close()
        assert client.to_end() == (b"221 Bye\r\n221 again", "fin")
        client.close()
        proxy.event(event="close")
        proxy.stop()


def a_reset_is_handed_on_behind_its_octets():
    with Server() as server, Proxy("-u", server.url) as proxy:
        client = proxy.connect()
        mta = server.accept()
        mta.send(b"220 mx.example.net\r\n")
        client.reply()
        client.send(b"MAIL FROM:<ann@example.org>\r\n")
        client.reset()
        assert mta.to_end() == (b"MAIL FROM:<ann@example.org>\r\n", "reset")
        assert proxy.event(event="close")["how"] == "reset"
        client = proxy.connect()
        mta = server.accept()
        mta.send(b"220 mx.exam")
        mta.reset()
        assert client.to_end() == (b"220 mx.exam", "reset")
        close = proxy.event(event="close", session=2)
        assert (close["how"], close["by"]) == ("reset", "server"), close
        proxy.stop()


def a_refused_server_is_told():
    port = free_port()
    with Proxy("-u", f"127.0.0.1:{port}") as proxy:
        client = proxy.connect()
        code, text = client.reply()
        assert code == 421 and text.startswith("4.4.1 "), (code, text)
        assert client.to_end() == (b"", "fin")
        client.close()
        assert proxy.event(event="upstream")["outcome"] == "refused"
        close = proxy.event(event="close")
        assert (close["how"], close["by"]) == ("upstream", "proxy") and "refused" in close["reason"], close
        proxy.stop()


def servers_are_tried_in_order():
    with Server() as server, Proxy("-u", f"127.0.0.1:{free_port()}", "-u", server.url) as proxy:
        client = proxy.connect()
        server.accept().send(b"220 mx.example.net\r\n")
        assert client.reply()[0] == 220
        client.close()
        proxy.event(event="close")
        proxy.stop()
        assert [e["outcome"] for e in proxy.events() if e["event"] == "upstream"] == ["refused", "connected"]


def a_server_that_does_not_answer():
    """A listener whose backlog is full drops what comes."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = full.getsockname()
    fillers = [socket.socket() for _ in range(3)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(address)
    with Proxy("-u", f"127.0.0.1:{address[1]}", "--connect-timeout", "100ms") as proxy:
        client = proxy.connect()
        assert client.reply()[0] == 421
        upstream = proxy.event(event="upstream")
        assert upstream["outcome"] == "timeout" and 90 <= upstream["duration_ms"] < 2000, upstream
        client.close()
        proxy.stop()
    for sock in (full, *fillers):
        sock.close()


def a_name_that_is_not_there():
    with Proxy("-u", "no-such-host.invalid", "--connect-timeout", "500ms") as proxy:
        client = proxy.connect()
        assert client.reply()[0] == 421
        assert proxy.event(event="upstream")["outcome"] == "dns"
        client.close()
        proxy.stop()


def a_client_that_leaves_before_the_server_is_reached():
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = full.getsockname()
    fillers = [socket.socket() for _ in range(3)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(address)
    with Proxy("-u", f"127.0.0.1:{address[1]}") as proxy:
        proxy.connect().reset()
        assert proxy.event(event="close")["by"] == "client"
        proxy.stop()
    for sock in (full, *fillers):
        sock.close()


def back_pressure():
    """A server that does not read stops the client; the proxy's memory stays where it was."""
    with Server() as server, Proxy("-u", server.url) as proxy:
        client = proxy.connect()
        mta = server.accept()
        mta.send(b"220 mx.example.net\r\n")
        client.reply()
        before = proxy.status("VmRSS")
        client.sock.settimeout(1)
        sent = 0
        block = b"x" * 65535 + b"\n"
        try:
            while sent < 256 << 20:
                sent += client.sock.send(block)
        except TimeoutError:
            pass
        assert sent < 128 << 20, sent
        after = proxy.status("VmRSS")
        assert after - before < (65536 if proxy.sanitized() else 4096), (before, after)
        client.sock.settimeout(DEADLINE)
        client.half_close()
        octets, end = mta.to_end()
        assert (len(octets), end) == (sent, "fin"), (len(octets), sent, end)
        mta.close()
        client.close()
        proxy.event(event="close")
        proxy.stop()


def a_paused_client_that_vanishes_is_noticed():
    with Server() as server, Proxy("-u", server.url) as proxy:
        client = proxy.connect()
        mta = server.accept()
        mta.send(b"220 mx.example.net\r\n")
        client.reply()
        client.sock.settimeout(1)
        try:
            while True:
                client.sock.send(b"x" * 65536)
        except TimeoutError:
            pass
        client.reset()
        assert proxy.event(event="close")["how"] == "reset"
        mta.close()
        proxy.stop()


RULE_CLOSE = """
rule "enough" {
    on RCPT
    reply 421 4.7.0 "Enough"
    close
}
"""


def write(directory, name, text):
    path = pathlib.Path(directory, name)
    path.write_text(text)
    return path


def no_reset_overtakes_a_reply():
    """Behind `close` the client goes on sending: the reply must get there all the same."""
    with tempfile.TemporaryDirectory() as directory, \
            Proxy("-r", write(directory, "close.rules", RULE_CLOSE)) as proxy:
        client = proxy.connect()
        client.reply()
        client.say("EHLO client.example.org", 250)
        client.say("MAIL FROM:<ann@example.org>", 250)
        client.send(b"RCPT TO:<bob@example.net>\r\n" * 100000)
        client.half_close()
        octets, end = client.to_end()
        assert (octets, end) == (b"421 4.7.0 Enough\r\n", "fin"), (octets[:200], end)
        close = proxy.event(event="close")
        assert (close["how"], close["by"]) == ("rule", "proxy"), close
        client.close()
        proxy.stop()


def delay_holds_its_direction_alone():
    rule = 'rule "slow" {\n on RCPT\n delay 300ms\n}\n'
    with tempfile.TemporaryDirectory() as directory, \
            Proxy("-r", write(directory, "slow.rules", rule)) as proxy:
        client = proxy.connect()
        client.reply()
        client.say("EHLO client.example.org", 250)
        client.send(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nRSET\r\n")
        assert [client.reply()[0] for _ in range(4)] == [250] * 4
        client.say("QUIT", 221)
        client.close()
        proxy.event(event="close")
        proxy.stop()
        replies = {e["to"]: e["time"] for e in proxy.events() if e["event"] == "reply"}
        times = [e["time"] for e in proxy.events() if e["event"] == "reply" and e["to"] in ("MAIL", "RCPT")]
        assert len(times) == 3 and "RSET" in replies
        seconds = [float(time[17:26]) for time in times]
        gaps = [(b - a) % 60 for a, b in zip(seconds, seconds[1:])]
        assert all(0.28 < gap < 5 for gap in gaps), gaps


def one_session_too_many():
    with Server() as server, Proxy("-u", server.url, "--max-sessions", "1") as proxy:
        client = proxy.connect()
        mta = server.accept()
        second = proxy.connect()
        octets, end = second.to_end()
        assert octets.startswith(b"421 4.3.2 ") and octets.endswith(b"\r\n") and end == "fin", (octets, end)
        client.close()
        mta.close()
        proxy.event(event="close")
        proxy.stop()
        assert any("1 connection was turned away" in line for line in proxy.stderr.all())


def without_descriptors():
    """More clients than descriptors: those who do not get in wait, and come in when others leave."""
    # In their order where one worker lets them in.
    with Server() as server, Proxy(
            "-u", server.url, "--workers", 1, preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))) as proxy:
        clients = [proxy.connect() for _ in range(25)]
        proxy.stderr.wait(lambda line: "accepting no connection for now" in line)
        for client in clients:
            client.send(b"NOOP\r\n")
            mta = server.accept()
            assert mta.line() == b"NOOP\r\n"
            mta.close()
            assert client.to_end() == (b"", "fin")
            client.close()
        proxy.event(event="close", session=25)
        proxy.stop()
        assert {e["outcome"] for e in proxy.events() if e["event"] == "upstream"} == {"connected"}
        said = [line for line in proxy.stderr.all() if "accepting no connection" in line]
        assert len(said) == 1, said


def stop_lets_sessions_finish():
    with Proxy("--grace", "20s") as proxy:
        client = proxy.connect()
        client.reply()
        proxy.signal(signal.SIGTERM)
        proxy.stderr.wait(lambda line: "1 session may finish" in line)
        try:
            socket.create_connection(proxy.listening(), DEADLINE).close()
            raise AssertionError("it still listens")
        except ConnectionRefusedError:
            pass
        client.say("EHLO client.example.org", 250)
        assert send_message(client)[0] == 250
        client.say("QUIT", 221)
        client.close()
        assert proxy.wait() == 0
        assert [e["how"] for e in proxy.events() if e["event"] == "close"] == ["quit"]


def grace_ends():
    with Proxy("--grace", "50ms") as proxy:
        client = proxy.connect()
        client.reply()
        proxy.signal(signal.SIGINT)
        assert proxy.wait() == 0
        close = [e for e in proxy.events() if e["event"] == "close"]
        assert [(e["how"], e["by"]) for e in close] == [("stop", "proxy")], close
        client.to_end()
        client.close()


def a_second_signal_ends_at_once():
    with Proxy("--grace", "1h") as proxy:
        client = proxy.connect()
        client.reply()
        proxy.signal(signal.SIGTERM)
        proxy.stderr.wait(lambda line: "may finish" in line)
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        assert any(e["event"] == "close" for e in proxy.events())
        client.close()


def outputs_are_reopened():
    with tempfile.TemporaryDirectory() as directory:
        log = pathlib.Path(directory, "events")
        with Program("proxy", "-l", "127.0.0.1:0", "-o", log, "--json", f"{log}.json") as proxy:
            host, port = proxy.listening()
            for name in ("", ".json"):
                assert pathlib.Path(f"{log}{name}").stat().st_mode & 0o777 == 0o600
                os.rename(f"{log}{name}", f"{log}{name}.1")
            proxy.signal(signal.SIGUSR1)
            # A signal is served before a connection that comes behind it, or with it: the file decides.
            while not log.exists():
                client = End(socket.create_connection((host, port), DEADLINE))
                client.reply()
                client.close()
            client = End(socket.create_connection((host, port), DEADLINE))
            client.reply()
            client.say("QUIT", 221)
            client.close()
            proxy.stop()
            assert "QUIT" in log.read_text() and '"QUIT"' in pathlib.Path(f"{log}.json").read_text()


def rules_are_reloaded():
    refuse = 'rule "r" {\n on VRFY\n reply 550 5.1.1 "%s"\n}\n'
    with tempfile.TemporaryDirectory() as directory:
        path = write(directory, "vrfy.rules", refuse % "first")
        with Proxy("-r", path) as proxy:
            old = proxy.connect()
            old.reply()
            assert old.say("VRFY ann") == (550, "5.1.1 first")
            path.write_text(refuse % "second")
            proxy.signal(signal.SIGHUP)
            proxy.stderr.wait(lambda line: "rules reloaded: 1" in line)
            new = proxy.connect()
            new.reply()
            assert new.say("VRFY ann") == (550, "5.1.1 second")
            assert old.say("VRFY ann") == (550, "5.1.1 first")
            path.write_text("rule nonsense")
            proxy.signal(signal.SIGHUP)
            proxy.stderr.wait(lambda line: line.startswith(f"{path}:1:"))
            proxy.stderr.wait(lambda line: "stay as they were" in line)
            assert new.say("VRFY ann") == (550, "5.1.1 second")
            old.close()
            new.close()
            newest = proxy.connect()
            newest.reply()
            assert newest.say("VRFY ann") == (550, "5.1.1 second")
            newest.close()
            proxy.stop()


def expect_and_its_exit_code():
    rule = 'rule "vrfy twice" {\n on VRFY\n expect exactly 2\n}\n'
    with tempfile.TemporaryDirectory() as directory:
        path = write(directory, "expect.rules", rule)
        for times, code in ((2, 0), (1, 3)):
            with Proxy("-r", path) as proxy:
                client = proxy.connect()
                client.reply()
                for _ in range(times):
                    client.say("VRFY ann", 252)
                client.say("QUIT", 221)
                client.close()
                proxy.event(event="close")
                proxy.stop(code)
                summary = proxy.events()[-1]
                assert (summary["event"], summary["rule"], summary["matched"]) == ("rule-summary", "vrfy twice", times)
                said = [line for line in proxy.stderr.all() if "expected exactly 2" in line]
                assert bool(said) == (code == 3) and all('"vrfy twice"' in line for line in said), said


def the_seed_is_said_where_it_matters():
    chance = 'rule "c" {\n on VRFY\n chance 50%\n reply 550 "no"\n}\n'
    plain = 'rule "p" {\n on VRFY\n reply 550 "no"\n}\n'
    with tempfile.TemporaryDirectory() as directory:
        for text, arguments, says in ((chance, (), True), (plain, (), False), (chance, ("--seed", "7"), False)):
            with Proxy("-r", write(directory, "seed.rules", text), *arguments) as proxy:
                proxy.listening()
                proxy.stop()
                assert any("--seed " in line for line in proxy.stderr.all()) == says


def an_idle_session_ends():
    with Proxy("--idle-timeout", "200ms") as proxy:
        client = proxy.connect()
        client.reply()
        assert client.to_end()[1] == "fin"
        client.close()
        assert proxy.event(event="close")["how"] == "timeout"
        proxy.stop()


def fails(code, words, *arguments):
    with Program("proxy", *arguments) as program:
        got = program.wait()
        said = "\n".join(program.stderr.all())
        assert got == code and words in said, (got, said)


def what_cannot_start():
    port = free_port()
    fails(2, "own listener", "-l", f"127.0.0.1:{port}", "-u", f"127.0.0.1:{port}")
    fails(2, "own listener", "-l", f"0.0.0.0:{port}", "-u", f"127.0.0.1:{port}")
    fails(2, "own listener", "-l", f"[::]:{port}", "-u", f"127.0.0.1:{port}")
    fails(2, "begin with TLS", "-u", "smtps://mx.example.org", "-u", "mx.example.org")
    fails(2, "LMTP", "-u", "lmtp://127.0.0.1:24", "-u", "127.0.0.1:25")
    fails(2, "brackets", "-l", "::1:2525")
    fails(2, "/nonexistent.rules", "-l", "127.0.0.1:0", "-r", "/nonexistent.rules")
    fails(1, "/nonexistent/events", "-l", "127.0.0.1:0", "-o", "/nonexistent/events")
    with Server() as server:
        fails(1, "another program listens there", "-l", server.url)


def quiet_and_the_summary():
    with Program("proxy", "-l", "127.0.0.1:0", "--summary", "-q") as proxy:
        client = End(socket.create_connection(proxy.listening(), DEADLINE))
        client.reply()
        client.say("QUIT", 221)
        client.close()
        proxy.stop()
        assert "1 session" in proxy.stdout.all()[0], proxy.stdout.all()
        assert len(proxy.stderr.all()) == 1, proxy.stderr.all()


def one_line_a_session():
    with Program("proxy", "-l", "127.0.0.1:0", "--sessions") as proxy:
        for _ in range(2):
            client = End(socket.create_connection(proxy.listening(), DEADLINE))
            client.reply()
            client.say("QUIT", 221)
            client.close()
        proxy.stdout.wait(lambda line: len(proxy.stdout.lines) == 2, "two lines")
        proxy.stop()
        assert all("quit" in line for line in proxy.stdout.all()), proxy.stdout.all()


run([test for name, test in list(globals().items())
     if callable(test) and getattr(test, "__module__", "") == "__main__" and name not in ("write", "fails")])
