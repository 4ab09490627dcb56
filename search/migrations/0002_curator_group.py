"""The group "curator": who may look after collections, scenes and jobs and read the log in the administration."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUP = "curator"
RIGHTS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    # (app, model): (its name in the permission's title, rights)
    ("imagery", "collection"): ("collection", ("view", "add", "change", "delete")),
    ("imagery", "collectionmember"): ("member", ("view", "add", "change", "delete")),
    ("imagery", "scene"): ("scene", ("view", "change", "delete")),
    ("imagery", "ingestjob"): ("ingest job", ("view", "change")),  # change: retry and cancel
    ("imagery", "encoder"): ("encoder", ("view",)),
    ("search", "query"): ("query", ("view",)),
    ("search", "ranking"): ("ranking", ("view",)),
    ("search", "impression"): ("impression", ("view",)),
    ("search", "event"): ("event", ("view",)),
}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor | None = None) -> None:
    """Make the group and give it its rights; harmless when repeated.

    Django makes permission rows only after all migrations of a run, so on an empty database they are made here.
    """
    types = apps.get_model("contenttypes", "ContentType")
    permissions = apps.get_model("auth", "Permission")
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for (app, model), (title, rights) in RIGHTS.items():
        kind, _ = types.objects.get_or_create(app_label=app, model=model)
        for right in rights:
            permission, _ = permissions.objects.get_or_create(
                content_type=kind, codename=f"{right}_{model}", defaults={"name": f"Can {right} {title}"}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("search", "0001_initial"),
        ("imagery", "0002_embedding_partitions"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop, elidable=False)]
