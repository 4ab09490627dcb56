"""Let curators see the archive folders of the collections they edit, with what their scans found."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUP = "curator"
RIGHTS: dict[str, tuple[str, tuple[str, ...]]] = {
    # model of the catalogue: (its name in the permission's title, rights)
    "archivefolder": ("archive folder", ("view",)),
    "archivefile": ("archive file", ("view",)),
}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor | None = None) -> None:
    """Give the rights; harmless when repeated (see 0002)."""
    types = apps.get_model("contenttypes", "ContentType")
    permissions = apps.get_model("auth", "Permission")
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for model, (title, rights) in RIGHTS.items():
        kind, _ = types.objects.get_or_create(app_label="imagery", model=model)
        for right in rights:
            permission, _ = permissions.objects.get_or_create(
                content_type=kind, codename=f"{right}_{model}", defaults={"name": f"Can {right} {title}"}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("imagery", "0009_archives"),
        ("search", "0007_learning"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop, elidable=False)]
