#!/usr/bin/env python3
"""What composing a text with an example picture is worth, and "not like this": on RSICD val with the built-in encoder.

    .venv/bin/python bench/composed.py --images DIR --captions captions.jsonl --work DIR [--embeddings FILE.npz ...]

Ranked by the portal's own stages (search.ranking: normalised, and diffused as well, which is the default) over all
pictures. Three kinds of question, each with the picture that is given left out of what is found (mAP):

* class: a phrase of bench/queries.jsonl and a picture of that class; what is of the class is wanted. Both say the same.
* pair: a picture of a class whose captions do not speak of a thing, and the name of that thing ("boats"); wanted is
  what is of the class and speaks of it. Either alone says half.
* minus: the name of a thing, and three pictures of one class as "not like this"; wanted is what speaks of the thing
  and is of another class.

"share" is the weight of the stage "examples": what an example of weight 1 counts beside the text. --embeddings adds
the class question on published embeddings (images, labels, texts: prompts x classes), such as those of WHU-RS19.
Vectors of pictures are kept below --work (bench/sketch.py makes the same ones).
"""

import argparse
import json
import os
import re
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")

if TYPE_CHECKING:
    from search.ranking import Geometry, RankQuery, StageSettings

Rows = NDArray[np.float32]
_SHARES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
_MINUS = (-0.5, -1.0, -2.0)
_THINGS = (
    "trees", "water", "road", "buildings", "houses", "river", "pond", "parking lot", "cars", "boats", "bridge", "lawn",
    "swimming pool", "bare land", "mountain", "sea", "football field", "tennis courts", "planes", "grass", "sand",
    "railway", "farmland", "lake",
)  # fmt: skip
_FEWEST, _MOST = 5, 0.5  # pictures that speak of a thing in a class; their share of it
_EXAMPLES = 4
_AGAINST = 3
_PHRASES = 3  # every third: four a class
_SEED = 3


@dataclass(frozen=True)
class Tiles:
    """Pictures as candidates: one tile a scene."""

    tile_ids: NDArray[np.int64]
    scene_ids: NDArray[np.object_]
    windows: NDArray[np.int32]
    vectors: Rows

    @classmethod
    def of(cls, vectors: Rows) -> "Tiles":
        """Rows in order, scene n being row n."""
        count = len(vectors)
        ids = np.array([uuid.UUID(int=number) for number in range(count)], dtype=object)
        windows = np.tile(np.array([0, 0, 0, 224, 224], dtype=np.int32), (count, 1))
        return cls(np.arange(count), ids, windows, vectors)


@dataclass(frozen=True)
class Question:
    """What is asked: a text's vector, pictures wanted and not wanted (rows), what is relevant, what does not count."""

    text: Rows
    like: tuple[int, ...]
    unlike: tuple[int, ...]
    relevant: NDArray[np.bool_]
    left_out: tuple[int, ...]


