"""Judged sets from and to files: TREC round trips, bad lines that are named, sets made of scene classes."""

import io
import uuid

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from imagery.models import Asset
from imagery.models.collection import Visibility
from search.judged.trec import Qrel, Topic, qrel_line, qrels_read, topic_line, topics_read
from search.models import JudgedQuery, JudgedSet, RelevanceJudgement
from tests.factories import make_collection, make_scene, make_user
from tests.search.judged import judge, make_judged_query, make_judged_set

KEYS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="\ufeff"),
    min_size=1,
    max_size=20,
).filter(lambda key: not any(char.isspace() for char in key))
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
TEXTS = NAMES.filter(lambda text: text.strip() and text.strip() == " ".join(text.split()) and text == text.strip())


@given(st.lists(st.tuples(KEYS, NAMES, st.integers(0, 3)), max_size=8))
def test_judgements_survive_the_trip_through_a_file(rows):
    text = "".join(f"{qrel_line(key=key, document=name, grade=grade)}\n" for key, name, grade in rows)
    found, bad = qrels_read(io.StringIO(text, newline="\n"), file="a.qrels")
    assert not bad
    assert found == [Qrel(number, key, name, grade) for number, (key, name, grade) in enumerate(rows, start=1)]


@given(st.lists(st.tuples(KEYS, TEXTS), max_size=8))
def test_queries_survive_the_trip_through_a_file(rows):
    text = "".join(f"{topic_line(key=key, text=words)}\n" for key, words in rows)
    found, bad = topics_read(io.StringIO(text, newline="\n"), file="topics.tsv")
    assert not bad
    assert found == [Topic(number, key, words) for number, (key, words) in enumerate(rows, start=1)]


def test_lines_as_other_tools_write_them():
    lines = ["\ufeff1 0 a.tif 3\r\n", "\n", "1\tQ0\tb%20c.tif\t0\n", "1 0 100%.tif 1"]
    found, bad = qrels_read(lines, file="x")
    assert [(row.number, row.document, row.grade) for row in found] == [
        (1, "a.tif", 3),
        (3, "b c.tif", 0),
        (4, "100%.tif", 1),
    ]
    assert not bad
    _found, bad = qrels_read(["1 0 a", "1 0 a -2", "1 0 a 4", "1 0 a ２", "1 0 a b 1", f"{'x' * 61} 0 a 1"], file="x")
    assert [each.number for each in bad] == [1, 2, 3, 4, 5, 6]
    assert "3 columns" in str(bad[0]) and str(bad[1]) == "x, line 2: the grade is '-2'; it must be 0, 1, 2 or 3."
    _topics, bad = topics_read(["1\t", "words only", "\tharbour", "a b\tharbour"], file="t")
    assert [each.number for each in bad] == [1, 2, 3, 4]


