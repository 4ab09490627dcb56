"""How a test asks for an address: one request, and the makers of the usual ones."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.urls import reverse

from tests.world import Holding


@dataclass(frozen=True)
class Ask:
    """One request. ``open`` marks what a visitor without an account may have."""

    path: str
    method: str = "GET"
    data: dict[str, Any] = field(default_factory=dict)
    json: bool = False
    open: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    writes: bool = False
    """Whether it changes what belongs to the person who asks, and so is left out of the walk as its owner."""

    def send(self, client: Client) -> tuple[int, str]:
        """Return the status and the body as text (binary bodies read as Latin-1), following no redirect."""
        content_type = {"content_type": "application/json"} if self.json else {}
        data: Any = self.data
        if self.json:
            data = json.dumps(self.data)
        response = getattr(client, self.method.lower())(self.path, data, headers=self.headers, **content_type)
        body = b"".join(response) if response.streaming else response.content
        client.cookies.pop("messages", None)  # Else a later page echoes what was asked for here.
        header = " ".join(f"{name}: {value}" for name, value in response.items())
        return response.status_code, f"{header}\n{body.decode('latin-1')}"

    def fine(self, status: int) -> bool:
        """Tell whether this is no server error; /readyz says 503 while no worker runs."""
        return status < 500 or (status == 503 and self.path == reverse("readyz"))

    def names(self, secret: str) -> bool:
        """Tell whether the person who asks wrote this word, so that its echo tells nothing new."""
        return secret in self.path.lower() or secret in json.dumps(self.data, default=str).lower()


Make = Callable[[Holding], list[Ask]]


def page(name: str, *, args: Callable[[Holding], list[Any]] = lambda _h: [], **options: Any) -> Make:
    """Return a case of one GET (and of a POST where ``post`` gives its data)."""
    post = options.pop("post", None)
    query = options.pop("query", None)
    get = options.pop("get", True)

    def make(h: Holding) -> list[Ask]:
        path = reverse(name, args=args(h))
        asks = [Ask(path, data=query(h) if query else {}, **options)] if get else []
        if post is not None:
            asks.append(Ask(path, "POST", post(h) if callable(post) else post, **{"writes": True, **options}))
        return asks

    return make


def api(name: str, *, args: Callable[[Holding], list[Any]] = lambda _h: [], **methods: Any) -> Make:
    """Return a case of the API: GET, and for each of ``post``, ``patch``, ``put``, ``delete`` a JSON body."""

    def make(h: Holding) -> list[Ask]:
        path = reverse(f"api:{name}", args=args(h))
        asks = [Ask(path, data=methods["query"](h) if "query" in methods else {})]
        for method in ("post", "patch", "put", "delete"):
            if method in methods:
                body = methods[method](h) if callable(methods[method]) else methods[method]
                asks.append(Ask(path, method.upper(), body, json=True, writes=True))
        return asks

    return make


def scene_args(h: Holding) -> list[Any]:
    return [h.scene_id]


def concept_args(h: Holding) -> list[Any]:
    return [h.concept_id]


def slug_args(h: Holding) -> list[Any]:
    return [h.slug]


def both(*makes: Make) -> Make:
    return lambda h: [ask for make in makes for ask in make(h)]
