#!/usr/bin/env python3
"""How much searching in Chinese loses by being translated: class mAP and nDCG@10 of the judged phrases.

    .venv/bin/python bench/translation.py --images DIR --captions captions.jsonl

Three rows from one encoder: the English phrases, their Chinese counterparts translated by the glossary, and (if the
encoder reads Chinese) the Chinese phrases as they are. Classes and pictures come from the lines of the captions
file with the split ``--split``. The built-in encoder is measured unless --source names a SigLIP or CLIP checkpoint.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagery.evaluation.metrics import Interval

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")


def main() -> None:
    arguments = _arguments()
    import django

    django.setup()
    import numpy as np

    from imagery.encoders import registry
    from imagery.encoders.base import EncoderKind, EncoderSpec
    from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
    from imagery.evaluation.captions import captions_read
    from imagery.evaluation.phrases import phrases_read, phrases_score
    from imagery.evaluation.pictures import pictures_encode
    from search.translation import reads_chinese, translate_by_glossary

    kind = EncoderKind.TRANSFORMERS if arguments.source else EncoderKind.BUILTIN
    model = registry.get_encoder(EncoderSpec(kind=kind, source=arguments.source or BUILTIN_NAME))
    captioned = captions_read(arguments.captions, split=arguments.split).pictures
    pictures = [picture for picture in captioned if picture.scene_class is not None]
    encoded = pictures_encode(
        model=model, folder=arguments.images, filenames=[picture.filename for picture in pictures]
    )
    classes = [pictures[row].scene_class for row in encoded.rows]
    phrases, _bad = phrases_read(arguments.queries)
    english = [phrase for phrase in phrases if phrase.language == "en"]
    chinese = [phrase for phrase in phrases if phrase.language == "zh"]
    begun = time.perf_counter()
    readings = [translate_by_glossary(phrase.text) for phrase in chinese]
    took = time.perf_counter() - begun
    rows = [("English", english, [phrase.text for phrase in english])]
    rows.append(("Chinese, translated", chinese, [reading.english for reading in readings]))
    if reads_chinese(model.languages):
        rows.append(("Chinese, read itself", chinese, [phrase.text for phrase in chinese]))
    print(f"{len(classes)} pictures, {len(set(classes))} classes, {len(english)} phrases a language")
    for name, asked, texts in rows:
        vectors = np.concatenate([model.encode_texts([text]) for text in texts])
        (score,) = phrases_score(images=encoded.vectors, classes=classes, vectors=vectors, phrases=asked).values()
        print(f"{name:22} mAP {_interval(score.average_precision)}   nDCG@10 {_interval(score.ndcg10)}")
    complete = sum(not reading.untranslated for reading in readings)
    print(f"{complete} of {len(readings)} phrases read completely; {1_000 * took / len(readings):.2f} ms a phrase")


def _interval(value: "Interval") -> str:
    return f"{value.mean:5.1f} ({value.low:.1f} to {value.high:.1f})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, metavar="DIR")
    parser.add_argument("--captions", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument("--queries", type=Path, default=_ROOT / "bench" / "queries.jsonl", metavar="FILE.jsonl")
    parser.add_argument("--split", default="val")
    parser.add_argument("--source", default="", metavar="FOLDER", help="a SigLIP or CLIP checkpoint")
    return parser.parse_args()


if __name__ == "__main__":
    main()
