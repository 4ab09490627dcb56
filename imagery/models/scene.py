"""Scenes: one acquisition or picture (a STAC Item)."""

import uuid

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, GistIndex
from django.db import models
from django.db.models.functions import Cast, Lower, Upper
from django.utils.translation import gettext_lazy as _

from imagery.outlines import PolygonField
from imagery.perceptual_bands import hash_indexes
from imagery.querysets import SceneQuerySet


class Scene(models.Model):
    """One acquisition or picture: where, when and with what it was taken, and whether it can be searched yet.

    ``footprint`` is a GeoJSON geometry (lon, lat; WGS 84); ``west south east north`` is its bounding box in
    degrees, ``west > east`` when it crosses the antimeridian. All five are null when not georeferenced. ``outline`` is
    the footprint as a native polygon (lon, lat), null for one of several parts.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("being ingested")
        READY = "ready", _("ready")
        METADATA = "metadata", _("no pixels reachable")
        FAILED = "failed", _("ingest failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(
        "imagery.Collection", on_delete=models.PROTECT, related_name="scenes", verbose_name=_("collection")
    )
    title = models.CharField(_("title"), max_length=300)
    status = models.CharField(_("state"), max_length=10, choices=Status.choices, default=Status.PENDING)
    datetime = models.DateTimeField(_("acquired"), null=True, blank=True)
    start_datetime = models.DateTimeField(_("acquisition start"), null=True, blank=True)
    end_datetime = models.DateTimeField(_("acquisition end"), null=True, blank=True)
    platform = models.CharField(_("platform"), max_length=100, blank=True)
    instruments = models.JSONField(_("instruments"), default=list, blank=True)
    gsd = models.FloatField(_("ground sample distance (m)"), null=True, blank=True)
    cloud_cover = models.FloatField(_("cloud cover (%)"), null=True, blank=True)
    proj_code = models.CharField(_("coordinate reference system"), max_length=40, blank=True)
    footprint = models.JSONField(_("footprint"), null=True, blank=True)
    west = models.FloatField(null=True, blank=True)
    south = models.FloatField(null=True, blank=True)
    east = models.FloatField(null=True, blank=True)
    north = models.FloatField(null=True, blank=True)
    width = models.PositiveIntegerField(_("width (px)"), default=0)
    height = models.PositiveIntegerField(_("height (px)"), default=0)
    bands = models.JSONField(_("bands"), default=list, blank=True)
    properties = models.JSONField(_("other properties"), default=dict, blank=True)
    embargo_until = models.DateTimeField(
        _("embargo until"), null=True, blank=True, help_text=_("No search finds the scene before. Empty: no embargo.")
    )
    content_hash = models.CharField(_("checksum of the source"), max_length=64)
    stac_id = models.CharField(_("STAC id"), max_length=300, blank=True, help_text=_("Of an imported item: its id."))
    stac = models.JSONField(
        _("STAC source"),
        default=dict,
        blank=True,
        help_text=_("Of an imported item: its links, its assets that are not kept here, its extensions."),
    )
    stretch = models.JSONField(
        _("stretch"), default=dict, blank=True, help_text=_("How its samples were turned into colours when encoded.")
    )
    perceptual_hash = models.BigIntegerField(
        _("perceptual hash"), null=True, blank=True, help_text=_("64 bits of what the scene looks like.")
    )
    outline = models.GeneratedField(
        verbose_name=_("outline"),
        expression=models.Func("footprint", function="imagery_outline", output_field=PolygonField()),
        output_field=PolygonField(),
        db_persist=True,
    )
    placeholder = models.TextField(
        _("placeholder"), blank=True, help_text=_("A picture of a few pixels, as a data URI, shown while loading.")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("added by"),
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = SceneQuerySet.as_manager()

    class Meta:
        verbose_name = _("scene")
        verbose_name_plural = _("scenes")
        ordering = ["-created_at", "-id"]
        constraints = [
            # The same bytes are ingested once per collection; another collection may hold them too,
            # so that nobody learns from a refusal what a private collection holds.
            models.UniqueConstraint(fields=["collection", "content_hash"], name="scene_content_once"),
            models.UniqueConstraint(
                fields=["collection", "stac_id"], condition=~models.Q(stac_id=""), name="scene_stac_once"
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="scene_newest"),
            models.Index(fields=["collection", "datetime"], name="scene_collection_datetime"),
            models.Index(fields=["west", "east", "south", "north"], name="scene_bbox"),
            GistIndex(fields=["outline"], name="scene_outline"),
            models.Index(
                fields=["id"],
                condition=models.Q(outline__isnull=True, footprint__isnull=False),
                name="scene_in_parts",
            ),
            # Ids are random, so that the first of a collection's ids are a random sample of its scenes.
            models.Index(fields=["collection", "id"], condition=models.Q(status="ready"), name="scene_sample"),
            models.Index(fields=["collection"], condition=models.Q(status="pending"), name="scene_pending"),
            models.Index(fields=["datetime"], name="scene_datetime"),
            models.Index(fields=["start_datetime"], name="scene_start"),
            models.Index(fields=["end_datetime"], name="scene_end"),
            # What every search asks of every candidate, without reading the row: rows are a kilobyte and lie anywhere.
            models.Index(fields=["id"], include=["collection", "status", "embargo_until"], name="scene_findable"),
            models.Index(Upper("platform"), name="scene_platform"),
            GinIndex(
                Cast(Lower(Cast("instruments", models.TextField())), models.JSONField()), name="scene_instruments"
            ),
            models.Index(fields=["gsd"], name="scene_gsd"),
            *hash_indexes(),
            models.Index(
                fields=["id"], condition=models.Q(perceptual_hash=None, status="ready"), name="scene_without_hash"
            ),
            models.Index(fields=["cloud_cover"], name="scene_cloud_cover"),
            models.Index(
                fields=["embargo_until"], condition=models.Q(embargo_until__isnull=False), name="scene_embargo"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def georeferenced(self) -> bool:
        """Whether the place of the scene on Earth is known."""
        return self.footprint is not None

    @property
    def bbox(self) -> tuple[float, float, float, float] | None:
        """(west, south, east, north) in degrees WGS 84, or None when not georeferenced."""
        if self.west is None or self.south is None or self.east is None or self.north is None:
            return None
        return (self.west, self.south, self.east, self.north)
