"""How alike the vectors of similar queries are: .venv/bin/python bench/similar_queries.py [EMBEDDINGS.npz ...]

What somebody chose under one query counts for another if the cosine of both, less the mean of all texts, is above a
threshold (``search.feedback.likeness``). This prints the shares of pairs of queries above several thresholds: the same
words written otherwise, the same phrase in another language, phrases for the same class, and phrases for other classes
(``queries.jsonl``, the built-in encoder); and of published text vectors of other models (the layout of
``manage.py evaluate_ranking``) one class under two prompts, and two classes.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROOT: Final = Path(__file__).resolve().parents[1]
THRESHOLDS: Final = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
WRITTEN_OTHERWISE: Final = ("{}s", "a {}", "the {}", "{} ", "a picture of {}", "image with {}", "show me {}")
Rows = NDArray[np.float32]


def unit(rows: NDArray[np.floating]) -> Rows:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), dtype=np.float32)


def told(name: str, cosines: Iterable[float]) -> None:
    values = np.fromiter(cosines, dtype=np.float64)
    shares = " ".join(f"{100 * np.mean(values >= threshold):6.1f}" for threshold in THRESHOLDS)
    print(f"{name:<52}{len(values):>8} {np.median(values):7.2f}  {shares}")


def told_head(title: str) -> None:
    print(f"\n{title}\n{'% of pairs at or above':<52}{'pairs':>8} {'median':>7}  "
          + " ".join(f"{threshold:6.2f}" for threshold in THRESHOLDS))  # fmt: skip


def builtin_tell() -> None:
    """The judged phrases under the built-in encoder."""
    from imagery.encoders.base import EncoderKind, EncoderSpec
    from imagery.encoders.prompts import default_prompts
    from imagery.encoders.registry import get_encoder
    from imagery.encoders.terms import terms
    from imagery.encoders.texts import text_vectors

    model = get_encoder(EncoderSpec(kind=EncoderKind.BUILTIN, source="builtin"))
    prompts = default_prompts(kind="builtin", languages=model.languages)

    def encoded(texts: list[str]) -> Rows:
        return np.stack([each.vector for each in text_vectors(model, texts, prompts=prompts)])

    mean = encoded(list(terms(model.languages))).mean(axis=0)
    rows = [json.loads(line) for line in (ROOT / "bench" / "queries.jsonl").read_text().splitlines()]
    vectors = encoded([row["text"] for row in rows])
    classes = np.array([row["class"] for row in rows])
    languages = np.array([row["language"] for row in rows])
    pairs = np.array([row["pair"] for row in rows])
    for title, shift in (("Built-in encoder, less the text mean", mean), ("Built-in encoder, as it is", 0 * mean)):
        told_head(title)
        moved = unit(vectors - shift)
        for form in WRITTEN_OTHERWISE:
            english = np.flatnonzero(languages == "en")
            other = unit(encoded([form.format(rows[place]["text"]) for place in english]) - shift)
            told(f"the same words as {form!r}", np.einsum("ij,ij->i", moved[english], other))
        cosines = moved @ moved.T
        same_class = classes[:, None] == classes
        upper = np.triu(np.ones_like(same_class), 1).astype(bool)
        both = languages[:, None] == languages
        told("the same phrase, English and Chinese", cosines[same_class & ~both & (pairs[:, None] == pairs) & upper])
        told("the same class, one language", cosines[same_class & both & upper])
        told("the same class, two languages", cosines[same_class & ~both & upper])
        told("another class, one language", cosines[~same_class & both & upper])
        told("another class, two languages", cosines[~same_class & ~both & upper])
        for threshold in THRESHOLDS:
            near = (cosines >= threshold) & upper
            print(
                f"  at {threshold:.2f}: {100 * np.mean(same_class[near]):5.1f} % of the pairs above it are of one class"
            )


def file_tell(path: Path) -> None:
    """The class names of published embeddings under several prompts."""
    with np.load(path) as kept:
        texts = unit(kept["texts"].astype(np.float32))
    prompts, classes, _dimension = texts.shape
    for title, shift in (("less the text mean", texts.reshape(-1, texts.shape[2]).mean(axis=0)), ("as it is", 0.0)):
        told_head(f"{path.stem}, {title}")
        moved = unit(texts - shift)
        cosines = np.einsum("acd,bed->abce", moved, moved)
        other_prompt = ~np.eye(prompts, dtype=bool)
        same = np.eye(classes, dtype=bool)
        told("one class, two prompts", cosines[other_prompt][:, same].ravel())
        told("two classes, one prompt", cosines[~other_prompt][:, ~same].ravel())
        told("two classes, two prompts", cosines[other_prompt][:, ~same].ravel())


def main() -> None:
    """The command."""
    builtin_tell()
    for name in sys.argv[1:]:
        file_tell(Path(name))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    main()
