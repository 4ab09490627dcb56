"""The account of a person."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken


class User(AbstractUser):  # type: ignore[django-manager-missing]
    """A person who logs in. Names are unique whatever their case; the e-mail address is for password resets."""

    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        help_text=_("Language of the pages; empty follows the browser."),
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(Lower("username"), name="user_username_ci_unique"),
        ]


class ApiToken(AbstractAuthToken):
    """A program's key to the API: only its hash is stored, it expires, and its owner named it."""

    name = models.CharField(_("name"), max_length=80, help_text=_("Where the token is used, such as a script's name."))

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"

    @property
    def has_expired(self) -> bool:
        """Tell whether the API refuses the token because its time is over."""
        return self.expiry is not None and self.expiry <= timezone.now()
