# SPDX-License-Identifier: MIT
"""Debian's packages of the MTAs, fetched and unpacked side by side, installed nowhere.

They conflict with each other, so apt-get only downloads them, and dpkg-deb unpacks each
MTA with all the libraries that it needs (the C library too) into a tree of its own. Such a
tree runs by chroot(2) whatever the machine has installed. Everything is below the
build folder; a second run finds it there and asks apt nothing.
"""
import hashlib
import json
import os
import re
import shutil
import subprocess

# What is unpacked for each MTA; the libraries that these depend on are found by asking apt.
# OpenSMTPD hands its deliveries to /bin/sh, hence dash.
IMAGES = {
    "postfix": ["postfix"],
    "exim": ["exim4-daemon-light", "exim4-base"],
    "opensmtpd": ["opensmtpd", "dash"],
}

_DEPENDS = ["apt-cache", "depends", "--no-recommends", "--no-suggests", "--no-conflicts",
            "--no-breaks", "--no-replaces", "--no-enhances"]


class Unavailable(Exception):
    """The packages cannot be had here; the text says why and what would mend it."""


def ensure(folder):
    """Makes sure that folder/IMAGE is a complete tree for each of IMAGES. Raises Unavailable."""
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"no {tool}: the MTAs are Debian's packages")
    wanted = _read_list(folder) or _resolve()
    for image, names in wanted.items():
        stamp = folder / f"{image}.unpacked"
        key = hashlib.sha256(" ".join(names).encode()).hexdigest()
        if stamp.exists() and stamp.read_text() == key:
            continue
        debs = _fetch(folder / "debs", names)
        shutil.rmtree(folder / image, ignore_errors=True)
        _unpack(folder / image, debs)
        stamp.write_text(key)
    _list_path(folder).write_text(json.dumps(wanted, indent=1) + "\n")


def _list_path(folder):
    key = hashlib.sha256(json.dumps(IMAGES).encode()).hexdigest()[:12]
    return folder / f"packages-{key}.json"


def _read_list(folder):
    path = _list_path(folder)
    return json.loads(path.read_text()) if path.exists() else None


def _resolve():
    """The packages of each image: its own, and every library that they need, whatever is installed."""
    known = {}
    asked = {name for names in IMAGES.values() for name in names}
    while asked:
        known.update(_libraries(sorted(asked)))
        asked = {d for ds in known.values() for d in ds} - known.keys()
    wanted = {}
    for image, names in IMAGES.items():
        closed, todo = set(), set(names)
        while todo:
            closed |= todo
            todo = {d for name in todo for d in known[name]} - closed
        wanted[image] = sorted(closed)
    return wanted


def _libraries(names):
    run = subprocess.run(_DEPENDS + names, capture_output=True, text=True,
                         env={**os.environ, "LC_ALL": "C"})
    if run.returncode:
        raise Unavailable("apt-cache does not know " + ", ".join(names) + " ("
                          + run.stderr.strip().replace("\n", "; ")
                          + "); apt-get update may help")
    found, current = {}, None
    for line in run.stdout.splitlines():
        depends = re.match(r"[ |]+(?:Pre)?Depends: (z?lib\S+)", line)
        if depends:
            current.append(depends[1])
        elif line and not line[0].isspace():
            current = found.setdefault(line.strip(), [])
    missing = set(names) - found.keys()
    if missing:
        raise Unavailable("apt-cache does not know " + ", ".join(sorted(missing))
                          + "; apt-get update may help")
    return found


def _fetch(cache, names):
    """The .deb files of names, downloaded into cache where they are not there already."""
    cache.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not list(cache.glob(f"{name}_*.deb"))]
    if missing:
        partial = cache / "partial"     # an interrupted download must not look like a whole one
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        run = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download"] + missing,
                             cwd=partial, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if run.returncode:
            last = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
            raise Unavailable("apt-get download failed (" + " ".join(last) + ")")
        for deb in partial.glob("*.deb"):
            deb.rename(cache / deb.name)
    return [sorted(cache.glob(f"{name}_*.deb"))[-1] for name in names]


def _unpack(tree, debs):
    tree.mkdir(parents=True)
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", str(deb), str(tree)], check=True)
    # Where Debian's packages no longer ship these, base-files makes them symbolic links.
    for name in ("bin", "sbin", "lib", "lib64"):
        path = tree / name
        if not path.exists() and not path.is_symlink():
            path.symlink_to(f"usr/{name}")
    shell = tree / "bin" / "sh"
    if (tree / "bin" / "dash").exists() and not shell.exists():
        shell.symlink_to("dash")
