# SPDX-License-Identifier: MIT
"""Two ends that speak TLS, with certificates made by the run, to put smtpscope between."""

import pathlib
import ssl
import subprocess
import tempfile
import threading

from running import DEADLINE, Proxy, Server

NAME = "mx.example.net"


class Certificates:
    """A server's certificate, signed by itself, and a CA of smtpscope's; both in files, gone at the end of `with`."""

    def __init__(self, smtpscope):
        self.directory = tempfile.TemporaryDirectory(prefix="smtpscope-tls-")
        here = pathlib.Path(self.directory.name)
        self.cert, self.key = here / "server.pem", here / "server.key"
        self.ca, self.ca_key = here / "ca.pem", here / "ca.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.key, "-out", self.cert, "-days", "2", "-subj", f"/CN={NAME}",
                        "-addext", f"subjectAltName=DNS:{NAME}"], check=True, capture_output=True)
        subprocess.run([smtpscope, "proxy", "--make-ca", "--ca-cert", self.ca, "--ca-key", self.ca_key], check=True,
                       capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.directory.cleanup()

    def server(self, **how):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return versions(context, **how)

    def client(self, **how):
        """Trusts the CA, and nobody else."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        return versions(context, **how)

    def options(self):
        return "--ca-cert", self.ca, "--ca-key", self.ca_key


def versions(context, version=None):
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def secure(end, context, server_side=False, name=NAME):
    """TLS on an End, from here on."""
    assert end.rest == b"", end.rest
    end.sock = context.wrap_socket(end.sock, server_side=server_side, server_hostname=None if server_side else name,
                                   suppress_ragged_eofs=False)


class Handshake(threading.Thread):
    """One of several handshakes that wait for each other; join() says whether it failed."""

    def __init__(self, end, context, server_side=False, name=NAME):
        super().__init__(daemon=True)
        self.how, self.fault = (end, context, server_side, name), None
        self.start()

    def run(self):
        try:
            secure(*self.how)
        except (OSError, AssertionError) as fault:
            self.fault = fault

    def done(self):
        self.join(DEADLINE)
        assert not self.is_alive(), "the handshake does not end"
        return self.fault


class Between:
    """A proxy, a client connected to it, and the server's end of the session."""

    def __init__(self, certificates, *options, listen="127.0.0.1:0", scheme=""):
        self.server_socket = Server()
        self.proxy = Proxy("-u", scheme + self.server_socket.url, *certificates.options(), *options, listen=listen)
        self.certificates = certificates
        self.client = self.server = None

    def __enter__(self):
        self.proxy.__enter__()
        return self

    def __exit__(self, *fault):
        for end in (self.client, self.server):
            if end is not None:
                end.close()
        self.server_socket.sock.close()
        self.proxy.__exit__(*fault)

    def connect(self):
        self.client = self.proxy.connect()
        self.server = self.server_socket.accept()
        return self

    def greet(self):
        """Both ends, in the clear, up to the client's EHLO."""
        self.server.send(f"220 {NAME} ESMTP\r\n".encode())
        assert self.client.reply()[0] == 220
        return self.hello()

    def hello(self, *offers):
        """EHLO and its answer; returns what the client was offered."""
        self.client.send(b"EHLO client.example.org\r\n")
        assert self.server.line() == b"EHLO client.example.org\r\n"
        self.server.send("".join(f"250-{line}\r\n" for line in (NAME, *(offers or ("STARTTLS",)))).encode() + b"250 SIZE\r\n")
        code, text = self.client.reply()
        assert code == 250, code
        return text.split("\n")[1:]

    def start_tls(self, behind=b"", answer=b"220 2.0.0 Ready\r\n"):
        """The command goes through; the server's handshake is done, the client has its 220."""
        self.client.send(b"STARTTLS\r\n" + behind)
        assert self.server.line() == b"STARTTLS\r\n"
        self.server.send(answer)
        secure(self.server, self.certificates.server(), True)
        assert self.client.reply()[0] == 220

    def pass_line(self, line, reply=b"250 2.0.0 Ok\r\n"):
        self.client.send(line)
        got = self.server.line()
        assert got == line, got
        self.server.send(reply)
        got = self.client.line()
        assert got == reply, got

    def quit(self):
        self.pass_line(b"QUIT\r\n", b"221 2.0.0 Bye\r\n")
        self.server.close()
        end = self.client.to_end()
        self.client.close()
        return end

    def tls(self, side):
        return self.proxy.event(event="tls", side=side)

    def closed(self):
        return self.proxy.event(event="close")
