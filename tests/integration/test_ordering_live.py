#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The one queue, as a property of the running proxy: random pipelined groups of commands
through `smtpscope proxy`, with random rule files that answer, drop, delay, change or precede
some of them, and rewrite what comes as content. The client must get exactly one reply for each command that is owed one, in the
order of its commands, and the server exactly what was to be forwarded.

What a rule does to a command stands in the command ("NOOP keep-17"), so that what both ends
must see can be said without asking the proxy. The server numbers all that it gets, and each
of its replies tells the number of what it answers.

    test_ordering_live.py [SEED...]     all the fixed seeds, or these alone

SMTPSCOPE is the program; SMTPSCOPE_LONG=1 makes it twenty times as many seeds.
"""

import asyncio
import collections
import os
import pathlib
import random
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = pathlib.Path(os.environ.get("SMTPSCOPE", ROOT / "smtpscope")).resolve()
SEEDS = range(1, 60 * (20 if os.environ.get("SMTPSCOPE_LONG") else 1) + 1)
SESSIONS = 8            # of a seed, at once, through one proxy
PATIENCE = 20           # seconds for one session
FATES = ("keep", "raw", "drop", "delay", "set", "inject", "aside", "late", "change", "lose", "again", "twice",
         "slow", "drip", "spoil")
VERBS = ("MAIL", "RCPT", "RSET", "NOOP", "VRFY", "HELP", "DATA", "BDAT", "unknown")


class Wrong(Exception):
    """One of the ends saw something else than it must."""


class Rules:
    """A rule file by chance: which fate has a rule at which verb, and what that says."""

    def __init__(self, rng, lmtp):
        self.codes = {}         # (verb, fate): the code that the client gets
        self.texts = []
        self.edits = []         # what is replaced in the lines of the content
        self.kept = None        # octets of a chunk that are kept, where content is rewritten
        self.hidden = {keyword for keyword in ("PIPELINING", "CHUNKING") if rng.random() < 0.25}
        for keyword in sorted(self.hidden):
            self.add(f"hide {keyword}", "reply to EHLO, reply to LHLO", None, f"hide {keyword}")
        for verb in VERBS:
            for fate in FATES:
                if rng.random() < 0.6:
                    self.choose(rng, verb, fate, lmtp)
        if rng.random() < 0.5:
            self.rewrite(rng)
        self.texts.append('''rule "the end of content" {
    on CONTENT-END
    when header["X-Fate"] == "keep"
    reply 552 5.3.4 "the end is kept"
}''')

    def add(self, name, place, when, *actions):
        lines = [f'rule "{name}" {{', f"    on {place}"]
        if when:
            lines.append(f"    when {when}")
        self.texts.append("\n".join([*lines, *(f"    {action}" for action in actions), "}"]))

    def choose(self, rng, verb, fate, lmtp):
        # In LMTP both legs must agree on where a transaction begins: what they say to RCPT may differ.
        if lmtp and (verb in ("MAIL", "RSET") or fate in ("again", "twice")) and fate not in ("delay", "inject", "aside"):
            return
        # What is spoilt must not become another command that the server knows; DATA and BDAT are never sent twice.
        if fate == "spoil" and verb not in ("NOOP", "VRFY", "HELP", "unknown") or fate in ("again", "twice") and verb in ("DATA", "BDAT"):
            return
        # What has no argument, or one that decides, tells its fate elsewhere.
        if verb in ("DATA", "BDAT", "RSET") and fate in ("set",) or verb == "BDAT" and fate == "late":
            return
        place = "command" if verb == "unknown" else verb
        tag = "line" if verb in ("DATA", "BDAT", "RSET") else "argument"
        when = f'{tag} ~ /\\b{fate}-/' + (' and verb == "XYZZY"' if verb == "unknown" else "")
        code = rng.choice((250, 451, 550)) if verb != "DATA" else rng.choice((354, 451, 554))
        enhanced = {2: "2.0.0 ", 3: "", 4: "4.3.0 ", 5: "5.3.0 "}[code // 100]
        name = f"{fate} at {verb}"
        said = f'"forged %{{line}}"'
        if fate in ("keep", "late"):
            actions = [f"reply {code} {enhanced}{said}"]
            if fate == "late":
                actions.insert(0, "delay 3ms")
        elif fate == "raw":
            actions = [f'reply raw "{code}-forged\\r\\n{code} forged %{{line}}\\r\\n"']
            if verb == "DATA":
                return
        elif fate == "delay":
            actions = ["delay 2ms..5ms"]
        elif fate == "inject":
            actions = ['inject server "NOOP injected %{line}\\r\\n"']
        elif fate == "aside":
            actions = ['inject client "299 aside %{line}\\r\\n"']
        elif fate == "set":
            actions = [f'set argument "{"FROM:" if verb == "MAIL" else "TO:" if verb == "RCPT" else ""}<set@example.org>"']
        elif fate == "drop":
            actions = ["drop"]
        elif fate in ("again", "spoil"):
            actions = ["repeat 2" if fate == "again" else "corrupt 2"]
        elif fate in ("slow", "drip"):
            actions = ["throttle 2MiB/s" if fate == "slow" else "dribble 99 every 1ms"]
        else:
            # At replies; a DATA whose two ends disagree loses its server, which has a test of its own.
            if verb == "DATA" or verb == "BDAT":
                return
            place = "reply" if verb == "unknown" else f"reply to {verb}"
            actions = ["drop"] if fate == "lose" else ["repeat 1"] if fate == "twice" else [f"reply {code} {enhanced}{said}"]
        self.codes[verb, fate] = code
        self.add(name, place, when, *actions)

    def rewrite(self, rng):
        edits = [("/^a\\./", r"^a\.", "."), ("/QUIT$/", "QUIT$", ""), ('"x"', "x", "xyz" * 9), ('"ok"', "ok", "ko"),
                 ('"a."', r"a\.", "")]
        self.edits = [edit for edit in edits if rng.random() < 0.5]
        if self.edits:
            self.add("rewrite", "CONTENT", None, *(f'replace {old} with "{new}"' for old, _, new in self.edits))
            self.kept = rng.choice((None, 30, 100))

    def rewritten(self, content, by_data):
        """What becomes of it on its way."""
        lines = []
        for line in content.split("\r\n")[:-1]:
            stored = changed = line[1:] if by_data and line.startswith(".") else line
            for _, old, new in self.edits:
                changed = re.sub(old, new, changed)
            if changed != stored:
                line = "." + changed if by_data and changed.startswith(".") else changed
            lines.append(line + "\r\n")
        return "".join(lines)

    def chunks(self, line, chunk):
        """The commands that the server gets for a client's."""
        chunk = self.rewritten(chunk, False) if self.edits else chunk
        while self.kept is not None and len(chunk) > self.kept:
            yield f"BDAT {self.kept}\n{chunk[:self.kept]}"
            chunk = chunk[self.kept:]
        yield re.sub(r"\d+", str(len(chunk)), line, count=1) + "\n" + chunk

    def has(self, verb, fate):
        return (verb, fate) in self.codes


