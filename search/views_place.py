"""An area that was drawn or pasted, checked and brought into the form in which addresses carry it."""

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from imagery.area import FIELD, MAX_POINTS, Area, area_parse
from rsportal.errors import InvalidInput

_MOST_BYTES: Final = 4_000_000
_LONGEST_QUERY: Final = 8_000  # characters
_METRES_PER_DEGREE: Final = 111_320  # along a meridian


@require_POST
def area(request: HttpRequest) -> HttpResponse:
    """Answer with the area in ``file`` or ``area`` (GeoJSON) as JSON, or go to the search ``query`` with it.

    JSON: ``{"intersects": text, "said": sentence or ""}``; 400 ``{"detail": sentence}`` when it is no area.
    """
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    asked = QueryDict(request.POST.get("query", "")[:_LONGEST_QUERY], mutable=True)
    try:
        found = area_parse(_given(request))
    except InvalidInput as error:
        if wants_json:
            return JsonResponse({"detail": error.message}, status=400)
        messages.error(request, error.message)
        return redirect(f"{reverse('search:home')}?{asked.urlencode()}")
    if wants_json:
        return JsonResponse({FIELD: str(found), "said": _said(found)})
    if said := _said(found):
        messages.info(request, said)
    asked[FIELD] = str(found)
    asked.pop("bbox", None)
    return redirect(f"{reverse('search:home')}?{asked.urlencode()}")


def _given(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("area", "")
    if (file.size or 0) > _MOST_BYTES:
        raise InvalidInput(
            _("%(file)s is too large for an area: %(limit)d MB is the most. Simplify it first.")
            % {"file": file.name, "limit": _MOST_BYTES // 1_000_000},
            field=FIELD,
        )
    try:
        return file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(
            _("%(file)s is no GeoJSON: it is not written in UTF-8.") % {"file": file.name}, field=FIELD
        ) from None


def _said(found: Area) -> str:
    if not found.tolerance:
        return ""
    metres = found.tolerance * _METRES_PER_DEGREE
    return _("The area was simplified to fewer than %(points)d points; its edge moved by %(distance)s at most.") % {
        "points": MAX_POINTS,
        "distance": f"{metres / 1000:,.1f} km" if metres >= 1000 else f"{metres:.0f} m",
    }
