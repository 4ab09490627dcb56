from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """People who log in, and the tokens of their programs."""

    name = "rsportal.accounts"
    label = "accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from rsportal.accounts import checks, lockout  # noqa: F401  (registers checks and log receivers)
        from rsportal.accounts.schedules import schedules_ensure

        post_migrate.connect(schedules_ensure, sender=self, dispatch_uid="accounts-schedules")
