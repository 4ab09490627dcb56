"""Several people at the same collection at the same moment."""

import pytest

from imagery.models import Collection
from imagery.services.collections import collection_create, collection_delete
from rsportal.errors import InvalidInput
from tests.factories import make_collection, make_user
from tests.threads import THREADS, at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_gets_an_address_and_the_others_are_told_that_it_is_taken():
    user = make_user()
    errors = at_once(lambda: collection_create(user=user, title="Bay", slug="bay"))
    assert Collection.objects.count() == 1
    assert [(type(error), getattr(error, "field", "")) for error in errors] == [(InvalidInput, "slug")] * (THREADS - 1)


def test_deleting_twice_at_once_is_deleting_once():
    collection = make_collection("bay")
    assert at_once(lambda: collection_delete(collection=collection, user=collection.owner)) == []
    assert not Collection.objects.exists()
