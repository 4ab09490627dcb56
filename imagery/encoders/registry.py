"""One door to the encoders: which there are, one instance of each in a process, what their files are."""

import hashlib
import threading
from pathlib import Path
from typing import Final

from .base import EncoderFacts, EncoderKind, EncoderSpec, ImageTextEncoder
from .errors import EncoderUnavailable
from .runtime.plan import REFERENCE, Form, Plan

_READ_BYTES: Final = 1 << 20

_lock = threading.Lock()
_instances: dict[tuple[EncoderSpec, Form, bool], ImageTextEncoder] = {}


def get_encoder(spec: EncoderSpec, *, plan: Plan = REFERENCE) -> ImageTextEncoder:
    """The encoder of this process for `spec`, made on first use; its towers are loaded when first needed.

    Without a plan it is the reference, torch in float32. Of each form (full, 8-bit) a process holds one encoder: a new
    plan takes the place of the old, whose towers are dropped once nobody uses them. Raises EncoderUnavailable if its
    files are missing or cannot be read.
    """
    key = (spec, plan.form, plan == REFERENCE)
    with _lock:
        encoder = _instances.get(key)
        if encoder is None or encoder.plan != plan:
            encoder = _instances[key] = make_encoder(spec, plan=plan)
        return encoder


def forget() -> None:
    """Drop all encoders of this process; their memory is free once nobody uses them."""
    with _lock:
        _instances.clear()


def describe(spec: EncoderSpec) -> EncoderFacts:
    """Dimension, image size, languages and calibration, without torch and without reading the weights.

    Raises EncoderUnavailable if its files are missing or cannot be read.
    """
    if spec.kind is EncoderKind.BUILTIN:
        from .builtin.files import facts

        return facts(spec)
    from .checkpoint import facts as checkpoint_facts

    return checkpoint_facts(spec)


def resolved_revision(spec: EncoderSpec) -> str:
    """The commit (40 hexadecimal digits) that the revision of a hub id means now; "" for a folder and `builtin`.

    Asks the hub where the network is allowed, else the local cache. Raises EncoderUnavailable.
    """
    if spec.kind is EncoderKind.BUILTIN:
        return ""
    from .checkpoint import resolved_revision as checkpoint_revision

    return checkpoint_revision(spec)


def gives_regions(spec: EncoderSpec) -> bool:
    """Whether the image tower can give vectors of the quarters of a picture; needs no torch.

    The built-in encoder and SigLIP (of one picture size) pool a map; CLIP reads one token that has seen everything.
    Raises EncoderUnavailable or EncoderMismatch.
    """
    if spec.kind is EncoderKind.BUILTIN:
        from .builtin.files import lender

        lending = lender(spec)
        return lending is None or gives_regions(lending.spec)
    from .checkpoint import folder, read_config

    config = read_config(folder(spec, weights=False))
    return config["model_type"] == "siglip" and (config.get("vision_config") or {}).get("vision_use_head", True)


def checksum(spec: EncoderSpec) -> str:
    """SHA-256 (64 hexadecimal digits) over the names and bytes of the files that decide the vectors.

    Reads every byte: seconds for a large checkpoint. Raises EncoderUnavailable if files are missing.
    """
    digest = hashlib.sha256()
    for path in _files(spec):
        digest.update(path.name.encode())
        digest.update(b"\0")
        try:
            with path.open("rb") as stream:
                while block := stream.read(_READ_BYTES):
                    digest.update(block)
        except OSError as error:
            raise EncoderUnavailable(
                f"The encoder's file {path.name} cannot be read ({error.strerror}): check its permissions."
            ) from error
    return digest.hexdigest()


def _files(spec: EncoderSpec) -> list[Path]:
    if spec.kind is EncoderKind.BUILTIN:
        from .builtin.files import deciding_files

        return deciding_files(spec)
    from .checkpoint import deciding_files as checkpoint_files

    return checkpoint_files(spec)


def make_encoder(spec: EncoderSpec, *, plan: Plan = REFERENCE) -> ImageTextEncoder:
    """An encoder of its own that the process does not remember. Raises EncoderUnavailable."""
    if spec.kind is EncoderKind.BUILTIN:
        from .builtin.encoder import BuiltinEncoder

        return BuiltinEncoder(spec, plan=plan)
    from .clip import CheckpointEncoder

    return CheckpointEncoder(spec, plan=plan)
