"""Pages for changing and resetting a password."""

import structlog
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.generic import FormView

from rsportal.accounts.forms import ResetForm
from rsportal.accounts.limits import within_limit
from rsportal.accounts.models import User
from rsportal.accounts.password_reset import password_reset_request
from rsportal.client_ip import client_ip

log = structlog.get_logger(__name__)

_REQUESTS_PER_HOUR = 30


@method_decorator(login_not_required, name="dispatch")
class LoginView(auth_views.LoginView):
    """Log in. After too many failures django-axes answers (rsportal.accounts.lockout)."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.method == "GET" and isinstance(request.user, User):
            return redirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]


class PasswordChangeView(auth_views.PasswordChangeView):
    """Change one's own password. Every other session of the account ends; API tokens stay."""

    success_url = reverse_lazy("profile")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        response = super().form_valid(form)
        log.info("password_changed", account_id=self.request.user.pk)
        messages.success(
            self.request,
            _("Your password is changed. All your other sessions are logged out; revoke tokens you no longer trust."),
        )
        return response


@method_decorator(login_not_required, name="dispatch")
class PasswordResetView(FormView):
    """Ask for a mail with a link. The answer is the same whether or not the address has an account."""

    form_class = ResetForm
    template_name = "registration/password_reset_form.html"
    success_url = reverse_lazy("password_reset_done")

    def form_valid(self, form: ResetForm) -> HttpResponse:
        if not within_limit(key=f"resets:{client_ip(self.request)}", limit=_REQUESTS_PER_HOUR, seconds=3600):
            form.add_error(None, _("Too many requests came from your address. Try again in an hour."))
            return self.form_invalid(form)
        origin = f"{self.request.scheme}://{self.request.get_host()}"
        password_reset_request(email=form.cleaned_data["email"], origin=origin, language=get_language() or "en")
        return super().form_valid(form)


class PasswordResetConfirmView(auth_views.PasswordResetConfirmView):
    """Set a new password by the link of the mail. All sessions of the account end; API tokens stay."""

    success_url = reverse_lazy("login")

    def form_valid(self, form: SetPasswordForm) -> HttpResponse:
        response = super().form_valid(form)
        log.info("password_reset", account_id=form.user.pk)
        messages.success(
            self.request,
            _("Your new password is set. Log in with it, then look through your API tokens: they still work."),
        )
        return response
