"""Members of a collection in the administration: people are named, never picked from a list of everybody."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.models import Collection, CollectionMember
from imagery.services.collections import collection_owned_by
from rsportal.accounts.selectors import user_named
from rsportal.web import request_user


class MemberForm(forms.ModelForm):
    """A person's exact user name and what they may do."""

    username = forms.CharField(
        max_length=150,
        label=gettext_lazy("user name"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    class Meta:
        model = CollectionMember
        fields = ("role",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["username"].initial = self.instance.user.get_username()
            self.fields["username"].disabled = True

    def clean_username(self) -> str:
        name = self.cleaned_data["username"].strip()
        if not self.instance.pk and not ((member := user_named(name)) and member.is_active):
            raise forms.ValidationError(_("Nobody here is called “%s”. Type the exact user name.") % name)
        return str(name)


class MemberInline(admin.TabularInline):
    """The members of a collection, for its owner and superusers only."""

    model = CollectionMember
    form = MemberForm
    fields = ("username", "role")
    extra = 1
    verbose_name_plural = gettext_lazy("members")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user").order_by("user__username")

    def _owner(self, request: HttpRequest, obj: Any) -> bool:
        # While a collection is being added there is no owner yet: whoever adds it will be.
        return not isinstance(obj, Collection) or collection_owned_by(collection=obj, user=request_user(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and self._owner(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and self._owner(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._owner(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._owner(request, obj)
