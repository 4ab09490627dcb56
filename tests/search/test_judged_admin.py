"""Judged sets in the administration: judging, files, runs, and that nobody meets what is not theirs."""

import io
import re

import pytest
from django.urls import reverse

from imagery.models.collection import Visibility
from search.encode_query import query_vectors_forget
from search.models import JudgedQuery, JudgedSet, RankingRun, RelevanceJudgement
from search.selectors_judged import judged_queries_list, judged_sets_list
from tests.factories import know_query, make_collection, make_encoder, make_scene, make_user
from tests.search.judged import at_angle, judge, make_judged_query, make_judged_set, make_ranked_scenes
from tests.staff import make_curator

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget():
    query_vectors_forget()


@pytest.fixture
def carla(client):
    make_encoder("one")
    know_query("harbour")
    carla = make_curator("carla")
    client.force_login(carla)
    return carla


def page(client, name, *args, status=200, **query):
    answer = client.get(reverse(f"admin:{name}", args=args), query)
    assert answer.status_code == status
    return answer.content.decode()


def shown_scenes(html):
    return re.findall(r'id="scene-([0-9a-f-]{36})"', html)


def test_a_curator_makes_a_set_queries_and_judges_them_without_scripts(client, carla):
    scenes = make_ranked_scenes(carla, 4)
    answer = client.post(
        reverse("admin:search_judgedset_add"),
        {"name": "bays", "sharing": "private", "depth": 2, "configurations": "one\none:windows=off"},
    )
    judged_set = JudgedSet.objects.get()
    assert answer.status_code == 302
    assert (judged_set.owner, judged_set.configurations, judged_set.depth) == (carla, ["one", "one:windows=off"], 2)
    client.post(reverse("admin:search_judgedquery_add"), {"judged_set": judged_set.pk, "text": "harbour"})
    query = JudgedQuery.objects.get()
    assert (query.key, query.filters) == ("1", {})
    start = client.get(reverse("admin:search_judged_start", args=[judged_set.pk]))
    assert start.url == reverse("admin:search_judged_judge", args=[judged_set.pk, query.pk])
    html = client.get(start.url).content.decode()
    assert set(shown_scenes(html)) == {str(scene.pk) for scene in scenes[:2]}
    assert shown_scenes(html) == sorted(shown_scenes(html)), "in an order that says nothing of the rank"
    assert "0 of 2 judged" in html
    answer = client.post(start.url, {"scene": scenes[0].pk, "grade": "3"})
    assert answer.url == f"{start.url}#scene-{scenes[0].pk}"
    judgement = RelevanceJudgement.objects.get()
    assert (judgement.scene, judgement.grade, judgement.judged_by) == (scenes[0], 3, carla)
    html = client.get(start.url).content.decode()
    assert "1 of 2 judged" in html and 'data-grade="3"' in html
    client.post(start.url, {"scene": scenes[0].pk, "grade": "1"})
    assert RelevanceJudgement.objects.get().grade == 1
    client.post(start.url, {"scene": scenes[0].pk, "grade": ""})
    assert not RelevanceJudgement.objects.exists()
    judge(query, scenes[3], 2)
    assert "not among the first hits now" in client.get(start.url).content.decode()


def test_a_grade_by_key_is_answered_with_what_went_wrong(client, carla):
    (scene,) = make_ranked_scenes(carla, 1)
    hidden = make_scene(make_collection())
    judged_set = make_judged_set(carla)
    query = make_judged_query(judged_set)
    address = reverse("admin:search_judged_judge", args=[judged_set.pk, query.pk])

    def send(**data):
        return client.post(address, data, headers={"X-Requested-With": "judge"})

    assert send(scene=scene.pk, grade="2").json() == {"error": ""}
    for data, reason in (
        ({"scene": scene.pk, "grade": "4"}, "must be 0, 1, 2 or 3"),
        ({"scene": hidden.pk, "grade": "1"}, "no such scene"),
        ({"scene": "nonsense", "grade": "1"}, "no such scene"),
        ({}, "no such scene"),
    ):
        answer = send(**data)
        assert answer.status_code == 400 and reason in answer.json()["error"]
    assert RelevanceJudgement.objects.get().grade == 2
    assert "no such scene" in client.post(address, {"scene": hidden.pk, "grade": "1"}, follow=True).content.decode()


