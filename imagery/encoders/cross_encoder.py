"""An image-text matching model of transformers (BLIP ITM): one score for a picture and a text seen together.

A cross-encoder reads picture and text at once, so it can tell what two separate towers cannot, at the price of one
pass for each pair: only good for a second look at the first few hits. torch and transformers are imported inside
functions.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import registry
from .clip import quiet_transformers
from .cross_encoder_files import CrossEncoderFacts, CrossEncoderSpec, checkpoint_folder, describe
from .errors import EncoderMismatch, EncoderUnavailable
from .runtime import idle
from .runtime.batching import CPU_IMAGES, BatchSize, device_memory_free, out_of_memory_errors
from .runtime.towers import has_bfloat16
from .transforms import to_rgb

GPU_PAIRS: Final = 32
_DTYPES: Final = ("float32", "bfloat16")


def computing(*, device: str, precision: str) -> tuple[str, str]:
    """The device ("cpu", "cuda") and number format that the portal's settings for encoders mean; either may be "auto".

    It is about the order of a few hits, not about vectors that must fit stored ones: so "auto" takes bfloat16 wherever
    the processor computes in it, for half the time.
    """
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    half = precision == "bfloat16" or (precision == "auto" and device == "cpu" and has_bfloat16())
    return device, "bfloat16" if half else "float32"


class CrossEncoder:
    """Scores pairs of pictures and texts. Safe to call from several threads; one of them computes at a time.

    Nothing is read before the first use. Without use for ``idle_seconds`` the weights are dropped and come back with
    the next use (0: never). ``loads`` counts how often they were really loaded.
    """

    def __init__(
        self, spec: CrossEncoderSpec, *, device: str = "cpu", dtype: str = "float32", idle_seconds: float = 0.0
    ) -> None:
        if dtype not in _DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, not {dtype}.")
        self.spec = spec
        self.device, self.dtype = device, dtype
        self.loads = 0
        self._idle_seconds = idle_seconds
        self._lock = threading.RLock()
        self._reading = threading.Lock()
        self._use = idle.Use()
        self._loaded: _Loaded | None = None
        self._checksum = ""
        self._batch = BatchSize(CPU_IMAGES if device == "cpu" else GPU_PAIRS)

    @property
    def idle_seconds(self) -> float:
        """After this long without use the weights are dropped; 0: never."""
        return self._idle_seconds

    @property
    def batch(self) -> int:
        """Pairs that are worth computing at once on this device."""
        return self._batch.size

    @cached_property
    def facts(self) -> CrossEncoderFacts:
        """What its small files say. Raises EncoderUnavailable or EncoderMismatch."""
        return describe(self.spec)

    def checksum(self) -> str:
        """SHA-256 (hexadecimal) of the files that decide the scores, read once.

        Raises EncoderUnavailable, and EncoderMismatch if it is not the one that the spec pins.
        """
        with self._reading:  # Not the lock of the model: who asks for kept scores waits for nobody.
            if not self._checksum:
                checkpoint_folder(self.spec)  # Says what is missing in words of its own.
                found = registry.checksum(self.spec.files)
                if self.spec.sha256 and found != self.spec.sha256:
                    raise EncoderMismatch(
                        f"The files of the matching model {self.spec.source} have the SHA-256 {found}, not the one "
                        "that was set: put the right files back, or correct the setting."
                    )
                self._checksum = found
            return self._checksum

    def load(self) -> None:
        """Load the weights unless they are there. Raises EncoderUnavailable or EncoderMismatch."""
        with self._lock:
            if self._loaded is None:
                self.checksum()
                self._loaded = _load(self.spec, device=self.device, dtype=self.dtype)
                self.loads += 1
                self._use.touch()
        idle.watch(self)

    def unload_idle(self) -> bool:
        """Drop the weights if nobody used them for ``idle_seconds``; return whether they were dropped."""
        with self._lock:
            dropped = self._loaded is not None and self._use.idle_for(self._idle_seconds)
            if dropped:
                self._loaded = None
            return dropped

    @contextmanager
    def reserved(self, *, wait_seconds: float) -> Iterator[float | None]:
        """Have the model to oneself for the block, loaded; None if others had it for all of ``wait_seconds``.

        Else gives the seconds that were waited for others; loading is not among them. Raises EncoderUnavailable or
        EncoderMismatch.
        """
        begun = time.monotonic()
        if not self._lock.acquire(timeout=max(0.0, wait_seconds)):
            yield None
            return
        waited = time.monotonic() - begun
        try:
            self.load()
            yield waited
        finally:
            self._lock.release()

    def log_odds(self, images: Sequence[Image.Image], text: str) -> NDArray[np.float32]:
        """(n,) float32: the logarithm of the odds that each picture shows what ``text`` says; 0 is as likely as not.

        Pictures of any size and mode; they are scaled to the model's square, as it was trained. A text that is too
        long is cut. Raises EncoderUnavailable or EncoderMismatch.
        """
        if not images:
            return np.empty(0, dtype=np.float32)
        with self._lock:
            self.load()
            self._use.touch()
            loaded = self._loaded
            assert loaded is not None
            out_of_memory = out_of_memory_errors(torch_runs=True)
            try:
                scores = self._batch.run(
                    images,
                    lambda part: loaded.log_odds(part, text),
                    out_of_memory=out_of_memory,
                    free=device_memory_free,
                )
            except out_of_memory as error:
                raise EncoderUnavailable(
                    f"The matching model {self.spec.source} needs more memory than there is for one picture: free some "
                    "on its device, or configure none."
                ) from error
            self._use.touch()
            return scores


@dataclass(frozen=True)
class _Loaded:
    """The parts of a checkpoint in memory."""

    model: Any
    tokenizer: Any
    pictures: Any
    longest: int
    device: str
    dtype: Any

    def log_odds(self, images: Sequence[Image.Image], text: str) -> NDArray[np.float32]:
        """See ``CrossEncoder.log_odds``; the steps are those of BlipForImageTextRetrieval's own forward pass.

        That one makes its mask of the picture's patches on the CPU whatever the device; so the parts are called here.
        """
        import torch

        block = self.pictures(images=[to_rgb(image) for image in images], return_tensors="np")["pixel_values"]
        tokens = self.tokenizer([text] * len(images), truncation=True, max_length=self.longest, return_tensors="pt")
        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(block)).to(device=self.device, dtype=self.dtype)
            patches = self.model.vision_model(pixel_values=pixels).last_hidden_state
            read = self.model.text_encoder(
                input_ids=tokens["input_ids"].to(self.device),
                attention_mask=tokens["attention_mask"].to(self.device),
                encoder_hidden_states=patches,
                encoder_attention_mask=torch.ones(patches.shape[:2], dtype=torch.long, device=self.device),
            ).last_hidden_state
            logits = self.model.itm_head(read[:, 0, :]).float().cpu().numpy()
        # Two classes, "does not match" and "matches": the softmax of the second is the sigmoid of the difference.
        return np.asarray(logits[:, 1] - logits[:, 0], dtype=np.float32)


def _load(spec: CrossEncoderSpec, *, device: str, dtype: str) -> _Loaded:
    facts, path = describe(spec), checkpoint_folder(spec)
    import torch
    from safetensors import SafetensorError
    from transformers import AutoTokenizer, BlipForImageTextRetrieval

    # By name: the automatic choice of the image processor wants torchvision.
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    side = {"height": facts.image_size, "width": facts.image_size}
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            pictures = BlipImageProcessorPil.from_pretrained(path, local_files_only=True, size=side)
            model, report = BlipForImageTextRetrieval.from_pretrained(
                path,
                local_files_only=True,
                dtype=getattr(torch, dtype),
                output_loading_info=True,
                use_safetensors=True,
            )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        raise EncoderUnavailable(
            f"The matching model {spec.source} cannot be loaded ({type(error).__name__}: {error}): restore its files."
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise EncoderMismatch(
            f"The weights of the matching model {spec.source} lack {len(missing)} tensors, {missing[0]} among them: it "
            "is no image-text matching model (a captioning one has no such head), or its files do not belong together."
        )
    return _Loaded(
        model=model.to(device).eval().requires_grad_(False),
        tokenizer=tokenizer,
        pictures=pictures,
        longest=min(facts.max_text_length, tokenizer.model_max_length),
        device=device,
        dtype=getattr(torch, dtype),
    )
