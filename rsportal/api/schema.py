"""How the API describes itself (OpenAPI 3.1)."""

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema

from rsportal.api.problems import PROBLEM_TYPE
from rsportal.api.serializers import ProblemSerializer

_MEANINGS: Final = {
    "400": "A field or parameter is wrong; `errors` names it.",
    "401": "No valid token or session.",
    "403": "You may see this but not do it.",
    "404": "There is no such thing, or you may not see it.",
    "406": "The answer is JSON only.",
    "409": "The thing is not in a state that allows this.",
    "412": "The client speaks another version of the protocol.",
    "413": "The request is larger than the portal accepts.",
    "415": "The body is of a type this endpoint does not read.",
    "423": "Another request is writing to it; try again after `Retry-After` (seconds).",
    "429": "Too many requests; wait as long as `Retry-After` says (seconds).",
    "460": "The bytes do not have the checksum that was announced; none of them is kept.",
    "500": "The portal failed; the log holds the cause under `request_id`.",
    "503": "A part of the portal cannot answer at present; try again after `Retry-After` (seconds).",
    "507": "The disk of the server is full.",
}
_ANY: Final = ("401", "406", "429", "500", "503")


class ApiSchema(AutoSchema):
    """Adds to each operation the problem documents it can answer with."""

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        if direction == "response":
            for code in self._problem_codes():
                bodies.setdefault(code, self._get_response_for_code(ProblemSerializer, code, [PROBLEM_TYPE]))
                bodies[code]["description"] = bodies[code].get("description") or _MEANINGS[code]
        return dict(sorted(bodies.items()))

    def _problem_codes(self) -> list[str]:
        codes = {*_ANY, *getattr(self.view, "problem_codes", {}).get(getattr(self.view, "action", None) or "", ())}
        if "{" in self.path:
            codes.add("404")
        if self.get_override_parameters() or self._get_paginator_for_list():
            codes.add("400")
        if self.method in {"POST", "PUT", "PATCH", "DELETE"}:
            codes.add("403")
        if self.method in {"POST", "PUT", "PATCH"} and self.get_request_serializer():
            codes |= {"400", "413", "415"}
        return sorted(codes)

    def _get_paginator_for_list(self) -> bool:
        return self._get_paginator() is not None and self._is_list_view()
