from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ImageryConfig(AppConfig):
    """Collections, scenes, files, tiles, encoders, embeddings and their ingest."""

    name = "imagery"
    verbose_name = _("Imagery")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from imagery import checks  # noqa: F401  (registers the system checks)
        from imagery.schedules import schedules_ensure

        post_migrate.connect(schedules_ensure, sender=self, dispatch_uid="imagery-schedules")
