"""From a torch tower to OpenVINO's format, in float32 or with 8-bit weights.

This module imports torch and openvino: import it inside functions only. It uses the library's converter itself and
not its front door ``convert_model``, which does much more than is needed here.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from imagery.encoders.base import unit_rows
from imagery.encoders.errors import EncoderUnavailable

from .agreement import Agreement, agreement
from .artefact import Artefact, artefact_folder, artefact_write
from .library import openvino_core, openvino_module
from .plan import Form, Runtime, library_version
from .towers import Inputs, rows_of

openvino = openvino_module()

_LARGEST_INT8: Final = 127
_LEAST_COSINE: Final = {Form.FULL: 0.99999, Form.INT8: 0.98}
# Smaller matrices stay as they are: nothing is won on them.
_SMALLEST_QUANTISED: Final = 1 << 12


@dataclass(frozen=True)
class Exportable:
    """A tower to export: ``module``, called with arrays by name, of which only the first axis varies.

    ``example`` (2, ...) is what the export is traced with, ``check`` (3, ...) what the result is compared on: another
    number of items, so that nothing of the example is left in it.
    """

    module: Any
    example: Inputs
    check: Inputs


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

    Raises EncoderUnavailable if the converter does not understand the model or gives other vectors than torch.
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
    found = _agreement(model, tower)
    if found.mean_cosine < _LEAST_COSINE[form]:
        raise EncoderUnavailable(
            f"The {name} tower was exported to OpenVINO, but its vectors are others (mean cosine to torch "
            f"{found.mean_cosine:.6f}): let torch run it with RSPORTAL_ENCODER_RUNTIME=torch."
        )
    note = {
        **found.as_json(),
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
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

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


def _agreement(model: Any, tower: Exportable) -> Agreement:
    arrays = [np.ascontiguousarray(array) for array in tower.check.values()]
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = np.asarray(compiled(arrays)[0], dtype=np.float32)
    with torch.inference_mode():
        tensors = {name: torch.from_numpy(array) for name, array in zip(tower.check, arrays, strict=True)}
        expected = rows_of(tower.module(**tensors)).float().numpy()
    if found.shape != expected.shape:
        return Agreement(mean_cosine=-1.0, min_cosine=-1.0)
    return agreement(unit_rows(found), unit_rows(expected))


def _quantise(model: Any) -> int:
    """Give the matrices of all linear maps 8-bit weights with one scale an output; returns how many there were.

    w = scale * round(w / scale) with scale = max |w| / 127 of each row: symmetric, to nearest.
    """
    from openvino import opset13 as ops

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
