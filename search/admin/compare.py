"""Two encoders side by side in the administration: both rankings of the same queries, and their scores."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.models import Collection, Encoder
from rsportal.errors import InvalidInput, RsportalError
from rsportal.web import request_user
from search.comparison import CLASS_PROPERTY, AskedQuery, Comparison, encoders_compare, set_queries
from search.comparison_queries import comparison_queries
from search.models import JudgedSet

_MOST_QUERIES: Final = 200
_FILE_BYTES: Final = 1_000_000
_SHOWN_QUERIES: Final = 20
_WITH_VECTORS: Final = (Encoder.State.ACTIVE, Encoder.State.READY, Encoder.State.FILLING, Encoder.State.NEW)


class CompareForm(forms.Form):
    """Which encoders, which queries, where the right answers are."""

    first = forms.ModelChoiceField(Encoder.objects.none(), label=gettext_lazy("First encoder"), to_field_name="name")
    second = forms.ModelChoiceField(Encoder.objects.none(), label=gettext_lazy("Second encoder"), to_field_name="name")
    queries = forms.CharField(
        label=gettext_lazy("Queries"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy(
            'One a line: words, or {"text": "...", "language": "en", "class": "..."}. Empty: the example searches.'
        ),
    )
    file = forms.FileField(
        label=gettext_lazy("File of queries"),
        required=False,
        help_text=gettext_lazy("Such lines in a file (JSON Lines)."),
    )
    judged_set = forms.ModelChoiceField(
        JudgedSet.objects.none(),
        label=gettext_lazy("Judged query set"),
        required=False,
        empty_label=gettext_lazy("none: the queries above"),
        help_text=gettext_lazy("Its queries and judgements are used, in its own collection."),
    )
    collection = forms.ModelChoiceField(
        Collection.objects.none(), label=gettext_lazy("Collection"), required=False, to_field_name="slug",
        empty_label=gettext_lazy("all that you may see"),
    )  # fmt: skip
    class_property = forms.RegexField(
        r"^[\w:.-]{1,60}$",
        label=gettext_lazy("Property with the class"),
        initial=CLASS_PROPERTY,
        help_text=gettext_lazy(
            "A scene is a right answer when this property of it is the query's class. Without a class, scenes that "
            "were liked or downloaded after the same words are."
        ),
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        encoders = Encoder.objects.filter(state__in=_WITH_VECTORS).order_by("name")
        for name in ("first", "second"):
            self.fields[name].queryset = encoders  # type: ignore[attr-defined]
        self.fields["judged_set"].queryset = JudgedSet.objects.visible_to(user)  # type: ignore[attr-defined]
        self.fields["collection"].queryset = Collection.objects.visible_to(user).order_by("title")  # type: ignore[attr-defined]

    def clean_file(self) -> list[str]:
        """Return the file's lines."""
        uploaded = self.cleaned_data.get("file")
        if uploaded is None:
            return []
        if uploaded.size > _FILE_BYTES:
            raise forms.ValidationError(_("The file is too large; the command line takes files of any size."))
        try:
            return list(uploaded.read().decode("utf-8-sig").splitlines())
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is not UTF-8 text.")) from None


def compare_view(request: HttpRequest, *, site: Any, opts: Any) -> HttpResponse:
    """Show the form (GET) and the comparison (POST); only scenes that the viewer may see are searched and shown."""
    if not request.user.has_perm("imagery.change_encoder"):
        raise PermissionDenied
    user = request_user(request)
    active = Encoder.objects.filter(state=Encoder.State.ACTIVE).values_list("name", flat=True).first()
    initial = {"first": active, "second": request.GET.get("second"), "class_property": CLASS_PROPERTY}
    form = CompareForm(request.POST or None, request.FILES or None, initial=initial, user=user)
    comparison: Comparison | None = None
    if request.method == "POST" and form.is_valid():
        comparison = _compare(form, user)
    context = {
        **site.each_context(request),
        "opts": opts,
        "title": _("Compare two encoders"),
        "form": form,
        "comparison": comparison,
        "shown": comparison.queries[:_SHOWN_QUERIES] if comparison else [],
        "unshown": max(0, len(comparison.queries) - _SHOWN_QUERIES) if comparison else 0,
    }
    return TemplateResponse(request, "admin/search/compare.html", context)


def _compare(form: CompareForm, user: Any) -> Comparison | None:
    given = form.cleaned_data
    try:
        return encoders_compare(
            first=given["first"],
            second=given["second"],
            queries=_queries(given, user),
            user=user,
            class_property=given["class_property"],
            collections=[given["collection"].slug] if given["collection"] else [],
        )
    except RsportalError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return None


def _queries(given: dict[str, Any], user: Any) -> list[AskedQuery]:
    lines = [*given["queries"].splitlines(), *given["file"]]
    if given["judged_set"] is None:
        return comparison_queries(lines, most=_MOST_QUERIES)
    if any(line.strip() for line in lines):
        raise InvalidInput(_("Choose a judged set or write queries, not both."), field="judged_set")
    found = set_queries(given["judged_set"], user)
    if not 0 < len(found) <= _MOST_QUERIES:
        raise InvalidInput(
            _("The set has %(found)d queries; this page compares 1 to %(most)d. The command line takes any number.")
            % {"found": len(found), "most": _MOST_QUERIES},
            field="judged_set",
        )
    return found
