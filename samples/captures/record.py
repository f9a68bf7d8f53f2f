#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records the captures of this folder anew, between real MTAs, and writes what `decode` says of them.

    record.py [NAME...]         all samples, or these
    record.py --decode          no recording: only what `decode` says of those that are here

Needs root, the packages of the MTAs (tests/integration/mta/README), tcpdump, swaks, curl and openssl;
and ./smtpscope, which `make` builds. Everything happens on the loopback of a network namespace.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMTPSCOPE = pathlib.Path(os.environ.get("SMTPSCOPE", ROOT / "smtpscope")).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from capturing import Tcpdump                                       # noqa: E402
from mta import room, swaks                                         # noqa: E402
from mta.exim import Exim                                           # noqa: E402
from mta.expect import PATIENCE, Failure, expect_equal, wait_for    # noqa: E402
from mta.lmtpsink import LmtpSink                                   # noqa: E402
from mta.opensmtpd import OpenSMTPD                                 # noqa: E402
from mta.postfix import Postfix                                     # noqa: E402

ANN, BOB, CARL, NOSUCH = "ann@client.example.org", "bob@example.org", "carl@example.org", "nosuch@example.org"
CONTENT = b"""\
Date: Sun, 22 Nov 2026 09:00:00 +0000
From: ann@client.example.org
To: bob@example.org
Message-ID: <1@client.example.org>
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from a capture

A line.
.A line that begins with a dot.

The last line.
"""
PORT = 10025            # of the server whose connections are recorded
SENDER = 10026          # where an MTA that sends listens for itself
EXAMPLES = {}           # name: function(folder); the key log, where there is one, is folder/keylog


def example(function):
    """Its name, with - for _, is that of the files."""
    EXAMPLES[function.__name__.replace("_", "-")] = function
    return function


def certificate(folder, name):
    """A key and a certificate of its own for name, PEM, made now."""
    made = folder / "made.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", f"/CN={name}",
                    "-keyout", made, "-out", folder / "cert.pem"], check=True, capture_output=True)
    return made.read_text() + (folder / "cert.pem").read_text()


def curl(folder, url, *options):
    (folder / "content").write_bytes(CONTENT.replace(b"\n", b"\r\n"))
    subprocess.run(["curl", "-sS", "--insecure", f"{url}://127.0.0.1:{PORT}/client.example.org", "--mail-from", ANN,
                    "--mail-rcpt", BOB, "--upload-file", folder / "content", *options], check=True,
                   env={**os.environ, "SSLKEYLOGFILE": str(folder / "keylog")}, timeout=PATIENCE)


# ---- the examples: each starts its server, and returns what then makes the session

@example
def plain_swaks_postfix(folder):
    Postfix("postfix", PORT)
    return lambda: expect_equal(swaks.send(PORT, ANN, [BOB, CARL], CONTENT).code, 0, "exit code of swaks")


@example
def refused_swaks_opensmtpd(folder):
    OpenSMTPD("opensmtpd", PORT)
    return lambda: swaks.send(PORT, ANN, [NOSUCH, BOB], CONTENT)


@example
def pipelined_postfix_exim(folder):
    Exim("exim", PORT)
    sender = Postfix("sending-postfix", SENDER, f"[127.0.0.1]:{PORT}")
    return lambda: sender.wait_until_gone(sender.submit(ANN, [BOB, CARL], CONTENT))


@example
def bdat_exim_postfix(folder):
    Postfix("postfix", PORT)
    sender = Exim("sending-exim", SENDER, f"127.0.0.1::{PORT}")
    return lambda: sender.wait_until_gone(sender.submit(ANN, [BOB, CARL], CONTENT))


@example
def lmtp_postfix_smtpsink(folder):
    LmtpSink("lmtp-server", PORT)
    sender = Postfix("lmtp-postfix", SENDER, "", default_transport=f"lmtp:inet:127.0.0.1:{PORT}")
    return lambda: sender.wait_until_gone(sender.submit(ANN, [BOB, CARL], CONTENT))


@example
def starttls13_exim_postfix(folder):
    Postfix("postfix", PORT, certificate=certificate(folder, "postfix.example.org"))
    sender = Exim("sending-exim", SENDER, f"127.0.0.1::{PORT}",
                  transport=["hosts_require_tls = *", "tls_verify_certificates =", "tls_sni = postfix.example.org"])
    sender.room.ENVIRONMENT = {**sender.room.ENVIRONMENT, "SSLKEYLOGFILE": "keylog"}

    def send():
        # GnuTLS writes keys for a process of root's alone: one that delivers at once is not.
        sender.room.run("/usr/sbin/exim4", "-odq", "-i", "-f", ANN, BOB, stdin=CONTENT)
        sender.flush()
        shutil.copy(sender.room.path / "var/spool/exim4/keylog", folder / "keylog")
    return send


