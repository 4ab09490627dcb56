"""The second look reorders the first hits by a real cross-encoder, within its time, and never stops a search."""

import itertools
import re
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as portal
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image

from imagery.encoders.cross_encoder import CrossEncoder
from imagery.encoders.cross_encoder_files import CrossEncoderSpec
from imagery.models import Asset, Scene, Tile
from imagery.models.collection import Visibility
from imagery.tile_pictures import TilePictures
from imagery.tiling import TileWindow
from search.checks import cross_encoder_model
from search.engine import ranker_of, request_answer
from search.query import search_request_parse
from search.ranking import RankedScenes
from search.ranking.cross_encoder import second_look_order, second_look_rank, standardised
from search.reasons import reason_lines
from search.second_look import Hits, Scores, Stopped, cross_encoder, scores, second_look
from tests import factories
from tests.itm_checkpoint import IMAGE_SIZE, blip_checkpoint

WINDOW = (16, 8, 32, 32)
ON = {"cross_encoder": {"on": True, "weight": 1.0, "hits": 4}}


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    return blip_checkpoint(tmp_path_factory.mktemp("blip"))


@pytest.fixture(autouse=True)
def nothing_kept():
    scores.clear()


# The stage


def test_weights_order_the_looked_at_hits_among_their_places():
    first = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    odds = np.array([-2.0, np.nan, 3.0, 1.0, np.nan])
    assert second_look_order(scores=first, log_odds=odds, weight=0.0).tolist() == [0, 1, 2, 3, 4]
    # z over hits 0, 2 and 3: scores 1.336, -0.267, -1.069; log odds -1.298, 1.136, 0.162.
    assert second_look_order(scores=first, log_odds=odds, weight=1.0).tolist() == [2, 1, 0, 3, 4]
    assert second_look_order(scores=first, log_odds=odds, weight=10.0).tolist() == [2, 1, 3, 0, 4]


def test_nothing_looked_at_or_nothing_to_tell_apart_changes_nothing():
    first = np.array([0.9, 0.8, 0.7])
    for odds in (np.full(3, np.nan), np.full(3, 2.0), np.array([np.nan, 5.0, np.nan])):
        assert second_look_order(scores=first, log_odds=odds, weight=1.0).tolist() == [0, 1, 2]
    assert second_look_order(scores=np.zeros(0), log_odds=np.zeros(0), weight=1.0).tolist() == []
    assert standardised(np.array([3.0, 3.0])).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="one number a hit"):
        second_look_order(scores=first, log_odds=np.zeros(2), weight=1.0)


def test_scores_stay_with_the_places_and_reasons_go_with_the_hits():
    ids = np.array(["a", "b", "c", "d"], dtype=object)
    ranked = RankedScenes(ids, np.arange(4), np.array([4.0, 3.0, 2.0, 1.0]), np.array([0.4, 0.3, 0.2, 0.1]),
                          [{"similarity": value} for value in (0.4, 0.3, 0.2, 0.1)])  # fmt: skip
    again = second_look_rank(ranked, log_odds=np.array([-4.0, np.nan, 4.0]), weight=9.0, skipped="time")
    assert again.scene_ids.tolist() == ["c", "b", "a", "d"]
    assert again.tile_ids.tolist() == [2, 1, 0, 3]
    assert again.scores.tolist() == [4.0, 3.0, 2.0, 1.0]
    assert again.similarities.tolist() == [0.2, 0.3, 0.4, 0.1]
    assert again.reasons == [
        {"similarity": 0.2, "cross_encoder": {"chance": 0.982}, "cross_encoder.places": 2},
        {"similarity": 0.3, "cross_encoder": {"skipped": "time"}},
        {"similarity": 0.4, "cross_encoder": {"chance": 0.018}, "cross_encoder.places": -2},
        {"similarity": 0.1},
    ]
    assert ranked.reasons[0] == {"similarity": 0.4}, "the ranking before it is not changed"


def test_kept_scores_are_bounded_and_the_oldest_go():
    kept = Scores(3)
    kept.put("k", {1: 0.1, 2: 0.2, 3: 0.3})
    kept.put("k", {1: 0.15, 4: 0.4})
    assert kept.get("k", [1, 2, 3, 4]) == [0.15, None, 0.3, 0.4]
    assert kept.get("other", [1]) == [None]


# Pictures


def _tile(scene: Scene, *, window=None) -> TileWindow:
    x, y, width, height = window or (0, 0, scene.width, scene.height)
    return TileWindow(level=1 if window else 0, x=x, y=y, width=width, height=height)