def test_filters_and_collection_narrow_the_pool(client, carla):
    collection = make_collection(owner=carla)
    clear, cloudy = (
        make_scene(collection, vector=at_angle(angle), cloud_cover=cover) for angle, cover in ((10, 5.0), (5, 80.0))
    )
    make_scene(make_collection(owner=carla), vector=at_angle(1), cloud_cover=1.0)
    judged_set = make_judged_set(carla, collection=collection)
    query = make_judged_query(judged_set, filters={"cloud_cover_max": 20})
    html = page(client, "search_judged_judge", judged_set.pk, query.pk)
    assert shown_scenes(html) == [str(clear.pk)]
    plain = make_judged_query(judged_set)
    assert set(shown_scenes(page(client, "search_judged_judge", judged_set.pk, plain.pk))) == {
        str(clear.pk), str(cloudy.pk),
    }  # fmt: skip


def test_forms_say_what_is_wrong_and_keep_what_was_written(client, carla):
    add = reverse("admin:search_judgedset_add")
    make_judged_set(carla, "taken")
    hidden = make_collection("hidden")
    good = {"name": "bays", "sharing": "private", "depth": 10}
    for wrong, reason in (
        ({"sharing": "view"}, "Only a set that is bound to a collection"),
        ({"name": "taken"}, "of this name already"),
        ({"configurations": "nowhere"}, "no encoder &#x27;nowhere&#x27;"),
        ({"depth": 0}, "greater than or equal to 1"),
        ({"collection": hidden.pk}, "Select a valid choice"),
    ):
        html = client.post(add, {**good, **wrong}).content.decode()
        assert reason in html and "Hidden" not in html
    assert JudgedSet.objects.count() == 1
    judged_set = JudgedSet.objects.get()
    make_judged_query(judged_set)
    add = reverse("admin:search_judgedquery_add")
    good = {"judged_set": judged_set.pk, "text": "river"}
    for wrong, reason in (
        ({"text": "  "}, "This field is required"),
        ({"key": "1"}, "of this number already"),
        ({"key": "a b"}, "has no spaces"),
        ({"filters": "{broken"}, "This is no JSON"),
        ({"filters": '{"colour": 1}'}, "is no filter of a judged query"),
        ({"filters": '{"start": "tomorrow"}'}, "is not a day"),
        ({"filters": '{"platform": 3}'}, "cannot be read"),
        ({"filters": "[1]"}, "is no filter"),
    ):
        html = client.post(add, {**good, **wrong}).content.decode()
        assert reason in html, (wrong, re.findall(r"errorlist.*?</ul>", html, re.DOTALL))
    client.post(add, {**good, "filters": '{"platform": "Landsat-8", "gsd_max": "30"}', "key": "7"})
    assert JudgedQuery.objects.get(key="7").filters == {"platform": ["Landsat-8"], "gsd_max": 30.0}
    change = reverse("admin:search_judgedquery_change", args=[JudgedQuery.objects.get(key="7").pk])
    client.post(change, {"text": "a wide river", "filters": "", "key": "7", "language": "en"})
    query = JudgedQuery.objects.get(key="7")
    assert (query.text, query.filters, query.language, query.judged_set) == ("a wide river", {}, "en", judged_set)


