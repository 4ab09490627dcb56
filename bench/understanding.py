#!/usr/bin/env python3
"""What each part of query understanding gains over looking for the whole text at once.

    .venv/bin/python bench/understanding.py --images DIR --captions captions.jsonl [--split val] [--tune]

Pictures and captions of ``--split``; classes are named by the first phrase of each class in bench/queries.jsonl. Every
row is the difference to the whole text as it is searched without that part, with its 95 % bootstrap interval (paired;
drawn by query, captions by picture). ``--tune`` prints a grid of settings instead (use it on ``--split train``).
``--normalise`` compares in the normalised geometry, ``--pipeline`` takes all stages that are on by default. Vectors of
pictures are kept in ``--cache`` between runs.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(_ROOT)  # Not this folder: its search.py is no package.
sys.path.append(str(_ROOT / "bench"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")

Scores = NDArray[np.float64]
SHARES = (0.25, 0.5, 1.0, 2.0, 4.0)
GAMMAS = (0.15, 0.3, 0.5, 0.8, 1.2)


class Archive:
    """Encoded pictures and texts, both in the geometry that is compared."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from imagery.encoders import registry
        from imagery.encoders.base import EncoderKind, EncoderSpec
        from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
        from imagery.encoders.terms import terms
        from imagery.evaluation.captions import captions_read

        kind = EncoderKind.TRANSFORMERS if arguments.source else EncoderKind.BUILTIN
        self.model: Any = registry.get_encoder(EncoderSpec(kind=kind, source=arguments.source or BUILTIN_NAME))
        pictures = list(captions_read(arguments.captions, split=arguments.split).pictures)
        if arguments.most and len(pictures) > arguments.most:
            pictures = pictures[:: -(-len(pictures) // arguments.most)]
        self.folder: Path = arguments.images
        rows, vectors = self._pictures(pictures, arguments.cache)
        self.pictures = [pictures[row] for row in rows]
        self._means: tuple[Any, Any] | None = None
        self._known: dict[str, Any] = {}
        if arguments.normalise or arguments.pipeline:
            bank = terms(self.model.languages)
            self.means = vectors.mean(axis=0), np.mean([self._encoded(term) for term in bank], axis=0)
            self._means = self.means if arguments.normalise else None
        self.vectors = self.of_pictures(vectors)

    def _pictures(self, pictures: Sequence[Any], cache: Path | None) -> tuple[list[int], NDArray[np.float32]]:
        from imagery.evaluation.pictures import pictures_encode

        names = [picture.filename for picture in pictures]
        if cache is not None and cache.exists():
            kept = np.load(cache)
            if kept["names"].tolist() == names:
                return kept["rows"].tolist(), kept["vectors"]
        encoded = pictures_encode(model=self.model, folder=self.folder, filenames=names)
        if cache is not None:
            np.savez(cache, names=np.array(names), rows=encoded.rows, vectors=encoded.vectors)
        return encoded.rows.tolist(), encoded.vectors

    def of_pictures(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit rows in the compared geometry."""
        from search.ranking.query import unit

        return vectors if self._means is None else unit(vectors - self._means[0])

    def text(self, text: str) -> NDArray[np.float32]:
        """The unit vector of a text in the compared geometry, as a search would encode it."""
        from search.ranking.query import unit

        if text not in self._known:
            vector = self._encoded(text)
            self._known[text] = vector if self._means is None else unit(vector - self._means[1])
        return self._known[text]  # type: ignore[no-any-return]

    def _encoded(self, text: str) -> NDArray[np.float32]:
        from imagery.encoders.texts import text_vector

        return text_vector(self.model, text).vector

    def scores(self, text: str) -> Scores:
        """(n,) cosines of the pictures."""
        return np.asarray(self.vectors @ self.text(text), dtype=np.float64)


def main() -> None:
    arguments = _arguments()
    import django

    django.setup()
    archive = Archive(arguments)
    names = _class_names(arguments.queries)
    geometry = "normalised" if arguments.normalise else "plain"
    print(f"{len(archive.pictures)} pictures of {arguments.split}, {geometry} cosine")
    wanted = arguments.part or ["without", "clauses", "attributes", "relations"]
    for part in wanted:
        {"without": _without, "clauses": _clauses, "attributes": _attributes, "relations": _relations}[part](
            archive, names, arguments
        )


def _without(archive: Archive, names: dict[str, dict[str, str]], arguments: argparse.Namespace) -> None:
    from understanding_portal import portal_scores
    from understanding_sets import LANGUAGES, denials

    from search.ranking.clauses import without_take
    from search.understanding import query_plan

    questions = denials(archive.pictures, names)
    for language in LANGUAGES:
        plans = [query_plan(question.texts[language]) for question in questions]
        rightly = sum(
            [each.text for each in plan.negatives] == [question.denied[language]]
            for plan, question in zip(plans, questions, strict=True)
        )
        print(f"\nwithout, {language}: {len(questions)} queries, {rightly} read as meant")
        texts = [question.texts[language] for question in questions]
        base = _denied(questions, [archive.scores(text) for text in texts])
        wholes = [archive.scores(plan.whole) for plan in plans]
        _print("whole text", base)
        _print("A alone", _denied(questions, wholes), base)
        for gamma in GAMMAS if arguments.tune else (arguments.gamma,):
            scores = []
            for plan, whole in zip(plans, wholes, strict=True):
                against = [archive.scores(each.text) for each in plan.negatives]
                taken = without_take(whole=whole, against=against, weights=[1.0] * len(against), gamma=gamma)
                scores.append(whole + sum(taken))
            _print(f"A - {gamma:g} relu(z(B))", _denied(questions, scores), base)
        if arguments.pipeline:
            base = _denied(questions, [portal_scores(archive, text) for text in texts])
            _print("portal, whole text", base)
            understood = [
                portal_scores(archive, plan.whole, denied=[each.text for each in plan.negatives]) for plan in plans
            ]
            _print("portal, understood", _denied(questions, understood), base)


def _denied(questions: Sequence[Any], scores: Sequence[Scores]) -> dict[str, list[float]]:
    """Average precision of A without B, and the share of A with B among the first ten."""
    from imagery.evaluation.metrics import average_precision, precision_at

    found: dict[str, list[float]] = {"AP": [], "wrong@10": []}
    for question, every in zip(questions, scores, strict=True):
        values = every[question.judged]
        found["AP"].append(average_precision(question.right[question.judged], scores=values) or 0.0)
        found["wrong@10"].append(precision_at(question.wrong[question.judged], 10, scores=values))
    return found


def _clauses(archive: Archive, names: dict[str, dict[str, str]], arguments: argparse.Namespace) -> None:
    from understanding_sets import LANGUAGES, descriptions

    from search.understanding import query_plan

    for language in LANGUAGES:
        for joined in (1, 2, 3):
            asked = descriptions(archive.pictures, joined=joined, language=language)
            plans = [query_plan(each.text) for each in asked]
            kept = [(each, plan) for each, plan in zip(asked, plans, strict=True) if len(plan.clauses) > 1]
            count = np.mean([len(plan.clauses) for _, plan in kept])
            print(f"\nclauses, {language}, {joined} caption(s): {len(kept)} of {len(asked)} texts, {count:.1f} clauses")
            _described(archive, kept, arguments, lambda plan: [each.text for each in plan.clauses])


def _attributes(archive: Archive, names: dict[str, dict[str, str]], arguments: argparse.Namespace) -> None:
    from understanding_sets import LANGUAGES, descriptions

    from search.understanding import AttributeKind, query_plan

    for language in LANGUAGES:
        for kind in AttributeKind:
            asked = descriptions(archive.pictures, joined=1, language=language)
            plans = [query_plan(each.text) for each in asked]
            kept = [
                (each, plan)
                for each, plan in zip(asked, plans, strict=True)
                if any(found.kind is kind for found in plan.attributes)
            ]
            print(f"\nattributes, {language}, {kind}: {len(kept)} of {len(asked)} captions")
            _described(
                archive, kept, arguments, lambda plan, kind=kind: [a.phrase for a in plan.attributes if a.kind is kind]
            )


def _described(
    archive: Archive,
    kept: Sequence[tuple[Any, Any]],
    arguments: argparse.Namespace,
    parts_of: Callable[[Any], list[str]],
) -> None:
    """Does a text find its own picture sooner with its parts than as a whole? Mean of recall at 1, 5, 10, and MRR."""
    from search.ranking.clauses import clauses_add, length_share

    groups = [each.row for each, _ in kept]

    def measured(share: float, *, by_length: bool = False) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"R@1,5,10": [], "MRR": []}
        for each, plan in kept:
            whole = archive.scores(each.text)
            parts = [archive.scores(text) for text in parts_of(plan)]
            counts = share * length_share(len(parts)) if by_length else share
            if counts:
                whole = whole + sum(clauses_add(whole=whole, parts=parts, weights=[1.0] * len(parts), share=counts))
            rank = 1 + int((whole > whole[each.row]).sum())
            found["R@1,5,10"].append(float(np.mean([rank <= cut for cut in (1, 5, 10)])))
            found["MRR"].append(1.0 / rank)
        return found

    base = measured(0.0)
    _print("whole text", base, groups=groups)
    for share in SHARES if arguments.tune else (arguments.share,):
        _print(f"whole + {share:g} parts", measured(share), base, groups=groups)
    _print("whole + parts by count", measured(1.0, by_length=True), base, groups=groups)


def _relations(archive: Archive, names: dict[str, dict[str, str]], arguments: argparse.Namespace) -> None:
    """The stages themselves, on scenes of one whole tile and a window for each picture: 1,000 candidates, 50 scenes."""
    from understanding_portal import MosaicScenes
    from understanding_sets import LANGUAGES, mosaics, placed, rings

    sets = []
    for side, count in ((2, 120), (3, 60)):
        made, classes = mosaics(archive.pictures, names, side=side, count=count)
        sets.append((f"{side} x {side}", made, placed(classes, names, side=side, most=60)))
    sets.append(("one in eight", *rings(archive.pictures, names, count=60)))
    for title, made, questions in sets:
        wanted = [question for question in questions if not arguments.kind or question.kind in arguments.kind]
        scenes = MosaicScenes(archive, made, pipeline=arguments.pipeline) if wanted else None
        for language in LANGUAGES if scenes else ():
            for kind in sorted({question.kind for question in wanted}):
                asked = [question for question in wanted if question.kind == kind]
                print(f"\nrelations, {language}, {title}, {kind}: {len(asked)} queries over {len(made)} mosaics")
                _related(scenes, asked, language, arguments)


def _related(scenes: Any, asked: Sequence[Any], language: str, arguments: argparse.Namespace) -> None:
    from imagery.evaluation.metrics import average_precision
    from search.understanding import query_plan

    plans = [query_plan(question.texts[language]) for question in asked]
    rightly = sum([each.kind.value for each in plan.relations] == [asked[0].kind] for plan in plans)
    print(f"  {rightly} read as meant")
    weights = [0.0, *(SHARES if arguments.tune else (arguments.weight,))]
    found: dict[float, dict[str, list[float]]] = {weight: {"AP": [], "R@10": []} for weight in weights}
    for question, plan in zip(asked, plans, strict=True):
        total = len(question.right)
        for weight in weights:
            right = [scene in question.right for scene in scenes.ranked(question.texts[language], plan, weight)]
            found[weight]["AP"].append(average_precision(right, total=total) or 0.0)
            found[weight]["R@10"].append(sum(right[:10]) / min(10, total))
    _print("whole text, best tile", found[0.0])
    for weight in weights[1:]:
        _print(f"+ {weight:g} relation", found[weight], found[0.0])


def _print(
    name: str,
    values: dict[str, list[float]],
    base: dict[str, list[float]] | None = None,
    *,
    groups: Sequence[int] | None = None,
) -> None:
    """One line: the mean of each measure in per cent, and its difference to the base with its interval."""
    from imagery.evaluation.metrics import paired_bootstrap

    line = f"  {name:22}"
    for measure, numbers in values.items():
        line += f"  {measure} {100 * float(np.mean(numbers)):5.1f}"
        if base is not None:
            gain = paired_bootstrap(base[measure], numbers, groups=groups)
            line += f" ({100 * gain.mean:+.1f}: {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    print(line, flush=True)


def _class_names(path: Path) -> dict[str, dict[str, str]]:
    from imagery.evaluation.phrases import phrases_read

    names: dict[str, dict[str, str]] = {}
    for phrase in phrases_read(path)[0]:
        names.setdefault(phrase.scene_class, {}).setdefault(phrase.language, phrase.text)
    return names


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, metavar="DIR")
    parser.add_argument("--captions", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument("--queries", type=Path, default=_ROOT / "bench" / "queries.jsonl", metavar="FILE.jsonl")
    parser.add_argument("--split", default="val")
    parser.add_argument("--most", type=int, default=0, metavar="N", help="at most so many pictures, evenly drawn")
    parser.add_argument("--source", default="", metavar="FOLDER", help="a SigLIP or CLIP checkpoint")
    parser.add_argument("--part", action="append", choices=["without", "clauses", "attributes", "relations"])
    parser.add_argument("--kind", action="append", help="of relations; default: all of them")
    parser.add_argument("--cache", type=Path, metavar="FILE.npz")
    parser.add_argument("--normalise", action="store_true")
    parser.add_argument("--pipeline", action="store_true")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0.5)
    parser.add_argument("--weight", type=float, default=2.0, help="of relations")
    return parser.parse_args()


if __name__ == "__main__":
    main()
