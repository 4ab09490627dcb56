"""Asking other archives: one session that keeps to the allowed hosts at every hop, and tries again with patience."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from imagery.stac.hosts import addresses_checked, host_check, url_check
from rsportal.errors import InvalidInput, RsportalError, Unavailable

if TYPE_CHECKING:
    import requests

JSON_MOST_BYTES: Final = 64 * 1024 * 1024
"""Longest document that is read as a whole (a page of a search, a collection)."""
_AGAIN: Final = (408, 425, 429, 500, 502, 503, 504)
_BACKOFF_SECONDS: Final = 0.5
_BACKOFF_MOST_SECONDS: Final = 30
_RETRY_AFTER_MOST_SECONDS: Final = 120
_CHUNK_BYTES: Final = 256 * 1024
_REDIRECTS_MOST: Final = 5
_USER_AGENT: Final = "rsportal"
_local = threading.local()


class RemoteUnavailable(Unavailable):
    """Another archive does not answer now, or answers with an error that may pass."""

    code = "remote_unavailable"


class RemoteRefused(InvalidInput):
    """Another archive says no (not found, not allowed), or sends what cannot be used."""

    code = "remote_refused"


def session_make() -> requests.Session:
    """Return a new session for allowed hosts, for one thread.

    Every request, also one that a redirect asks for, is held against :func:`url_check`, and every connection goes to
    an address that was checked just then. Proxies and passwords of the environment are not used. Answers 408, 425,
    429 and 5xx, timeouts and broken connections are tried again, as often as the settings say, waiting longer each
    time or as long as the server asks (at most two minutes).
    """
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
    from urllib3.util.connection import create_connection

    class Pinned(HTTPConnection):
        """Connects to the very address that was checked: a second look-up could say something else."""

        def _new_conn(self) -> Any:
            last: OSError | None = None
            for address in addresses_checked(self.host.strip("[]"), int(self.port)):
                try:
                    return create_connection((address, self.port), self.timeout, socket_options=self.socket_options)
                except TimeoutError as error:
                    last = error
                except OSError as error:
                    last = error
            if isinstance(last, TimeoutError):
                raise ConnectTimeoutError(self, f"{self.host} timed out") from last
            raise NewConnectionError(self, str(last)) from last

    class PinnedTls(Pinned, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Pinned

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = PinnedTls

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **more: Any) -> None:
            super().init_poolmanager(*args, **more)
            self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}

        def send(self, request: Any, *args: Any, **more: Any) -> Any:
            url_check(request.url)
            return super().send(request, *args, **more)

    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
    session.max_redirects = _REDIRECTS_MOST
    session.headers["User-Agent"] = _USER_AGENT
    retry = Retry(
        total=settings.REMOTE_TRIES - 1,
        status_forcelist=_AGAIN,
        allowed_methods=None,  # A search by POST changes nothing either.
        redirect=0,
        backoff_factor=_BACKOFF_SECONDS,
        backoff_max=_BACKOFF_MOST_SECONDS,
        backoff_jitter=_BACKOFF_SECONDS / 2,
        retry_after_max=_RETRY_AFTER_MOST_SECONDS,
        raise_on_status=False,
        raise_on_redirect=False,
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter(max_retries=retry))
    return session


def session_of_thread() -> requests.Session:
    """Return this thread's session, so that connections are kept open from request to request."""
    wanted = (os.getpid(), settings.REMOTE_TRIES)
    if getattr(_local, "made", None) != wanted:
        _local.session, _local.made = session_make(), wanted
    session: requests.Session = _local.session
    return session


@contextmanager
def answered(url: str) -> Iterator[None]:
    """Turn every error of a request to ``url`` into one sentence; refusals of ours pass as they are."""
    import requests
    from urllib3.exceptions import HTTPError

    shown = url.partition("?")[0]
    try:
        yield
    except RsportalError:
        raise
    except (requests.RequestException, HTTPError, OSError) as error:
        ours = _ours(error)
        if ours is not None:
            raise ours from error
        raise RemoteUnavailable(
            _("%(url)s does not answer: %(reason)s.") % {"url": shown, "reason": _reason(error)}
        ) from error


