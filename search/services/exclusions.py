"""Excluding a person's feedback, or feedback on a scene, from everybody's rankings; nothing that is kept is erased."""

from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from imagery.models import Scene
from rsportal.accounts.models import User
from rsportal.errors import Conflict, InvalidInput, NotAllowed
from search.models import FeedbackExclusion

MOST_REASON: Final = 500  # characters


def feedback_exclude(
    *, user: User, person: User | None = None, scene: Scene | None = None, reason: str
) -> FeedbackExclusion:
    """Let what a ``person`` did, or what anybody did with a ``scene``, have no say in the rankings of others.

    It is so from the next search on; their own rankings still learn from it. Raises NotAllowed (people: superusers;
    scenes: whoever may change them), InvalidInput (field ``reason``) and Conflict if it is excluded already.
    """
    if (person is None) == (scene is None):
        raise ValueError("one of person and scene")
    reason = reason.strip()
    if not reason or len(reason) > MOST_REASON:
        raise InvalidInput(
            _("Say why, in at most %(most)d characters: those who look later want to know.") % {"most": MOST_REASON},
            field="reason",
        )
    if person is not None and not (user.is_active and user.is_superuser):
        raise NotAllowed(_("Only superusers exclude people."))
    if scene is not None and not Scene.objects.editable_by(user).filter(pk=scene.pk).exists():
        raise NotAllowed(_("Only who may change a scene excludes feedback on it."))
    exclusion = FeedbackExclusion(user=person, scene=scene, reason=reason, created_by=user)
    exclusion.full_clean(exclude=["user", "scene", "created_by"], validate_unique=False, validate_constraints=False)
    try:
        with transaction.atomic():
            exclusion.save()
    except IntegrityError:
        raise Conflict(_("Feedback of or on %(name)s is excluded already.") % {"name": str(exclusion)}) from None
    return exclusion


def feedback_include(*, user: User, exclusion: FeedbackExclusion) -> None:
    """Let it count again, with all that was done before and meanwhile. Raises NotAllowed as ``feedback_exclude``."""
    if not FeedbackExclusion.objects.editable_by(user).filter(pk=exclusion.pk).exists():
        raise NotAllowed(_("Only who could exclude this may let it count again."))
    exclusion.delete()
