"""Queries and judgements from and to files in the administration."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from imagery.evaluation.phrases import phrases_parse
from rsportal.accounts.models import User
from rsportal.errors import RsportalError
from rsportal.web import request_user
from search.admin.judged_page import frame, judged_set_or_404
from search.comparison import CLASS_PROPERTY
from search.judged.documents import DocumentId
from search.judged.export import qrels_lines, topics_lines
from search.judged.trec import BadLine
from search.models import JudgedSet
from search.services.judged_import import Imported, lines_import, phrases_import, qrels_import, topics_import

_FILE_BYTES: Final = 20_000_000
_NAMED: Final = 100
"""As many bad lines are shown; the rest is counted."""


class TextFileField(forms.FileField):
    """A file of UTF-8 text; its value is (name, lines), or None."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        uploaded = super().clean(data, initial)
        if uploaded is None:
            return None
        if uploaded.size > _FILE_BYTES:
            raise forms.ValidationError(_("The file is too large; the command line takes files of any size."))
        try:
            return uploaded.name, uploaded.read().decode("utf-8-sig").split("\n")
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is not UTF-8 text.")) from None


class ImportForm(forms.Form):
    """What to take in; every field may stay empty."""

    lines = forms.CharField(
        label=gettext_lazy("Queries"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("One a line, in words."),
    )
    topics = TextFileField(
        label=gettext_lazy("Topics file"),
        required=False,
        help_text=gettext_lazy("One query a line: its number, a tab, its words."),
    )
    qrels = TextFileField(
        label=gettext_lazy("Judgements (TREC qrels)"),
        required=False,
        help_text=gettext_lazy("One judgement a line: query number, 0, scene, grade from 0 to 3."),
    )
    docids = forms.ChoiceField(
        label=gettext_lazy("Scenes are called by"), choices=DocumentId.choices, initial=DocumentId.UUID
    )
    phrases = TextFileField(
        label=gettext_lazy("Phrases with classes"),
        required=False,
        help_text=gettext_lazy(
            'JSON Lines: {"text": "...", "language": "en", "class": "..."}. Scenes of the class are the right answers.'
        ),
    )
    class_property = forms.RegexField(
        r"^[\w:.-]{1,60}$", label=gettext_lazy("Property with the class"), initial=CLASS_PROPERTY
    )


def import_view(request: HttpRequest, pk: int, *, site: Any, opts: Any) -> HttpResponse:
    """Show the form (GET), take in what was given (POST) and name every line that could not be used."""
    judged_set = judged_set_or_404(request, pk)
    context = frame(request, site=site, opts=opts, judged_set=judged_set, title=_("Import"))
    if not (context["may_judge"] and request.user.has_perm("search.change_judgedset")):
        raise PermissionDenied
    form = ImportForm(request.POST or None, request.FILES or None)
    if not context["may_change"]:  # Who may judge only brings judgements.
        for name in ("lines", "topics", "phrases", "class_property"):
            del form.fields[name]
    done: list[str] = []
    bad: list[BadLine] = []
    if request.method == "POST" and form.is_valid():
        try:
            done, bad = _take_in(judged_set, request_user(request), form.cleaned_data)
        except RsportalError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
    context |= {"form": form, "done": done, "bad": bad[:_NAMED], "bad_more": max(0, len(bad) - _NAMED)}
    return TemplateResponse(request, "admin/search/judged/import.html", context)


def export_view(request: HttpRequest, pk: int, what: str, *, site: Any, opts: Any) -> HttpResponse:
    """Send the topics, or the qrels of the scenes that this person may see (``?docids=filename`` by file name)."""
    judged_set = judged_set_or_404(request, pk)
    if what == "topics":
        lines = topics_lines(judged_set)
    elif what == "qrels":
        kind = request.GET.get("docids", DocumentId.UUID)
        if kind not in DocumentId.values:
            raise Http404
        lines, _left_out = qrels_lines(judged_set, request_user(request), documents=kind)
    else:
        raise Http404
    answer = HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
    ending = "tsv" if what == "topics" else "qrels"
    answer["Content-Disposition"] = f'attachment; filename="judged-set-{judged_set.pk}.{ending}"'
    return answer


def _take_in(judged_set: JudgedSet, user: User, given: dict[str, Any]) -> tuple[list[str], list[BadLine]]:
    """Queries first, so that judgements of the same upload find them."""
    found: list[tuple[str, Imported]] = []
    missing: list[str] = []
    if given.get("lines"):
        name = _("Queries")
        lines = given["lines"].splitlines()
        found.append((name, lines_import(judged_set=judged_set, user=user, lines=lines, file=name)))
    if given.get("topics"):
        name, lines = given["topics"]
        found.append((name, topics_import(judged_set=judged_set, user=user, lines=lines, file=name)))
    if given.get("phrases"):
        name, lines = given["phrases"]
        imported, missing = _phrases(judged_set, user, name, lines, given["class_property"])
        found.append((name, imported))
    if given.get("qrels"):
        name, lines = given["qrels"]
        imported = qrels_import(judged_set=judged_set, user=user, lines=lines, file=name, documents=given["docids"])
        found.append((name, imported))
    done = [_told(name, imported) for name, imported in found]
    if missing:
        done.append(_("No scene of the set is of the classes %(names)s.") % {"names": ", ".join(missing[:20])})
    return done, [line for _name, imported in found for line in imported.bad]


def _phrases(
    judged_set: JudgedSet, user: User, name: str, lines: list[str], class_property: str
) -> tuple[Imported, list[str]]:
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    phrases, bad = phrases_parse(numbered)
    imported, missing = phrases_import(judged_set=judged_set, user=user, phrases=phrases, class_property=class_property)
    named = [BadLine(name, each.number, f"{each.reason}.") for each in bad]
    return Imported(imported.queries, imported.judgements, named), missing


def _told(name: str, imported: Imported) -> str:
    parts = []
    if imported.queries or not imported.judgements:
        parts.append(
            ngettext("%(number)d query", "%(number)d queries", imported.queries) % {"number": imported.queries}
        )
    if imported.judgements:
        parts.append(
            ngettext("%(number)d judgement", "%(number)d judgements", imported.judgements)
            % {"number": imported.judgements}
        )
    return f"{name}: {', '.join(parts)}"
