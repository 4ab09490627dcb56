"""Judged query sets, their queries and judgements, runs over them; and the curators' rights to them."""

import django.core.validators
import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUP = "curator"
RIGHTS: dict[str, tuple[str, tuple[str, ...]]] = {
    # model of this app: (its name in the permission's title, rights)
    "judgedset": ("judged query set", ("view", "add", "change", "delete")),
    "judgedquery": ("judged query", ("view", "add", "change", "delete")),
    "relevancejudgement": ("relevance judgement", ("view", "add", "change", "delete")),
    "rankingrun": ("ranking run", ("view", "add", "delete")),
}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor | None = None) -> None:
    """Give the group its rights to judged sets; harmless when repeated (see 0002)."""
    types = apps.get_model("contenttypes", "ContentType")
    permissions = apps.get_model("auth", "Permission")
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for model, (title, rights) in RIGHTS.items():
        kind, _ = types.objects.get_or_create(app_label="search", model=model)
        for right in rights:
            permission, _ = permissions.objects.get_or_create(
                content_type=kind, codename=f"{right}_{model}", defaults={"name": f"Can {right} {title}"}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("search", "0005_ranking_stages"),
        ("search", "0002_curator_group"),
        ("imagery", "0005_encoder_ranking"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="JudgedSet",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(allow_unicode=True, max_length=60, verbose_name="name")),
                ("description", models.TextField(blank=True, verbose_name="description")),
                (
                    "sharing",
                    models.CharField(
                        choices=[
                            ("private", "only the owner"),
                            ("view", "curators who may see the collection may look"),
                            ("judge", "curators who may see the collection may look and judge"),
                        ],
                        default="private",
                        max_length=10,
                        verbose_name="shared with",
                    ),
                ),
                ("class_property", models.CharField(blank=True, max_length=60, verbose_name="property with the class")),
                (
                    "configurations",
                    models.JSONField(blank=True, default=list, verbose_name="configurations of the pool"),
                ),
                (
                    "depth",
                    models.PositiveSmallIntegerField(
                        default=10,
                        help_text="So many first hits of each configuration are shown for judging.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="hits of each configuration",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "collection",
                    models.ForeignKey(
                        blank=True,
                        help_text="Queries search only in this one. Empty: in all that the person who asks may see.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="imagery.collection",
                        verbose_name="collection",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="judged_sets",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "judged query set",
                "verbose_name_plural": "judged query sets",
                "ordering": ["name", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "name"),
                        name="judged_set_once",
                        violation_error_message="You have a judged query set of this name already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="JudgedQuery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "key",
                    models.CharField(
                        help_text="How TREC files call the query. Empty: the next free number.",
                        max_length=60,
                        validators=[django.core.validators.RegexValidator("^\\S+$", "A query's number has no spaces.")],
                        verbose_name="number",
                    ),
                ),
                ("text", models.TextField(verbose_name="text")),
                ("language", models.CharField(blank=True, max_length=20, verbose_name="language")),
                ("filters", models.JSONField(blank=True, default=dict, verbose_name="filters")),
                ("scene_class", models.CharField(blank=True, max_length=200, verbose_name="class")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "judged_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="queries",
                        to="search.judgedset",
                        verbose_name="judged query set",
                    ),
                ),
            ],
            options={
                "verbose_name": "judged query",
                "verbose_name_plural": "judged queries",
                "ordering": ["judged_set", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("judged_set", "key"),
                        name="judged_query_key_once",
                        violation_error_message="The set has a query of this number already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RelevanceJudgement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "grade",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "not relevant"),
                            (1, "partly relevant"),
                            (2, "relevant"),
                            (3, "exactly what was asked"),
                        ],
                        verbose_name="grade",
                    ),
                ),
                ("judged_at", models.DateTimeField(auto_now=True, verbose_name="judged")),
                (
                    "judged_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="judged by",
                    ),
                ),
                (
                    "query",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="judgements",
                        to="search.judgedquery",
                        verbose_name="judged query",
                    ),
                ),
                (
                    "scene",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="imagery.scene",
                        verbose_name="scene",
                    ),
                ),
            ],
            options={
                "verbose_name": "relevance judgement",
                "verbose_name_plural": "relevance judgements",
                "ordering": ["query", "-grade", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("query", "scene"), name="relevance_judgement_once"),
                    models.CheckConstraint(condition=models.Q(("grade__lte", 3)), name="relevance_judgement_grade"),
                ],
            },
        ),
        migrations.CreateModel(
            name="RankingRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("configuration", models.CharField(max_length=500, verbose_name="configuration")),
                ("versions", models.JSONField(blank=True, default=dict, verbose_name="versions")),
                ("scores", models.JSONField(blank=True, default=dict, verbose_name="scores by query")),
                ("summary", models.JSONField(blank=True, default=dict, verbose_name="means and curves")),
                ("searched", models.PositiveIntegerField(default=0, verbose_name="scenes searched")),
                ("seconds", models.FloatField(default=0.0, verbose_name="time (s)")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="made")),
                (
                    "collection",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="imagery.collection",
                        verbose_name="collection",
                    ),
                ),
                (
                    "encoder",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="imagery.encoder",
                        verbose_name="encoder",
                    ),
                ),
                (
                    "judged_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="search.judgedset",
                        verbose_name="judged query set",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="run by",
                    ),
                ),
            ],
            options={
                "verbose_name": "ranking run",
                "verbose_name_plural": "ranking runs",
                "ordering": ["-created_at", "-pk"],
                "indexes": [models.Index(fields=["judged_set", "-created_at"], name="ranking_run_newest")],
            },
        ),
        migrations.RunPython(grant, migrations.RunPython.noop, elidable=False),
    ]