def main() -> None:
    """The command."""
    options = _options()
    import django

    django.setup()
    report: dict[str, Any] = {"rsicd val": _rsicd(options)}
    for path in options.embeddings:
        report[path.stem] = _published(path)
    print(_table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measured(kinds: dict[str, Sequence[Question]], vectors: Rows, geometry: "Geometry") -> dict[str, Any]:
    """{ranking: {kind: {way: mAP}}} over all pictures."""
    from search.ranking import StageSettings
    from search.ranking.stages import Stage

    normalised = replace(StageSettings(), normalise=Stage(on=True))
    full = replace(normalised, diffuse=Stage(on=True, weight=0.7))
    tiles = Tiles.of(vectors)
    found: dict[str, Any] = {}
    for name, settings in (("normalised", normalised), ("and diffused", full)):
        found[name] = {}
        for kind, questions in kinds.items():
            found[name][kind] = _ways(kind, questions, tiles, settings, geometry)
            print(f"{name}, {kind}: {found[name][kind]}", file=sys.stderr)
            found[name][kind]["questions"] = len(questions)
    return found


def _ways(
    kind: str, questions: Sequence[Question], tiles: Tiles, settings: "StageSettings", geometry: "Geometry"
) -> dict[str, float]:
    def mean(way: str, share: float = 1.0, minus: float = 0.0) -> float:
        chosen = replace(settings, examples=replace(settings.examples, weight=share))
        values = [_precision(question, way, minus, tiles, chosen, geometry) for question in questions]
        return round(100 * float(np.mean(values)), 1)

    found = {"text": mean("text")}
    if kind == "minus":
        return found | {f"minus {-weight:g}": mean("both", minus=weight) for weight in _MINUS}
    found["picture"] = mean("picture")
    return found | {f"share {share:g}": mean("both", share) for share in _SHARES}


def _precision(
    question: Question, way: str, minus: float, tiles: Tiles, settings: "StageSettings", geometry: "Geometry"
) -> float:
    from imagery.evaluation.metrics import average_precision
    from search.ranking import candidates_rank

    query = _query(question, way, minus, tiles.vectors)
    permitted = np.ones(len(tiles.vectors), dtype=bool)
    permitted[list(question.left_out)] = False
    ranked = candidates_rank(
        candidates=tiles,
        query=query,
        settings=settings,
        geometry=geometry,
        limit=len(tiles.vectors),
        permitted=permitted,
    )
    order = np.array([scene.int for scene in ranked.scene_ids])
    value = average_precision(question.relevant[order], scores=ranked.scores)
    assert value is not None
    return value


def _query(question: Question, way: str, minus: float, vectors: Rows) -> "RankQuery":
    from search.ranking import ExamplePart, RankExample, RankQuery
    from search.ranking.examples import examples_mean

    like = [RankExample((ExamplePart(vectors[row]),)) for row in question.like]
    unlike = [RankExample((ExamplePart(vectors[row]),), minus / len(question.unlike)) for row in question.unlike]
    sample = vectors[np.random.default_rng(_SEED).permutation(len(vectors))[:256]]
    if way == "text":
        return RankQuery(vector=question.text, sample=sample)
    if way == "picture":
        return RankQuery(vector=examples_mean(like), examples=tuple(like), worded=False, sample=sample)
    return RankQuery(vector=question.text, examples=(*like, *unlike), sample=sample)


def _rsicd(options: argparse.Namespace) -> dict[str, Any]:
    from imagery.encoders import registry
    from imagery.encoders.base import EncoderKind, EncoderSpec
    from imagery.encoders.builtin.corpus import captioned_images
    from imagery.encoders.prompts import default_prompts
    from imagery.encoders.terms import terms
    from imagery.encoders.texts import text_vectors
    from search.ranking import Geometry

    spec = EncoderSpec(EncoderKind.BUILTIN, "builtin")
    encoder = registry.get_encoder(spec)
    items = captioned_images(options.images, options.captions, split="val")
    file = options.work / f"val-images-of-{len(items)}-{registry.checksum(spec)[:12]}.npy"
    if not file.is_file():
        options.work.mkdir(parents=True, exist_ok=True)
        np.save(file, np.concatenate(list(_encoded(encoder, items))))
    vectors: Rows = np.load(file)
    languages = encoder.facts.languages
    prompts = default_prompts(kind="builtin", languages=languages)

    def texts(words: Sequence[str]) -> Rows:
        return np.stack([each.vector for each in text_vectors(encoder, words, prompts=prompts)])

    geometry = Geometry(text_mean=texts(terms(languages)).mean(axis=0), image_mean=vectors.mean(axis=0))
    classes = np.array([item.scene_class or "" for item in items])
    spoken = [" ".join(item.captions).lower() for item in items]
    lines = [json.loads(line) for line in (_ROOT / "bench" / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    phrases = [(line["text"], line["class"]) for line in lines if line["language"] == "en"][::_PHRASES]
    of_phrases, of_things = texts([text for text, _class in phrases]), texts(_THINGS)
    thing = np.array([[bool(re.search(rf"\b{_stem(name)}", each)) for each in spoken] for name in _THINGS])
    return measured(
        {
            "class": list(_of_classes(of_phrases, [name for _text, name in phrases], classes)),
            "pair": list(_of_pairs(of_things, thing, classes)),
            "minus": list(_of_minus(of_things, thing, classes)),
        },
        vectors,
        geometry,
    )


def _of_classes(texts: Rows, wanted: Sequence[str], classes: NDArray[np.str_]) -> Iterator[Question]:
    random = np.random.default_rng(_SEED)
    for text, name in zip(texts, wanted, strict=True):
        members = np.flatnonzero(classes == name)
        if len(members) < 2:
            continue
        given = int(random.choice(members))
        yield Question(text, (given,), (), classes == name, (given,))


def _of_pairs(texts: Rows, thing: NDArray[np.bool_], classes: NDArray[np.str_]) -> Iterator[Question]:
    random = np.random.default_rng(_SEED)
    for text, speaks in zip(texts, thing, strict=True):
        for name in sorted(set(classes) - {""}):
            both = speaks & (classes == name)
            without = np.flatnonzero(~speaks & (classes == name))
            if not (_FEWEST <= both.sum() <= _MOST * (classes == name).sum()) or len(without) < _EXAMPLES:
                continue
            for given in random.choice(without, size=_EXAMPLES, replace=False):
                yield Question(text, (int(given),), (), both, (int(given),))


def _of_minus(texts: Rows, thing: NDArray[np.bool_], classes: NDArray[np.str_]) -> Iterator[Question]:
    random = np.random.default_rng(_SEED)
    for text, speaks in zip(texts, thing, strict=True):
        for name in sorted(set(classes) - {""}):
            unwanted = np.flatnonzero(speaks & (classes == name))
            if len(unwanted) >= 2 * _AGAINST and (speaks & (classes != name)).sum() >= _FEWEST:
                given = tuple(int(row) for row in random.choice(unwanted, size=_AGAINST, replace=False))
                yield Question(text, (), given, speaks & (classes != name), given)


def _published(path: Path) -> dict[str, Any]:
    from imagery.encoders.base import unit_rows
    from search.ranking import Geometry

    stored = np.load(path, allow_pickle=False)
    vectors = unit_rows(stored["images"])
    prompts = unit_rows(stored["texts"].reshape(-1, vectors.shape[1])).reshape(stored["texts"].shape)
    texts = unit_rows(prompts.mean(axis=0))
    names = np.array([str(label) for label in stored["labels"]])
    random = np.random.default_rng(_SEED)
    questions = [
        Question(text, (int(given),), (), names == str(number), (int(given),))
        for number, text in enumerate(texts)
        for given in random.choice(np.flatnonzero(names == str(number)), size=_EXAMPLES, replace=False)
    ]
    geometry = Geometry(text_mean=texts.mean(axis=0), image_mean=vectors.mean(axis=0))
    return measured({"class": questions}, vectors, geometry)


def _encoded(encoder: Any, items: Sequence[Any]) -> Iterator[Rows]:
    from PIL import Image

    for item in items:
        with Image.open(item.path) as opened:
            yield encoder.encode_images([opened.convert("RGB")])


def _stem(name: str) -> str:
    """The name in one and in many: boats, boat."""
    return re.escape(name.removesuffix("s")) + r"s?\b"


def _table(report: dict[str, Any]) -> str:
    lines = []
    for data, rankings in report.items():
        for ranking, kinds in rankings.items():
            for kind, ways in kinds.items():
                told = ", ".join(f"{way} {value}" for way, value in ways.items() if way != "questions")
                lines.append(f"{data} | {ranking} | {kind} ({ways['questions']}) | {told}")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--captions", type=Path, required=True, help="JSON Lines with the captions, splits and classes")
    parser.add_argument("--work", type=Path, required=True, help="folder for vectors")
    parser.add_argument("--embeddings", type=Path, nargs="*", default=[], help="published embeddings (.npz)")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
