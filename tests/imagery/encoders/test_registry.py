"""One instance of an encoder in a process, facts without torch, checksums that notice a change."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagery.encoders import registry
from imagery.encoders.base import Calibration, EncoderKind, EncoderSpec
from imagery.encoders.clip import CheckpointEncoder
from imagery.encoders.errors import EncoderUnavailable
from tests.checkpoints import SENTENCES, clip_checkpoint, siglip_checkpoint

BUILTIN = EncoderSpec(EncoderKind.BUILTIN, "builtin")


@pytest.fixture(autouse=True)
def _forget() -> object:
    registry.forget()
    yield
    registry.forget()


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("checkpoints") / "siglip")


def test_threads_get_one_instance_and_one_tower(siglip: Path) -> None:
    spec = EncoderSpec(EncoderKind.TRANSFORMERS, str(siglip))

    def encode(_: int) -> tuple[int, int]:
        encoder = registry.get_encoder(spec)
        encoder.encode_texts(SENTENCES[:1])
        assert isinstance(encoder, CheckpointEncoder)
        return id(encoder), id(encoder._text_tower)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(encode, range(8)))) == 1


def test_specs_do_not_share_and_forget_drops(siglip: Path) -> None:
    first = registry.get_encoder(BUILTIN)
    assert registry.get_encoder(BUILTIN) is first
    assert registry.get_encoder(EncoderSpec(EncoderKind.TRANSFORMERS, str(siglip))) is not first
    registry.forget()
    assert registry.get_encoder(BUILTIN) is not first


def test_facts_are_those_of_the_loaded_encoder(siglip: Path, tmp_path: Path) -> None:
    for spec, dimension in (
        (EncoderSpec(EncoderKind.TRANSFORMERS, str(siglip)), 32),
        (EncoderSpec(EncoderKind.TRANSFORMERS, str(clip_checkpoint(tmp_path / "clip"))), 24),
        (BUILTIN, 384),
    ):
        facts = registry.describe(spec)
        encoder = registry.get_encoder(spec)
        assert facts == encoder.facts
        assert facts.dimension == dimension == encoder.encode_texts(SENTENCES[:2]).shape[1]
        assert facts.languages[0] == "en"


def test_describing_and_text_queries_of_the_builtin_encoder_import_no_torch() -> None:
    code = (
        "import sys\n"
        "from imagery.encoders.base import EncoderKind, EncoderSpec\n"
        "from imagery.encoders import registry\n"
        "spec = EncoderSpec(EncoderKind.BUILTIN, 'builtin')\n"
        "registry.describe(spec)\n"
        "rows = registry.get_encoder(spec).encode_texts(['an airport', '机场'])\n"
        "assert rows.shape == (2, 384), rows.shape\n"
        "loaded = {'torch', 'transformers', 'django'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_checksum_is_stable_and_notices_a_change(siglip: Path) -> None:
    spec = EncoderSpec(EncoderKind.TRANSFORMERS, str(siglip))
    before = registry.checksum(spec)
    assert len(before) == 64
    assert registry.checksum(spec) == before
    weights = siglip / "model.safetensors"
    original = weights.read_bytes()
    try:
        weights.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        assert registry.checksum(spec) != before
    finally:
        weights.write_bytes(original)
    assert registry.checksum(BUILTIN) != before


def test_unknown_builtin_name_is_refused() -> None:
    with pytest.raises(EncoderUnavailable, match="builtin"):
        registry.describe(EncoderSpec(EncoderKind.BUILTIN, "no-such-encoder"))


def test_calibration_is_a_logistic_of_the_cosine() -> None:
    calibration = Calibration(scale=10.0, offset=-5.0)
    assert calibration.probability(0.5) == pytest.approx(0.5)
    assert calibration.probability(0.3) < 0.2 < 0.8 < calibration.probability(0.7)