class Server:
    """A server that answers as chance has it, and keeps what it got. One a session."""

    def __init__(self, rng, lmtp, must_wait):
        self.rng = rng
        self.lmtp = lmtp
        self.must_wait = must_wait      # PIPELINING is hidden: never two commands at once
        self.got = []                   # lines, and contents
        self.codes = {0: 220}           # of what it has answered, by number
        self.accepted = []              # numbers of recipients
        self.ended = asyncio.Event()
        self.wrong = None

    async def serve(self, reader, writer):
        self.reader, self.writer = reader, writer
        try:
            self.say(0, 220)
            while await self.one():
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.flush()
            writer.close()
            self.ended.set()

    def say(self, number, code, more=""):
        lines = 1 if self.rng.random() < 0.8 else 3
        for left in range(lines - 1, -1, -1):
            self.writer.write(f"{code}{'-' if left else ' '}k{number}{more}\r\n".encode())
        self.codes[number] = code

    def flush(self):
        pass

    async def line(self):
        return (await self.reader.readuntil(b"\n")).decode("latin-1")

    async def one(self):
        line = await self.line()
        if not line.endswith("\r\n"):
            self.wrong = self.wrong or f"a line without CRLF: {line!r}"
        line = line[:-2]
        self.got.append(line)
        number = len(self.got)
        if self.must_wait and self.reader._buffer and not line.startswith("BDAT"):
            self.wrong = self.wrong or f"more than one command at once: {bytes(self.reader._buffer)!r} behind {line!r}"
        if self.rng.random() < 0.2:
            await asyncio.sleep(self.rng.random() * 0.004)
        verb = line.split(" ")[0].upper()
        if verb in ("EHLO", "LHLO"):
            self.writer.write(b"250-mx.example.net\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 HELP\r\n")
            self.codes[number] = 250
        elif verb == "DATA":
            await self.data(number)
        elif verb == "BDAT":
            await self.bdat(number, line)
        elif verb == "QUIT":
            self.say(number, 221)
            await self.writer.drain()
            return False
        else:
            self.say(number, self.code(verb, line, number))
        await self.writer.drain()
        return True

    def code(self, verb, line, number):
        if verb in ("MAIL", "RSET"):
            self.accepted = []
            return 250
        code = self.rng.choice((250, 250, 250, 452, 550))
        if verb == "RCPT":
            if "sure" in line:
                code = 250
            if code == 250:
                self.accepted.append(number)
        return code

    def final(self, number):
        """One reply, or in LMTP one for each recipient."""
        if not self.lmtp:
            self.say(number, self.rng.choice((250, 452)))
            return
        for recipient in self.accepted or [0]:
            self.say(number, self.rng.choice((250, 452)), f" for k{recipient}")
        self.accepted = []

    async def data(self, number):
        code = 354 if self.lmtp else self.rng.choice((354, 354, 554))
        self.say(number, code)
        if code != 354:
            return
        await self.writer.drain()
        content = ""
        while (line := await self.line()) != ".\r\n":
            content += line
        self.got.append(content)
        self.final(len(self.got))

    async def bdat(self, number, line):
        words = line.split(" ")
        count, last = int(words[1]), "LAST" in words
        early = not self.lmtp and len(words) > 2 and self.rng.random() < 0.1
        if early:
            self.say(number, 552)
            await self.writer.drain()
        chunk = (await self.reader.readexactly(count)).decode("latin-1")
        self.got[-1] += "\n" + chunk
        if early:
            pass
        elif last:
            self.final(number)
        else:
            self.say(number, 250)


