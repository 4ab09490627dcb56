"""The means of an encoder's text and image vectors, kept with its row (DESIGN: distribution normalisation).

Searches take them away before they compare (the ranking stage ``normalise``), if both are there. The image mean is an
average over the scenes of everybody, at least 50 of them, and its numbers are shown to administrators only: one scene's
part in it cannot be read out.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from django.db import connection, transaction
from django.utils import timezone
from numpy.typing import NDArray

from imagery.encoders.adapter import fingerprint
from imagery.encoders.base import ImageTextEncoder, unit_rows
from imagery.encoders.prompts import prompted, prompts_check
from imagery.encoders.terms import terms
from imagery.models import Embedding, Encoder, Scene, Tile
from imagery.services.adapters import texts_adapt
from imagery.services.selftest import encoder_ready

FEWEST_SCENES: Final = 50
_SAMPLED_SCENES: Final = 2_000
_TILES_OF_A_SCENE: Final = 16
_GROWTH: Final = 1.2  # Then the archive is another one, and its mean is taken anew.
_DIGITS: Final = 7
_TERMS_AT_ONCE: Final = 32


def encoder_means_compute(*, encoder: Encoder) -> Encoder:
    """Compute both means and store them with the encoder; return it.

    The text mean takes every term of the bank through the encoder's prompts: seconds for the built-in encoder, minutes
    for a large one on a CPU. Below 50 scenes with vectors there is no image mean (None). Raises Unavailable when the
    encoder cannot compute.
    """
    model = encoder_ready(encoder=encoder, text=True)
    bank = terms(encoder.languages)
    mean = _text_mean(encoder, model, bank)
    with transaction.atomic():
        row = Encoder.objects.select_for_update().get(pk=encoder.pk)
        made_of = {"terms": len(bank), "prompts": list(encoder.prompts), "adapter": fingerprint(encoder.adapter)}
        # Other prompts or another adapter since: this mean is of the old ones, and the next look takes it anew.
        if (list(row.prompts), fingerprint(row.adapter)) == (made_of["prompts"], made_of["adapter"]):
            row.text_mean = _listed(mean)
            row.means_of = {**row.means_of, **made_of}
            row.save(update_fields=["text_mean", "means_of"])
    return encoder_image_mean_compute(encoder=row)


def encoder_image_mean_compute(*, encoder: Encoder) -> Encoder:
    """Compute the image mean (one statement in the database, no model) and store it with the encoder; return it."""
    found = _image_mean(encoder)
    with transaction.atomic():
        row = Encoder.objects.select_for_update().get(pk=encoder.pk)
        row.image_mean = found.pop("mean")
        row.means_of = {**row.means_of, **found}
        row.means_at = timezone.now()
        row.save(update_fields=["image_mean", "means_of", "means_at"])
    return row


def encoder_means_refresh() -> bool:
    """Take the active encoder's image mean anew if the archive grew by more than 20 % since; return whether it did."""
    encoder = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
    if encoder is None:
        return False
    counted, now = int(encoder.means_of.get("archive", 0)), _scenes_with_vectors(encoder)
    if now < FEWEST_SCENES or now <= counted * _GROWTH:
        return False
    encoder_image_mean_compute(encoder=encoder)
    return True


def encoder_prompts_set(*, encoder: Encoder, prompts: Sequence[str]) -> Encoder:
    """Give an encoder other prompts; its text mean, made with the old ones, goes. Raises InvalidInput."""
    checked = prompts_check(prompts)
    with transaction.atomic():
        row = Encoder.objects.select_for_update().get(pk=encoder.pk)
        if row.prompts != checked:
            row.prompts, row.text_mean = checked, None
            row.save(update_fields=["prompts", "text_mean"])
    return row


def _text_mean(encoder: Encoder, model: ImageTextEncoder, bank: Sequence[str]) -> NDArray[np.float64]:
    """The mean of the terms' vectors, each as a query of that term has it: the unit mean over its prompts, adapted."""
    total = np.zeros(model.dimension)
    for start in range(0, len(bank), _TERMS_AT_ONCE):
        variants = [prompted(term, encoder.prompts) for term in bank[start : start + _TERMS_AT_ONCE]]
        rows = model.encode_texts([text for texts in variants for text in texts])
        begins = np.cumsum([0, *(len(texts) for texts in variants[:-1])])
        means = unit_rows(np.add.reduceat(rows, begins, axis=0))
        total += texts_adapt(encoder=encoder, vectors=means).sum(axis=0, dtype=np.float64)
    return np.asarray(total / len(bank))


def _image_mean(encoder: Encoder) -> dict[str, Any]:
    """The mean over a sample of scenes of the means of their tiles' vectors, and what it was made of.

    The sample is the same as long as the archive is: scenes and tiles in the order of a hash. Each scene counts once,
    however large it is; of a scene with many tiles 16 stand for all.
    """
    archive = _scenes_with_vectors(encoder)
    if archive < FEWEST_SCENES:
        reason = f"{archive} scenes have vectors; the image mean needs {FEWEST_SCENES}."
        return {"mean": None, "archive": archive, "scenes": 0, "vectors": 0, "reason": reason}
    with connection.cursor() as cursor:
        cursor.execute(_IMAGE_MEAN, {"encoder": encoder.pk, "scenes": _SAMPLED_SCENES, "tiles": _TILES_OF_A_SCENE})
        text, scenes, vectors = cursor.fetchone()
    mean = np.asarray([float(number) for number in text.strip("[]").split(",")])
    return {"mean": _listed(mean), "archive": archive, "scenes": scenes, "vectors": int(vectors), "reason": ""}


_TABLES: Final = {
    "scene": Scene._meta.db_table,
    "tile": Tile._meta.db_table,
    "embedding": Embedding._meta.db_table,
}
# In single precision: the sums of half-precision vectors would lose what the mean is for.
_IMAGE_MEAN: Final = """
WITH sampled AS (
    SELECT s.id FROM {scene} s
    WHERE s.status = 'ready' AND EXISTS (
        SELECT 1 FROM {tile} t JOIN {embedding} e ON e.tile_id = t.id AND e.encoder_id = %(encoder)s
        WHERE t.scene_id = s.id)
    ORDER BY md5(s.id::text) LIMIT %(scenes)s
), of_scene AS (
    SELECT avg(v.vector) AS mean, count(*) AS vectors FROM sampled s CROSS JOIN LATERAL (
        SELECT e.vector::vector AS vector FROM {tile} t
        JOIN {embedding} e ON e.tile_id = t.id AND e.encoder_id = %(encoder)s
        WHERE t.scene_id = s.id ORDER BY md5(t.id::text) LIMIT %(tiles)s) v
    GROUP BY s.id
)
SELECT avg(mean)::text, count(*), sum(vectors) FROM of_scene
""".format(**_TABLES)
_SCENES: Final = """
SELECT count(*) FROM {scene} s WHERE s.status = 'ready' AND EXISTS (
    SELECT 1 FROM {tile} t JOIN {embedding} e ON e.tile_id = t.id AND e.encoder_id = %s WHERE t.scene_id = s.id)
""".format(**_TABLES)


def _scenes_with_vectors(encoder: Encoder) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_SCENES, [encoder.pk])
        return int(cursor.fetchone()[0])


def _listed(mean: NDArray[np.floating]) -> list[float]:
    return [round(float(number), _DIGITS) for number in mean]
