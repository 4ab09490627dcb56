"""Sketches: drawings made clean, an encoder taught to read them, the vector of a drawing, and what is kept of it."""

import io
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django_q.models import OrmQ
from PIL import Image, ImageDraw

from imagery.encoders import sketch
from imagery.encoders.base import unit_rows
from imagery.encoders.drawings import drawing_clean
from imagery.encoders.edges import SIDE_PIXELS, Style, edge_map
from imagery.encoders.errors import EncoderMismatch
from imagery.encoders.registry import get_encoder
from imagery.evaluation.sketching import STYLES, Drawn, bridge_learn
from imagery.models import Asset, Embedding, Encoder, EncoderSketch
from imagery.services import sketch_fit
from imagery.services.encoders import encoder_activate, encoder_register, encoder_spec
from imagery.services.sketch_fit import sketch_bridge_request
from imagery.services.sketches import bridge_line
from imagery.storage import media_root
from imagery.tasks import fit_sketch
from rsportal.errors import Conflict, InvalidInput, Unavailable
from search.models import QueryImage
from search.services.sketches import sketch_keep
from search.sketch import sketch_bridged, sketch_recipe, sketch_remark, sketch_vector
from tests.checkpoints import siglip_checkpoint
from tests.factories import make_collection, make_scene, make_user

SCENES = 104


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def house(size: int = 300, *, ink: object = 0, paper: object = 255, mode: str = "L") -> Image.Image:
    image = Image.new(mode, (size, size), paper)
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 100, 240, 250), outline=ink, width=6)
    draw.line((50, 100, 150, 30, 250, 100), fill=ink, width=6)
    return image


def shares(drawing: Image.Image) -> tuple[float, float]:
    """Shares of paper and of ink."""
    values = np.asarray(drawing)
    return float((values > 250).mean()), float((values < 60).mean())


# Edge maps


def test_an_edge_map_is_the_outline_of_what_is_seen() -> None:
    picture = Image.new("RGB", (400, 300), (60, 90, 60))
    ImageDraw.Draw(picture).ellipse((100, 75, 300, 225), fill=(200, 190, 180))
    drawn = np.asarray(edge_map(picture, style=Style()))
    assert drawn.shape == (SIDE_PIXELS, SIDE_PIXELS)
    assert set(np.unique(drawn)) == {0, 255}
    rows, columns = np.nonzero(drawn == 0)
    off = np.hypot((rows - 111.5) / 56, (columns - 111.5) / 56)  # The ellipse is a circle of radius 56 there.
    assert len(rows) > 250
    assert np.abs(off - 1).max() < 0.06


