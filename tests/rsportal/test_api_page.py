"""The browsable page of the API in a real browser, under the portal's own content security policy."""

import pytest
from django.conf import settings as configured
from django.test import Client

from imagery.models import Collection
from tests.e2e.browser import Visitor, chromium
from tests.factories import make_user

pytestmark = pytest.mark.browser


@pytest.fixture
def plain_static(settings):
    """Serve the files as they lie in the repository and in packages, whatever was collected before."""
    backend = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": backend}


def test_the_page_draws_reads_and_writes_without_breaking_the_policy(plain_static, live_server, monkeypatch):
    # The driver runs an event loop in this thread, where Django forbids queries unless told otherwise.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    client = Client()
    client.force_login(make_user("ada"))
    name = configured.SESSION_COOKIE_NAME
    with chromium() as browser:
        ada = Visitor(browser, live_server.url)
        ada.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        ada.page.goto("/api/v1/docs/")
        ada.page.wait_for_selector("#operations-me-me")
        assert ada.page.locator(".opblock").count() >= 20
        form = ada.page.locator("#operations-collections-collections_create")
        form.locator(".opblock-summary").click()
        form.locator(".try-out__btn").click()
        form.locator("textarea").fill('{"title": "Made by hand"}')
        form.locator(".execute").click()
        answer = form.locator(".live-responses-table .response .response-col_status")
        assert answer.inner_text().startswith("201")
        assert ada.faults == []
    assert Collection.objects.get().title == "Made by hand"
