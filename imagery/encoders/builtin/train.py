"""Train the built-in encoder: python -m imagery.encoders.builtin.train --images DIR --captions FILE --out DIR

Four steps; those already done are skipped when the command is run again:

1. The early layers of the backbone stay as ImageNet left them. What they say of `--views` random views of every
   training image is computed once and kept in OUT (31 kB a view), because on a CPU they are most of the work.
2. The heads are trained on frozen features (a minute).
3. Heads and late layers are trained together, with a moving average of the weights. OUT/checkpoint.pt after every
   epoch, OUT/curve.jsonl a line an epoch.
4. Means of the weights before and after step 3 are tried.

The weights with the best recall on the validation split become OUT/weights.safetensors.

Runs on a CPU or, with --device cuda, on a GPU. The same seed on the same machine gives the same weights.
"""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that decides the outcome, apart from the data."""

    images: Path
    captions: Path
    out: Path
    views: int = 4
    head_epochs: int = 10
    epochs: int = 3
    tail_from: int = 12
    batch_size: int = 128
    captions_per_image: int = 3
    chinese_share: float = 0.25
    head_rate: float = 1e-3
    tuned_head_rate: float = 5e-4
    backbone_rate: float = 2e-4
    weight_decay: float = 0.05
    image_dropout: float = 0.3
    text_dropout: float = 0.2
    average_decay: float = 0.98
    seed: int = 0
    threads: int = 2
    device: str = "cpu"
    half: bool = False


_HELP = {
    "images": "folder of the images",
    "captions": 'JSON Lines: "filename", "split" (train or val), "captions"',
    "out": "folder for caches, checkpoints and the result",
    "views": "random views of each image that are kept",
    "tail_from": "first block of the backbone (8..15) that is trained",
    "half": "bfloat16 where it is safe; faster on processors and GPUs that have it",
}


def parsed_options(arguments: list[str] | None = None) -> TrainingOptions:
    """The options of the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in fields(TrainingOptions):
        flag = "--" + option.name.replace("_", "-")
        if option.type is Path:
            parser.add_argument(flag, type=Path, required=True, help=_HELP.get(option.name))
        elif option.type is bool:
            parser.add_argument(flag, action="store_true", help=_HELP.get(option.name))
        else:
            parser.add_argument(
                flag,
                type=type(option.default),
                default=option.default,
                help=_HELP.get(option.name, "default %(default)s"),
            )
    return TrainingOptions(**vars(parser.parse_args(arguments)))


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    options = parsed_options(arguments)
    from .training import Training

    Training(options).run()


if __name__ == "__main__":
    main()
