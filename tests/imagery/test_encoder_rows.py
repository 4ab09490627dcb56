"""Encoders as rows: registering real checkpoints, switching, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from imagery.encoders import builtin
from imagery.encoders.registry import forget
from imagery.models import Encoder, EncoderFill, Scene
from imagery.services.encoders import (
    builtin_encoder_ensure,
    encoder_activate,
    encoder_active,
    encoder_instance,
    encoder_register,
)
from imagery.services.partitions import partition_name
from rsportal.errors import InvalidInput, Unavailable
from tests import factories
from tests.checkpoints import IMAGE_SIZE, clip_checkpoint, siglip_checkpoint

_needs_weights = pytest.mark.skipif(
    not (Path(builtin.__file__).parent / "weights.safetensors").exists(), reason="needs the built-in encoder's weights"
)


@pytest.fixture(scope="module")
def siglip(tmp_path_factory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("siglip") / "model")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return clip_checkpoint(tmp_path_factory.mktemp("clip") / "model")


@pytest.fixture(autouse=True)
def _fresh_instances():
    forget()


def _register(folder: Path, name: str = "tiny") -> Encoder:
    return encoder_register(name=name, kind="transformers", source=str(folder))


def _copy(folder: Path, target: Path) -> Path:
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


@pytest.mark.django_db
def test_registering_reads_the_files_and_makes_a_partition(siglip):
    encoder = _register(siglip)
    assert (encoder.dimension, encoder.image_size, encoder.languages) == (32, IMAGE_SIZE, ["en"])
    assert len(encoder.checksum) == 64
    assert encoder.state == Encoder.State.NEW
    factories.make_scene(encoder=encoder, vector=factories.axis(0, 32))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {partition_name(encoder.pk)}")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_what_cannot_be_registered_names_the_field(siglip, tmp_path):
    _register(siglip)
    cases: dict[str, dict[str, Any]] = {
        "kind": {"name": "x", "kind": "magic", "source": str(siglip)},
        "name": {"name": "tiny", "kind": "transformers", "source": str(siglip)},
        "source": {"name": "x", "kind": "transformers", "source": str(tmp_path)},
    }
    for field, values in cases.items():
        with pytest.raises(InvalidInput) as caught:
            encoder_register(**values)
        assert caught.value.field == field
    with pytest.raises(InvalidInput, match="name"):
        encoder_register(name="not a slug!", kind="transformers", source=str(siglip))
    assert Encoder.objects.count() == 1


@pytest.mark.django_db
def test_missing_or_changed_files_are_not_activated(siglip, clip, tmp_path):
    active = encoder_activate(encoder=_register(siglip, "good"))
    folder = _copy(siglip, tmp_path / "copy")
    encoder = _register(folder, "copy")
    with (folder / "model.safetensors").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(Unavailable, match="have changed") as caught:
        encoder_activate(encoder=encoder)
    assert caught.value.code == "encoder_mismatch"
    (folder / "config.json").write_bytes((clip / "config.json").read_bytes())
    with pytest.raises(Unavailable, match="24 numbers, but it was registered with 32"):
        encoder_activate(encoder=encoder)
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(Unavailable, match=r"has no config\.json"):
        encoder_activate(encoder=encoder)
    with pytest.raises(Unavailable):
        encoder_instance(encoder)
    assert encoder_active() == active


@pytest.mark.django_db
def test_a_model_of_another_dimension_is_not_used(siglip):
    encoder = _register(siglip)
    Encoder.objects.filter(pk=encoder.pk).update(dimension=64)
    with pytest.raises(Unavailable, match="another length"):
        encoder_instance(Encoder.objects.get(pk=encoder.pk))


@pytest.mark.django_db
def test_the_database_refuses_two_active_encoders():
    factories.make_encoder()
    other = factories.make_encoder(active=False)
    other.state = Encoder.State.ACTIVE
    with pytest.raises(IntegrityError), transaction.atomic():
        other.save()


@_needs_weights
@pytest.mark.django_db
def test_the_built_in_encoder_is_ensured_once():
    encoder = builtin_encoder_ensure()
    assert (encoder.name, encoder.kind, encoder.state) == ("builtin", "builtin", Encoder.State.ACTIVE)
    assert {"en", "zh"} <= set(encoder.languages)
    measured = encoder.calibration
    Encoder.objects.filter(pk=encoder.pk).update(calibration={"scale": 1.0, "offset": 1.0})
    assert builtin_encoder_ensure() == encoder
    assert Encoder.objects.get().calibration == measured, "the shipped calibration counts"
    assert Encoder.objects.count() == 1


@_needs_weights
@pytest.mark.django_db
def test_ensuring_leaves_an_operator_s_choice_alone():
    chosen = factories.make_encoder()
    assert builtin_encoder_ensure().state == Encoder.State.NEW
    assert encoder_active() == chosen


@_needs_weights
@pytest.mark.django_db
def test_ensuring_leaves_an_operator_s_own_training_alone(tmp_path):
    shipped = Path(builtin.__file__).parent / "weights.safetensors"
    (tmp_path / "weights.safetensors").write_bytes(shipped.read_bytes())
    own = encoder_activate(encoder=encoder_register(name="own", kind="builtin", source=str(tmp_path)))
    assert own.calibration == {}, "nobody has measured it yet"
    assert builtin_encoder_ensure().source == "builtin"
    assert encoder_active() == own


@_needs_weights
@pytest.mark.django_db
def test_new_weights_of_the_built_in_encoder_are_another_encoder():
    """Vectors of the weights before stay under their own row, so that the two are never compared."""
    old = builtin_encoder_ensure()
    Encoder.objects.filter(pk=old.pk).update(checksum="0" * 64)
    factories.make_scene(encoder=old, vector=factories.axis(0, old.dimension))
    new = builtin_encoder_ensure()
    assert new.pk != old.pk and new.name.startswith("builtin-")
    assert encoder_active() == new
    assert builtin_encoder_ensure() == new
    assert EncoderFill.objects.get(encoder=new).state == EncoderFill.State.RUNNING
    fill = EncoderFill.objects.get(encoder=old)
    assert fill.state == EncoderFill.State.PAUSED and "no longer shipped" in fill.reason
    assert Scene.objects.ready().count() == 1


@_needs_weights
@pytest.mark.django_db
def test_new_weights_take_over_although_the_fill_of_the_old_is_paused():
    old = builtin_encoder_ensure()
    Encoder.objects.filter(pk=old.pk).update(checksum="0" * 64)
    EncoderFill.objects.create(encoder=old, state=EncoderFill.State.PAUSED, reason="the worker said why")
    new = builtin_encoder_ensure()
    assert encoder_active() == new != old
    assert EncoderFill.objects.get(encoder=old).state == EncoderFill.State.PAUSED


@_needs_weights
@pytest.mark.django_db
def test_ensuring_leaves_another_row_of_the_same_weights_active():
    builtin_encoder_ensure()
    mine = encoder_register(name="mine", kind="builtin", source="builtin")
    encoder_activate(encoder=mine)
    builtin_encoder_ensure()
    assert encoder_active() == mine
