"""Vectors of quarters come from the same pass as the whole's, and are those that the parts' own pooling gives."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.builtin.encoder import BuiltinEncoder
from imagery.encoders.regions import CELLS, cell_window, cells_packed, cells_unpacked, wide_split
from imagery.encoders.runtime.plan import REFERENCE, Plan, Runtime
from tests.images import gradient

BUILTIN = EncoderSpec(EncoderKind.BUILTIN, "builtin")
WITH = replace(REFERENCE, regions=True)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    random = np.random.default_rng(3)
    noise = [Image.fromarray(random.integers(0, 255, (90, 120, 3), dtype=np.uint8)) for _number in range(2)]
    return [Image.fromarray(gradient(200, 100)), *noise]


def test_cells_survive_eight_bits_and_windows_cover_the_tile():
    cells = np.random.default_rng(1).standard_normal((3, CELLS, 40)).astype(np.float32)
    packed = cells_packed(cells)
    assert {len(row) for row in packed} == {CELLS * 40}
    unit = cells / np.linalg.norm(cells, axis=2, keepdims=True)
    assert np.einsum("ncd,ncd->nc", cells_unpacked(packed, 40), unit).min() > 0.9999
    assert not cells_unpacked(cells_packed(np.zeros((1, CELLS, 40))), 40).any()
    with pytest.raises(ValueError, match="164 bytes"):
        cells_unpacked(packed, 41)
    assert [cell_window((10, 20, 101, 50), cell) for cell in range(CELLS)] == [
        (10, 20, 50, 25), (60, 20, 51, 25), (10, 45, 50, 25), (60, 45, 51, 25),
    ]  # fmt: skip
    whole, parts = wide_split(np.arange(20.0).reshape(2, 10), 2)
    assert whole.tolist() == [[0, 1], [10, 11]] and parts[1, 3].tolist() == [18, 19]


def test_the_built_in_encoder_pools_the_quarters_of_its_maps(pictures):
    import torch

    plain, wide = registry.make_encoder(BUILTIN), registry.make_encoder(BUILTIN, plan=WITH)
    inputs = [wide.image_input(picture) for picture in pictures]
    whole, cells = wide.encode_regions(inputs)
    np.testing.assert_allclose(whole, plain.encode_inputs(inputs), atol=1e-6)
    np.testing.assert_array_equal(wide.encode_inputs(inputs), whole)
    assert cells.shape == (3, CELLS, plain.dimension) and cells.dtype == np.float32
    assert isinstance(plain, BuiltinEncoder)
    tower = plain._module()
    with torch.inference_mode():
        middle, last = tower.backbone(torch.from_numpy(np.stack([each["pixels"] for each in inputs])))
        # The lower left: of the 14 x 14 map 7 lines each way, of the 7 x 7 map 4 of which the middle one is shared.
        wanted = tower.project(tower.pooled((middle[:, :, 7:, :7], last[:, :, 3:, :4]))).numpy()
    np.testing.assert_allclose(cells[:, 2], wanted, atol=1e-5)
    with pytest.raises(ValueError, match="no regions"):
        plain.encode_regions(inputs)
    assert wide.encode_regions([])[1].shape == (0, CELLS, plain.dimension)


def test_siglip_pools_the_quarters_of_its_tokens(model_folder, pictures):
    import torch
    from transformers import SiglipVisionModel

    folder = model_folder("base")
    spec = EncoderSpec(EncoderKind.TRANSFORMERS, str(folder))
    wide = registry.make_encoder(spec, plan=WITH)
    inputs = [wide.image_input(picture) for picture in pictures]
    whole, cells = wide.encode_regions(inputs)
    np.testing.assert_allclose(whole, registry.make_encoder(spec).encode_inputs(inputs), atol=1e-6)
    model = SiglipVisionModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        tokens = model(torch.from_numpy(np.stack([each["pixel_values"] for each in inputs]))).last_hidden_state
        # 64 px in patches of 16: 4 x 4 tokens; the upper right quarter.
        wanted = model.head(tokens[:, [2, 3, 6, 7]]).numpy()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(cells[:, 1], wanted, atol=1e-5)


def test_exported_towers_give_the_same_quarters(pictures, tmp_path):
    pytest.importorskip("openvino")
    plan = Plan(runtime=Runtime.OPENVINO, folder=tmp_path, checksum=registry.checksum(BUILTIN), regions=True)
    exported, wide = registry.make_encoder(BUILTIN, plan=plan), registry.make_encoder(BUILTIN, plan=WITH)
    inputs = [wide.image_input(picture) for picture in pictures]
    for found, wanted in zip(exported.encode_regions(inputs), wide.encode_regions(inputs), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_which_models_can_give_them(model_folder):
    assert registry.gives_regions(BUILTIN)
    given = {
        name: registry.gives_regions(EncoderSpec(EncoderKind.TRANSFORMERS, str(model_folder(name))))
        for name in ("base", "clip", "naflex")
    }
    assert given == {"base": True, "clip": False, "naflex": False}
