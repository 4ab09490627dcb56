"""Measuring the ways to run an encoder on the machine at hand, and choosing one.

Runs in a process of its own (``child``). Every candidate encodes the same known pictures and texts; only those whose
vectors agree with torch in float32 can be chosen, and of these the fastest.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.base import EncoderSpec, ImageTextEncoder, TowerName
from imagery.encoders.registry import make_encoder
from rsportal.errors import RsportalError

from . import known
from .agreement import Agreement, agreement
from .artefact import artefact_folder, artefact_read
from .batching import CPU_IMAGES
from .child import alone, spec_from_json
from .memory import trim
from .plan import REFERENCE, Form, Plan, Precision, Runtime, is_installed, usable_cores
from .towers import has_bfloat16

LEAST_MEAN_COSINE: Final = {Precision.FLOAT32: 0.99999, Precision.BFLOAT16: 0.9999, Precision.INT8: 0.98}
LEAST_MIN_COSINE: Final = {Precision.FLOAT32: 0.9999, Precision.BFLOAT16: 0.999, Precision.INT8: 0.95}
LEAST_ASKED_FOR_COSINE: Final = 0.999
"""An operator may ask for bfloat16 by name where it agrees less, down to this mean."""
_EQUALLY_FAST: Final = 0.97
"""A way that reaches this share of the fastest and is more exact is preferred."""
_LONGEST_SECONDS: Final = 2.0
_MOST_ROUNDS: Final = 5
_EXACTNESS: Final = (Precision.FLOAT32, Precision.BFLOAT16, Precision.INT8)


@dataclass
class Candidate:
    """One way to run the encoder, what it reached, and why it can or cannot be chosen."""

    plan: Plan
    images_per_second: float = 0.0
    texts_per_second: float = 0.0
    image: Agreement | None = None
    text: Agreement | None = None
    problem: str = ""
    allowed: bool = True

    def as_json(self, *, chosen: bool) -> dict[str, Any]:
        """What is kept in the encoder's row."""
        told: dict[str, Any] = {**self.plan.as_words(), "chosen": chosen, "why": self.problem}
        if self.image and self.text:
            told |= {
                "images_per_second": _rounded(self.images_per_second),
                "texts_per_second": _rounded(self.texts_per_second),
                "mean_cosine": round(min(self.image.mean_cosine, self.text.mean_cosine), 7),
                "min_cosine": round(min(self.image.min_cosine, self.text.min_cosine), 7),
            }
        return told


def measured(request: dict[str, Any]) -> dict[str, Any]:
    """Measure what the request allows; return the choice and all figures.

    The request: ``spec``, ``checksum``, ``folder``, ``form``, ``runtime`` and ``precision`` ("auto" or a name),
    ``device`` ("auto", "cpu" or "cuda"), ``threads``. Raises RsportalError if nothing that is allowed can be used.
    """
    spec = spec_from_json(request["spec"])
    device = _device(request["device"])
    if request["threads"]:
        import torch

        torch.set_num_threads(request["threads"])
    base = replace(
        REFERENCE,
        threads=request["threads"],
        checksum=request["checksum"],
        folder=Path(request["folder"]),
        device=device,
    )
    with alone(Path(request["folder"]), request["checksum"]):
        candidates = list(_measure(spec, list(_candidates(base, request)), asked=request["precision"] != "auto"))
    chosen = _fastest([candidate for candidate in candidates if candidate.allowed and not candidate.problem])
    if chosen is None:
        reasons = "; ".join(f"{' '.join(c.plan.as_words().values())}: {c.problem}" for c in candidates if c.allowed)
        raise RsportalError(
            f"No allowed way to run the encoder {spec.source} works on this machine ({reasons}). Set "
            "RSPORTAL_ENCODER_RUNTIME and RSPORTAL_ENCODER_PRECISION to auto.",
            code="encoder_runtime",
        )
    assert chosen.image and chosen.text
    return {
        **chosen.plan.as_words(),
        "form": chosen.plan.form.value,
        "image": {**chosen.image.as_json(), "per_second": _rounded(chosen.images_per_second)},
        "text": {**chosen.text.as_json(), "per_second": _rounded(chosen.texts_per_second)},
        "candidates": [candidate.as_json(chosen=candidate is chosen) for candidate in candidates],
    }


def _device(asked: str) -> str:
    import torch

    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise RsportalError(
            "RSPORTAL_ENCODER_DEVICE is cuda, but torch finds no GPU here: install a torch built for CUDA and its "
            "driver, or set it to auto.",
            code="encoder_runtime",
        )
    return "cuda"


