"""Requests to other archives: every hop and every connection is checked; files by ranges are what they are."""

import io
import os
import socket

import pytest

from imagery.stac import hosts
from imagery.stac.hosts import HostRefused, host_check
from imagery.stac.http import RemoteRefused, RemoteUnavailable, download, json_get
from imagery.stac.ranges import BLOCK_BYTES, RangeFile
from rsportal.errors import InvalidInput


@pytest.fixture
def only_this_machine_is_public(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real rules of a portal on the internet, which takes 127.0.0.1 (where the test's server is) for public."""
    real = hosts.is_inside
    settings.REMOTE_PRIVATE, settings.REMOTE_HOSTS = False, ["*:*"]
    monkeypatch.setattr(hosts, "is_inside", lambda address: address != "127.0.0.1" and real(address))


@pytest.fixture
def bytes_served(archive, tmp_path):
    content = os.urandom(10 * BLOCK_BYTES + 1234)
    (tmp_path / "a.bin").write_bytes(content)
    archive.files["/a.bin"] = tmp_path / "a.bin"
    return content


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{port}/a.bin", "http://169.254.169.254/latest/meta-data/", "http://[::1]:{port}/a.bin"]
)
@pytest.mark.parametrize("read", [json_get, RangeFile, lambda url: download(url, io.BytesIO(), most_bytes=10**7)])
def test_a_redirect_to_the_inside_is_refused(archive, only_this_machine_is_public, bytes_served, target, read):
    archive.redirects["/go"] = target.format(port=archive.address.rpartition(":")[2])
    with pytest.raises(HostRefused, match="which is not on the public internet"):
        read(archive.url("/go"))
    assert archive.count("a.bin") == 0


def test_a_redirect_to_a_host_that_is_not_allowed_is_refused(archive, bytes_served):
    for target in ("http://127.0.0.2/a.bin", "file:///etc/passwd", "ftp://127.0.0.1/a"):
        archive.redirects["/go"] = target
        with pytest.raises((HostRefused, RemoteUnavailable)):
            json_get(archive.url("/go"))
    archive.redirects["/go"] = "/a.bin"
    with RangeFile(archive.url("/go")) as file:
        assert file.read() == bytes_served
    archive.redirects |= {"/x": "/y", "/y": "/x"}
    with pytest.raises(RemoteUnavailable, match=r"redirects without end\.$"):
        json_get(archive.url("/x"))


def test_a_name_that_leads_elsewhere_a_moment_later_leads_nowhere(
    archive, only_this_machine_is_public, bytes_served, monkeypatch
):
    """DNS rebinding: the first look-up (the check) says a public address, the next one the inside."""
    answers = iter(["127.0.0.1", "127.0.0.2"])
    real = socket.getaddrinfo

    def look_up(host, port, *args, **more):
        if host == "rebind.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]
        return real(host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    port = archive.address.rpartition(":")[2]
    with pytest.raises(HostRefused, match=r"leads to 127\.0\.0\.2"):
        RangeFile(f"http://rebind.example:{port}/a.bin")
    assert archive.asked == []


def test_reading_by_ranges_is_reading(archive, bytes_served):
    file = RangeFile(archive.url("/a.bin"))
    assert file.size == len(bytes_served) and file.requests == 1
    for start, length in ((0, 10), (BLOCK_BYTES - 5, 10), (5 * BLOCK_BYTES + 7, 3 * BLOCK_BYTES), (0, BLOCK_BYTES)):
        file.seek(start)
        assert file.read(length) == bytes_served[start : start + length]
    file.seek(-100, io.SEEK_END)
    assert file.read() == bytes_served[-100:]
    assert file.read(1) == b""
    assert archive.sent("a.bin") == file.fetched < len(bytes_served)
    asked = len(archive.asked)
    file.seek(0)
    assert file.read(BLOCK_BYTES) == bytes_served[:BLOCK_BYTES]
    assert len(archive.asked) == asked  # Kept.


def test_a_file_opened_again_at_once_is_not_asked_again(archive, bytes_served):
    for _ in range(3):
        with RangeFile(archive.url("/a.bin")) as file:
            assert (file.size, file.read(9)) == (len(bytes_served), bytes_served[:9])
    assert archive.count("a.bin") == 1


def test_reading_on_asks_for_more_at_once(archive, bytes_served):
    file = RangeFile(archive.url("/a.bin"))
    pieces = [file.read(8192) for _ in range(len(bytes_served) // 8192 + 1)]
    assert b"".join(pieces) == bytes_served
    assert file.requests <= 5


def test_what_breaks_off_or_fails_for_the_moment_is_asked_again(archive, bytes_served):
    archive.breaks["/a.bin"] = [100]
    archive.failures["a.bin"] = [(503, {}), (429, {"Retry-After": "0"})]
    assert RangeFile(archive.url("/a.bin")).read(50) == bytes_served[:50]
    archive.files["/b.bin"] = archive.files["/a.bin"]
    archive.failures["b.bin"] = [(503, {})] * 10
    with pytest.raises(RemoteUnavailable, match=r"b\.bin cannot answer at present \(503"):
        RangeFile(archive.url("/b.bin"))


def test_a_file_that_changes_while_it_is_read_is_refused(archive, bytes_served, tmp_path):
    file = RangeFile(archive.url("/a.bin"))
    (tmp_path / "a.bin").write_bytes(os.urandom(len(bytes_served)))
    file.seek(5 * BLOCK_BYTES)
    with pytest.raises(RemoteUnavailable, match="changed while it was read"):
        file.read(10)
    assert file.error is not None


def test_downloads_stop_at_their_limit(archive, bytes_served):
    with pytest.raises(RemoteRefused, match="is too large"):
        download(archive.url("/a.bin"), io.BytesIO(), most_bytes=BLOCK_BYTES)
    target = io.BytesIO()
    assert download(archive.url("/a.bin"), target, most_bytes=10**7) == "image/tiff"
    assert target.getvalue() == bytes_served


def test_what_is_not_there_is_said(archive, settings):
    with pytest.raises(RemoteRefused, match=r"^http://127.*/none answers with 404 Not Found\.$"):
        RangeFile(archive.url("/none?key=secret"))
    settings.REMOTE_TRIES = 1
    with pytest.raises(RemoteUnavailable, match=r"^http://127.0.0.1:9/a does not answer: .*refused\.$"):
        json_get("http://127.0.0.1:9/a")


def test_proxies_of_the_environment_are_not_used(archive, bytes_served, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert RangeFile(archive.url("/a.bin")).read(5) == bytes_served[:5]


def test_a_check_of_an_address_is_a_refusal_of_input():
    with pytest.raises(InvalidInput):
        host_check("http://127.0.0.1/")
