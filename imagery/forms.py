"""Forms of the catalogue's pages. They read what was sent; services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from imagery.form_fields import PROVIDERS_HELP, KeywordsField, ProvidersField
from imagery.models import Collection, CollectionMember
from imagery.selectors import collections_editable
from rsportal.accounts.models import User
from rsportal.errors import RsportalError


class CollectionForm(forms.ModelForm):
    """A collection's own words, licence, visibility and whom to name."""

    providers = ProvidersField(
        label=_("Providers"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=PROVIDERS_HELP,
    )
    keywords = KeywordsField(label=_("Keywords"), required=False, help_text=_("With commas between them."))
    doi = forms.CharField(label="DOI", required=False, max_length=200, help_text=_("Such as 10.5066/P9OGBGM6."))

    class Meta:
        model = Collection
        fields = (
            "title", "description", "license", "license_url", "attribution", "visibility", "providers", "keywords",
            "doi", "citation",
        )  # fmt: skip
        widgets = {
            "description": forms.Textarea(attrs={"rows": 4}),
            "license": forms.TextInput(attrs={"list": "licenses", "autocomplete": "off"}),
            "attribution": forms.TextInput(),
            "citation": forms.Textarea(attrs={"rows": 2}),
        }
        help_texts = {
            "attribution": _("The line to show with the images, such as “Contains Copernicus Sentinel data 2019”."),
            "license_url": _("Where the licence can be read."),
            "citation": _("How the collection wants to be cited."),
        }


class MemberForm(forms.Form):
    """Who else may see or change a collection."""

    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"), choices=CollectionMember.Role.choices)


class MultipleFileInput(forms.ClearableFileInput):
    """A file box that takes many files."""

    allow_multiple_selected = True


class MultipleFileField(forms.FileField):
    """Many uploaded files; each is judged later, on its own, so that one bad file stops no other."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", MultipleFileInput())
        super().__init__(**kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        """Return the files in the order they were chosen. Raises ValidationError when there are none."""
        files = list(data) if isinstance(data, (list, tuple)) else [data] if data else []
        if not files:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return files


class UploadForm(forms.Form):
    """Files for one collection."""

    collection = forms.ModelChoiceField(
        label=_("Collection"), queryset=Collection.objects.none(), to_field_name="slug", empty_label=None
    )
    images = MultipleFileField(label=_("Files"), error_messages={"required": _("Choose at least one file.")})
    batch = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["collection"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = collections_editable(user)


def form_add_error(form: forms.BaseForm, error: RsportalError) -> None:
    """Put a service's refusal beside the field it is about, or above the form."""
    field = error.field if error.field in form.fields else None
    form.add_error(field, error.message)
