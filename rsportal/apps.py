from django.apps import AppConfig


class RsportalConfig(AppConfig):
    """Project-wide parts: accounts, processes, health, checks, commands."""

    name = "rsportal"
    verbose_name = "rsportal"

    def ready(self) -> None:
        from rsportal import checks  # noqa: F401  (registers the system checks)
