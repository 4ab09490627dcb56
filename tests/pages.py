"""What tests of pages share."""

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rsportal.accounts.models import User


def client_of(user: User) -> Client:
    """Return a browser without JavaScript that ``user`` is logged in with."""
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, address: str, *, status: int = 200, **headers: str) -> str:
    """Return the page's HTML after checking its status."""
    response = client.get(address, headers=headers or None)
    assert response.status_code == status, response.content.decode()[:2000]
    return response.content.decode()


def count_queries(client: Client, address: str) -> int:
    """Return how many statements a page needs (asked twice, so that caches are warm)."""
    page(client, address)
    with CaptureQueriesContext(connection) as queries:
        page(client, address)
    return len(queries)
