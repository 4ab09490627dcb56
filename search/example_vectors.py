"""From the examples of a query to vectors, always through what this person may see.

A scene, and a box that is (nearly) one of its tiles, have their vector already. Other boxes and pictures are encoded
with the image tower once, and kept: a process that never meets one loads no image tower.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable
from imagery.models import Embedding, Encoder, Scene
from imagery.services.selftest import encoder_ready
from imagery.services.window_pictures import window_picture
from imagery.storage import AssetMissing
from rsportal.errors import InvalidInput, Unavailable
from search.concepts.expand import concept_expand
from search.encode_query import parts_encode
from search.examples_given import FIELD, ExampleGiven, ExampleKind
from search.examples_seen import UNKNOWN
from search.models import ExampleVector, QueryImage
from search.ranking import ExamplePart, RankExample
from search.sketch import sketch_recipe, sketch_vector
from search.translation import search_words

if TYPE_CHECKING:
    from imagery.querysets import Viewer

NEARLY: Final = 0.9
"""A box is taken for a tile from this share of both areas together that they have in common."""
_RULES: Final = 1  # Raise it when a box or picture is drawn for the encoder in another way.
_USED_HOURS: Final = 1
_PICTURES: Final = (ExampleKind.IMAGE, ExampleKind.SKETCH)

Vector = NDArray[np.float32]
_Thing = tuple[str, UUID, tuple[int, int, int, int] | None]


def rank_examples(*, examples: Sequence[ExampleGiven], encoder: Encoder, user: Viewer) -> tuple[RankExample, ...]:
    """Return the examples as they are ranked by, in their order; a concept as what it means to this person.

    Raises InvalidInput (field ``examples``) for one that is not there for this person, in the same words whether it
    is hidden or does not exist, for one without a vector under this encoder, and for a concept of nothing that is
    wanted; Unavailable when the encoder cannot compute.
    """
    concepts = {
        example.id: concept_expand(concept_id=example.id, user=user)
        for example in examples
        if example.kind == ExampleKind.CONCEPT
    }
    within = [part for concept in concepts.values() for part in concept.examples]
    plain = [example for example in examples if example.kind != ExampleKind.CONCEPT]
    lent = {part.id for part in within if part.kind in _PICTURES}
    both = [*plain, *within]
    vectors = example_vectors(examples=both, encoder=encoder, user=user, lent=lent)
    known: dict[_Thing, Vector] = {each.thing: vector for each, vector in zip(both, vectors, strict=True)}
    found = []
    for example in examples:
        if example.kind != ExampleKind.CONCEPT:
            found.append(RankExample((ExamplePart(known[example.thing]),), example.weight))
            continue
        concept = concepts[example.id]
        parts = [ExamplePart(known[part.thing], part.weight) for part in concept.examples]
        if concept.text:
            words = search_words(text=concept.text, encoder=encoder).text
            parts.insert(0, ExamplePart(parts_encode(texts=[words], encoder=encoder)[0], words=True))
        if not any(part.weight > 0 for part in parts):
            raise InvalidInput(
                _("The concept “%(name)s” has no words, and no example that you may see. Leave it out.")
                % {"name": concept.name},
                code="empty_concept",
                field=FIELD,
            )
        found.append(RankExample(tuple(parts), example.weight))
    return tuple(found)


def example_vectors(
    *, examples: Sequence[ExampleGiven], encoder: Encoder, user: Viewer, lent: Collection[UUID] = ()
) -> list[Vector]:
    """Return a unit vector (d,) of each example (no concepts), in order, in the space of the stored image vectors.

    ``lent`` are pictures of other people that came with a concept this person sees. Statements do not grow with the
    examples but for boxes that were never met. Raises as ``rank_examples`` does.
    """
    known: dict[_Thing, Vector] = {}
    known.update(_of_scenes(examples, encoder, user))
    known.update(_of_boxes(examples, encoder, user))
    known.update(_of_pictures(examples, encoder, user, lent))
    return [known[example.thing] for example in examples]


def examples_state(*, user: Viewer, examples: Sequence[ExampleGiven]) -> str:
    """Return what the meaning of the examples depends on beside their ids, for the key that answers are kept under.

    A concept may have been changed, and may mean something else to this person than to others who see the same
    collections. "" without concepts. Raises InvalidInput (field ``examples``) for a concept that is not there.
    """
    ids = sorted({example.id for example in examples if example.kind == ExampleKind.CONCEPT})
    return ",".join(concept_expand(concept_id=id, user=user).fingerprint for id in ids)


def picture_recipe(encoder: Encoder) -> str:
    """Return what tells vectors of one picture or box apart (SHA-256): the encoder's files and the rules of drawing."""
    return hashlib.sha256(json.dumps([_RULES, encoder.checksum]).encode()).hexdigest()


