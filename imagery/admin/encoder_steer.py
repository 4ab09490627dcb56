"""The buttons of a change of model: each calls one service; what cannot be taken back asks first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.models import Encoder, EncoderFill
from imagery.services import fill as fills
from imagery.services import sketch_fit, switch
from imagery.services.encoders import encoder_register
from rsportal.errors import RsportalError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    _Base = Any
else:
    _Base = object

State, Filling = Encoder.State, EncoderFill.State


@dataclass(frozen=True)
class Step:
    """One thing that can be done with an encoder. ``warning``: asked before; ``danger``: nothing brings it back."""

    name: str
    label: StrOrPromise
    done: StrOrPromise
    run: Callable[[Encoder], object]
    warning: StrOrPromise = ""
    danger: bool = False


_STEPS: Final = {
    step.name: step
    for step in (
        Step(
            "fill",
            gettext_lazy("Fill"),
            gettext_lazy("%(name)s is being filled. The worker encodes what is missing, beside everything else."),
            lambda encoder: fills.encoder_fill(encoder=encoder),
        ),
        Step(
            "pause",
            gettext_lazy("Pause"),
            gettext_lazy("The fill of %(name)s stops after the batch at hand."),
            lambda encoder: fills.encoder_fill_pause(encoder=encoder),
        ),
        Step(
            "resume",
            gettext_lazy("Resume"),
            gettext_lazy("The fill of %(name)s goes on."),
            lambda encoder: fills.encoder_fill_resume(encoder=encoder),
        ),
        Step(
            "retry",
            gettext_lazy("Retry failed scenes"),
            gettext_lazy("The scenes of %(name)s that could not be read are tried again."),
            lambda encoder: fills.encoder_fill_retry(encoder=encoder),
        ),
        Step(
            "activate",
            gettext_lazy("Activate"),
            gettext_lazy("%(name)s is active: every search from now on uses it."),
            lambda encoder: switch.encoder_activate(encoder=encoder),
            gettext_lazy(
                "Every search and every new scene uses this encoder from then on. The one in use now is kept current, "
                "so that you can go back."
            ),
        ),
        Step(
            "partial",
            gettext_lazy("Activate although incomplete"),
            gettext_lazy("%(name)s is active: every search from now on uses it."),
            lambda encoder: switch.encoder_activate(encoder=encoder, partial=True),
            gettext_lazy("Scenes without vectors of this encoder are not found until the worker has encoded them."),
        ),
        Step(
            "rollback",
            gettext_lazy("Go back to the one before"),
            gettext_lazy("The encoder before %(name)s is active again."),
            lambda encoder: switch.encoder_rollback(active=encoder),
            gettext_lazy("Every search uses the encoder that this one replaced. This one is kept current."),
        ),
        Step(
            "sketch",
            gettext_lazy("Learn to read sketches"),
            gettext_lazy(
                "The worker teaches %(name)s to read sketches. What comes of it stands here under “sketches”; if it "
                "does not help, the reason stands among the failed tasks."
            ),
            lambda encoder: sketch_fit.sketch_bridge_request(encoder=encoder),
        ),
        Step(
            "cancel",
            gettext_lazy("Give the fill up"),
            gettext_lazy("The fill of %(name)s is given up."),
            lambda encoder: fills.encoder_fill_cancel(encoder=encoder),
            gettext_lazy(
                "Nothing more is encoded with this encoder, new scenes neither. The vectors made so far stay."
            ),
        ),
        Step(
            "retire",
            gettext_lazy("Retire"),
            gettext_lazy("%(name)s is retired; its vectors and their index are gone."),
            lambda encoder: switch.encoder_retire(encoder=encoder),
            gettext_lazy(
                "All vectors of this encoder and their index are dropped at once. Only a new fill brings them back."
            ),
            danger=True,
        ),
    )
}


def steps_for(encoder: Encoder, fill: EncoderFill | None) -> list[Step]:
    """Return what can be done with the encoder now, in the order of its life."""
    going = fill.state if fill else None
    names = []
    if going not in {Filling.RUNNING, Filling.PAUSED}:
        names.append("fill")
    if going == Filling.RUNNING or (going == Filling.DONE and encoder.state == State.READY):
        names.append("pause")
    if going == Filling.PAUSED:
        names.append("resume")
    if fill is not None and fill.failed:
        names.append("retry")
    if encoder.state == State.ACTIVE:
        if encoder.previous is not None and encoder.previous.state != State.RETIRED:
            names.append("rollback")
    else:
        names.append("activate" if encoder.state == State.READY else "partial")
        if encoder.state == State.READY and fill is not None and fill.failed:
            names.append("partial")
    if encoder.state != State.RETIRED:
        names.append("sketch")
    if going in {Filling.RUNNING, Filling.PAUSED}:
        names.append("cancel")
    if encoder.state not in {State.ACTIVE, State.RETIRED}:
        names.append("retire")
    return [_STEPS[name] for name in names]


class RegisterForm(forms.Form):
    """What ``encoder_register`` needs."""

    name = forms.SlugField(
        label=gettext_lazy("Name"),
        max_length=60,
        help_text=gettext_lazy("A short name of your choice, such as git-rsclip."),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=Encoder.Kind.choices, initial=Encoder.Kind.TRANSFORMERS
    )
    source = forms.CharField(
        label=gettext_lazy("Source"),
        max_length=500,
        help_text=gettext_lazy("Folder on the server, or hub id such as lcybuaa/Git-RSCLIP."),
    )
    revision = forms.CharField(
        label=gettext_lazy("Revision"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Commit, tag or branch of the hub; its commit of today is kept."),
    )


class EncoderSteering(_Base):
    """Addresses and pages of the buttons; mixed into the encoder's admin."""

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may change which models there are and which is in use."""
        return bool(request.user.is_active and request.user.has_perm("imagery.change_encoder"))

    def steering_urls(self) -> list[URLPattern]:
        """Return the addresses; they stand before Django's own."""
        wrap = self.admin_site.admin_view
        return [
            path("register/", wrap(self.register_view), name="imagery_encoder_register"),
            path("<int:pk>/<slug:step>/do/", wrap(self.step_view), name="imagery_encoder_step"),
        ]

    def step_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        """Ask (GET) and do (POST) one step; a refusal comes back as a message."""
        if not self.has_steer_permission(request):
            raise PermissionDenied
        chosen = _STEPS.get(step)
        encoder = self.get_queryset(request).filter(pk=pk).first()
        if chosen is None or encoder is None:
            raise Http404
        if request.method == "POST":
            try:
                chosen.run(encoder)
                self.message_user(request, chosen.done % {"name": encoder.name}, messages.SUCCESS)
            except RsportalError as error:
                self.message_user(request, error.message, messages.ERROR)
            return redirect("admin:imagery_encoder_change", pk)
        if not chosen.warning:
            return HttpResponseNotAllowed(["POST"])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{chosen.label} – {encoder.name}",
            "step": chosen,
            "encoder": encoder,
        }
        return TemplateResponse(request, "admin/imagery/encoder/step.html", context)

    def register_view(self, request: HttpRequest) -> HttpResponse:
        """Register an encoder from its files; loads no model."""
        if not (self.has_steer_permission(request) and request.user.has_perm("imagery.add_encoder")):
            raise PermissionDenied
        form = RegisterForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                encoder = encoder_register(**form.cleaned_data)
                self.message_user(request, _("%(name)s is registered. Fill it next.") % {"name": encoder.name})
                return redirect("admin:imagery_encoder_change", encoder.pk)
            except RsportalError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Register an encoder"),
            "form": form,
        }
        return TemplateResponse(request, "admin/imagery/encoder/register.html", context)
