from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SearchConfig(AppConfig):
    """Queries, rankings and the feedback log."""

    name = "search"
    verbose_name = _("Search")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from rsportal.warmup import warmup_register
        from search import checks  # noqa: F401  (registers the system checks)
        from search.encode_query import text_tower_warm

        warmup_register(text_tower_warm)
