from __future__ import annotations

import gzip
import hashlib
import importlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from deepcore import StorageError
from deepcore.data import mnist, read_idx, write_idx
from deepcore.data._download import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GOOD = gzip.compress(CONTENT, mtime=0)
DAMAGED = GOOD[:200] + bytes([GOOD[200] ^ 8]) + GOOD[201:]


class Server(ThreadingHTTPServer):
    """Mirrors on this machine: what each path gives, as (status, announced length or None, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, tuple[int, int | None, bytes]] = {
            "/good": (200, len(GOOD), GOOD),
            "/plain": (200, None, CONTENT),
            "/damaged": (200, len(DAMAGED), DAMAGED),
            "/other": (200, None, b"<html>Please log in</html>"),
            "/short": (200, len(GOOD), GOOD[:-100]),
            "/short-unannounced": (200, None, GOOD[:-100]),
            "/empty": (200, 0, b""),
        }
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.path)
        if self.path == "/silent":
            self.rfile.read(1)  # until the client gives up
            return
        if self.path not in server.pages:
            self.send_error(404)
            return
        status, length, body = server.pages[self.path]
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def refused() -> str:
    """Return an address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/good"


def test_a_good_file(server: Server, tmp_path: Path) -> None:
    calls: list[tuple[str, int, int | None]] = []
    fetch(
        [server.url("/good")], tmp_path / "a" / "b" / "x.gz", sha256=SHA256, progress=lambda *call: calls.append(call)
    )
    assert (tmp_path / "a" / "b" / "x.gz").read_bytes() == GOOD
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["x.gz"]
    assert calls[0] == ("x.gz", 0, len(GOOD))
    assert calls[-1] == ("x.gz", len(GOOD), len(GOOD))
    assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)


def test_the_checksum_is_that_of_the_content(server: Server, tmp_path: Path) -> None:
    calls: list[int | None] = []
    fetch([server.url("/plain")], tmp_path / "x.gz", sha256=SHA256, progress=lambda *call: calls.append(call[2]))
    assert (tmp_path / "x.gz").read_bytes() == CONTENT
    assert set(calls) == {None}


FAILURES = {
    "/damaged": "damaged gzip file|SHA-256",
    "/other": "SHA-256 of its content is",
    "/short": rf"broke off after {len(GOOD) - 100} of {len(GOOD)} bytes",
    "/short-unannounced": "damaged gzip file",
    "/empty": "SHA-256",
    "/none": r"HTTP status 404 \(Not Found\)",
    "/silent": "timed out",
    "refused": "[Rr]efused",
    "nonsense://x": "unknown url type",
    "no address": "unknown url type",
}


@pytest.mark.parametrize("mirror", FAILURES)
def test_the_next_mirror_is_tried(server: Server, tmp_path: Path, mirror: str) -> None:
    bad = {"refused": refused()}.get(mirror, server.url(mirror) if mirror.startswith("/") else mirror)
    with pytest.raises(StorageError, match=FAILURES[mirror]) as caught:
        fetch([bad], tmp_path / "x.gz", sha256=SHA256, timeout=0.3)
    assert f"{bad}: " in str(caught.value)
    assert str(tmp_path / "x.gz") in str(caught.value)
    assert not list(tmp_path.iterdir())

    fetch([bad, server.url("/good")], tmp_path / "x.gz", sha256=SHA256, timeout=0.3)
    assert (tmp_path / "x.gz").read_bytes() == GOOD
    assert [path.name for path in tmp_path.iterdir()] == ["x.gz"]


def test_mirrors_are_tried_in_order_and_no_more_than_needed(server: Server, tmp_path: Path) -> None:
    fetch([server.url(path) for path in ("/none", "/good", "/plain")], tmp_path / "x", sha256=SHA256)
    assert server.asked == ["/none", "/good"]


def test_every_address_is_reported(server: Server, tmp_path: Path) -> None:
    urls = [server.url("/none"), server.url("/other"), refused()]
    with pytest.raises(StorageError) as caught:
        fetch(urls, tmp_path / "x", sha256=SHA256)
    for url in urls:
        assert url in str(caught.value)


