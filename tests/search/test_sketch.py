"""Sketches: an encoder taught to read them, the vector of a drawing, what is kept of it, what the page says."""

import io
import json
import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ
from PIL import Image, ImageDraw

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec, unit_rows
from imagery.encoders.drawings import drawing_clean
from imagery.encoders.edges import edge_map
from imagery.encoders.registry import get_encoder
from imagery.evaluation.sketching import STYLES
from imagery.models import Asset, Embedding, Encoder, EncoderSketch
from imagery.services import sketch_fit
from imagery.services.encoders import builtin_encoder_ensure, encoder_activate, encoder_register, encoder_spec
from imagery.services.sketch_fit import sketch_bridge_request
from imagery.services.sketches import SHIPPED_NUMBERS, bridge_line, encoder_bridge
from imagery.storage import media_root
from imagery.tasks import fit_sketch
from rsportal.errors import Conflict, InvalidInput, Unavailable
from search.models import QueryImage
from search.services.sketches import sketch_keep
from search.sketch import sketch_bridged, sketch_recipe, sketch_remark, sketch_vector
from tests.checkpoints import siglip_checkpoint
from tests.drawings import house, png, shares
from tests.factories import make_collection, make_scene, make_user

SCENES = 104


@pytest.fixture
def rsicd() -> Path:
    """The captioned pictures, where this machine has them."""
    data = Path(os.environ.get("RSPORTAL_TEST_DATA", settings.BASE_DIR.parent / "shared" / "data"))
    if not (data / "rsicd" / "captions.jsonl").is_file():
        pytest.skip("no RSICD beside the project (RSPORTAL_TEST_DATA)")
    return data / "rsicd"


# An archive teaches its encoder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("siglip") / "model")