def test_styles_go_from_much_to_little_and_repeat_themselves() -> None:
    noise = np.random.default_rng(1).integers(0, 255, size=(28, 28), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((224, 224), Image.Resampling.BICUBIC)
    thin = [edge_map(picture, style=Style(**{**vars(style), "width": 1}), seed=3) for style in STYLES]
    ink = [float((np.asarray(each) == 0).mean()) for each in thin]
    assert ink == sorted(ink, reverse=True)
    assert ink[-1] > 0.005
    loose = STYLES[-1]
    assert edge_map(picture, style=loose, seed=3) == edge_map(picture, style=loose, seed=3)
    assert edge_map(picture, style=loose, seed=3) != edge_map(picture, style=loose, seed=4)


def test_nothing_is_drawn_of_a_flat_picture() -> None:
    faint = np.random.default_rng(2).integers(100, 103, size=(224, 224), dtype=np.uint8)
    assert (np.asarray(edge_map(Image.fromarray(faint), style=STYLES[0])) == 255).all()


# Drawings by people


def test_drawings_become_dark_lines_on_white() -> None:
    plain = shares(drawing_clean(house()))
    assert plain[0] > 0.9
    assert plain[1] > 0.02
    board = drawing_clean(house(ink=(230, 230, 200), paper=(20, 60, 40), mode="RGB"))
    clear = drawing_clean(house(ink=(0, 0, 0, 255), paper=(0, 0, 0, 0), mode="RGBA"))
    shade = np.linspace(90, 240, 300)[None, :] * np.where(np.asarray(house()) == 0, 0.4, 1.0)
    photo = drawing_clean(Image.fromarray(shade.astype(np.uint8)))
    for other in (board, clear, photo):
        assert shares(other) == pytest.approx(plain, abs=0.02)


def test_what_is_no_drawing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing drawn"):
        drawing_clean(Image.new("RGB", (200, 200), "white"))
    rough = np.random.default_rng(5).integers(0, 255, size=(40, 40), dtype=np.uint8)
    with pytest.raises(InvalidInput, match="no line drawing"):
        drawing_clean(Image.fromarray(rough).resize((400, 400), Image.Resampling.BICUBIC))


# The bridge


def pairs(count: int = 400, *, useful: bool = True, seed: int = 0) -> Drawn:
    """Pictures whose edge maps lie elsewhere: turned, squeezed and moved (or, not useful, anywhere)."""
    random = np.random.default_rng(seed)
    images = unit_rows(random.normal(size=(count, 24)) + 2.0)
    turn = np.random.default_rng(9).normal(size=(24, 24))
    edges = images @ turn if useful else random.normal(size=(count, 24))
    edges = unit_rows(edges + 5.0 + random.normal(scale=0.02, size=edges.shape))
    return Drawn(images=images, edges=edges, owner=np.arange(count), scene=np.arange(count))


def test_a_bridge_finds_the_pictures_of_edge_maps_it_has_not_seen() -> None:
    learned = bridge_learn(pairs())
    assert learned.helps
    assert learned.before[-1] < 20
    assert learned.after[-1] > 80
    unseen = pairs(seed=77)
    found = unit_rows(learned.bridge.apply(unseen.edges)) @ unseen.images.T
    assert (found.argsort(axis=1)[:, -10:] == np.arange(400)[:, None]).any(axis=1).mean() > 0.8
    assert not bridge_learn(pairs(useful=False)).helps


def test_scenes_judge_what_others_taught() -> None:
    """Tiles of one scene that look alike must not stand on both sides: seen so, a bridge that knows nothing shines."""
    random = np.random.default_rng(4)
    scenes = np.repeat(np.arange(40), 10)
    images = unit_rows(random.normal(size=(40, 24))[scenes] + random.normal(scale=0.05, size=(400, 24)))
    edges = unit_rows(random.normal(size=(40, 24))[scenes] + random.normal(scale=0.05, size=(400, 24)))
    apart = bridge_learn(Drawn(images, edges, np.arange(400), scenes))
    mixed = bridge_learn(Drawn(images, edges, np.arange(400), np.arange(400)))
    assert mixed.after[-1] > 3 * apart.after[-1]


def test_too_few_pictures_are_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput, match=r"Only 60 pictures of 60 scenes.*--images"):
        bridge_learn(pairs(60))
    drawn = pairs(200)
    with pytest.raises(InvalidInput, match="of 1 scenes"):
        bridge_learn(Drawn(drawn.images, drawn.edges, drawn.owner, np.zeros(200, dtype=np.int64)))


def test_a_packed_bridge_is_the_same_bridge() -> None:
    drawn = pairs()
    bridge = drawn.fit(0.1)
    content = sketch.pack(bridge)
    known = sketch.unpack(content, dimension=24, expected=sketch.checksum(content))
    assert np.abs(known.apply(drawn.edges) - bridge.apply(drawn.edges)).max() < 0.005
    with pytest.raises(EncoderMismatch, match="damaged"):
        sketch.unpack(content[:-2], dimension=24, expected=sketch.checksum(content))
    with pytest.raises(EncoderMismatch, match="24 numbers"):
        known.apply(np.zeros((1, 8), dtype=np.float32))


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
    assert place[1] < 5 < place[0]

    assert "now" in fit("--remove")[0]
    encoder = Encoder.objects.get()
    assert not encoder.sketch
    assert not EncoderSketch.objects.exists()
    assert sketch_vector(encoder=encoder, picture=drawing) == pytest.approx(plain)


def test_in_another_archive_a_sketch_stands_by_its_middle() -> None:
    drawn = pairs()
    bridge = drawn.fit(0.1)
    middle = np.random.default_rng(8).normal(size=24)
    moved = bridge.apply(drawn.edges, image_mean=middle)
    length = 1 / np.linalg.norm(middle + bridge.spread * bridge.directions(drawn.edges), axis=1, keepdims=True)
    assert unit_rows(moved / length - middle) == pytest.approx(bridge.directions(drawn.edges), abs=1e-4)


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
