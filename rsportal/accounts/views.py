"""Pages for one's own account."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import check_for_language, get_language
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django.views.generic import FormView
from django.views.i18n import set_language as django_set_language

from rsportal.accounts import selectors, services
from rsportal.accounts.forms import ProfileForm, SignupForm, TokenForm
from rsportal.accounts.limits import within_limit
from rsportal.accounts.models import User
from rsportal.client_ip import client_ip
from rsportal.errors import Conflict
from rsportal.web import request_user

_BACKEND = "rsportal.accounts.backends.CaseInsensitiveModelBackend"
_SIGNUPS_PER_HOUR = 20


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class SignupView(FormView):
    """Make an account, where the operator allows it (``SIGNUP_OPEN``)."""

    form_class = SignupForm
    template_name = "registration/signup.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.SIGNUP_OPEN:
            raise Http404
        if request.user.is_authenticated:
            return redirect("search:home")
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def form_valid(self, form: SignupForm) -> HttpResponse:
        if not within_limit(key=f"signup:{client_ip(self.request)}", limit=_SIGNUPS_PER_HOUR, seconds=3600):
            form.add_error(None, _("Too many accounts were made from your address. Try again in an hour."))
            return self.form_invalid(form)
        data = form.cleaned_data
        language = get_language() or ""
        try:
            user = services.user_create(
                username=data["username"], email=data["email"], password=data["password1"], language=language
            )
        except ValidationError as error:  # The name was taken while the form was read.
            form.add_error(None, error)
            return self.form_invalid(form)
        login(self.request, user, backend=_BACKEND)
        messages.success(self.request, _("Your account is ready. Welcome."))
        return redirect("search:home")


def _profile_page(request: HttpRequest, *, status: int = 200, **forms: Any) -> HttpResponse:
    user = request_user(request)
    context = {
        "form": forms.get("form") or ProfileForm(instance=User.objects.get(pk=user.pk)),
        "token_form": forms.get("token_form") or TokenForm(prefix="token"),
        "tokens": selectors.tokens_list(user),
        "token_limit": settings.REST_KNOX["TOKEN_LIMIT_PER_USER"],
    }
    return render(request, "accounts/profile.html", context, status=status)


@method_decorator(sensitive_post_parameters("current_password"), name="dispatch")
class ProfileView(View):
    """Show and change one's own account; list and make API tokens."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return _profile_page(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ProfileForm(request.POST, instance=User.objects.get(pk=request_user(request).pk))
        if not form.is_valid():
            return _profile_page(request, form=form, status=400)
        fields = {name: form.cleaned_data[name] for name in ("first_name", "last_name", "email", "language")}
        services.user_update(user=request_user(request), **fields)
        messages.success(request, _("Your profile is saved."))
        return redirect("profile")


@require_POST
def token_create(request: HttpRequest) -> HttpResponse:
    """Make a token and show it, this once."""
    form = TokenForm(request.POST, prefix="token")
    if not form.is_valid():
        return _profile_page(request, token_form=form, status=400)
    user = request_user(request)
    try:
        token, plain = services.token_create(user=user, name=form.cleaned_data["name"], days=form.cleaned_data["days"])
    except Conflict as error:
        form.add_error(None, error.message)
        return _profile_page(request, token_form=form, status=409)
    return render(request, "accounts/token_created.html", {"token": token, "plain": plain})


@require_POST
def token_revoke(request: HttpRequest, token_key: str) -> HttpResponse:
    """End a token's life."""
    user = request_user(request)
    if not services.token_revoke(user=user, token_key=token_key):
        raise Http404
    messages.success(request, _("The token is revoked. Programs that use it are refused from now on."))
    return redirect("profile")


@login_not_required
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Switch the language: kept with the account when logged in, else in a cookie."""
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and check_for_language(language):
        services.user_language_set(user=request.user, language=language)
    return django_set_language(request)
