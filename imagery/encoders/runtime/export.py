"""From a torch tower to OpenVINO's format, in float32 or with 8-bit weights.

This module imports torch and openvino: import it inside functions only. It uses the library's converter itself and
not its front door ``convert_model``, which reports every conversion to its maker over the network.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from openvino import opset13 as ops
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

from imagery.encoders.errors import EncoderUnavailable

from .artefact import Artefact, artefact_folder, artefact_write
from .plan import Form, Runtime, library_version
from .towers import Inputs, rows_of

_LARGEST_INT8: Final = 127
# Smaller matrices stay as they are: nothing is won on them.
_SMALLEST_QUANTISED: Final = 1 << 12


@dataclass(frozen=True)
class Exportable:
    """A tower to export: ``module`` called with the arrays of ``example`` by position; only the first axis varies."""

    module: Any
    example: Inputs


class _Rows(torch.nn.Module):
    """The module with positional inputs and a bare tensor as its output."""

    def __init__(self, module: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
        rows = rows_of(self.module(**dict(zip(self.names, arrays, strict=True))))
        assert isinstance(rows, torch.Tensor)
        return rows


def tower_export(tower: Exportable, *, name: str, folder: Path, checksum: str, form: Form) -> Artefact:
    """Write the tower ``name`` ("image" or "text") for the encoder with this checksum; replaces what is there.

    Raises EncoderUnavailable if the converter does not understand the model.
    """
    try:
        model = _converted(tower)
    except Exception as error:
        # The converter raises whatever the model's own code raises under tracing.
        raise EncoderUnavailable(
            f"The {name} tower cannot be exported to OpenVINO ({str(error).strip().splitlines()[0]}): let torch run it "
            "with RSPORTAL_ENCODER_RUNTIME=torch."
        ) from error
    matrices = _quantise(model) if form is Form.INT8 else 0
    note = {
        "tower": name,
        "form": form.value,
        "checksum": checksum,
        "openvino": library_version(Runtime.OPENVINO),
        "torch": library_version(Runtime.TORCH),
        "inputs": list(tower.example),
        "eight_bit_matrices": matrices,
    }
    place = artefact_folder(folder, checksum=checksum, tower=name, form=form)
    return artefact_write(place, lambda path: openvino.serialize(model, str(path)), note)


def _converted(tower: Exportable) -> Any:
    names = tuple(tower.example)
    arrays = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in tower.example.values())
    # Packed layouts of torch would be written into the graph.
    module = _Rows(tower.module, names).to(memory_format=torch.contiguous_format).eval()
    with torch.no_grad(), warnings.catch_warnings():
        # Every branch of the model that tracing fixes is warned of; what was exported is compared with torch anyway.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        decoder = TorchScriptPythonDecoder(module, example_input=arrays)
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(decoder))
    for port, name, array in zip(model.inputs, names, arrays, strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_partial_shape(openvino.PartialShape([-1, *array.shape[1:]]))
    model.validate_nodes_and_infer_types()
    return model


def _quantise(model: Any) -> int:
    """Give the matrices of all linear maps 8-bit weights with one scale an output; returns how many there were.

    w = scale * round(w / scale) with scale = max |w| / 127 of each row: symmetric, to nearest.
    """
    done = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        constant = node.input_value(1).get_node()
        if constant.get_type_name() != "Constant" or len(constant.shape) != 2:
            continue
        weights: NDArray[np.float32] = np.asarray(constant.data, dtype=np.float32)
        if weights.size < _SMALLEST_QUANTISED:
            continue
        attributes = node.get_attributes()
        by_output = weights if attributes["transpose_b"] else weights.T
        scale = np.maximum(np.abs(by_output).max(axis=1, keepdims=True) / _LARGEST_INT8, np.finfo(np.float32).tiny)
        rounded = np.rint(by_output / scale).astype(np.int8)
        restored = ops.multiply(ops.convert(ops.constant(rounded), "f32"), ops.constant(scale.astype(np.float32)))
        new = ops.matmul(node.input_value(0), restored, attributes["transpose_a"], True)
        node.output(0).replace(new.output(0))
        done += 1
    return done
