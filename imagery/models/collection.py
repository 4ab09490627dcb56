"""Collections: the unit of permission and licence."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from imagery.licenses import allows_download
from imagery.querysets import CollectionQuerySet
from imagery.tiling import TileRule
from rsportal.errors import InvalidInput


class Visibility(models.TextChoices):
    """Who sees the scenes of a collection."""

    PRIVATE = "private", _("Only the owner")
    MEMBERS = "members", _("The owner and members")
    ALL_USERS = "all_users", _("Everybody who is logged in")


class Collection(models.Model):
    """A named set of scenes under one licence and one rule of who may see it (a STAC Collection)."""

    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    license = models.CharField(
        _("licence"),
        max_length=200,
        blank=True,
        help_text=_("An SPDX identifier such as CC-BY-4.0, or the licence in words. Empty means all rights reserved."),
    )
    license_url = models.URLField(_("licence link"), blank=True)
    attribution = models.CharField(_("attribution"), max_length=300, blank=True)
    providers = models.JSONField(
        _("providers"),
        default=list,
        blank=True,
        help_text=_("STAC providers: a list of objects with name, roles, url."),
    )
    keywords = models.JSONField(_("keywords"), default=list, blank=True)
    doi = models.CharField(_("DOI"), max_length=200, blank=True, help_text=_("Such as 10.5066/P9OGBGM6."))
    citation = models.TextField(_("citation"), blank=True)
    rendering = models.JSONField(
        _("band recipe"),
        default=dict,
        blank=True,
        help_text=_(
            "Which bands are shown as red, green and blue, and how they are stretched. Empty: found by itself."
        ),
    )
    tile_overlap = models.FloatField(
        _("overlap of windows"), default=0.25, help_text=_("As a share of their side, .25 to .5.")
    )
    tile_gsd_min = models.FloatField(
        _("finest window sampling (m)"),
        null=True,
        blank=True,
        help_text=_("Windows are not cut finer than this many metres per pixel. Empty: down to full resolution."),
    )
    tile_gsd_max = models.FloatField(
        _("coarsest window sampling (m)"),
        null=True,
        blank=True,
        help_text=_("Besides the whole scene, no windows coarser than this many metres per pixel. Empty: no limit."),
    )
    tile_most = models.PositiveIntegerField(
        _("most windows of a scene"), default=2000, help_text=_("Larger scenes end at a coarser level.")
    )
    stac = models.JSONField(
        _("STAC source"),
        default=dict,
        blank=True,
        help_text=_("Of an imported collection: its address, id, summaries and what else it said."),
    )
    visibility = models.CharField(
        _("visible to"), max_length=10, choices=Visibility.choices, default=Visibility.PRIVATE
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_collections", verbose_name=_("owner")
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="CollectionMember", related_name="collections", verbose_name=_("members")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = CollectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("collection")
        verbose_name_plural = _("collections")
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """Refuse a rule of windows that cannot be followed. Raises ValidationError with the field at fault."""
        if None in (self.tile_overlap, self.tile_most):
            return  # An empty or unreadable box of a form, which said so.
        try:
            TileRule.of(self).require_sensible()
        except InvalidInput as error:
            raise ValidationError({error.field or "tile_most": error.message}) from error

    @property
    def originals_downloadable(self) -> bool:
        """Whether the licence lets every viewer download the original files."""
        return allows_download(self.license)


class CollectionMember(models.Model):
    """What one person may do in a collection that is not theirs."""

    class Role(models.TextChoices):
        VIEWER = "viewer", _("may see")
        EDITOR = "editor", _("may add and delete scenes")

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [models.UniqueConstraint(fields=["collection", "user"], name="member_once")]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"