def _candidates(base: Plan, request: dict[str, Any]) -> Iterator[Candidate]:
    """Everything that may be chosen; the reference is always among it, to compare with."""
    for runtime in Runtime:
        for precision in _EXACTNESS:
            if runtime is Runtime.TORCH and precision is Precision.INT8:
                continue
            if runtime is Runtime.OPENVINO and base.device != "cpu":
                continue
            plan = replace(base, runtime=runtime, precision=precision)
            reference = runtime is Runtime.TORCH and precision is Precision.FLOAT32
            allowed = (
                request["runtime"] in {"auto", runtime.value}
                and request["precision"] in {"auto", precision.value}
                and plan.form.value == request["form"]
            )
            if allowed or reference:
                yield Candidate(plan, allowed=allowed)


def _measure(spec: EncoderSpec, candidates: Sequence[Candidate], *, asked: bool) -> Iterator[Candidate]:
    pictures = known.pictures()
    reference = make_encoder(spec, plan=replace(REFERENCE, threads=candidates[0].plan.threads))
    rows = reference.encode_images(pictures), reference.encode_texts(known.TEXTS)
    for candidate in candidates:
        plan = candidate.plan
        candidate.problem = _obstacle(plan)
        if candidate.problem:
            yield candidate
            continue
        is_reference = plan.runtime is Runtime.TORCH and plan.precision is Precision.FLOAT32 and plan.device == "cpu"
        encoder = reference
        try:
            if not is_reference:
                encoder = make_encoder(spec, plan=plan)
            if plan.runtime is Runtime.OPENVINO:
                _export_missing(reference, plan)
            candidate.image = agreement(encoder.encode_images(pictures), rows[0])
            candidate.text = agreement(encoder.encode_texts(known.TEXTS), rows[1])
            candidate.images_per_second, candidate.texts_per_second = _speeds(encoder, pictures)
            candidate.problem = _disagreement(candidate, asked=asked)
        except Exception as error:  # noqa: BLE001 - whatever a library raises, this way cannot be chosen
            candidate.problem = f"cannot be run: {str(error).strip().splitlines()[0] if str(error) else repr(error)}"
        if encoder is not reference:
            encoder.unload()
            del encoder
            trim()
        yield candidate


def _export_missing(reference: ImageTextEncoder, plan: Plan) -> None:
    from .export import tower_export

    assert plan.folder is not None
    for tower in TowerName:
        place = artefact_folder(plan.folder, checksum=plan.checksum, tower=tower, form=plan.form)
        if artefact_read(place) is None and (exportable := reference.exportable(tower)) is not None:
            tower_export(exportable, name=tower, folder=plan.folder, checksum=plan.checksum, form=plan.form)


def _obstacle(plan: Plan) -> str:
    if not is_installed(plan.runtime):
        return f"{plan.runtime.value} is not installed"
    if plan.precision is Precision.BFLOAT16 and plan.device == "cpu" and not has_bfloat16():
        return "this processor does not compute in bfloat16"
    return ""


def _disagreement(candidate: Candidate, *, asked: bool) -> str:
    precision = candidate.plan.precision
    least = LEAST_MEAN_COSINE[precision]
    if asked and precision is Precision.BFLOAT16:
        least = LEAST_ASKED_FOR_COSINE
    for name, found in (("image", candidate.image), ("text", candidate.text)):
        assert found is not None
        if found.mean_cosine < least:
            return f"the mean cosine of {name} vectors to float32 is {found.mean_cosine:.6f}, below {least}"
        if found.min_cosine < min(LEAST_MIN_COSINE[precision], least):
            return f"the smallest cosine of {name} vectors to float32 is {found.min_cosine:.6f}"
    return ""


def _speeds(encoder: ImageTextEncoder, pictures: Sequence[Any]) -> tuple[float, float]:
    inputs = [encoder.image_input(picture) for picture in pictures]
    inputs = [inputs[n % len(inputs)] for n in range(CPU_IMAGES * (encoder.plan.threads or usable_cores()))]
    return (
        len(inputs) / _best_seconds(lambda: encoder.encode_inputs(inputs)),
        1 / _best_seconds(lambda: encoder.encode_texts(known.TEXTS[:1])),
    )


def _best_seconds(work: Callable[[], NDArray[np.float32]]) -> float:
    """The shortest of some rounds: other programs make a round longer, never shorter."""
    best, until = float("inf"), time.perf_counter() + _LONGEST_SECONDS
    for _ in range(_MOST_ROUNDS):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
        if time.perf_counter() >= until:
            break
    return max(best, 1e-9)


def _fastest(usable: Sequence[Candidate]) -> Candidate | None:
    if not usable:
        return None
    fastest = max(candidate.images_per_second for candidate in usable)
    near = [candidate for candidate in usable if candidate.images_per_second >= _EQUALLY_FAST * fastest]
    return min(near, key=lambda c: (_EXACTNESS.index(c.plan.precision), -c.images_per_second))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


__all__ = ["Candidate", "Form", "measured"]