@pytest.fixture
def boss(db):
    return make_user("boss", superuser=True)


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    call_command("judged_set", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_import_makes_a_set_names_bad_lines_and_takes_the_rest(boss, tmp_path):
    collection = make_collection("bay", owner=boss)
    scene, other = make_scene(collection), make_scene(make_collection(owner=boss))
    topics, qrels = tmp_path / "topics.tsv", tmp_path / "judged.qrels"
    topics.write_text("7\tan old harbour\n8\t港口\n7\ttwice\nno tab\n")
    qrels.write_text(
        f"7 0 {scene.pk} 3\n9 0 {scene.pk} 1\n8 0 {other.pk} 1\n8 0 nonsense 1\n7 0 {scene.pk} 1\n7 0 {scene.pk} 3\n"
    )
    said, named = run("import", "--set", "bays", "--collection", "bay", "--topics", str(topics), "--qrels", str(qrels))
    judged_set = JudgedSet.objects.get()
    assert (judged_set.owner, judged_set.collection, judged_set.sharing) == (boss, collection, "private")
    assert list(judged_set.queries.values_list("key", "text", "language")) == [
        ("7", "an old harbour", ""), ("8", "港口", "zh"),
    ]  # fmt: skip
    judgement = RelevanceJudgement.objects.get()
    assert (judgement.scene, judgement.grade, judgement.judged_by) == (scene, 3, boss)
    assert f"{topics}, line 3: query 7 stands in line 1 already." in named
    assert f"{topics}, line 4:" in named
    assert f"{qrels}, line 2: the set has no query 9" in named
    assert f"{qrels}, line 3: there is no scene {other.pk} in this set's collection, or you may not see it." in named
    assert f"{qrels}, line 4: nonsense is no scene id" in named
    assert f"{qrels}, line 5: line 1 gives the same scene the grade 3." in named
    assert "2 queries" in said and "1 judgements" in said and "4 lines left out" in said
    # A second time nothing is doubled, and what changed is changed.
    topics.write_text("7\ta new harbour\n")
    qrels.write_text(f"7 0 {scene.pk} 2\n")
    run("import", "--set", "bays", "--topics", str(topics), "--qrels", str(qrels))
    assert set(judged_set.queries.values_list("text", flat=True)) == {"a new harbour", "港口"}
    assert RelevanceJudgement.objects.get().grade == 2


@pytest.mark.parametrize("kind", ["uuid", "filename"])
def test_a_set_comes_back_as_it_was_exported(boss, tmp_path, kind):
    collection = make_collection(owner=boss)
    scenes = [make_scene(collection) for _each in range(3)]
    for scene, name in zip(scenes, ("a b%20.tif", "100%.tif", "港 口.tif"), strict=True):
        Asset.objects.filter(scene=scene, role=Asset.Role.DATA).update(filename=name)
    judged_set = make_judged_set(boss)
    for number, text in enumerate(("harbour", "a bridge over a river", "港口"), start=1):
        query = make_judged_query(judged_set, text, key=f"q{number}")
        for grade, scene in enumerate(scenes):
            judge(query, scene, (grade + number) % 4)
    files = ["--topics", str(tmp_path / "t"), "--qrels", str(tmp_path / "q"), "--docids", kind]
    run("export", "--set", "bays", *files)
    said, named = run("import", "--set", "copy", *files)
    assert not named and "9 judgements" in said

    def content(name):
        rows = RelevanceJudgement.objects.filter(query__judged_set__name=name)
        return sorted(rows.values_list("query__key", "query__text", "scene", "grade"), key=str)

    assert content("copy") == content("bays")


def test_file_names_that_several_scenes_have_are_refused_both_ways(boss, tmp_path):
    collection = make_collection(owner=boss)
    scenes = [make_scene(collection), make_scene(collection)]
    Asset.objects.filter(role=Asset.Role.DATA).update(filename="same.tif")
    judged_set = make_judged_set(boss)
    query = make_judged_query(judged_set)
    for scene in scenes:
        judge(query, scene, 1)
    file = tmp_path / "q"
    said, named = run("export", "--set", "bays", "--qrels", str(file), "--docids", "filename")
    assert "0 judgements" in said and "2 judged scenes have a file same.tif" in named
    file.write_text("1 0 same.tif 2\n1 0 other.tif 2\n")
    _said, named = run("import", "--set", "bays", "--qrels", str(file), "--docids", "filename")
    assert "line 1: 2 scenes have a file same.tif: write their ids." in named
    assert "line 2: there is no scene with a file other.tif" in named


def test_phrases_with_classes_become_a_judged_set(boss, tmp_path):
    collection = make_collection(owner=boss)
    ports = [make_scene(collection, properties={"kind": "port"}) for _each in range(2)]
    farm = make_scene(collection, properties={"kind": "farm"})
    make_scene(collection, properties={"kind": 7})
    make_scene(collection)
    file = tmp_path / "phrases.jsonl"
    file.write_text(
        '{"text": "a port", "language": "en", "class": "port"}\n{"text": "港口", "language": "zh", "class": "port"}\n'
        '{"text": "fields", "language": "en", "class": "farm"}\n'
        '{"text": "ice", "language": "en", "class": "ice"}\nbroken\n'
    )
    arguments = ("import", "--set", "classes", "--queries", str(file), "--class-property", "kind")
    said, named = run(*arguments)
    assert "4 queries and 5 judgements" in said
    assert "No scene of the set has the 'kind' ice" in named and f"{file}, line 5: it is no JSON" in named
    judged_set = JudgedSet.objects.get()
    assert judged_set.class_property == "kind"
    chinese = JudgedQuery.objects.get(language="zh")
    assert set(chinese.judgements.values_list("scene", "grade")) == {(port.pk, 2) for port in ports}
    assert not RelevanceJudgement.objects.filter(scene=farm, query__scene_class="port").exists()
    make_scene(collection, properties={"kind": "ice"})
    said, named = run(*arguments)
    assert "4 queries and 6 judgements" in said and JudgedQuery.objects.count() == 4
    # A name of a property is never read as a path of lookups.
    said, named = run("import", "--set", "odd", "--queries", str(file), "--class-property", "kind__startswith")
    assert "0 judgements" in said and "port" in named


def test_deleting_a_scene_keeps_the_query(boss):
    scene = make_scene(make_collection(owner=boss))
    query = make_judged_query(make_judged_set(boss))
    judge(query, scene, 3)
    scene.delete()
    assert query.judgements.count() == 0 and JudgedQuery.objects.filter(pk=query.pk).exists()


def test_the_command_acts_as_the_named_person(boss, tmp_path):
    ana, bea = make_user("ana"), make_user("bea")
    hidden = make_scene(make_collection("hidden", owner=bea))
    judged_set = make_judged_set(ana)
    query = make_judged_query(judged_set)
    judge(query, hidden, 3)
    assert "0 judgements" in run("list", "--as", "ana")[0]
    assert "1 judgements" in run("list")[0]
    file = tmp_path / "q"
    assert "0 judgements written" in run("export", "--set", "bays", "--qrels", str(file), "--as", "ana")[0]
    assert file.read_text() == ""
    file.write_text(f"1 0 {hidden.pk} 1\n1 0 {uuid.uuid4()} 1\n")
    _said, named = run("import", "--set", "bays", "--qrels", str(file), "--as", "ana")
    reasons = [line.split(": ", 1)[1].replace(str(hidden.pk), "ID") for line in named.splitlines()]
    assert reasons[0].startswith("there is no scene ID in") and len(reasons) == 2
    for wrong, reason in (
        (("list", "--as", "nobody"), "no active user"),
        (("export", "--set", "bays", "--as", "bea", "--topics", str(file)), "no judged query set 'bays'"),
        (("export", "--set", "bays"), "Name at least one file"),
        (("import", "--set", "bays"), "Name at least one file"),
        (("import", "--set", "new", "--as", "ana", "--collection", "hidden", "--qrels", str(file)), "no collection"),
        (("import", "--set", "bays", "--qrels", "/nowhere/q"), "cannot be read"),
    ):
        with pytest.raises(CommandError, match=reason):
            run(*wrong)


def test_two_people_may_have_a_set_of_one_name(boss):
    make_judged_set(make_user("ana"))
    make_judged_set(make_user("bea"))
    with pytest.raises(CommandError, match="write owner/name"):
        run("export", "--set", "bays", "--topics", "/dev/null")
    assert "0 queries written" in run("export", "--set", "bea/bays", "--topics", "/dev/null")[0]


def test_a_shared_set_is_judged_by_file_but_its_queries_are_the_owners(boss, tmp_path):
    ana = make_user("ana")
    collection = make_collection(owner=boss, visibility=Visibility.ALL_USERS)
    scene = make_scene(collection)
    judged_set = make_judged_set(boss, collection=collection, sharing="judge")
    make_judged_query(judged_set)
    qrels, topics = tmp_path / "q", tmp_path / "t"
    qrels.write_text(f"1 0 {scene.pk} 2\n")
    topics.write_text("2\triver\n")
    assert "1 judgements" in run("import", "--set", "bays", "--as", "ana", "--qrels", str(qrels))[0]
    assert RelevanceJudgement.objects.get().judged_by == ana
    with pytest.raises(CommandError, match="Only the owner"):
        run("import", "--set", "bays", "--as", "ana", "--topics", str(topics))
    JudgedSet.objects.update(sharing="view")
    with pytest.raises(CommandError, match="not judge in it"):
        run("import", "--set", "bays", "--as", "ana", "--qrels", str(qrels))
