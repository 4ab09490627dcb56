"""Forms of the accounts pages."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import UserCreationForm
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from rsportal.accounts.models import ApiToken, User
from rsportal.accounts.services import TOKEN_DAYS

_DAYS_LABELS = {1: _("1 day"), 30: _("30 days"), 90: _("90 days"), 365: _("1 year")}


class SignupForm(UserCreationForm):
    """A new account; names are unique whatever their case."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("Only used to send you a link when you forget your password."),
    )

    class Meta:
        model = User
        fields = ("username", "email")


class ProfileForm(forms.ModelForm):
    """Name, address and language. A new address needs the password, because it can set a new password."""

    language = forms.ChoiceField(label=_("Language"), required=False)
    current_password = forms.CharField(
        label=_("Current password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("Only needed when you change the e-mail address."),
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "email", "language")
        widgets = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }
        help_texts = {"email": _("Where a link is sent when you forget your password.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own_names = [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]
        choices = [("", _("As the browser asks")), *own_names]
        self.fields["language"].choices = choices  # type: ignore[attr-defined]
        self.account = User.objects.get(pk=self.instance.pk)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        changed = "email" in data and data["email"] != self.account.email
        if changed and not self.account.check_password(data.get("current_password", "")):
            self.add_error("current_password", _("To change the e-mail address, enter your current password."))
        return data


class TokenForm(forms.ModelForm):
    """A new API token."""

    days = forms.TypedChoiceField(
        label=_("Expires after"),
        coerce=int,
        choices=[(days, _DAYS_LABELS[days]) for days in TOKEN_DAYS],
        initial=90,
    )

    class Meta:
        model = ApiToken
        fields = ("name",)
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "off"})}


class ResetForm(forms.Form):
    """Which account forgot its password."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