def _of_scenes(examples: Sequence[ExampleGiven], encoder: Encoder, user: Viewer) -> dict[_Thing, Vector]:
    wanted = [example for example in examples if example.kind == ExampleKind.SCENE]
    if not wanted:
        return {}
    scenes = Scene.objects.visible_to(user).ready().order_by().filter(pk__in={each.id for each in wanted})
    seen = set(scenes.values_list("pk", flat=True))
    rows = Embedding.objects.filter(encoder=encoder, tile__level=0, tile__scene__in=seen)
    vectors = {scene: _float(vector) for scene, vector in rows.values_list("tile__scene", "vector")}
    for example in wanted:
        if example.id not in seen:
            raise _gone(example)
        if example.id not in vectors:
            raise _not_encoded(encoder)
    return {example.thing: vectors[example.id] for example in wanted}


def _of_boxes(examples: Sequence[ExampleGiven], encoder: Encoder, user: Viewer) -> dict[_Thing, Vector]:
    wanted: dict[tuple[object, tuple[int, ...]], ExampleGiven] = {
        (example.id, example.window): example
        for example in examples
        if example.kind == ExampleKind.BOX and example.window
    }
    if not wanted:
        return {}
    scenes = Scene.objects.visible_to(user).ready().only("title", "width", "height", "stretch")
    seen = scenes.in_bulk({example.id for example in wanted.values()})
    for example in wanted.values():
        if example.id not in seen:
            raise _gone(example)
    found = _tiles_near(list(wanted.values()), encoder)
    recipe = picture_recipe(encoder)
    kept = ExampleVector.objects.filter(encoder=encoder, recipe=recipe, scene__in=seen)
    for row in kept:
        box = wanted.get((row.scene_id, tuple(row.window or ())))
        if box is not None and box.thing not in found:
            found[box.thing] = _float(row.vector)
            _used(row)
    for example in wanted.values():
        if example.thing in found or example.window is None:
            continue
        scene, window = seen[example.id], example.window

        def drawn(scene: Scene = scene, window: tuple[int, int, int, int] = window) -> Image.Image:
            return window_picture(scene=scene, window=window, image_size=encoder.image_size)

        vector = _encoded(drawn, encoder)
        ExampleVector.objects.get_or_create(
            encoder=encoder, recipe=recipe, scene=scene, window=list(window), defaults={"vector": vector.tolist()}
        )
        found[example.thing] = vector
    return found


def _tiles_near(boxes: Sequence[ExampleGiven], encoder: Encoder) -> dict[_Thing, Vector]:
    """Return the vectors of boxes that are nearly a tile: of the tile that shares most with each; one statement."""
    near = Q(pk__in=[])
    for box in boxes:
        x, y, width, height = box.window or (0, 0, 0, 0)
        across, down = round((1 - NEARLY) * width) + 1, round((1 - NEARLY) * height) + 1
        near |= Q(
            tile__scene=box.id,
            tile__x__range=(x - across, x + across),
            tile__y__range=(y - down, y + down),
            tile__width__range=(width - 2 * across, width + 2 * across),
            tile__height__range=(height - 2 * down, height + 2 * down),
        )
    places = ("tile__scene", "tile__x", "tile__y", "tile__width", "tile__height")
    rows = list(Embedding.objects.filter(near, encoder=encoder).values_list(*places, "tile__level", "vector"))
    found: dict[_Thing, Vector] = {}
    for box in boxes:
        best = NEARLY
        for scene, *window, _level, vector in sorted(rows, key=lambda row: row[5]):
            if scene == box.id and box.window and (shared := _shared(box.window, window)) >= best:
                best, found[box.thing] = shared, _float(vector)
    return found