def _scene_with_files(size: int = 800, small: int = 200, **fields) -> Scene:
    """A scene whose thumbnail is a quarter of it; every pixel tells its place."""
    scene = factories.make_scene(width=size, height=size, files=True, **fields)
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    pixels = np.dstack([x * 255 // size, y * 255 // size, np.full_like(x, 90)]).astype(np.uint8)
    for asset in scene.assets.all():
        options: dict[str, Any] = {} if asset.role == Asset.Role.DATA else {"lossless": True}
        side = small if asset.role == Asset.Role.THUMBNAIL else size
        image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
        path = Path(portal.MEDIA_ROOT) / asset.path
        image.save(path, **options)
        asset.width = asset.height = side
        asset.save()
    return scene


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("window", "side", "wide"),
    [(None, 100, 200), (None, 300, 800), ((200, 400, 200, 200), 50, 50), ((200, 400, 200, 200), 150, 200)],
)
def test_a_window_is_cut_from_the_smallest_picture_that_will_do(window, side, wide):
    scene = _scene_with_files()
    pictures = TilePictures.of(scene_ids=[scene.pk], user=scene.collection.owner)
    image = pictures.picture(scene.pk, _tile(scene, window=window), side=side)
    assert image is not None and image.size == (wide, wide) and image.mode == "RGB"
    x, y, width, height = window or (0, 0, 800, 800)
    red, green, _blue = np.asarray(image).reshape(-1, 3).mean(axis=0)
    assert red == pytest.approx((x + width / 2) * 255 / 800, abs=3)
    assert green == pytest.approx((y + height / 2) * 255 / 800, abs=3)


@pytest.mark.django_db
def test_the_original_is_read_where_the_small_pictures_are_too_small_or_gone():
    scene = _scene_with_files()
    Asset.objects.filter(scene=scene, role=Asset.Role.OVERVIEW).delete()
    (Path(portal.MEDIA_ROOT) / scene.assets.get(key="thumbnail").path).unlink()
    pictures = TilePictures.of(scene_ids=[scene.pk], user=scene.collection.owner)
    image = pictures.picture(scene.pk, _tile(scene, window=(200, 400, 200, 100)), side=50)
    assert image is not None and image.size == (100, 50)
    assert np.asarray(image)[..., 0].mean() == pytest.approx(300 * 255 / 800, abs=3)
    (Path(portal.MEDIA_ROOT) / scene.assets.get(key="data").path).unlink()
    assert pictures.picture(scene.pk, _tile(scene), side=50) is None


@pytest.mark.django_db
def test_hidden_and_unknown_scenes_have_no_pictures():
    scenes = [_scene_with_files(64, 64) for _number in range(3)]
    stranger, owner = factories.make_user(), scenes[0].collection.owner
    with CaptureQueriesContext(connection) as queries:
        pictures = TilePictures.of(scene_ids=[scene.pk for scene in scenes], user=owner)
        found = [pictures.picture(scene.pk, _tile(scene), side=32) is not None for scene in scenes]
    assert found == [True, False, False]
    assert len(queries) == 1
    nothing = TilePictures.of(scene_ids=[scenes[0].pk], user=stranger)
    assert nothing.picture(scenes[0].pk, _tile(scenes[0]), side=32) is None


# The look


@pytest.fixture
def user(db):
    return factories.make_user()


@pytest.fixture
def scenes(user) -> list[Scene]:
    """Six scenes with pictures; the first is nearest to the first axis."""
    factories.make_encoder(ranking=ON)
    collection = factories.make_collection("coast", owner=user)
    vectors = [[1, 0.1 * n, 0, 0, 0, 0, 0, 0] for n in range(6)]
    made = [factories.make_scene(collection, vector=vector, files=True) for vector in vectors]
    for number, scene in enumerate(made):
        for asset in scene.assets.all():
            picture = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(picture).save(Path(portal.MEDIA_ROOT) / asset.path)
    return made


def _hits(scenes) -> Hits:
    tiles = {tile.scene_id: tile.pk for tile in Tile.objects.filter(scene__in=scenes)}
    windows = np.array([[0, 0, 0, 64, 64]] * len(scenes), dtype=np.int32)
    return Hits([scene.pk for scene in scenes], [tiles[scene.pk] for scene in scenes], windows)


def _expected(blip, scenes, text: str) -> np.ndarray:
    pictures = [Image.open(Path(portal.MEDIA_ROOT) / scene.assets.get(key="overview").path) for scene in scenes]
    return CrossEncoder(CrossEncoderSpec(str(blip))).log_odds(pictures, text)


def _clock(step: float):
    """A clock that is ``step`` seconds later each time it is asked."""
    counter = itertools.count()
    return lambda: next(counter) * step


def test_every_hit_gets_the_models_score_once(blip, user, scenes):
    model = CrossEncoder(CrossEncoderSpec(str(blip)))
    asked = {"hits": _hits(scenes), "user": user, "budget_ms": 60_000, "model": model}
    with CaptureQueriesContext(connection) as queries:
        look = second_look(text="a long pier", **asked)
    assert len(queries) == 1
    np.testing.assert_allclose(look.log_odds, _expected(blip, scenes, "a long pier"), atol=1e-4)
    assert (look.looked, look.computed, look.stopped, look.final) == (6, 6, Stopped.NOT, True)
    with CaptureQueriesContext(connection) as queries:
        again = second_look(text="a long pier", **asked)
    assert len(queries) == 0
    assert again.computed == 0
    np.testing.assert_array_equal(again.log_odds, look.log_odds)
    assert second_look(text="a river", **asked).computed == 6


def test_when_time_runs_out_what_is_scored_counts_and_a_repeat_goes_on(blip, user, scenes):
    model = CrossEncoder(CrossEncoderSpec(str(blip)))
    asked = {"hits": _hits(scenes), "text": "a long pier", "user": user, "model": model}
    # Each scored batch takes one step by this clock, each question for the time another.
    look = second_look(budget_ms=3_500, clock=_clock(1.0), **asked)
    assert (look.looked, look.stopped, look.final) == (1, Stopped.TIME, False)
    assert not np.isnan(look.log_odds[0]) and np.isnan(look.log_odds[1:]).all()
    more = second_look(budget_ms=60_000, **asked)
    assert (more.looked, more.computed) == (6, 5)
    assert more.log_odds[0] == look.log_odds[0]
    scores.clear()
    nothing = second_look(budget_ms=0, **asked)
    assert (nothing.looked, nothing.stopped) == (0, Stopped.TIME)


def test_missing_files_and_hidden_scenes_skip_only_their_hit(blip, user, scenes):
    for asset in scenes[1].assets.all():
        (Path(portal.MEDIA_ROOT) / asset.path).unlink()
    Scene.objects.filter(pk=scenes[3].pk).update(collection=factories.make_collection("other"))
    model = CrossEncoder(CrossEncoderSpec(str(blip)))
    look = second_look(hits=_hits(scenes), text="a pier", user=user, budget_ms=60_000, model=model)
    assert np.isnan(look.log_odds).tolist() == [False, True, False, True, False, False]
    assert (look.looked, look.stopped) == (4, Stopped.NOT)


def test_a_model_in_use_is_not_waited_for_longer_than_the_budget(blip, user, scenes):
    model = CrossEncoder(CrossEncoderSpec(str(blip)))
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with model.reserved(wait_seconds=10):
            taken.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)
    look = second_look(hits=_hits(scenes), text="a pier", user=user, budget_ms=20, model=model)
    over.set()
    thread.join(30)
    assert (look.looked, look.stopped) == (0, Stopped.BUSY)


