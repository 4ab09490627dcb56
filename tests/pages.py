"""What tests of pages share."""

import re
from html import unescape

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rsportal.accounts.models import User


def client_of(user: User) -> Client:
    """Return a browser without JavaScript that ``user`` is logged in with."""
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, address: str, *, status: int = 200, htmx: bool = False) -> str:
    """Return the page's HTML (with ``htmx``, the part that htmx would be given) after checking its status."""
    response = client.get(address, headers={"HX-Request": "true"} if htmx else None)
    assert response.status_code == status, response.content.decode()[:2000]
    return response.content.decode()


def found(pattern: str, html: str) -> str:
    """Return what the pattern's group captures in the page, unescaped."""
    match = re.search(pattern, html, re.S)
    assert match, f"{pattern} is not in the page"
    return unescape(match[1])


def count_queries(client: Client, address: str) -> int:
    """Return how many statements a page needs (asked twice, so that caches are warm)."""
    page(client, address)
    with CaptureQueriesContext(connection) as queries:
        page(client, address)
    return len(queries)
