"""Who is to be named with a collection: what is kept, shown and written for a bibliography."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from imagery.citation import bibtex, cited
from imagery.models import Collection
from imagery.services.collections import collection_update
from rsportal.errors import InvalidInput
from tests.api import SchemaClient, check_problem
from tests.factories import make_collection, make_scene, utc

pytestmark = pytest.mark.django_db
SURVEY = {"name": "Survey & Co", "roles": ["producer", "host"], "url": "https://survey.example"}


def test_a_bibliography_names_makers_and_doi(collection) -> None:
    collection.providers, collection.doi = [SURVEY, {"name": "Lab"}], "10.5066/P9OGBGM6"
    collection.license, collection.attribution = "CC-BY-4.0", "Contains 50% data"
    entry = bibtex(collection, address="https://portal.example/c")
    assert entry.startswith("@misc{archive,\n")
    for line in (
        r"author = {{Survey \& Co}},",
        r"publisher = {Survey \& Co},",
        "doi = {10.5066/P9OGBGM6},",
        "url = {https://doi.org/10.5066/P9OGBGM6},",
        r"note = {Contains 50\% data; CC-BY-4.0},",
    ):
        assert line in entry


def test_a_scene_is_cited_with_its_year_and_page(collection) -> None:
    scene = make_scene(collection, title="Harbour_1", datetime=utc(2021))
    entry = bibtex(collection, scene=scene, address="https://portal.example/s")
    assert r"title = {Harbour\_1 (Archive)}," in entry
    assert "year = {2021}," in entry
    assert "url = {https://portal.example/s}," in entry


def test_what_an_import_brought_is_shown_only_where_it_makes_sense(collection) -> None:
    collection.providers = [SURVEY, {"name": "Bad", "url": "javascript:alert(1)"}, "text", {"roles": ["host"]}]
    collection.keywords, collection.doi = ["sea", 1], "none"
    known = cited(collection)
    assert (known.providers, known.keywords, known.doi) == ([SURVEY], ["sea"], "")


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("doi", " https://doi.org/10.5066/P9OGBGM6 ", "10.5066/P9OGBGM6"),
        ("doi", "", ""),
        ("keywords", [" sea  shore", "sea shore", ""], ["sea shore"]),
        ("providers", [{"name": " A  B ", "roles": []}], [{"name": "A B"}]),
        ("citation", " Us (2020) ", "Us (2020)"),
    ],
)
def test_what_is_kept(collection, owner, field: str, value: Any, kept: Any) -> None:
    collection_update(collection=collection, user=owner, **{field: value})
    assert getattr(Collection.objects.get(pk=collection.pk), field) == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("doi", "10.5066"),
        ("keywords", "sea"),
        ("keywords", ["x" * 301]),
        ("providers", [{"name": ""}]),
        ("providers", [{"name": "A", "roles": ["boss"]}]),
        ("providers", [{"name": "A", "url": "javascript:alert(1)"}]),
        ("providers", {"name": "A"}),
        ("providers", ["A"]),
    ],
)
def test_what_is_refused(collection, owner, field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        collection_update(collection=collection, user=owner, **{field: value})
    assert refused.value.field == field


def test_the_form_writes_lists_as_people_do_and_keeps_what_it_does_not_show(collection, owner, client: Client) -> None:
    collection.providers = [SURVEY | {"processing:level": "L2A"}]
    collection.save()
    client.force_login(owner)
    address = reverse("imagery:collection_edit", args=[collection.slug])
    html = client.get(address).content.decode()
    assert "Survey &amp; Co | producer, host | https://survey.example" in html
    data = {
        "title": "Archive", "visibility": "private", "keywords": "sea, shore", "doi": "doi:10.5066/P9OGBGM6",
        "providers": "Survey & Co | producer | https://survey.example\nLab", "citation": "Us",
    }  # fmt: skip
    assert client.post(address, data).status_code == 302
    collection.refresh_from_db()
    assert collection.providers == [
        {"name": "Survey & Co", "roles": ["producer"], "url": "https://survey.example", "processing:level": "L2A"},
        {"name": "Lab"},
    ]
    assert (collection.keywords, collection.doi) == (["sea", "shore"], "10.5066/P9OGBGM6")
    refused = client.post(address, data | {"providers": "Lab | boss"})
    assert refused.status_code == 400
    assert "“boss” is no role" in refused.content.decode()


def test_the_admin_changes_only_what_was_changed(collection, owner, client: Client) -> None:
    collection.providers = [SURVEY | {"processing:level": "L2A"}]
    collection.save()
    owner.is_staff = owner.is_superuser = True
    owner.save()
    client.force_login(owner)
    address = reverse("admin:imagery_collection_change", args=[collection.pk])
    form = client.get(address).context["adminform"].form
    data = {name: value for name in form.fields if (value := form[name].value()) is not None}
    data |= {name: form[name].field.prepare_value(data[name]) for name in ("providers", "keywords")}
    formsets = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    answer = client.post(address, data | formsets | {"keywords": "sea"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    collection.refresh_from_db()
    assert collection.keywords == ["sea"]
    assert collection.providers == [SURVEY | {"processing:level": "L2A"}]


def test_pages_show_whom_to_name(owner, client: Client) -> None:
    collection = make_collection(
        "coast", owner=owner, providers=[SURVEY], doi="10.5066/P9OGBGM6", citation="Us (2020)", keywords=["sea"]
    )
    scene = make_scene(collection)
    client.force_login(owner)
    for name, key in (("collection", collection.slug), ("scene", scene.pk)):
        html = client.get(reverse(f"imagery:{name}", args=[key])).content.decode()
        for text in ("Survey &amp; Co", "https://doi.org/10.5066/P9OGBGM6", "Us (2020)", "@misc{coast", "STAC JSON"):
            assert text in html
        assert reverse(f"imagery:{name}_stac", args=[key]) in html


def test_the_api_takes_and_gives_them(owner) -> None:
    client = SchemaClient(owner)
    body = {"title": "Coast", "providers": [SURVEY], "keywords": ["sea"], "doi": "10.5066/P9OGBGM6", "citation": "Us"}
    made = client.post("/api/v1/collections/", body, format="json")
    assert made.status_code == 201
    assert body.items() <= made.json().items()
    refused = client.patch("/api/v1/collections/coast/", {"doi": "x"}, format="json")
    check_problem(refused, 400, field="doi")