def test_chinese_is_translated_or_left_alone(blip, user, scenes):
    model = CrossEncoder(CrossEncoderSpec(str(blip)))
    asked = {"hits": _hits(scenes), "user": user, "budget_ms": 60_000, "model": model}
    chinese = second_look(text="港口附近的工业区", **asked)
    english = second_look(text="industrial area near a port", **asked)
    assert english.computed == 0
    np.testing.assert_array_equal(chinese.log_odds, english.log_odds)
    assert second_look(text="磨坊旁边的河", **asked).stopped == Stopped.LANGUAGE


# In a search


def _answer(user, text: str = "harbour"):
    encoder = factories.active_encoder()
    return request_answer(encoder=encoder, request=search_request_parse(user=user, text=text), user=user)


def test_it_is_off_unless_a_model_and_the_stage_are_set(blip, user, scenes, settings):
    factories.know_query("harbour")
    plain = _answer(user)
    assert plain.ranked.scene_ids.tolist() == [scene.pk for scene in scenes]
    assert plain.final and "second_look" not in plain.took_ms
    assert "The stage cross_encoder is off: RSPORTAL_CROSS_ENCODER names no model." in plain.ranker.remarks
    settings.CROSS_ENCODER = str(blip)
    assert ranker_of(factories.make_encoder()).settings.cross_encoder.active is False
    model = cross_encoder()
    assert model is not None and model.loads == 0


