"""What an encoder's class needs to run its towers by a plan: make them, split into batches, export what is missing."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.errors import EncoderUnavailable

from .artefact import Artefact, artefact_folder, artefact_read
from .batching import CPU_IMAGES, CPU_TEXTS, GPU_IMAGES, GPU_TEXTS, BatchSize, device_memory_free, out_of_memory_errors
from .plan import Plan, Runtime, is_installed, usable_cores
from .towers import Inputs, OpenvinoTower, Tower

if TYPE_CHECKING:
    from imagery.encoders.base import EncoderSpec


REGIONS_TOWER: Final = "image-regions"


class Batches:
    """Splits what an encoder is given into batches that fit its device."""

    def __init__(self, plan: Plan, *, texts: bool) -> None:
        self._torch_runs = plan.runtime is Runtime.TORCH
        if plan.device == "cpu":
            size = CPU_TEXTS if texts else CPU_IMAGES * _image_streams(plan)
        else:
            size = GPU_TEXTS if texts else GPU_IMAGES
        self._size = BatchSize(size)

    def run(self, items: Sequence[Any], compute: Callable[[Sequence[Any]], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Rows of all items, in order; see ``BatchSize.run``."""
        return self._size.run(
            items,
            compute,
            out_of_memory=out_of_memory_errors(torch_runs=self._torch_runs),
            free=device_memory_free if self._torch_runs else lambda: None,
        )


def stacked(inputs: Sequence[Inputs]) -> dict[str, NDArray[Any]]:
    """Arrays of single items -> arrays of the batch, by name."""
    return {name: np.stack([item[name] for item in inputs]) for name in inputs[0]}


def openvino_tower(spec: "EncoderSpec", plan: Plan, name: str) -> Tower:
    """The exported tower of an encoder, compiled; exported first, in a process of its own, if it is not there whole.

    Raises EncoderUnavailable.
    """
    if not is_installed(Runtime.OPENVINO):
        raise EncoderUnavailable(
            f"The encoder {spec.source} is to be run by OpenVINO, which is not installed: install the packages of "
            "requirements.txt, or choose anew with “manage.py encoder tune”."
        )
    artefact = _artefact(plan, name)
    if artefact is None:
        from .child import tower_export_apart

        tower_export_apart(spec, plan, name)
        artefact = _artefact(plan, name)
    if artefact is None:
        raise EncoderUnavailable(
            f"The exported {name} tower of the encoder {spec.source} cannot be read back: check the disk of "
            f"{plan.folder}."
        )
    # Pictures come in batches, where only the total time counts; a person waits for each text.
    return OpenvinoTower(artefact, plan, streams=1 if name == "text" else _image_streams(plan))


def image_tower_name(plan: Plan) -> str:
    """The name under which the image tower that a plan asks for is exported."""
    return REGIONS_TOWER if plan.regions else "image"


def _image_streams(plan: Plan) -> int:
    """Pieces of a batch of pictures that are computed side by side: one a core; torch spreads each layer instead."""
    return 1 if plan.runtime is Runtime.TORCH else plan.threads or usable_cores()


def _artefact(plan: Plan, name: str) -> Artefact | None:
    assert plan.folder is not None
    return artefact_read(artefact_folder(plan.folder, checksum=plan.checksum, tower=name, form=plan.form))