@example
def starttls12_curl_exim(folder):
    Exim("exim", PORT, certificate=certificate(folder, "exim.example.org"))
    return lambda: curl(folder, "smtp", "--ssl-reqd", "--tls-max", "1.2")


@example
def starttls12_cbc_curl_postfix(folder):
    """Encrypt-then-MAC (RFC 7366)."""
    Postfix("postfix", PORT, certificate=certificate(folder, "postfix.example.org"))
    return lambda: curl(folder, "smtp", "--ssl-reqd", "--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-SHA256")


@example
def smtps13_curl_postfix(folder):
    Postfix("postfix", PORT, certificate=certificate(folder, "postfix.example.org"), smtpd_tls_wrappermode="yes")
    return lambda: curl(folder, "smtps", "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256")


@example
def starttls_without_keys_postfix_exim(folder):
    Exim("exim", PORT, certificate=certificate(folder, "exim.example.org"))
    sender = Postfix("sending-postfix", SENDER, f"[127.0.0.1]:{PORT}", smtp_tls_security_level="encrypt")
    return lambda: sender.wait_until_gone(sender.submit(ANN, [BOB], CONTENT))


# ---- recording

def is_over():
    """No connection of PORT is on its way any more: listeners and TIME_WAIT alone."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    states = [fields[3] for fields in map(str.split, lines)
              if f"{PORT:04X}" in (fields[1][-4:], fields[2][-4:])]
    return not set(states) - {"06", "0A"}


def keep_connections(record, path):
    """Of all that was recorded, what went to and from PORT."""
    with open(record, "rb") as whole, open(path, "wb") as out:
        subprocess.run(["tcpdump", "-r", "-", "-w", "-", f"tcp port {PORT}"], stdin=whole, stdout=out, check=True,
                       stderr=subprocess.DEVNULL)


def record(name):
    with tempfile.TemporaryDirectory(prefix="smtpscope-record.") as directory:
        folder = pathlib.Path(directory)
        send = EXAMPLES[name](folder)
        wait_for("what looked for the server to be gone", is_over)
        tcpdump = Tcpdump(folder / "all.pcap")
        try:
            send()
            wait_for("the end of the connection", is_over)
            tcpdump.stop()
        finally:
            tcpdump.kill()
        keep_connections(folder / "all.pcap", HERE / f"{name}.pcap")
        keylog = HERE / f"{name}.keylog"
        keylog.unlink(missing_ok=True)
        if (folder / "keylog").exists():
            keylog.write_text("".join(re.findall(r"(?m)^[A-Z].*\n", (folder / "keylog").read_text())))


def decode(path, form):
    """What `decode` prints for a sample, octets: text or json."""
    keylog = path.with_suffix(".keylog")
    keys = ["--keylog", keylog.name] if keylog.exists() else []
    done = subprocess.run([SMTPSCOPE, "decode", "-q", "-f", form, *keys, path.name], cwd=path.parent, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE)
    if done.returncode:
        raise Failure(f"decode of {path.name} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def write_decoded():
    for path in sorted(HERE.glob("*.pcap")):
        path.with_suffix(".txt").write_bytes(decode(path, "text"))
        path.with_suffix(".jsonl").write_bytes(decode(path, "json"))


def main():
    names = sys.argv[1:]
    if names == ["--decode"]:
        write_decoded()
        return
    unknown = [name for name in names if name not in EXAMPLES]
    if unknown:
        sys.exit(f"record.py: there is no sample {', '.join(unknown)}: {', '.join(EXAMPLES)}")
    # The MTAs of one example have the ports and names of another's: each has its own namespaces.
    if not os.environ.get(room.INSIDE) and len(names) != 1:
        for name in names or EXAMPLES:
            subprocess.run([sys.executable, __file__, name], check=True)
        return
    why_not = room.enter()
    if why_not:
        sys.exit(f"record.py: nothing can be recorded here: {why_not}")
    record(names[0])
    write_decoded()
    print(f"{names[0]}: {(HERE / names[0]).with_suffix('.pcap').stat().st_size} octets")


if __name__ == "__main__":
    main()