def test_a_search_is_reordered_as_the_model_says(blip, user, scenes, settings):
    factories.know_query("harbour")
    plain = _answer(user)
    settings.CROSS_ENCODER = str(blip)
    answer = _answer(user)
    odds = _expected(blip, scenes[:4], "harbour").astype(np.float64)
    fused = standardised(plain.ranked.scores[:4]) + standardised(odds)
    wanted = [scenes[row].pk for row in np.argsort(-fused)] + [scene.pk for scene in scenes[4:]]
    assert answer.ranked.scene_ids.tolist() == wanted
    assert wanted != [scene.pk for scene in scenes], "the model must have something to say"
    np.testing.assert_array_equal(answer.ranked.scores, plain.ranked.scores)
    assert ["cross_encoder" in reason for reason in answer.ranked.reasons] == [True] * 4 + [False] * 2
    assert answer.final and answer.took_ms["second_look"] > 0
    assert answer.ranker.version != plain.ranker.version
    tiles = Tile.objects.in_bulk(answer.ranked.tile_ids.tolist())
    assert [tiles[tile].scene_id for tile in answer.ranked.tile_ids.tolist()] == wanted


def test_a_missing_model_leaves_the_search_as_it_was_and_says_so(user, scenes, settings, tmp_path):
    factories.know_query("harbour")
    settings.CROSS_ENCODER = str(tmp_path / "nowhere")
    answer = _answer(user)
    assert answer.ranked.scene_ids.tolist() == [scene.pk for scene in scenes]
    assert not answer.final
    assert "nowhere does not exist" in " ".join(answer.ranker.remarks), "what the administration shows"
    assert [reason.get("cross_encoder") for reason in answer.ranked.reasons] == [{"skipped": "unavailable"}] * 4 + [
        None
    ] * 2


def test_only_visible_hits_are_looked_at(blip, user, scenes, settings):
    """A person who sees half of the scenes gets the second look of that half."""
    settings.CROSS_ENCODER = str(blip)
    factories.know_query("harbour")
    shared = factories.make_collection("shared", visibility=Visibility.ALL_USERS)
    Scene.objects.filter(pk__in=[scene.pk for scene in scenes[::2]]).update(collection=shared)
    answer = _answer(factories.make_user())
    assert set(answer.ranked.scene_ids) == {scene.pk for scene in scenes[::2]}
    assert all("chance" in reason["cross_encoder"] for reason in answer.ranked.reasons)


def test_the_start_up_check_warns_of_a_missing_model(settings, tmp_path, blip):
    for source, found in (("", []), (str(blip), []), (str(tmp_path / "nothing"), ["search.W002"])):
        settings.CROSS_ENCODER = source
        assert [message.id for message in cross_encoder_model()] == found


def test_a_hit_tells_what_the_look_said_of_it_or_why_there_was_none():
    told = {"cross_encoder": {"chance": 0.934}, "cross_encoder.places": 2}
    assert reason_lines(told) == ["Second look: 93 % by the matching model (2 places up)"]
    for why in (*(each.value for each in Stopped if each.value), "picture"):
        (line,) = reason_lines({"cross_encoder": {"skipped": why}})
        assert line.startswith("No second look: ")
    assert reason_lines({"cross_encoder": {"skipped": "of another version"}}) == []


def test_the_instance_is_one_a_process(settings, blip):
    settings.CROSS_ENCODER, settings.ENCODER_IDLE_SECONDS = str(blip), 60
    model = cross_encoder()
    assert model is not None and model is cross_encoder() and model.idle_seconds == 60.0
    assert model.facts.image_size == IMAGE_SIZE


def test_the_command_tells_what_the_model_costs(settings, blip, tmp_path):
    with pytest.raises(CommandError, match="set RSPORTAL_CROSS_ENCODER"):
        call_command("second_look")
    settings.CROSS_ENCODER = str(blip)
    out = StringIO()
    call_command("second_look", stdout=out)
    assert CrossEncoder(CrossEncoderSpec(str(blip))).checksum() in out.getvalue()
    assert re.search(r"32 px on cpu in float32: [\d,]+ ms a picture", out.getvalue())
    settings.CROSS_ENCODER_CHECKSUM = "0" * 64
    with pytest.raises(CommandError, match="not the one that was set"):
        call_command("second_look", stdout=out)