def test_an_old_file_stays_where_no_mirror_is_good(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(StorageError):
        fetch([server.url("/short")], tmp_path / "x", sha256=SHA256)
    assert (tmp_path / "x").read_bytes() == b"old"


def test_an_interrupt_leaves_nothing(server: Server, tmp_path: Path) -> None:
    def interrupt(name: str, done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch([server.url("/good")], tmp_path / "x", sha256=SHA256, progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_cannot_be_written_is_not_the_mirrors_fault(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot make the directory"):
        fetch([server.url("/good")], tmp_path / "file" / "x", sha256=SHA256)
    (tmp_path / "x").mkdir()
    with pytest.raises(StorageError, match="cannot save to"):
        fetch([server.url("/good"), server.url("/plain")], tmp_path / "x", sha256=SHA256)
    assert server.asked == ["/good"]


def test_several_may_fetch_at_once(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(fetch, [server.url("/good")], tmp_path / "x", sha256=SHA256) for _ in range(8)]:
            done.result()
    assert (tmp_path / "x").read_bytes() == GOOD
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.fixture
def published(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Publish a small MNIST on the second of two mirrors, of which the first does not exist."""
    import numpy as np

    module = importlib.import_module("deepcore.data.mnist")
    checksums: dict[str, str] = {}
    for name in module.CHECKSUMS:
        n = 4 if name.startswith("train") else 2
        path = tmp_path / f"{name}.gz"
        write_idx(path, np.ones((n, 28, 28) if "images" in name else n, np.uint8))
        content = path.read_bytes()
        checksums[name] = hashlib.sha256(gzip.decompress(content)).hexdigest()
        server.pages[f"/mirror/{name}.gz"] = (200, len(content), content)
        path.unlink()
    monkeypatch.setattr(module, "CHECKSUMS", checksums)
    monkeypatch.setattr(module, "MIRRORS", (server.url("/none/"), server.url("/mirror/")))
    return server


def test_mnist_is_downloaded_once(published: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPCORE_DATA", str(tmp_path / "cache"))
    names: set[str] = set()
    train, test = mnist(progress=lambda name, *_: names.add(name))
    assert (len(train), len(test)) == (4, 2)
    assert len(names) == 4
    assert len(published.asked) == 8
    assert len(list((tmp_path / "cache" / "mnist").iterdir())) == 4
    mnist()
    mnist(tmp_path / "cache" / "mnist")
    assert len(published.asked) == 8


def test_mnist_goes_into_an_empty_directory_and_completes_its_own(published: Server, tmp_path: Path) -> None:
    target = tmp_path / "data"
    target.mkdir()
    (target / ".t10k-images-idx3-ubyte.gz.0123.part").write_bytes(b"of a download that was killed")
    mnist(target)
    (target / "t10k-labels-idx1-ubyte.gz").unlink()
    mnist(target)
    assert len(read_idx(target / "t10k-labels-idx1-ubyte.gz")) == 2
    assert len(published.asked) == 10


def test_mnist_is_not_mixed_with_other_data(published: Server, tmp_path: Path) -> None:
    import numpy as np

    target = tmp_path / "fashion"
    target.mkdir()
    write_idx(target / "train-images-idx3-ubyte", np.zeros((4, 28, 28), np.uint8))
    with pytest.raises(StorageError, match="holds something else: train-images-idx3-ubyte") as caught:
        mnist(target)
    assert "missing in" in str(caught.value)
    assert "t10k-labels-idx1-ubyte" in str(caught.value)
    assert not published.asked


def test_mnist_without_a_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    module = importlib.import_module("deepcore.data.mnist")
    mirrors = (refused().removesuffix("good"), refused().removesuffix("good"))
    monkeypatch.setattr(module, "MIRRORS", mirrors)
    with pytest.raises(StorageError) as caught:
        mnist(tmp_path / "new")
    message = str(caught.value)
    assert f": {', '.join(module.CHECKSUMS)}.\n" in message
    for part in (*mirrors, str(tmp_path / "new"), "efused"):
        assert part in message