def _of_pictures(
    examples: Sequence[ExampleGiven], encoder: Encoder, user: Viewer, lent: Collection[UUID]
) -> dict[_Thing, Vector]:
    wanted = {example.id: example for example in examples if example.kind in _PICTURES}
    if not wanted:
        return {}
    own = Q(pk__in=QueryImage.objects.visible_to(user).order_by().values("pk")) | Q(pk__in=set(lent))
    images: Mapping[UUID, QueryImage] = QueryImage.objects.filter(own).order_by().defer("picture").in_bulk(set(wanted))
    recipes = {QueryImage.Kind.PICTURE: picture_recipe(encoder)}
    for example in wanted.values():
        image = images.get(example.id)
        if image is None or (image.kind == QueryImage.Kind.SKETCH) is not (example.kind == ExampleKind.SKETCH):
            raise _gone(example)
        if image.kind == QueryImage.Kind.SKETCH:
            recipes.setdefault(QueryImage.Kind.SKETCH, sketch_recipe(encoder))
    kept = ExampleVector.objects.filter(encoder=encoder, recipe__in=set(recipes.values()), image__in=set(wanted))
    rows = {(row.image_id, row.recipe): row for row in kept}
    found: dict[_Thing, Vector] = {}
    for example in wanted.values():
        image = images[example.id]
        recipe = recipes[QueryImage.Kind(image.kind)]
        row = rows.get((image.pk, recipe))
        if row is None:
            vector = _picture_encoded(image, encoder)
            ExampleVector.objects.get_or_create(
                encoder=encoder, recipe=recipe, image=image, defaults={"vector": vector.tolist()}
            )
        else:
            vector = _float(row.vector)
            _used(row)
        _used(image)
        found[example.thing] = vector
    return found


def _picture_encoded(image: QueryImage, encoder: Encoder) -> Vector:
    content = bytes(QueryImage.objects.values_list("picture", flat=True).get(pk=image.pk))
    if image.kind == QueryImage.Kind.SKETCH:
        return _rounded(sketch_vector(encoder=encoder, picture=content))
    return _encoded(lambda: Image.open(io.BytesIO(content)).convert("RGB"), encoder)


def _encoded(drawn: Callable[[], Image.Image], encoder: Encoder) -> Vector:
    """Draw and encode; the vector is rounded to half precision, as it is kept."""
    try:
        picture = drawn()
    except AssetMissing as error:
        raise Unavailable(error.message, code=error.code) from error
    except InvalidInput as error:
        raise InvalidInput(error.message, code=error.code, field=FIELD) from error
    try:
        return _rounded(encoder_ready(encoder=encoder, image=True).encode_images([picture])[0])
    except (EncoderUnavailable, EncoderMismatch) as error:
        raise Unavailable(error.message, code=error.code) from error


def _shared(one: Sequence[int], two: Sequence[int]) -> float:
    """Return the area in common over the area of both together (intersection over union)."""
    across = min(one[0] + one[2], two[0] + two[2]) - max(one[0], two[0])
    down = min(one[1] + one[3], two[1] + two[3]) - max(one[1], two[1])
    common = max(0, across) * max(0, down)
    return common / (one[2] * one[3] + two[2] * two[3] - common)


def _rounded(vector: NDArray[np.floating]) -> Vector:
    return np.asarray(vector, dtype=np.float16).astype(np.float32)


def _float(vector: object) -> Vector:
    """Return a stored vector (halves) as a row of float32."""
    return np.asarray(vector, dtype=np.float16).astype(np.float32)


def _used(row: ExampleVector | QueryImage) -> None:
    """Note that something kept was used; written once an hour at most."""
    now = timezone.now()
    if now - row.used_at > timedelta(hours=_USED_HOURS):
        row.used_at = now
        row.save(update_fields=["used_at"])


def _gone(example: ExampleGiven) -> InvalidInput:
    return InvalidInput(
        _("An example of the query is gone, or you may not see it any more: %(id)s. Leave it out.")
        % {"id": example.id},
        code=UNKNOWN,
        field=FIELD,
    )


def _not_encoded(encoder: Encoder) -> InvalidInput:
    return InvalidInput(
        _("A scene of the examples has no vector under the encoder %(name)s yet. Try again later, or leave it out.")
        % {"name": encoder.name},
        code="not_encoded",
        field=FIELD,
    )