def test_files_go_in_and_out_and_bad_lines_are_named(client, carla):
    scenes = make_ranked_scenes(carla, 2)
    judged_set = make_judged_set(carla)
    address = reverse("admin:search_judged_import", args=[judged_set.pk])

    def file(name, text):
        made = io.BytesIO(text if isinstance(text, bytes) else text.encode())
        made.name = name
        return made

    plain = {"docids": "uuid", "class_property": "class"}
    html = client.post(
        address,
        {
            **plain,
            "lines": "harbour\n\nriver\n",
            "topics": file("t.tsv", "9\tbridge\nbad\n"),
            "qrels": file("q.txt", f"9 0 {scenes[0].pk} 3\n9 0 {scenes[1].pk} x\n"),
        },
    ).content.decode()
    assert "Queries: 2 queries" in html and "t.tsv: 1 query" in html and "q.txt: 1 judgement" in html
    assert "t.tsv, line 2" in html and "q.txt, line 2" in html
    assert "not UTF-8" in client.post(address, {**plain, "topics": file("t", b"\xff\xfe")}).content.decode()
    assert "no JSON" in client.post(address, {**plain, "phrases": file("p", "broken")}).content.decode()
    export = page(client, "search_judged_export", judged_set.pk, "qrels")
    assert export == f"9 0 {scenes[0].pk} 3\n"
    assert "9\tbridge\n" in page(client, "search_judged_export", judged_set.pk, "topics")
    assert page(client, "search_judged_export", judged_set.pk, "qrels", docids="filename").endswith(".png 3\n")
    page(client, "search_judged_export", judged_set.pk, "qrels", docids="title", status=404)


def test_measuring_and_curves(client, carla):
    scenes = make_ranked_scenes(carla, 12)
    judged_set = make_judged_set(carla)
    query = make_judged_query(judged_set)
    judge(query, scenes[3], 2)
    address = reverse("admin:search_judged_runs", args=[judged_set.pk])
    assert "Nothing was measured" in client.get(address).content.decode()
    answer = client.post(address, {"configurations": "one\none:windows=0.5\n"})
    first, second = RankingRun.objects.order_by("pk")
    assert answer.url == f"{address}?run={first.pk}&run={second.pk}"
    html = client.get(answer.url).content.decode()
    assert html.count('role="img"') == 3 and html.count("<title id=") == 3 and "As a table" in html
    assert "better for 0, worse for 0 of 1 query" in html and "No query changed" in html
    assert "0.431 [0.431, 0.431]" in html, "1 / log2(5)"
    assert "style=" not in html.split('id="content"')[1], "inline styles are barred"
    assert "There is no encoder" in client.post(address, {"configurations": "nowhere"}).content.decode()
    JudgedQuery.objects.bulk_create(
        JudgedQuery(judged_set=judged_set, key=f"more-{number}", text="harbour") for number in range(400)
    )
    assert "waits for 400 at most" in client.post(address, {"configurations": ""}).content.decode()
    assert RankingRun.objects.count() == 2


def test_a_shared_set_shows_only_what_the_viewer_may_see(client, carla):
    ana = make_user("ana")
    collection = make_collection(owner=ana, visibility=Visibility.ALL_USERS)
    private = make_collection("secret-bay", owner=ana)
    seen, moved = make_scene(collection, vector=at_angle(5)), make_scene(private, title="secret", vector=at_angle(1))
    judged_set = make_judged_set(ana, collection=collection, sharing="view")
    query = make_judged_query(judged_set)
    judge(query, seen, 3, by=ana)
    judge(query, moved, 3, by=ana)
    assert judged_sets_list(carla).get().judgement_count == 1
    assert judged_queries_list(carla).get().relevant_count == 1
    html = page(client, "search_judged_judge", judged_set.pk, query.pk)
    assert shown_scenes(html) == [str(seen.pk)] and 'name="grade"' not in html and "secret" not in html
    assert page(client, "search_judged_export", judged_set.pk, "qrels") == f"1 0 {seen.pk} 3\n"
    address = reverse("admin:search_judged_judge", args=[judged_set.pk, query.pk])
    assert "not judge in it" in client.post(address, {"scene": seen.pk, "grade": "0"}, follow=True).content.decode()
    change = reverse("admin:search_judgedset_change", args=[judged_set.pk])
    assert client.post(change, {"name": "taken", "depth": 1, "sharing": "private"}).status_code == 403
    assert (
        client.post(reverse("admin:search_judgedset_delete", args=[judged_set.pk]), {"post": "yes"}).status_code == 403
    )
    page(client, "search_judged_import", judged_set.pk, status=403)
    JudgedSet.objects.update(sharing="judge")
    client.post(address, {"scene": seen.pk, "grade": "1"})
    assert RelevanceJudgement.objects.get(scene=seen).judged_by == carla
    html = page(client, "search_judged_import", judged_set.pk)
    assert 'name="qrels"' in html and 'name="topics"' not in html
    collection.visibility = Visibility.PRIVATE
    collection.save()
    page(client, "search_judged_judge", judged_set.pk, query.pk, status=404)
    page(client, "search_judged_export", judged_set.pk, "topics", status=404)
    page(client, "search_judged_runs", judged_set.pk, status=404)


