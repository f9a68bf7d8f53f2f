# SPDX-License-Identifier: MIT
"""Who is measured: smtpscope, the floor, and what a user would pick instead where it is installed.

A live peer is started once, between a receiver of its own and whoever sends, and stopped by
its process id. What it costs is the time that the kernel ran it, threads and children included.
"""
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMTPSCOPE = os.path.abspath(os.environ.get("SMTPSCOPE", str(ROOT / "smtpscope")))
BUILD = pathlib.Path(os.environ.get("BUILD", str(ROOT / "build"))).resolve() / "tests" / "bench"
LO = "127.0.0.1"
DEADLINE = 60.0
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind((LO, 0))
        return s.getsockname()[1]


def listens(port):
    """Asks the kernel, so that the peer sees no connection of ours."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(table):
            with open(table, encoding="ascii") as lines:
                for line in lines:
                    words = line.split()
                    if words[3] == "0A" and words[1].endswith(f":{port:04X}"):
                        return True
    return False


def haproxy(folder, port, server):
    (folder / "haproxy.cfg").write_text(f"""global
    nbthread 1
    maxconn 9000
defaults
    mode tcp
    timeout connect 10s
    timeout client 10m
    timeout server 10m
frontend f
    bind {LO}:{port} backlog 4096
    default_backend b
backend b
    server s {LO}:{server}
""")
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


def nginx(folder, port, server):
    module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    (folder / "nginx.conf").write_text(f"""{f'load_module {module};' if module.exists() else ''}
{'user root;' if os.geteuid() == 0 else ''}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
events {{ worker_connections 16000; }}
stream {{
    server {{ listen {LO}:{port} backlog=4096; proxy_pass {LO}:{server}; proxy_timeout 10m; tcp_nodelay on; }}
}}
""")
    return ["nginx", "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]


def sslsplit(folder, port, server):
    del folder
    user = ["-u", "root"] if os.geteuid() == 0 else []
    return ["sslsplit", "-l", "/dev/null", *user, "tcp", LO, str(port), LO, str(server)]


def smtpscope(folder, port, server, *more, workers=1):
    return [SMTPSCOPE, "proxy", "-q", "--workers", str(workers), "-l", f"{LO}:{port}", "-u", f"{LO}:{server}",
            "-f", "json", "-o", str(folder / "events.json"), *more]


def two_workers(folder, port, server, *more):
    return smtpscope(folder, port, server, *more, workers=2)


def floor(folder, port, server):
    del folder, port
    return [str(BUILD / "floor"), str(server)]


# In the order of the table's columns. None: no process, the sender talks to the receiver.
LIVE = {"direct": None, "floor": floor, "smtpscope": smtpscope, "smtpscope-2": two_workers,
        "haproxy": haproxy, "nginx": nginx, "sslsplit": sslsplit}


OURS = ("smtpscope", "smtpscope-2")


def installed(name):
    return name in ("direct", "floor", *OURS) or shutil.which(name) is not None


def stop(process):
    """Ends a process that was started here, with the group that it leads."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(5)
            return
        except subprocess.TimeoutExpired:
            pass


def start_saying_port(command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    said = re.match(rb"port=(\d+)", process.stdout.readline())
    if not said:
        stop(process)
        raise RuntimeError(f"{command[0]} did not say its port")
    return process, int(said[1])


def family(root):
    """A process and all that came from it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
                children.setdefault(int(stat[1]), []).append(int(name))
            except (OSError, IndexError):
                pass
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, [])
    return found


def seconds_run(root):
    """For how long the kernel ran a family: to the nanosecond where schedstat has it, else by ticks."""
    total = 0.0
    for pid in family(root):
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                base = pathlib.Path(f"/proc/{pid}/task/{task}")
                try:
                    total += int((base / "schedstat").read_text().split()[0]) / 1e9
                except OSError:
                    stat = (base / "stat").read_text().rsplit(")", 1)[1].split()
                    total += (int(stat[11]) + int(stat[12])) / TICK
        except OSError:
            pass
    return total


def kib_taken(root):
    """Memory of a family, each shared page counted once."""
    total = 0
    for pid in family(root):
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
        except (OSError, TypeError):
            pass
    return total


class Live:
    """A peer that runs, with a receiver behind it. port is where to send to."""

    def __init__(self, name, folder, *more):
        self.name, self.folder, self.process = name, folder, None
        folder.mkdir()
        self.receiver, server = start_saying_port([str(BUILD / "receive")])
        self.port = server
        if name == "direct":
            return
        try:
            self._start(server, more)
        except Exception:
            stop(self.receiver)
            raise

    def _start(self, server, more):
        if self.name == "floor":
            self.process, self.port = start_saying_port(floor(self.folder, 0, server))
            return
        self.port = free_port()
        command = LIVE[self.name](self.folder, self.port, server, *more)
        with open(self.folder / "said", "wb") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, cwd=self.folder,
                                            start_new_session=True)
        deadline = time.monotonic() + DEADLINE
        while not listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                stop(self.process)
                raise RuntimeError(f"{self.name} did not start: "
                                   f"{(self.folder / 'said').read_text(errors='replace')[:300]}")
            time.sleep(0.02)

    def cpu(self):
        return seconds_run(self.process.pid) if self.process else 0.0

    def memory(self):
        return kib_taken(self.process.pid) if self.process else 0

    def empty(self):
        """What it wrote so far is thrown away, so that a disk does not fill."""
        for name in ("events.json", "said"):
            if (self.folder / name).exists():
                os.truncate(self.folder / name, 0)

    def close(self):
        if self.process:
            stop(self.process)
        stop(self.receiver)


def raise_descriptors():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