class Expected:
    """A reply that must come: of this code, with this at its end."""

    def __init__(self, what, token=None, code=None):
        self.what, self.token, self.code = what, token, code
        self.reply = None

    def wrong(self, reply):
        if self.code is not None and reply[0] != self.code:
            return f"{reply} instead of {self.code} for {self.what!r}"
        if self.token is not None and not re.search(rf"(^|\s){re.escape(self.token)}$", reply[1]):
            return f"{reply} is not the reply {self.token!r} to {self.what!r}"
        return None


class Spoilt(str):
    """A line of which two bits are not what they were."""

    def __eq__(self, other):
        flipped = sum((ord(one) ^ ord(two)).bit_count() for one, two in zip(self, other))
        return len(self) == len(other) and flipped == 2

    def __ne__(self, other):
        return not self == other

    __hash__ = None


class Finals:
    """LMTP's replies to a content: how many those are is known when those before have come."""

    def __init__(self, expand):
        self.expand = expand


class Client:
    """Says random groups, and knows what both ends must see of them."""

    def __init__(self, rng, rules, lmtp, server):
        self.rng, self.rules, self.lmtp, self.server = rng, rules, lmtp, server
        self.serial = 0
        self.came = []                  # replies, (code, text)
        self.must_see = collections.deque()     # Expected and Finals
        self.must_get = []              # what the server gets
        self.recipients = []            # of each the reply Expected (or None), and its number at the server (or None)
        self.out = bytearray()
        self.left = False               # the proxy has left the server

    def see(self, what, token=None, code=None):
        """The next reply."""
        expected = Expected(what, token, code)
        self.must_see.append(expected)
        return expected

    def forward(self, line):
        self.must_get.append(line)
        return len(self.must_get)

    def forward_chunk(self, line, chunk):
        for wire in self.rules.chunks(line, chunk):
            number = self.forward(wire)
        return number

    def command(self, verb, fate):
        """Says a command of this fate; returns its reply (Expected or None), and its number at the server (or None)."""
        self.serial += 1
        tag = f"{fate}-{self.serial}"
        line = {"MAIL": f"MAIL FROM:<{tag}@example.org>", "RCPT": f"RCPT TO:<{tag}@example.net>",
                "unknown": f"XYZZY {tag}"}.get(verb, f"{verb} {tag}")
        return self.say_line(verb, fate, line)

    def say_line(self, verb, fate, line, chunk=None):
        self.out += line.encode() + b"\r\n"
        wire = line
        if chunk is not None:
            self.out += chunk.encode()
        rules = self.rules
        if verb == "BDAT" and "CHUNKING" in rules.hidden and not (rules.has(verb, fate) and fate in ("keep", "raw", "drop")):
            if rules.has(verb, fate) and fate == "inject":
                self.forward(f"NOOP injected {line}")
            if rules.has(verb, fate) and fate == "aside":
                self.see(line, f"aside {line}", 299)
            return self.see(line, code=502), None
        if not rules.has(verb, fate):
            number = self.forward(wire) if chunk is None else self.forward_chunk(line, chunk)
            return self.see(line, f"k{number}"), number
        code = rules.codes[verb, fate]
        if fate == "drop":
            return None, None
        if fate in ("keep", "raw", "late"):
            return self.see(line, f"forged {line}", code), None
        if fate == "inject":
            self.forward(f"NOOP injected {line}")
        if fate == "aside":
            self.see(line, f"aside {line}", 299)
        if fate == "set":
            wire = {"MAIL": "MAIL FROM:<set@example.org>", "RCPT": "RCPT TO:<set@example.org>"}.get(
                verb, line.split(" ")[0] + " <set@example.org>")
        number = (self.forward_chunk(line, chunk) if chunk is not None else
                  self.forward(wire if fate != "spoil" else Spoilt(wire)))
        if fate == "again":
            for _ in range(2):
                self.forward(wire)
        if fate == "lose":
            return None, number
        if fate == "twice":
            self.see(line, f"k{number}")
        if fate == "change":
            return self.see(line, f"forged {line}", code), number
        return self.see(line, f"k{number}"), number

    def rcpt(self, fate):
        self.recipients.append(self.command("RCPT", fate))

    def fate(self):
        return self.rng.choice(("pass", "pass", "pass", "pass", *FATES))

    async def talk(self, reader, writer):
        self.writer = writer
        reading = asyncio.ensure_future(self.read(reader))
        try:
            await self.seen(self.see("greeting", "k0", 220))
            hello = "LHLO" if self.lmtp else "EHLO"
            self.say_hello(hello)
            await self.flush()
            await self.seen()
            for _ in range(self.rng.randint(2, 6)):
                await self.transaction()
                if self.left:
                    break
            await self.quit()
            await asyncio.wait_for(reading, PATIENCE)
        finally:
            reading.cancel()

    def say_hello(self, verb):
        self.out += f"{verb} client.example.org\r\n".encode()
        self.forward(f"{verb} client.example.org")
        self.see(verb, code=250)

    async def quit(self):
        self.out += b"QUIT\r\n"
        if self.left:
            self.see("QUIT", code=221)
        else:
            self.see("QUIT", f"k{self.forward('QUIT')}", 221)
        await self.flush()

    def some_commands(self, most):
        for _ in range(self.rng.randint(0, most)):
            self.command(self.rng.choice(("NOOP", "VRFY", "HELP", "unknown")), self.fate())

    async def transaction(self):
        self.recipients = []
        self.some_commands(3)
        self.command("MAIL", self.fate())
        if self.lmtp:
            self.rcpt("sure")
        for _ in range(self.rng.randint(0, 5)):
            self.rcpt(self.fate())
            self.some_commands(1)
        if self.rng.random() < 0.4:
            await self.flush()
        way = self.rng.random()
        if way < 0.2:
            self.command("RSET", self.fate())
            self.recipients = []
        elif way < 0.6:
            await self.data()
        else:
            self.bdat()
        if self.rng.random() < 0.5:
            await self.flush()
        if self.rng.random() < 0.3:
            await self.flush()
            await self.seen()

    def content(self):
        keep = not self.left and self.rng.random() < 0.08
        text = f"X-Fate: {'keep' if keep else 'pass'}\r\nSubject: {self.serial}\r\n\r\n"
        for _ in range(self.rng.randint(0, 4)):
            text += self.rng.choice(("x\r\n", "QUIT\r\n", "..\r\n", "\r\n", "250 ok\r\n", "a.\r\n" * 30))
        return text, keep

    def finals(self, what, code=None, token=None, number=None):
        """The final replies to a content: of the server, which has got it as this number, or others."""
        token = token if number is None else f"k{number}"
        if not self.lmtp:
            self.see(what, token, code)
            return
        recipients = self.recipients

        def expand():
            all_finals = []
            for reply, at_server in recipients:
                if reply is None or reply.reply[0] // 100 != 2:
                    continue
                if number is None:
                    all_finals.append(Expected(what, token, code))
                elif at_server is not None and self.server.codes.get(at_server) == 250:
                    all_finals.append(Expected(what, f"k{number} for k{at_server}"))
                else:
                    all_finals.append(Expected(what, code=451))
            return all_finals

        self.must_see.append(Finals(expand))

    async def data(self):
        fate = self.fate()
        self.serial += 1
        expected, number = self.say_line("DATA", fate, f"DATA {fate}-{self.serial}")
        if expected is None:
            return
        await self.flush()
        await self.seen(expected)
        if expected.reply[0] // 100 != 3:
            return
        text, keep = self.content()
        self.out += text.encode() + b".\r\n"
        if keep:
            self.finals("content", 552, "kept")
        elif number is None:
            self.finals("content", 451)
        else:
            self.finals("content", number=self.forward(self.rules.rewritten(text, True)))
        # It has gone inside the content, which it thus throws away.
        self.left = number is not None and keep

    def bdat(self):
        chunks = [self.content()[0].replace("keep", "pass") for _ in range(self.rng.randint(1, 3))]
        keep = self.rng.random() < 0.2
        if keep:
            chunks[0] = chunks[0].replace("X-Fate: pass", "X-Fate: keep")
        for at, chunk in enumerate(chunks):
            last = at == len(chunks) - 1
            fate = "pass" if last or self.lmtp or keep else self.fate()
            self.serial += 1
            if not last:
                # The fate stands behind the count, where servers would not like it, and ours does not mind.
                self.say_line("BDAT", fate, f"BDAT {len(chunk)} {fate}-{self.serial}", chunk)
                continue
            self.last_chunk(chunk, keep)

    def last_chunk(self, chunk, keep):
        line = f"BDAT {len(chunk)} LAST"
        self.out += line.encode() + b"\r\n" + chunk.encode()
        if "CHUNKING" in self.rules.hidden:
            self.finals(line, 502)
        elif keep:
            # It is taken back: the server never gets it (or not all of it), and RSET in its place.
            for wire in [*self.rules.chunks(line, chunk)][:-1]:
                self.forward(wire)
            self.forward("RSET")
            self.finals(line, 552, "kept")
        else:
            self.finals(line, number=self.forward_chunk(line, chunk))

    async def flush(self):
        """What is to be said goes out, in segments that end anywhere."""
        out, self.out = bytes(self.out), bytearray()
        while out:
            n = len(out) if self.rng.random() < 0.3 else self.rng.randint(1, 60)
            self.writer.write(out[:n])
            await self.writer.drain()
            out = out[n:]
            if self.rng.random() < 0.3:
                await asyncio.sleep(self.rng.random() * 0.002)

    async def seen(self, expected=None):
        """Waits until that reply, or all, are there."""
        late = asyncio.get_running_loop().time() + PATIENCE
        while self.must_see if expected is None else expected.reply is None:
            if self.failed or asyncio.get_running_loop().time() > late:
                raise Wrong(self.failed or f"no reply comes to {self.must_see[0].what!r}; "
                            f"the last ones were {self.came[-3:]}")
            await asyncio.sleep(0.001)

    failed = None

    async def read(self, reader):
        while (line := await reader.readline()) and not self.failed:
            if not re.fullmatch(rb"\d\d\d[ -].*\r\n", line, re.S):
                self.failed = f"not a line of a reply: {line!r}"
            elif line[3:4] == b" ":
                self.failed = self.one_came((int(line[:3]), line[4:-2].decode()))

    def one_came(self, reply):
        while self.must_see and isinstance(self.must_see[0], Finals):
            self.must_see.extendleft(reversed(self.must_see.popleft().expand()))
        if not self.must_see:
            return f"a reply too many: {reply}"
        expected = self.must_see.popleft()
        expected.reply = reply
        self.came.append(reply)
        return expected.wrong(reply)

    def compare(self):
        """Both ends are through: is it all that was to come?"""
        if self.failed:
            raise Wrong(self.failed)
        if self.must_see:
            raise Wrong(f"no reply to {self.must_see[0].what!r}")
        got = self.server.got
        for at, (must, has) in enumerate(zip(self.must_get, got), 1):
            if must != has:
                raise Wrong(f"the server got {has!r} as number {at} instead of {must!r}")
        if len(got) != len(self.must_get):
            raise Wrong(f"the server got {len(got)} of {len(self.must_get)}: "
                        f"{got[len(self.must_get):] or self.must_get[len(got):]}")
        if self.server.wrong:
            raise Wrong(self.server.wrong)