def test_runs_are_seen_by_who_made_them_or_sees_all_that_they_searched(client, carla):
    ana, boss = make_user("ana"), make_user("boss", superuser=True)
    collection = make_collection(owner=ana, visibility=Visibility.ALL_USERS)
    judged_set = make_judged_set(ana, collection=collection, sharing="view")
    everywhere = make_judged_set(carla, "everywhere")

    def run(judged_set, user, **fields):
        return RankingRun.objects.create(judged_set=judged_set, user=user, configuration="one", **fields)

    bound = run(judged_set, ana, collection=collection)
    of_boss, own = run(everywhere, boss), run(everywhere, carla)
    assert set(RankingRun.objects.visible_to(carla)) == {bound, own}
    assert set(RankingRun.objects.visible_to(boss)) == {bound, of_boss, own}
    assert set(RankingRun.objects.visible_to(ana)) == {bound}
    html = page(client, "search_judged_runs", judged_set.pk)
    assert "ana" not in re.sub("<[^>]*>", " ", html).split(), "who ran it is not told"
    delete = reverse("admin:search_rankingrun_delete", args=[bound.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    client.post(reverse("admin:search_rankingrun_delete", args=[own.pk]), {"post": "yes"})
    assert set(RankingRun.objects.all()) == {bound, of_boss}
    carla.is_active = False
    assert not JudgedSet.objects.visible_to(carla) and not RankingRun.objects.visible_to(carla)


def test_a_set_outlives_its_collection_and_is_then_the_owners_alone(client, carla):
    ana = make_user("ana")
    collection = make_collection(owner=ana, visibility=Visibility.ALL_USERS)
    judged_set = make_judged_set(ana, collection=collection, sharing="judge")
    assert judged_sets_list(carla).exists()
    collection.delete()
    assert not judged_sets_list(carla).exists() and judged_sets_list(ana).get() == judged_set


def test_an_owner_who_lost_the_collection_keeps_the_set_without_its_name(client, carla):
    collection = make_collection("far-bay", visibility=Visibility.ALL_USERS)
    judged_set = make_judged_set(carla, collection=collection)
    collection.visibility = Visibility.PRIVATE
    collection.save()
    assert "Far bay" not in page(client, "search_judgedset_changelist")
    change = reverse("admin:search_judgedset_change", args=[judged_set.pk])
    assert "Far bay" not in client.get(change).content.decode()
    client.post(change, {"name": "renamed", "depth": 10, "sharing": "private"})
    judged_set.refresh_from_db()
    assert (judged_set.name, judged_set.collection) == ("renamed", collection)


def test_deleting_asks_without_naming_hidden_scenes_and_takes_the_set(client, carla):
    hidden = make_scene(make_collection())
    judged_set = make_judged_set(carla)
    judge(make_judged_query(judged_set), hidden, 1)
    delete = reverse("admin:search_judgedset_delete", args=[judged_set.pk])
    assert str(hidden.pk) not in client.get(delete).content.decode()
    client.post(delete, {"post": "yes"})
    assert not JudgedSet.objects.exists() and not RelevanceJudgement.objects.exists()


def test_lists_ask_no_more_for_more_rows(client, carla, django_assert_max_num_queries):
    for number in range(6):
        judged_set = make_judged_set(carla, f"set-{number}", collection=make_collection(owner=carla))
        make_judged_query(judged_set)
        RankingRun.objects.create(judged_set=judged_set, user=carla, configuration="one")
    for name in ("judgedset", "judgedquery", "rankingrun"):
        with django_assert_max_num_queries(14):
            page(client, f"search_{name}_changelist")
