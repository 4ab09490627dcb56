"""Judged query sets: queries whose right answers people have marked, to measure rankings with."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from search.querysets_judged import JudgedQueryQuerySet, JudgedSetQuerySet, RelevanceJudgementQuerySet


class Sharing(models.TextChoices):
    """Who else sees a set: always bound to a collection, so that nobody meets a scene that is not theirs."""

    PRIVATE = "private", _("only the owner")
    VIEW = "view", _("curators who may see the collection may look")
    JUDGE = "judge", _("curators who may see the collection may look and judge")


class Grade(models.IntegerChoices):
    """How well a scene answers a query. From 1 on it counts as relevant; the number is its gain in nDCG."""

    WRONG = 0, _("not relevant")
    PARTLY = 1, _("partly relevant")
    RELEVANT = 2, _("relevant")
    PERFECT = 3, _("exactly what was asked")


class JudgedSet(models.Model):
    """A named set of queries over a collection (None: over whatever the person who asks may see).

    ``class_property`` is set where the judgements were made from scene classes: a scene that has the property, with
    another class, then counts as judged not relevant without a row of its own. ``configurations`` are what the pool of
    scenes to judge is drawn from (``search.judged.configuration``; none: the active encoder), ``depth`` hits of each.
    """

    name = models.SlugField(_("name"), max_length=60, allow_unicode=True)
    description = models.TextField(_("description"), blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="judged_sets",
        verbose_name=_("owner"),
    )
    collection = models.ForeignKey(
        "imagery.Collection",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("collection"),
        help_text=_("Queries search only in this one. Empty: in all that the person who asks may see."),
    )
    sharing = models.CharField(_("shared with"), max_length=10, choices=Sharing.choices, default=Sharing.PRIVATE)
    class_property = models.CharField(_("property with the class"), max_length=60, blank=True)
    configurations = models.JSONField(_("configurations of the pool"), default=list, blank=True)
    depth = models.PositiveSmallIntegerField(
        _("hits of each configuration"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("So many first hits of each configuration are shown for judging."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = JudgedSetQuerySet.as_manager()

    class Meta:
        verbose_name = _("judged query set")
        verbose_name_plural = _("judged query sets")
        ordering = ["name", "pk"]
        constraints = [
            # By owner, so that nobody learns from a refusal what sets others have.
            models.UniqueConstraint(
                fields=["owner", "name"],
                name="judged_set_once",
                violation_error_message=_("You have a judged query set of this name already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class JudgedQuery(models.Model):
    """A query of a set. ``key`` is its id in TREC files; ``filters`` narrow it as a search's do.

    ``scene_class`` is the class it was made for, if any: queries of one class hang together, so a bootstrap draws them
    together.
    """

    judged_set = models.ForeignKey(
        JudgedSet, on_delete=models.CASCADE, related_name="queries", verbose_name=_("judged query set")
    )
    key = models.CharField(
        _("number"),
        max_length=60,
        validators=[RegexValidator(r"^\S+$", _("A query's number has no spaces."))],
        help_text=_("How TREC files call the query. Empty: the next free number."),
    )
    text = models.TextField(_("text"))
    language = models.CharField(_("language"), max_length=20, blank=True)
    filters = models.JSONField(_("filters"), default=dict, blank=True)
    scene_class = models.CharField(_("class"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = JudgedQueryQuerySet.as_manager()

    class Meta:
        verbose_name = _("judged query")
        verbose_name_plural = _("judged queries")
        ordering = ["judged_set", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["judged_set", "key"],
                name="judged_query_key_once",
                violation_error_message=_("The set has a query of this number already."),
            )
        ]

    def __str__(self) -> str:
        return self.text


class RelevanceJudgement(models.Model):
    """How well a scene answers a query; goes with the scene, and the query stays."""

    query = models.ForeignKey(
        JudgedQuery, on_delete=models.CASCADE, related_name="judgements", verbose_name=_("judged query")
    )
    scene = models.ForeignKey("imagery.Scene", on_delete=models.CASCADE, related_name="+", verbose_name=_("scene"))
    grade = models.PositiveSmallIntegerField(_("grade"), choices=Grade.choices)
    judged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("judged by"),
    )
    judged_at = models.DateTimeField(_("judged"), auto_now=True)

    objects = RelevanceJudgementQuerySet.as_manager()

    class Meta:
        verbose_name = _("relevance judgement")
        verbose_name_plural = _("relevance judgements")
        ordering = ["query", "-grade", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["query", "scene"], name="relevance_judgement_once"),
            models.CheckConstraint(condition=models.Q(grade__lte=3), name="relevance_judgement_grade"),
        ]

    def __str__(self) -> str:
        return f"{self.query_id} {self.scene_id} {self.grade}"
