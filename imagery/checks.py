"""System checks of the catalogue."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register

from rsportal.errors import RsportalError


@register(Tags.database)
def encoder_files(*, databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """The active encoder's files must be there and give vectors of the length it was registered with."""
    from django.db import DatabaseError

    from imagery.encoders.registry import describe
    from imagery.models import Encoder
    from imagery.services.encoders import encoder_spec
    from imagery.services.selftest import selftest_problem

    if not databases or "default" not in databases:
        return []
    try:
        active = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
    except DatabaseError:
        return []  # No tables yet, or no database: other checks say so.
    if active is None:
        hint = 'Run "manage.py encoder ensure" for the built-in one.'
        return [Warning("No encoder is active: nothing can be searched.", hint=hint, id="imagery.W001")]
    try:
        facts = describe(encoder_spec(active))
    except RsportalError as error:
        hint = 'Put the files back, or activate another encoder: "manage.py encoder activate NAME".'
        return [Error(f"The active encoder {active.name!r}: {error.message}", hint=hint, id="imagery.E001")]
    if facts.dimension != active.dimension:
        return [
            Error(
                f"The files of the active encoder {active.name!r} give vectors of {facts.dimension} numbers, "
                f"not {active.dimension}.",
                hint="Put the files back that it was registered with, or register the new ones under a new name.",
                id="imagery.E002",
            )
        ]
    if reason := selftest_problem(active):
        hint = f'"manage.py encoder check {active.name}" tests it again.'
        return [Warning(reason, hint=hint, id="imagery.W002")]
    return []
