"""A client of the API that checks every answer against the published schema, in both directions.

An answer fails the test when its status or media type is not in the schema, when its body does not fit, and also
when it holds a field that the schema does not tell of.
"""

import json
import re
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from rest_framework.test import APIClient

from rsportal.accounts.models import User
from rsportal.accounts.services import token_create

PROBLEM = "application/problem+json"
Json = dict[str, Any]


class SchemaClient(APIClient):
    """Sends requests as a person with a token and checks the answers."""

    def __init__(self, user: User | None = None, **options: Any) -> None:
        super().__init__(**options)
        if user is not None:
            _row, plain = token_create(user=user, name="test", days=1)
            self.credentials(HTTP_AUTHORIZATION=f"Token {plain}")

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return super().get(*args, **kwargs)

    def request(self, **kwargs: Any) -> Any:
        response = super().request(**kwargs)
        check_answer(kwargs["REQUEST_METHOD"], kwargs["PATH_INFO"], response)
        return response


@cache
def document() -> Json:
    """Return the schema of the API, with every object closed to fields it does not name."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return _closed(json.loads(json.dumps(schema, default=str)))


def operation(method: str, path: str) -> Json | None:
    """Return what the schema says of an address, or None when it does not know it."""
    best: tuple[int, Json] | None = None
    for template, operations in document()["paths"].items():
        pattern = re.sub(r"\\{[^/]+?\\}", "[^/]+", re.escape(template))
        variables = template.count("{")
        if re.fullmatch(pattern, path) and (best is None or variables < best[0]):
            best = (variables, operations)
    return best[1].get(method.lower()) if best else None


def check_answer(method: str, path: str, response: Any) -> None:
    """Fail unless the answer is one that the schema promises (and no failure of ours)."""
    assert response.status_code != 500, f"{method} {path} failed; the log above tells why"
    known = operation(method, path)
    if known is None:
        assert response.status_code >= 400, f"{method} {path} answers {response.status_code} but is not in the schema"
        check_body(response, {"$ref": "#/components/schemas/Problem"}, PROBLEM)
        return
    promised = known["responses"].get(str(response.status_code))
    assert promised is not None, f"{method} {path}: the schema does not tell of status {response.status_code}"
    if not promised.get("content"):
        assert not getattr(response, "content", b""), f"{method} {path}: a body that the schema does not tell of"
        return
    media_type = response.headers["Content-Type"].split(";")[0]
    if response.status_code == 200 and "application/octet-stream" in promised["content"]:
        return
    assert media_type in promised["content"], f"{method} {path}: {media_type} is not in the schema"
    if media_type.startswith("image/"):
        return
    check_body(response, promised["content"][media_type]["schema"], media_type)


def check_body(response: Any, schema: Json, media_type: str) -> None:
    """Fail unless the body fits the schema."""
    assert response.headers["Content-Type"].split(";")[0] == media_type
    rooted = {**schema, "components": document()["components"]}
    body = json.loads(response.content)
    errors = list(Draft202012Validator(rooted, format_checker=FormatChecker()).iter_errors(body))
    assert not errors, f"{errors[0].json_path}: {errors[0].message}"


def check_problem(response: Any, status: int, *, field: str | None = None, code: str | None = None) -> Json:
    """Return the problem document after checking its status and, where given, the field at fault and the code."""
    body: Json = response.json()
    assert (response.status_code, body["status"]) == (status, status), body
    assert response.headers["Content-Type"] == PROBLEM
    assert body["detail"]
    if field is not None:
        assert field in [error["field"] for error in body["errors"]], body
    if code is not None:
        assert code == body["code"], body
    return body


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and "type" in node and "additionalProperties" not in node:
        closed["additionalProperties"] = False
    return closed