@pytest.fixture
def encoder(db: None, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Encoder:
    monkeypatch.setattr(sketch_fit, "_DRAWINGS", 1)  # One of each picture; drawing takes most of the time.
    return encoder_activate(encoder=encoder_register(name="tiny", kind="transformers", source=str(checkpoint)))


def scribble(number: int) -> Image.Image:
    random = np.random.default_rng(number)
    picture = Image.new("RGB", (224, 224), tuple(random.integers(20, 120, size=3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(random.integers(1, 6)):
        x, y = random.integers(0, 150, size=2)
        w, h = random.integers(20, 74, size=2)
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x, y, x + w, y + h), fill=tuple(random.integers(120, 255, size=3)))
    return picture


def archive(encoder: Encoder, *, useful: bool) -> Sequence[Image.Image]:
    """Scenes whose stored vectors are a turn of their edge maps' (useful), or those of other scenes."""
    model = get_encoder(encoder_spec(encoder))
    pictures = [scribble(number) for number in range(SCENES)]
    plain = model.encode_images([edge_map(each, style=STYLES[0]) for each in pictures])
    turn, _upper = np.linalg.qr(np.random.default_rng(4).normal(size=(encoder.dimension,) * 2))
    vectors = unit_rows((plain - plain.mean(axis=0)) @ turn + 0.1)
    if not useful:
        vectors = np.random.default_rng(5).permutation(vectors)
    collection = make_collection("archive")
    for picture, vector in zip(pictures, vectors, strict=True):
        scene = make_scene(collection, vector=vector, encoder=encoder, width=224, height=224)
        path = media_root() / Asset.objects.get(scene=scene, role=Asset.Role.DATA).path
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, format="PNG")
    return pictures


def fit(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("fit_sketch", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_an_archive_teaches_its_encoder_to_read_sketches(encoder: Encoder) -> None:
    pictures = archive(encoder, useful=True)
    before = list(Embedding.objects.order_by("tile_id").values_list("vector", flat=True))
    drawing = edge_map(pictures[7], style=STYLES[0])
    plain, recipe = sketch_vector(encoder=encoder, picture=drawing), sketch_recipe(encoder)
    assert not sketch_bridged(encoder)
    assert "has not learned" in sketch_remark(encoder)

    told = json.loads(fit("--json")[0])
    assert told["kept"]
    assert told["recall_after"][-1] > told["recall_before"][-1] + 10
    assert told["gain_interval"][0] > 0

    encoder = Encoder.objects.get()
    assert sketch_bridged(encoder)
    assert "Experimental" in sketch_remark(encoder)
    assert f"{told['pictures']} pictures of the archive" in bridge_line(encoder)
    vector = sketch_vector(encoder=encoder, picture=png(drawing))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert sketch_recipe(encoder) != recipe
    stored = np.stack(list(Embedding.objects.order_by("tile_id").values_list("vector", flat=True)))
    assert (stored == np.stack(before)).all()
    place = [float((stored @ each > stored[7] @ each).sum()) for each in (plain, vector)]
    assert place[1] < place[0] / 4, "which pictures it learnt from is drawn by their ids, so not to the place"

    assert "now" in fit("--remove")[0]
    encoder = Encoder.objects.get()
    assert not encoder.sketch
    assert not EncoderSketch.objects.exists()
    assert sketch_vector(encoder=encoder, picture=drawing) == pytest.approx(plain)


def test_the_button_has_the_worker_learn_once_there_is_enough(encoder: Encoder) -> None:
    with pytest.raises(Conflict, match=r"tiny has vectors of 0 tiles; it takes 100"):
        sketch_bridge_request(encoder=encoder)
    archive(encoder, useful=True)
    sketch_bridge_request(encoder=encoder)
    waiting = OrmQ.objects.get()
    assert (waiting.func(), waiting.args()) == ("imagery.tasks.fit_sketch", (encoder.pk,))
    fit_sketch(encoder.pk)
    assert "the archive" in bridge_line(Encoder.objects.get())


def test_a_bridge_that_could_be_chance_is_not_kept(encoder: Encoder) -> None:
    archive(encoder, useful=False)
    out, _err = fit()
    assert "could be chance" in out
    assert not Encoder.objects.get().sketch


def test_pictures_of_a_folder_teach_and_broken_ones_are_named(encoder: Encoder, tmp_path: Path) -> None:
    for number in range(SCENES):
        scribble(number).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    out, err = fit(f"--images={tmp_path}", "--dry-run", "--sample=300", "--json")
    assert json.loads(out)["pictures"] == SCENES
    assert "left out: broken.png" in err
    assert not Encoder.objects.get().sketch


def test_too_little_to_learn_from_is_a_sentence(encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"Only 0 pictures .* Add scenes first"):
        fit()
    with pytest.raises(CommandError, match="is no folder"):
        fit(f"--images={tmp_path / 'none'}")
    with pytest.raises(CommandError, match="--sample is 3"):
        fit("--sample=3")


def test_a_damaged_bridge_is_said_to_be_so(encoder: Encoder) -> None:
    Encoder.objects.update(sketch={"checksum": "0" * 16})
    encoder.refresh_from_db()
    with pytest.raises(Unavailable, match=r"damaged.*fit_sketch"):
        sketch_vector(encoder=encoder, picture=house())
    EncoderSketch.objects.create(encoder=encoder, checksum="1" * 16, bridge=b"")
    with pytest.raises(Unavailable, match="changed this moment"):
        sketch_vector(encoder=encoder, picture=house())


# What is kept of a drawing


@pytest.mark.django_db
def test_a_sketch_is_kept_as_clean_lines_for_its_owner() -> None:
    user = make_user("anna")
    kept = sketch_keep(user=user, data=png(house(size=1000, ink=(10, 10, 90), paper="white", mode="RGB")))
    assert (kept.kind, kept.width, kept.height, kept.name) == ("sketch", 448, 448, "Sketch")
    picture = Image.open(io.BytesIO(QueryImage.objects.get(pk=kept.pk).picture))
    assert picture.format == "WEBP"
    assert shares(picture.convert("L"))[0] > 0.9
    assert sketch_keep(user=user, data=png(house(size=1000, ink=(10, 10, 90), paper="white", mode="RGB"))).pk == kept.pk
    assert sketch_keep(user=make_user("ben"), data=png(house())).pk != kept.pk


@pytest.mark.django_db
@pytest.mark.parametrize("data", [b"", b"GIF89a", png(house())[:200], png(Image.new("L", (9000, 9000), 255))])
def test_what_cannot_be_kept_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be read|megapixels") as refused:
        sketch_keep(user=make_user("anna"), data=data)
    assert refused.value.field == "picture"
    assert not QueryImage.objects.exists()


def test_the_page_says_whether_the_encoder_reads_sketches(encoder: Encoder, client: Client) -> None:
    user = make_user("anna")
    client.force_login(user)
    kept = sketch_keep(user=user, data=png(house()))
    make_scene(make_collection("bays", owner=user))
    page = client.get(reverse("search:home"), {"like": f"sketch:{kept.pk}"}).content.decode()
    assert page.count("expect little") == 2, "beside the paper, and under the chips of a search with a sketch"
    Encoder.objects.update(sketch={"checksum": "0" * 16})
    page = client.get(reverse("search:home")).content.decode()
    assert "measured on edge maps" in page
    assert "expect little" not in page


@pytest.mark.django_db
def test_the_built_in_encoder_comes_with_a_bridge_for_its_weights() -> None:
    encoder = builtin_encoder_ensure()
    assert sketch_bridged(encoder)
    bridge = encoder_bridge(encoder)
    assert bridge is not None
    assert SHIPPED_NUMBERS.stat().st_size <= 300_000
    assert bridge.dimension == encoder.dimension
    assert "RSICD" in bridge_line(encoder)
    assert not sketch_bridged(Encoder(kind=encoder.kind, checksum="0" * 64)), "other weights, another space"
    vector = sketch_vector(encoder=encoder, picture=house())
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    plain = get_encoder(encoder_spec(encoder)).encode_images([drawing_clean(house())])[0]
    assert vector == pytest.approx(bridge.apply(plain[None])[0], abs=1e-4)
    assert vector @ plain < 0.9, "the drawing stays among drawings"
    moved = sketch_vector(encoder=replaced(encoder, image_mean=(-bridge.image_mean).tolist()), picture=house())
    assert moved @ bridge.image_mean < vector @ bridge.image_mean


def replaced(encoder: Encoder, **fields: object) -> Encoder:
    other = Encoder.objects.get(pk=encoder.pk)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def test_edge_maps_of_real_pictures_find_them(rsicd: Path) -> None:
    """Over the shipped bridge, among 48 pictures of the split that taught nothing."""
    model = get_encoder(EncoderSpec(EncoderKind.BUILTIN, "builtin"))
    encoder = Encoder(kind="builtin", checksum=registry.checksum(EncoderSpec(EncoderKind.BUILTIN, "builtin")))
    encoder.dimension = model.dimension
    lines = (rsicd / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    names = [row["filename"] for row in map(json.loads, lines) if row["split"] == "val"][::23][:48]
    pictures = [Image.open(rsicd / "images" / name).convert("RGB") for name in names]
    images = model.encode_images(pictures)
    edges = model.encode_images([edge_map(each, style=STYLES[1]) for each in pictures])
    bridge = encoder_bridge(encoder)
    assert bridge is not None

    def found(queries: np.ndarray) -> float:
        scores = queries @ images.T
        return float(((scores > np.diag(scores)[:, None]).sum(axis=1) < 5).mean())

    assert found(edges) < 0.4
    assert found(bridge.apply(edges)) > 0.6