def status_check(response: requests.Response) -> None:
    """Raise RemoteUnavailable for answers that may be better later, RemoteRefused for other errors."""
    status = response.status_code
    if 200 <= status < 300:
        return
    shown = response.url.partition("?")[0]
    words = {"url": shown, "status": f"{status} {response.reason or ''}".strip()}
    if status in _AGAIN or status >= 500:
        raise RemoteUnavailable(_("%(url)s cannot answer at present (%(status)s); try again later.") % words)
    raise RemoteRefused(_("%(url)s answers with %(status)s.") % words, field="href")


def json_get(url: str) -> Any:
    """Return the JSON document at ``url``. Raises RsportalError naming the address."""
    with tempfile.TemporaryFile() as file:
        download(url, file, most_bytes=JSON_MOST_BYTES)
        file.seek(0)
        return json_parse(file.read(), name=url.partition("?")[0])


def json_parse(content: bytes | str, *, name: str) -> Any:
    """Return the JSON of ``content``. Raises RemoteRefused naming its source and where it breaks."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise RemoteRefused(
            _("%(name)s is not JSON: %(reason)s.") % {"name": name, "reason": reason.rstrip(".")}
        ) from error


def download(url: str, file: BinaryIO, *, most_bytes: int, body: Any = None) -> str:
    """Write what is at ``url`` into ``file``; return its media type. ``body``: asked by POST with this JSON.

    A transfer that breaks off goes on where it was, if the server can. Raises RemoteRefused when it is longer than
    ``most_bytes``, and what :func:`answered` and :func:`status_check` raise.
    """
    host_check(url)
    start, mark = file.tell(), ""
    failures = 0
    while True:
        arrived = file.tell() - start
        if not mark:
            arrived = 0
            file.seek(start)
            file.truncate()
        headers = {"Accept-Encoding": "identity"}
        if arrived:
            headers |= {"Range": f"bytes={arrived}-", "If-Range": mark}
        try:
            with (
                answered(url),
                session_of_thread().request(
                    "GET" if body is None else "POST",
                    url,
                    json=body,
                    stream=True,
                    timeout=settings.REMOTE_TIMEOUT_SECONDS,
                    headers=headers,
                ) as response,
            ):
                status_check(response)
                if arrived and not response.headers.get("Content-Range", "").startswith(f"bytes {arrived}-"):
                    file.seek(start)
                    file.truncate()
                mark = _strong(response.headers.get("ETag", ""))
                _body(response, file, start=start, most_bytes=most_bytes)
                return response.headers.get("Content-Type", "")
        except RemoteUnavailable:
            # Requests without any answer were tried often enough by the session; a body that broke off was not.
            went_on = file.tell() > start + arrived
            failures = 0 if went_on and mark else failures + 1
            if not (went_on and failures < settings.REMOTE_TRIES):
                raise


def _body(response: requests.Response, file: BinaryIO, *, start: int, most_bytes: int) -> None:
    before = file.tell()
    promised = response.headers.get("Content-Length", "")
    for chunk in response.iter_content(_CHUNK_BYTES):
        file.write(chunk)
        if file.tell() - start > most_bytes:
            raise RemoteRefused(
                _("%(url)s is too large: it is longer than %(limit)s.")
                % {"url": response.url.partition("?")[0], "limit": filesizeformat(most_bytes)},
                code="too_large",
                field="href",
            )
    if promised.isdigit() and not response.headers.get("Content-Encoding") and file.tell() - before < int(promised):
        raise RemoteUnavailable(
            _("%(url)s broke off after %(found)d of %(needed)d bytes.")
            % {"url": response.url.partition("?")[0], "found": file.tell() - before, "needed": int(promised)}
        )


def _strong(etag: str) -> str:
    """Return an entity tag that may continue a transfer (RFC 9110, 13.1.5), or nothing."""
    return "" if etag.startswith("W/") else etag


def _ours(error: BaseException) -> RsportalError | None:
    """Return the refusal of ours that lies under a library's error, if one does."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RsportalError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _reason(error: BaseException) -> str:
    """Return a library's reason without addresses of objects and pools."""
    import requests
    from urllib3.exceptions import MaxRetryError

    if isinstance(error, requests.Timeout):
        return _("it took too long")
    if isinstance(error, requests.TooManyRedirects):
        return _("it redirects without end")
    inner: Any = error.args[0] if error.args else error
    if isinstance(inner, MaxRetryError) and inner.reason is not None:
        inner = inner.reason
    text = " ".join(str(inner).split())
    return (text.rpartition(">: ")[2] or text)[:200].rstrip(".") or type(error).__name__