async def proxy_starts(directory, rules, scheme, port, seed):
    path = pathlib.Path(directory) / "random.rules"
    path.write_text("\n\n".join(rules.texts) + "\n")
    proxy = await asyncio.create_subprocess_exec(
        SMTPSCOPE, "proxy", "-l", f"{scheme}://127.0.0.1:0", "-u", f"{scheme}://127.0.0.1:{port}", "-r", path,
        *(["--max-content", str(rules.kept)] if rules.kept else []), "-f", "json", "-o", pathlib.Path(directory) / "events.jsonl", "--seed", str(seed), "--grace", "1s",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
    said = b""
    while (match := re.search(rb"listening on \w+://127\.0\.0\.1:(\d+)\n", said)) is None:
        line = await asyncio.wait_for(proxy.stderr.readline(), PATIENCE)
        if not line:
            raise Wrong(f"the proxy does not listen: {said.decode()}")
        said += line
    return proxy, int(match.group(1))


async def one_session(seed, number, port, rules, lmtp, waiting):
    rng = random.Random(f"{seed}/{number}")
    server = Server(random.Random(f"{seed}/{number}/server"), lmtp, "PIPELINING" in rules.hidden)
    client = Client(rng, rules, lmtp, server)
    # Which of the connections at the server is this one's: one is made at a time.
    async with waiting["turn"]:
        waiting["server"] = server
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.wait_for(waiting["taken"].wait(), PATIENCE)
        waiting["taken"].clear()
    try:
        await asyncio.wait_for(client.talk(reader, writer), 2 * PATIENCE)
        await asyncio.wait_for(server.ended.wait(), PATIENCE)
        client.compare()
    except (Wrong, asyncio.TimeoutError, ConnectionError) as wrong:
        text = client.failed or str(wrong) or f"{type(wrong).__name__} behind {client.came[-3:]}"
        return f"seed {seed}, session {number}{' (LMTP)' if lmtp else ''}: {text}"
    finally:
        writer.close()
    return None


async def one_seed(seed):
    """Some sessions through one proxy with one rule file; returns what went wrong, a line each."""
    rng = random.Random(seed)
    lmtp = rng.random() < 0.3
    rules = Rules(rng, lmtp)
    waiting = {"turn": asyncio.Lock(), "taken": asyncio.Event(), "server": None}

    async def accepted(reader, writer):
        server = waiting["server"]
        waiting["taken"].set()
        await server.serve(reader, writer)

    listener = await asyncio.start_server(accepted, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="smtpscope-ordering-") as directory:
        proxy, at = await proxy_starts(directory, rules, "lmtp" if lmtp else "smtp", port, seed)
        try:
            wrongs = await asyncio.gather(*(one_session(seed, number, at, rules, lmtp, waiting)
                                            for number in range(SESSIONS)))
        finally:
            if proxy.returncode is None:
                proxy.terminate()
            said = await proxy.stderr.read()
            code = await proxy.wait()
        if code != 0:
            wrongs.append(f"seed {seed}: the proxy ended with {code}: {said.decode(errors='replace')[-1500:]}")
        listener.close()
    return [wrong for wrong in wrongs if wrong]


def main():
    passed = failed = 0
    for seed in [int(word) for word in sys.argv[1:]] or SEEDS:
        wrongs = asyncio.run(one_seed(seed))
        for wrong in wrongs:
            print(f"FAIL {wrong}")
        failed += len(wrongs)
        passed += SESSIONS - min(len(wrongs), SESSIONS)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
