"""The group "curator"."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

pytestmark = pytest.mark.django_db

migration = import_module("search.migrations.0002_curator_group")
judged_migration = import_module("search.migrations.0006_judged_sets")
learning_migration = import_module("search.migrations.0007_learning")


def rights() -> set[str]:
    group = Group.objects.get(name="curator")
    return {f"{row.content_type.app_label}.{row.codename}" for row in group.permissions.select_related("content_type")}


def test_the_group_holds_what_a_curator_does_and_nothing_of_accounts() -> None:
    migration.grant(apps)
    judged_migration.grant(apps)
    learning_migration.grant(apps)
    assert {"imagery.change_collection", "imagery.delete_scene", "imagery.change_ingestjob"} <= rights()
    assert {"search.view_query", "search.view_event", "imagery.view_encoder"} <= rights()
    assert not any(right.startswith(("accounts.", "auth.", "django_q.", "axes.")) for right in rights())
    writes = {right for right in rights() if right.startswith("search.") and not right.startswith("search.view_")}
    judged = {f"search.{what}_{model}" for model in judged_migration.RIGHTS for what in ("add", "change", "delete")}
    excluded = {f"search.{what}_feedbackexclusion" for what in ("add", "delete")}
    assert writes and writes <= judged | excluded, "of the log nothing can be written"


def test_repeating_it_changes_nothing_and_brings_back_lost_rights() -> None:
    migration.grant(apps)
    before, count = rights(), Permission.objects.count()
    Permission.objects.filter(codename="change_ingestjob").delete()
    migration.grant(apps)
    migration.grant(apps)
    assert rights() == before
    assert Permission.objects.count() == count


def test_the_permissions_are_named_as_django_names_them() -> None:
    migration.grant(apps)
    judged_migration.grant(apps)
    learning_migration.grant(apps)
    of_search = {**judged_migration.RIGHTS, **learning_migration.RIGHTS}
    judged = {("search", model): each for model, each in of_search.items()}
    for (app, model), (title, _rights) in {**migration.RIGHTS, **judged}.items():
        assert apps.get_model(app, model)._meta.verbose_name_raw == title
