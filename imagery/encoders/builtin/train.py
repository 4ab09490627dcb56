"""Train the built-in encoder: python -m imagery.encoders.builtin.train --images DIR --captions FILE --out DIR

The same command run again after an interruption goes on where it was.

The first half of the backbone stays as ImageNet left it: what it says of a random view of every training image is
computed once a view and kept in OUT (31 kB an image; `--views` of them, used in turn), because on a CPU it is most
of the work. The second half and the heads are trained together, with a moving average of the weights.

OUT/checkpoint.pt and OUT/curve.jsonl are written after every epoch. The weights with the best recall on the
validation split become OUT/weights.safetensors; `manage.py encoder add NAME --kind builtin --source OUT` registers
them, once `calibrate` has measured what their cosines are worth.

Runs on a CPU or, with --device cuda, on a GPU. On a CPU the same seed, data and number of threads give the same
weights, interrupted or not; a GPU adds up in changing order.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from rsportal.errors import RsportalError

from .options import TrainingOptions

_HELP = {
    "images": "folder of the images",
    "captions": 'JSON Lines: "filename", "split" (train or val), "captions"',
    "out": "folder for caches, checkpoints and the result",
    "views": "random views of each image that are kept (default %(default)s)",
    "device": "cpu, cuda or cuda:N (default %(default)s)",
    "half": "the frozen half in bfloat16; faster on processors and GPUs that have it",
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
            told = _HELP.get(option.name, "default %(default)s")
            parser.add_argument(flag, type=type(option.default), default=option.default, help=told)
    return TrainingOptions(**vars(parser.parse_args(arguments)))


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    try:
        options = parsed_options(arguments)
        from .training import Training

        Training(options).run()
    except RsportalError as error:
        raise SystemExit(f"train: {error.message}") from error


if __name__ == "__main__":
    main()
