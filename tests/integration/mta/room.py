# SPDX-License-Identifier: MIT
"""Where the MTAs live: one set of namespaces for the test, one chroot for each MTA.

enter() runs the calling program again inside mount, network and process namespaces of its own.
No packet leaves there (its only interface is a loopback), ports may be fixed, no mount is
seen outside, and whatever happens to the test, nothing outlives it: the kernel ends all
processes of the namespace with its first.

A Room is an unpacked tree of packages.py, seen read-only by its MTA through a bind mount, with an
/etc, /var, /run, /tmp and /dev of the room's own laid over it. The fixed paths that MTAs insist
on are therefore true inside, and short, wherever the checkout is.
"""
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

from . import packages
from .expect import PATIENCE, Failure, wait_for

FOLDER = Path(__file__).resolve().parents[3] / "build" / "mta"

INSIDE = "SMTPSCOPE_MTA_INSIDE"
_UNSHARE = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_PR_SET_PDEATHSIG = 1


def enter():
    """Returns None inside the namespaces; outside, a text that says why there can be none.

    Where they can be had, the program runs again inside them and its exit code ends this one.
    """
    if os.environ.get(INSIDE):
        _become_init()
        _loopback_up()
        return None
    if os.geteuid() != 0:
        return "not root"
    for tool in ("unshare", "mount", "chroot"):
        if shutil.which(tool) is None:
            return f"no {tool}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    probe = subprocess.run(_UNSHARE + ["mount", "--bind", str(FOLDER), str(FOLDER)],
                           capture_output=True, text=True)
    if probe.returncode:
        return "no namespaces, or no mounts in them (" + probe.stderr.strip() + ")"
    lock = open(FOLDER / "lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)    # one test at a time in one checkout
    try:
        os.fchown(lock.fileno(), 65534, 65534)
    except OSError as why:
        return f"root here cannot act for other users ({why.strerror})"
    try:
        packages.ensure(FOLDER)
    except packages.Unavailable as why:
        return str(why)
    shutil.rmtree(FOLDER / "rooms", ignore_errors=True)
    sys.exit(_run_inside())


def _run_inside():
    child = subprocess.Popen(
        _UNSHARE + [sys.executable] + sys.argv, env={**os.environ, INSIDE: "1"},
        preexec_fn=lambda: ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
    # unshare leaves SIGTERM to its child; what ends this process must end that one.
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    signal.signal(signal.SIGINT, lambda *_: child.kill())
    code = child.wait()
    return code if code >= 0 else 128 - code


def _become_init():
    """Leaves process 1 behind to wait for what the MTAs orphan, and goes on as its child."""
    child = os.fork()
    if child == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


class Log:
    """A log file of an MTA, outside its chroot. mark() says where the lines to come will begin."""

    def __init__(self, path):
        self.path = path

    def mark(self):
        return self.path.stat().st_size if self.path.exists() else 0

    def lines(self, since=0):
        if not self.path.exists():
            return []
        with open(self.path, "rb") as f:
            f.seek(since)
            whole, _, _ = f.read().rpartition(b"\n")
        return whole.decode("utf-8", "replace").split("\n")

    def find(self, pattern, since=0):
        """The match of the compiled pattern in the first line that has one, or None."""
        return next(filter(None, map(pattern.search, self.lines(since))), None)

    def wait(self, pattern, since=0):
        try:
            return wait_for("a line", lambda: self.find(pattern, since))
        except Failure:
            shown = "\n  ".join(self.lines(since)[-12:])
            raise Failure(f"no line matches {pattern.pattern} in {self.path}; its last:\n  {shown}") \
                from None


class Room:
    """A chroot below FOLDER/rooms/NAME with its own users and processes; made once a test run."""

    PRIVATE = ("etc", "var", "run", "tmp", "dev")

    def __init__(self, name, image, users):
        """users: {name: uid}; each gets a group of the same name and number."""
        self.name = name
        self.path = FOLDER / "rooms" / name
        self.root = self.path / "root"
        self.ids = {"root": 0, **users}
        self.process = None
        self.root.mkdir(parents=True)
        self._mount("--bind", FOLDER / image, self.root)
        for part in self.PRIVATE:
            (self.path / part).mkdir()
            (FOLDER / image / part).mkdir(exist_ok=True)
            self._mount("--bind", self.path / part, self.root / part)
        self._mount("-o", "remount,bind,ro,exec,suid", self.root)     # exim4 is setuid
        (self.path / "tmp").chmod(0o1777)
        (self.path / "var" / "run").symlink_to("/run")
        for node in ("null", "zero", "random", "urandom"):
            (self.path / "dev" / node).touch()
            self._mount("--bind", f"/dev/{node}", self.root / "dev" / node)
        self._write_users()

    @staticmethod
    def _mount(*words):
        subprocess.run(["mount", *map(str, words)], check=True)

    def _write_users(self):
        self.write("etc/passwd", "".join(f"{n}:x:{i}:{i}::/var/mail:/bin/sh\n" for n, i in self.ids.items()))
        self.write("etc/group", "".join(f"{n}:x:{i}:\n" for n, i in self.ids.items()))
        self.write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
        self.write("etc/services", "smtp 25/tcp mail\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")

    def write(self, path, text):
        """Writes a file below the room's root; path begins with one of PRIVATE."""
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def make(self, path, owner="root", group=None, mode=0o755):
        """Makes a folder below the room's root with the owner and mode that an MTA asks for."""
        target = self.path / path
        target.mkdir(parents=True, exist_ok=True)
        os.chown(target, self.ids[owner], self.ids[group or owner])
        target.chmod(mode)
        return target

    def _argv(self, words):
        return ["chroot", str(self.root), *words]

    ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def run(self, *words, stdin=b""):
        """Runs a program of the MTA to its end and returns what it printed; fails if it failed."""
        run = subprocess.run(self._argv(words), input=stdin, capture_output=True,
                             env=self.ENVIRONMENT, timeout=PATIENCE)
        if run.returncode:
            raise Failure(f"{' '.join(words)} in {self.name} ended with {run.returncode}: "
                          + (run.stderr + run.stdout).decode("utf-8", "replace").strip())
        return run.stdout.decode("utf-8", "replace")

    def start(self, port, *words):
        """Starts the MTA in the foreground and waits until it listens on 127.0.0.1:port.

        What it prints goes to the room's file "output".
        """
        with open(self.path / "output", "ab") as out:
            self.process = subprocess.Popen(self._argv(words), stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env=self.ENVIRONMENT,
                                            start_new_session=True)
        wait_for(f"{self.name} to listen on port {port}", lambda: self._listens(port))

    def _listens(self, port):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with {self.process.returncode} before it listened: "
                          + (self.path / "output").read_text(errors="replace").strip())
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
