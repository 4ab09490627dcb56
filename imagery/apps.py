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
        from imagery.services.vector_index_warm import vectors_warm
        from rsportal.warmup import warmup_register

        warmup_register(vectors_warm)
        post_migrate.connect(schedules_ensure, sender=self, dispatch_uid="imagery-schedules")
