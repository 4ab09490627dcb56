"""What the endpoints of the catalogue share."""

from collections.abc import Callable
from typing import TypeVar, cast

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.viewsets import GenericViewSet

from imagery.models import Collection
from imagery.selectors import collection_get
from rsportal.accounts.models import User
from rsportal.api.pagination import KeysetPagination
from rsportal.errors import InvalidInput

T = TypeVar("T")


class CatalogueViewSet(GenericViewSet):
    """Reads through selectors, writes through services; pages by ``keyset``.

    ``problem_codes`` names the statuses an action answers with beyond those every action has.
    """

    pagination_class = KeysetPagination
    filter_backends = []
    keyset: tuple[str, str] = ("-created_at", "-id")
    problem_codes: dict[str, tuple[str, ...]] = {}

    @property
    def user(self) -> User:
        """The person asking; never anonymous, the permission classes see to that."""
        return cast(User, self.request.user)


def found(get: Callable[[], T]) -> T:
    """Return what a selector finds, or answer 404, also for what the person may not see."""
    try:
        return get()
    except ObjectDoesNotExist:
        raise NotFound from None


def collection_given(user: User, slug: str) -> Collection:
    """Return the collection a request names. Raises InvalidInput, also for one that the person may not see."""
    try:
        return collection_get(user, slug)
    except Collection.DoesNotExist:
        message = _("There is no collection “%s”, or you may not see it.") % slug
        raise InvalidInput(message, field="collection") from None
