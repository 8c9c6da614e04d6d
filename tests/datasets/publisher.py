"""A publisher, and package indices of pip and npm, in a thread of this process; and a data set of theirs."""

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bayeskit.datasets._sources_types import Address, Archive, DataSet, Gzipped, NpmPackage, Package

TABLE = b"user,item,rating\n" + b"".join(b"u%d,i%d,%d\n" % (n % 97, n % 89, 1 + n % 5) for n in range(20_000))


def sha256(content):
    return hashlib.sha256(content).hexdigest()


TABLE_SHA256 = sha256(TABLE)


def zipped(members):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sink.getvalue()


def tarred(members):
    """Return a tar file; what is no bytes is a member as it stands."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return sink.getvalue()


@dataclass
class Server:
    """What is served, how badly, and what was asked for."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next connections are cut."""
    ranges: bool = True
    length: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    gate: threading.Event | None = None

    def add_package(self, name, filename, content):
        self.files[f"/files/{filename}"] = content
        index = f'<!DOCTYPE html><html><body><a href="/files/{filename}">{filename}</a></body></html>'
        self.files[f"/simple/{name}/"] = index.encode()


@contextmanager
def serving():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers["Range"]
            made.asked.append((self.path, wanted))
            if made.gate is not None:
                made.gate.wait(timeout=10)
            if self.path not in made.files:
                self.send_error(404)
                return
            content = made.files[self.path]
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and made.ranges else 0
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if made.length:
                self.send_header("Content-Length", str(len(content) - start))
            self.send_header(
                "Content-Type", "text/html" if self.path.startswith("/simple") else "application/octet-stream"
            )
            self.end_headers()
            cut = made.cuts.pop(0) if made.cuts else len(content)
            self.wfile.write(content[start : start + cut])

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Server(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def archive_of(content, filename, member, expected=None):
    return Archive(filename, expected or sha256(content), (member,), lambda members: {"ratings.csv": members[member]})


def address(server, members=None, *, expected=None):
    """Serve a ZIP file at the publisher's address."""
    content = zipped(members or {"toys/ratings.csv": TABLE})
    server.files["/toys.zip"] = content
    return Address(f"{server.address}/toys.zip", archive_of(content, "toys.zip", "toys/ratings.csv", expected))


def wheel(server, *, expected=None):
    """Serve the same as a package that pip can get."""
    info = {
        "toypackage-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: toypackage\nVersion: 1.0\n",
        "toypackage-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "toypackage-1.0.dist-info/RECORD": b"",
    }
    content = zipped({"toypackage/ratings.csv": TABLE, **info})
    filename = "toypackage-1.0-py3-none-any.whl"
    server.add_package("toypackage", filename, content)
    return Package("toypackage", "1.0", archive_of(content, filename, "toypackage/ratings.csv", expected))


def sdist(server):
    """Serve the same as a source distribution, whose build backend is the module ``toymaker``."""
    project = (
        b'[project]\nname = "toypackage"\nversion = "1.0"\n[build-system]\nrequires = []\nbuild-backend = "toymaker"\n'
    )
    members = {
        "toypackage-1.0/PKG-INFO": b"Metadata-Version: 2.1\nName: toypackage\nVersion: 1.0\n",
        "toypackage-1.0/pyproject.toml": project,
        "toypackage-1.0/data/ratings.csv": TABLE,
    }
    content = tarred(members)
    filename = "toypackage-1.0.tar.gz"
    server.add_package("toypackage", filename, content)
    archive = archive_of(content, filename, "toypackage-1.0/data/ratings.csv")
    return Package("toypackage", "1.0", archive, backend="toymaker")


def gzipped(server, folder="", *, expected=None):
    """Serve the same compressed by itself."""
    content = gzip.compress(TABLE, mtime=0)
    server.files[f"/{folder}ratings.csv.gz"] = content
    return Gzipped(f"{server.address}/{folder}", {"ratings.csv.gz": expected or sha256(content)})


def npm_package(server, *, expected=None, members=None):
    """Serve the same as a package that npm can get, which has scripts."""
    scripts = dict.fromkeys(("prepack", "preinstall"), "node -e \"require('fs').writeFileSync('executed', '')\"")
    about = {"name": "toypackage", "version": "1.0.0", "scripts": scripts}
    content = tarred(members or {"package/package.json": json.dumps(about).encode(), "package/ratings.csv": TABLE})
    filename = "toypackage-1.0.0.tgz"
    server.files[f"/files/{filename}"] = content
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
    dist = {"tarball": f"{server.address}/files/{filename}", "integrity": integrity}
    index = {"name": "toypackage", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {**about, "dist": dist}}}
    server.files["/toypackage"] = json.dumps(index).encode()
    return NpmPackage("toypackage", "1.0.0", archive_of(content, filename, "package/ratings.csv", expected))


def toys(*sources, terms="", expected=TABLE_SHA256):
    return DataSet(
        name="toys",
        title="ratings of toys",
        description="Made up.",
        licence="none",
        terms=terms,
        files={"ratings.csv": expected},
        size=len(TABLE),
        sources=sources,
    )
