"""Resumable uploads through the real web server: killed in the middle, cut off, two at once, sent in chunks."""

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from imagery.models import Asset, Upload
from imagery.services.upload_files import upload_path
from rsportal.accounts.services import token_create
from tests.factories import make_collection, make_user, picture
from tests.processes import wait_for
from tests.tus import OCTETS, TUS, encoded, tus_headers
from tests.web_server import WebServer, running_web_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
_MIB = 1024 * 1024


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    with running_web_server(tmp_path) as running:
        yield running


@pytest.fixture
def token() -> str:
    make_collection("mine", owner=(ada := make_user("ada")))
    return f"Token {token_create(user=ada, name='test', days=1)[1]}"


def begin(server: WebServer, token: str, length: int, name: str = "field.png") -> str:
    metadata = encoded({"filename": name, "collection": "mine"})
    headers = {"Authorization": token, **tus_headers(Upload_Length=str(length), Upload_Metadata=metadata)}
    created = requests.post(server.url + TUS, headers=headers, timeout=60)
    assert created.status_code == 201, created.text
    return str(created.headers["Location"])


def send(server: WebServer, token: str, path: str, body: Any, offset: int) -> requests.Response:
    headers = {"Authorization": token, "Content-Type": OCTETS, **tus_headers(Upload_Offset=str(offset))}
    return requests.patch(server.url + path, data=body, headers=headers, timeout=60)


def upload_of(path: str) -> Upload:
    return Upload.objects.get(pk=path.split("/")[-2])


def offset_of(server: WebServer, token: str, path: str) -> int:
    answer = requests.head(server.url + path, headers={"Authorization": token, **tus_headers()}, timeout=60)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def half_sent(server: WebServer, token: str, path: str, length: int, body: bytes) -> socket.socket:
    """Announce ``length`` bytes, send ``body``, and leave the connection open."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    lines = [f"PATCH {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: {token}", "Tus-Resumable: 1.0.0",
             f"Content-Type: {OCTETS}", "Upload-Offset: 0", f"Content-Length: {length}", "", ""]  # fmt: skip
    connection.sendall("\r\n".join(lines).encode() + body)
    return connection


def test_an_upload_goes_on_after_the_server_was_killed(server, token):
    content = picture(5) + bytes(70 * _MIB)  # Bytes behind a picture do no harm.
    path = begin(server, token, len(content))
    number = Upload.objects.get().pk
    connection = half_sent(server, token, path, len(content), content[: 50 * _MIB])
    file = upload_path(number)
    wait_for(lambda: file.exists() and file.stat().st_size > 40 * _MIB, seconds=60, what="bytes to reach the disk")
    wait_for(lambda: Upload.objects.get().offset, seconds=60, what="bytes to be safe")
    server.kill()
    connection.close()
    safe = Upload.objects.get().offset
    assert 0 < safe <= file.stat().st_size
    server.start()
    assert offset_of(server, token, path) == safe
    sent = send(server, token, path, content[safe:], safe)
    assert (sent.status_code, sent.headers["Rsportal-State"]) == (204, "done"), sent.text
    asset = Asset.objects.get(scene__jobs__uploads=number)
    assert asset.size == len(content)


def what_came_before_the_connection_broke_is_kept(server: WebServer, token: str) -> None:
    content = picture(6, size=256)
    path = begin(server, token, len(content))
    half_sent(server, token, path, len(content), content[:100]).close()
    wait_for(lambda: upload_of(path).offset == 100, seconds=60, what="the first bytes")
    assert send(server, token, path, content[100:], 100).headers["Rsportal-State"] == "done"


def of_requests_at_once_one_writes(server: WebServer, token: str) -> None:
    content = picture(7, size=256)
    path = begin(server, token, len(content))
    connection = half_sent(server, token, path, len(content), content[:100])
    file = upload_path(upload_of(path).pk)
    wait_for(file.exists, seconds=60, what="the first request to write")
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(send(server, token, path, content, 0).status_code))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [423, 423, 423]
    connection.sendall(content[100:])
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert (answer.status, answer.headers["Rsportal-State"]) == (204, "done")
    connection.close()


def bytes_of_unknown_number_come_in_chunks(server: WebServer, token: str) -> None:
    content = picture(8, size=256)
    path = begin(server, token, len(content))
    sent = send(server, token, path, iter([content[:500], content[500:]]), 0)
    assert (sent.status_code, sent.headers.get("Rsportal-State")) == (204, "done"), sent.text


def test_connections_that_break_meet_and_stream(server, token):
    """One server for all three, as starting it takes longer than they do."""
    what_came_before_the_connection_broke_is_kept(server, token)
    of_requests_at_once_one_writes(server, token)
    bytes_of_unknown_number_come_in_chunks(server, token)
