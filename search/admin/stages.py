"""The ranking stages of an encoder in the administration: what is on, and a form to change it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.models import Encoder
from rsportal.errors import InvalidInput
from search.engine import ranker_of
from search.ranking.stages import Stage, StageSettings, stage_defaults, stage_settings
from search.services.stages import encoder_stages_set


@dataclass(frozen=True)
class StageRow:
    """A stage as the page shows it: as it is, as it is at first, and whether it runs."""

    name: str
    stage: Stage
    default: Stage
    runs: bool


class StagesForm(forms.Form):
    """The stages that differ from the defaults, as JSON."""

    ranking = forms.JSONField(
        label=gettext_lazy("Ranking stages"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=gettext_lazy(
            'Only what differs from the defaults, for example {"diffuse": {"on": false}, "windows": {"weight": 0.9}}. '
            "Empty: the defaults of its kind."
        ),
        error_messages={"invalid": gettext_lazy("This is no JSON. Mind the double quotes and the commas.")},
    )

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kind = kind

    def clean_ranking(self) -> dict[str, Any]:
        """Return the settings, if every stage and setting of them exists."""
        given = self.cleaned_data["ranking"]
        ranking = {} if given is None else given
        try:
            stage_settings(kind=self._kind, ranking=ranking)
        except InvalidInput as error:
            raise forms.ValidationError(error.message, code=error.code) from error
        return dict(ranking)


def stages_view(request: HttpRequest, pk: int, *, site: Any, opts: Any) -> HttpResponse:
    """Show the stages of an encoder (GET) and change them (POST); searches use them at once."""
    if not request.user.has_perm("imagery.change_encoder"):
        raise PermissionDenied
    encoder = Encoder.objects.defer("probe", "text_mean", "image_mean").filter(pk=pk).first()
    if encoder is None:
        raise Http404
    form = StagesForm(request.POST or None, initial={"ranking": encoder.ranking or None}, kind=encoder.kind)
    if request.method == "POST" and form.is_valid():
        encoder = encoder_stages_set(encoder=encoder, ranking=form.cleaned_data["ranking"])
        told = _("New searches of %(name)s use these stages.") % {"name": encoder.name}
        messages.success(request, told)
        return redirect("admin:search_encoder_stages", encoder.pk)
    remarks, rows = _state(encoder)
    context = {
        **site.each_context(request),
        "opts": opts,
        "title": f"{_('Ranking stages')} – {encoder.name}",
        "encoder": encoder,
        "form": form,
        "rows": rows,
        "remarks": remarks,
    }
    return TemplateResponse(request, "admin/search/stages.html", context)


def _state(encoder: Encoder) -> tuple[list[str], list[StageRow]]:
    try:
        ranker = ranker_of(encoder)
        wanted = stage_settings(kind=encoder.kind, ranking=encoder.ranking)
    except InvalidInput as error:  # The row was written by another version: the form puts it right.
        return [error.message], []
    default = stage_defaults(encoder.kind)
    rows = [
        StageRow(
            name=each.name,
            stage=getattr(wanted, each.name),
            default=getattr(default, each.name),
            runs=getattr(ranker.settings, each.name).active,
        )
        for each in fields(StageSettings)
    ]
    return list(ranker.remarks), rows
