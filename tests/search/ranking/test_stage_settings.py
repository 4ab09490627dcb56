"""The settings of the stages: what may be written, and what a wrong entry is told."""

import numpy as np
import pytest

from imagery.models import Encoder
from rsportal.errors import InvalidInput
from search.engine import ranker_version
from search.ranking import Geometry, StageSettings, stage_defaults, stage_settings, stages_usable

_KINDS = Encoder.Kind.values


@pytest.mark.parametrize("kind", _KINDS)
def test_nothing_written_means_the_defaults(kind):
    assert stage_settings(kind=kind, ranking={}) == stage_defaults(kind)


@pytest.mark.parametrize("kind", _KINDS)
def test_one_setting_changes_that_one(kind):
    flipped = not stage_defaults(kind).diffuse.on
    found = stage_settings(kind=kind, ranking={"diffuse": {"on": flipped}, "windows": {"weight": 1}})
    assert (found.diffuse.on, found.windows.weight) == (flipped, 1.0)
    assert found.diffuse.weight == stage_defaults(kind).diffuse.weight
    assert found.normalise == stage_defaults(kind).normalise


@pytest.mark.parametrize("kind", _KINDS)
def test_settings_can_be_written_as_they_are_shown(kind):
    default = stage_defaults(kind)
    assert stage_settings(kind=kind, ranking=default.as_json()) == default


@pytest.mark.parametrize(
    ("ranking", "told"),
    [
        ({"difuse": {}}, ["'difuse'", "diffuse", "normalise"]),
        ({"diffuse": True}, ["'diffuse'", "object"]),
        ({"diffuse": {"wieght": 1}}, ["'wieght'", "'diffuse'", "weight"]),
        ({"diffuse": {"on": 1}}, ["'on'", "true or false"]),
        ({"diffuse": {"weight": "much"}}, ["'weight'", "number"]),
        ({"diffuse": {"weight": True}}, ["'weight'", "number"]),
        ({"diffuse": {"weight": float("nan")}}, ["'weight'", "number"]),
        ({"diffuse": {"weight": -1}}, ["-1", "0 to 10"]),
        ({"windows": {"weight": 11}}, ["11", "0 to 10"]),
        ({"cross_encoder": {"hits": 2.5}}, ["'hits'", "number"]),
        ({"cross_encoder": {"hits": -3}}, ["'hits'", "negative"]),
        ([], ["object"]),
    ],
)
def test_a_wrong_entry_gets_a_sentence(ranking, told):
    with pytest.raises(InvalidInput) as caught:
        stage_settings(kind="builtin", ranking=ranking)
    assert caught.value.field == "ranking"
    assert all(word in caught.value.message for word in told), caught.value.message


def test_a_stage_without_its_means_is_off_and_says_so():
    mean = np.ones(3, dtype=np.float32)
    wanted = stage_settings(kind="transformers", ranking={"normalise": {"on": True}})
    for geometry, word in ((Geometry(image_mean=mean), "texts"), (Geometry(text_mean=mean), "images")):
        usable, remarks = stages_usable(wanted, geometry=geometry)
        assert not usable.normalise.on
        assert len(remarks) == 1
        assert word in remarks[0]
    assert stages_usable(wanted, geometry=Geometry(text_mean=mean, image_mean=mean)) == (wanted, [])
    off = stage_settings(kind="transformers", ranking={"normalise": {"on": False}})
    assert stages_usable(off, geometry=Geometry()) == (off, [])


def test_the_version_tells_settings_and_means_apart():
    one, two = np.ones(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
    on = stage_settings(kind="transformers", ranking={"normalise": {"on": True}})
    off = stage_settings(kind="transformers", ranking={"normalise": {"on": False}})
    versions = {
        ranker_version(on, Geometry(text_mean=one, image_mean=two)),
        ranker_version(on, Geometry(text_mean=two, image_mean=one)),
        ranker_version(off, Geometry(text_mean=two, image_mean=one)),
        ranker_version(StageSettings(), Geometry(text_mean=two, image_mean=one)),
    }
    assert len(versions) == (3 if off == StageSettings() else 4)
    assert ranker_version(off, Geometry()) == ranker_version(off, Geometry(text_mean=one, image_mean=one))
    assert max(map(len, versions)) <= 60
