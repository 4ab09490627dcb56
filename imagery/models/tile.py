"""Tiles: the windows of a scene that are encoded and found."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from imagery.querysets import SceneChildQuerySet


class Tile(models.Model):
    """A pixel window of a scene; level 0 is the whole scene, higher levels are finer.

    The window is (x, y, width, height) in pixels of the scene's full resolution, y downwards.
    """

    scene = models.ForeignKey("imagery.Scene", on_delete=models.CASCADE, related_name="tiles")
    level = models.PositiveSmallIntegerField(_("level"))
    x = models.PositiveIntegerField()
    y = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    objects = SceneChildQuerySet.as_manager()

    class Meta:
        verbose_name = _("tile")
        verbose_name_plural = _("tiles")
        constraints = [
            models.UniqueConstraint(fields=["scene", "level", "x", "y", "width", "height"], name="tile_window_once"),
        ]

    def __str__(self) -> str:
        return f"{self.scene_id} L{self.level} {self.window}"

    @property
    def window(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) in pixels of the scene's full resolution, y downwards."""
        return (self.x, self.y, self.width, self.height)
