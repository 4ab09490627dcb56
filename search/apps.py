from django.apps import AppConfig
from django.db.models.signals import post_migrate
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
        from search.schedules import schedules_ensure

        warmup_register(text_tower_warm)
        post_migrate.connect(schedules_ensure, sender=self, dispatch_uid="search-schedules")
