"""Learning from users: what events, queries and rankings must remember; concepts, pictures, trials, exclusions."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import pgvector.django.bit
import pgvector.django.halfvec
import uuid
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


# Checked at once: a table with checks that wait cannot be altered.
EVENTS_OF_USERS = """
UPDATE search_event SET user_id = search_query.user_id
FROM search_impression JOIN search_ranking ON search_ranking.id = search_impression.ranking_id
    JOIN search_query ON search_query.id = search_ranking.query_id
WHERE search_impression.id = search_event.impression_id;
SET CONSTRAINTS ALL IMMEDIATE;
"""


GROUP = "curator"
RIGHTS: dict[str, tuple[str, tuple[str, ...]]] = {
    # model of this app: (its name in the permission's title, rights)
    "feedbackexclusion": ("excluded feedback", ("view", "add", "delete")),
}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor | None = None) -> None:
    """Let curators exclude feedback on scenes that they look after; harmless when repeated (see 0002)."""
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
        ("imagery", "0007_embedding_regions"),
        ("search", "0006_judged_sets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Concept",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("description", models.TextField(blank=True, max_length=1000, verbose_name="description")),
                ("text", models.TextField(blank=True, verbose_name="text")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
            ],
            options={
                "verbose_name": "concept",
                "verbose_name_plural": "concepts",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="ConceptExample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("window", models.JSONField(blank=True, null=True)),
                ("weight", models.FloatField(default=1.0, verbose_name="weight")),
            ],
            options={
                "verbose_name": "example",
                "verbose_name_plural": "examples",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="ExampleVector",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recipe", models.CharField(max_length=64)),
                ("window", models.JSONField(null=True)),
                ("vector", pgvector.django.halfvec.HalfVectorField()),
                ("used_at", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="FeedbackExclusion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="excluded")),
            ],
            options={
                "verbose_name": "excluded feedback",
                "verbose_name_plural": "excluded feedback",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="LearningChoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("for_me", models.BooleanField(default=True, verbose_name="my history improves my own results")),
                ("for_all", models.BooleanField(default=True, verbose_name="my history improves everybody's results")),
            ],
            options={
                "verbose_name": "choice about learning",
                "verbose_name_plural": "choices about learning",
            },
        ),
        migrations.CreateModel(
            name="PositionPropensity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rank", models.PositiveIntegerField(unique=True, verbose_name="rank")),
                ("propensity", models.FloatField(verbose_name="propensity")),
                ("low", models.FloatField(verbose_name="low")),
                ("high", models.FloatField(verbose_name="high")),
                ("shows", models.PositiveIntegerField(verbose_name="showings")),
                ("computed_at", models.DateTimeField(auto_now_add=True, verbose_name="estimated")),
            ],
            options={
                "verbose_name": "position propensity",
                "verbose_name_plural": "position propensities",
                "ordering": ["rank"],
            },
        ),
        migrations.CreateModel(
            name="QueryImage",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("picture", "picture"), ("sketch", "sketch")],
                        default="picture",
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200, verbose_name="name")),
                ("picture", models.BinaryField()),
                ("width", models.PositiveIntegerField(verbose_name="width (px)")),
                ("height", models.PositiveIntegerField(verbose_name="height (px)")),
                ("sha256", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="given")),
                ("used_at", models.DateTimeField(auto_now_add=True, verbose_name="last used")),
            ],
            options={
                "verbose_name": "query image",
                "verbose_name_plural": "query images",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="RankerTrial",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, unique=True, verbose_name="name")),
                ("ranking", models.JSONField(blank=True, default=dict, verbose_name="stage settings of B")),
                (
                    "share",
                    models.FloatField(
                        default=0.2,
                        validators=[
                            django.core.validators.MinValueValidator(0.0),
                            django.core.validators.MaxValueValidator(1.0),
                        ],
                        verbose_name="share of users",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "draft"), ("running", "running"), ("ended", "ended")],
                        default="draft",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("started_at", models.DateTimeField(blank=True, null=True, verbose_name="started")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
            ],
            options={
                "verbose_name": "ranker trial",
                "verbose_name_plural": "ranker trials",
                "ordering": ["-created_at"],
            },
        ),
        migrations.AddField(
            model_name="event",
            name="seconds",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="seconds"),
        ),
        migrations.AddField(
            model_name="event",
            name="user",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.RunSQL(EVENTS_OF_USERS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="event",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AlterField(
            model_name="query",
            name="text",
            field=models.TextField(blank=True, verbose_name="text"),
        ),
        migrations.AddField(
            model_name="query",
            name="asked",
            field=pgvector.django.halfvec.HalfVectorField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="query",
            name="asked_under",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="imagery.encoder",
            ),
        ),
        migrations.AddField(
            model_name="query",
            name="examples",
            field=models.JSONField(blank=True, default=list, verbose_name="examples"),
        ),
        migrations.AddField(
            model_name="query",
            name="without_history",
            field=models.BooleanField(default=False, verbose_name="without history"),
        ),
        migrations.AddField(
            model_name="ranking",
            name="swapped_ranks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.IntegerField(),
                blank=True,
                default=list,
                help_text="Ranks whose hit was exchanged with the next one, to learn how much position matters.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="ranking",
            name="swap_share",
            field=models.FloatField(
                default=0.0,
                help_text="With which each pair of neighbours was exchanged; 0: not a part of the experiment.",
                verbose_name="chance of a swap",
            ),
        ),
        migrations.AddField(
            model_name="ranking",
            name="teams",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.SmallIntegerField(),
                blank=True,
                default=list,
                help_text="In a trial, by rank: 1 the hit was drafted by A, 2 by B, 0 by neither.",
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="kind",
            field=models.CharField(
                choices=[
                    ("click", "opened"),
                    ("like", "liked"),
                    ("dislike", "disliked"),
                    ("download", "downloaded"),
                    ("dwell", "looked at"),
                ],
                max_length=10,
                verbose_name="kind",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["user", "-created_at"], name="event_user_newest"),
        ),
        migrations.AddField(
            model_name="concept",
            name="collection",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="concepts",
                to="imagery.collection",
                verbose_name="shared with those who see",
            ),
        ),
        migrations.AddField(
            model_name="concept",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="concepts",
                to=settings.AUTH_USER_MODEL,
                verbose_name="owner",
            ),
        ),
        migrations.AddField(
            model_name="conceptexample",
            name="concept",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="examples", to="search.concept"
            ),
        ),
        migrations.AddField(
            model_name="conceptexample",
            name="scene",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="imagery.scene"
            ),
        ),
        migrations.AddField(
            model_name="examplevector",
            name="encoder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="imagery.encoder"
            ),
        ),
        migrations.AddField(
            model_name="examplevector",
            name="scene",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="imagery.scene"
            ),
        ),
        migrations.AddField(
            model_name="feedbackexclusion",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="excluded by",
            ),
        ),
        migrations.AddField(
            model_name="feedbackexclusion",
            name="scene",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="feedback_exclusion",
                to="imagery.scene",
                verbose_name="scene",
            ),
        ),
        migrations.AddField(
            model_name="feedbackexclusion",
            name="user",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="feedback_exclusion",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AddField(
            model_name="learningchoice",
            name="user",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="learning_choice",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AddField(
            model_name="queryimage",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="query_images",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AddField(
            model_name="examplevector",
            name="image",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="vectors", to="search.queryimage"
            ),
        ),
        migrations.AddField(
            model_name="conceptexample",
            name="image",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="search.queryimage",
            ),
        ),
        migrations.AddField(
            model_name="rankertrial",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="created by",
            ),
        ),
        migrations.AddField(
            model_name="ranking",
            name="trial",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="search.rankertrial",
            ),
        ),
        migrations.AddConstraint(
            model_name="concept",
            constraint=models.UniqueConstraint(fields=("owner", "name"), name="concept_name_once"),
        ),
        migrations.AddConstraint(
            model_name="feedbackexclusion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("scene__isnull", True), ("user__isnull", False)),
                    models.Q(("scene__isnull", False), ("user__isnull", True)),
                    _connector="OR",
                ),
                name="feedback_exclusion_of_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="queryimage",
            constraint=models.UniqueConstraint(fields=("user", "kind", "sha256"), name="query_image_once"),
        ),
        migrations.AddConstraint(
            model_name="examplevector",
            constraint=models.UniqueConstraint(fields=("encoder", "recipe", "image"), name="example_vector_image_once"),
        ),
        migrations.AddConstraint(
            model_name="examplevector",
            constraint=models.UniqueConstraint(
                fields=("encoder", "recipe", "scene", "window"), name="example_vector_window_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="examplevector",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("image__isnull", False), ("scene__isnull", True), ("window__isnull", True)),
                    models.Q(("image__isnull", True), ("scene__isnull", False), ("window__isnull", False)),
                    _connector="OR",
                ),
                name="example_vector_of_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="conceptexample",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("image__isnull", True), ("scene__isnull", False)),
                    models.Q(("image__isnull", False), ("scene__isnull", True), ("window__isnull", True)),
                    _connector="OR",
                ),
                name="concept_example_of_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="rankertrial",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "running")), fields=("state",), name="ranker_trial_one_running"
            ),
        ),
        migrations.CreateModel(
            name="EventCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(db_index=True, verbose_name="day")),
                ("told", models.PositiveIntegerField(default=0, verbose_name="told")),
                ("refused", models.PositiveIntegerField(default=0, verbose_name="refused")),
                ("minute", models.DateTimeField()),
                ("in_minute", models.PositiveIntegerField(default=0)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "events of a day",
                "verbose_name_plural": "events of days",
                "constraints": [models.UniqueConstraint(fields=("user", "day"), name="event_count_once")],
            },
        ),
        migrations.CreateModel(
            name="Vote",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="vote",
                        serialize=False,
                        to="search.event",
                    ),
                ),
                ("sketch", pgvector.django.bit.BitField(length=512)),
                ("created_at", models.DateTimeField()),
                (
                    "encoder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="imagery.encoder"
                    ),
                ),
                (
                    "query",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="search.query"),
                ),
                (
                    "scene",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="imagery.scene"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"verbose_name": "vote", "verbose_name_plural": "votes"},
        ),
        migrations.RunPython(grant, migrations.RunPython.noop, elidable=False),
    ]
