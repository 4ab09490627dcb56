"""The training of the built-in encoder; `train` is its command line and tells the steps.

This module imports torch: import it inside functions only.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imagery.evaluation.recall import retrieval_recall
from rsportal.errors import InvalidInput

from .average import MovingAverage
from .corpus import CaptionTable, captioned_images, kept_captions, kept_pixels
from .efficientnet import MIDDLE_BLOCK
from .export import export_weights
from .model import ImageTower, TextTower
from .objective import contrastive_loss
from .options import TrainingOptions
from .run_folder import RunFolder, replacing
from .views import FrozenViews, imagenet_backbone

# CLIP's temperature at the start and its bound (Radford et al. 2021).
_FIRST_SCALE: Final = 1 / 0.07
_LARGEST_SCALE: Final = 100.0
_WARM_UP_STEPS: Final = 50
_LARGEST_GRADIENT: Final = 2.0
# Frozen features are small, and more pictures to tell apart teach more.
_HEAD_BATCH_FACTOR: Final = 2
_EVALUATION_BATCH: Final = 128
_STEPS_PER_NOTE: Final = 5
_BLEND_SHARES: Final = (0.2, 0.35, 0.5, 0.65, 0.8)


@dataclass(frozen=True)
class Step:
    """One of the two steps that train.

    `number` tells its random numbers from the other's. `groups` are the trained parameters with their largest
    learning rates. `part` names the arrays of a view it reads, `pooled` carries a block of them on to
    (n, POOLED_CHANNELS).
    """

    name: str
    number: int
    epochs: int
    batch_size: int
    groups: list[tuple[list[nn.Parameter], float]]
    part: str
    pooled: Callable[[Tensor], Tensor]


class Training:
    """One run. What it needs to go on after an interruption is in `options.out`."""

    def __init__(self, options: TrainingOptions) -> None:
        """Raises InvalidInput for data, settings or a device that cannot be used."""
        self.options = options
        self.device = _usable_device(options.device)
        torch.set_num_threads(options.threads)
        self.train_items = captioned_images(options.images, options.captions, split="train")
        self.val_items = captioned_images(options.images, options.captions, split="val")
        self.folder = RunFolder(options.out, settings=options.deciding())
        torch.manual_seed(options.seed)
        self.image_tower = ImageTower(dropout=options.image_dropout)
        self.text_tower = TextTower(dropout=options.text_dropout).to(self.device)
        self.image_tower.backbone.load_state_dict(imagenet_backbone())
        # The statistics of the batch normalisations stay those of ImageNet, so they may as well be part of the
        # convolutions: a third faster, and the average of the weights needs no special care.
        self.image_tower.backbone.fold()
        self.image_tower.to(self.device, memory_format=torch.channels_last)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE), device=self.device))

    def run(self) -> None:
        """All steps that are not done yet."""
        self._prepare()
        heads, tuning = self._heads(), self._tuning()
        self._train(heads)
        before = [tensor.clone() for tensor in self._weights()]
        self._train(tuning)
        self._blend(before, tuning)

    def _prepare(self) -> None:
        """Read captions, pictures and views, or make them on the first run."""
        options, path = self.options, self.options.out
        self.captions = kept_captions(self.train_items, path / "train_captions.npz", seed=options.seed)
        self.val_captions = kept_captions(self.val_items, path / "val_captions.npz", seed=options.seed)
        self.features = torch.from_numpy(self.captions.features).to(self.device)
        self.val_features = torch.from_numpy(self.val_captions.features).to(self.device)
        self.frozen = FrozenViews(path, device=self.device, half=options.half)
        pixels = kept_pixels(self.train_items, path / "train_pixels.npy")
        self.val_view = self.frozen.plain(kept_pixels(self.val_items, path / "val_pixels.npy"), "val")
        self.views = [self.frozen.random(pixels, number) for number in range(1, options.views + 1)]
        pooled = np.concatenate([view.pooled for view in self.views]).astype(np.float32)
        self.image_tower.set_statistics(torch.from_numpy(pooled).to(self.device))

    # Steps ---------------------------------------------------------------------------------------------------

    def _head_parameters(self) -> list[nn.Parameter]:
        return [*self.image_tower.head.parameters(), *self.text_tower.parameters(), self.log_scale]

    def _heads(self) -> Step:
        options = self.options
        return Step(
            name="heads",
            number=1,
            epochs=options.head_epochs,
            batch_size=_HEAD_BATCH_FACTOR * options.batch_size,
            groups=[(self._head_parameters(), options.head_rate)],
            part="pooled",
            pooled=lambda pooled: pooled,
        )

    def _tuning(self) -> Step:
        options = self.options
        backbone = self.image_tower.backbone
        late = [p for m in (*backbone.blocks[options.tail_from :], backbone.head) for p in m.parameters()]
        return Step(
            name="tuning",
            number=2,
            epochs=options.epochs,
            batch_size=options.batch_size,
            groups=[(late, options.backbone_rate), (self._head_parameters(), options.tuned_head_rate)],
            part="maps",
            pooled=self._pooled_maps,
        )

    def _pooled_maps(self, maps: Tensor) -> Tensor:
        """Cached maps -> pooled channels, through the frozen blocks and the trained ones."""
        start = self.options.tail_from
        split = min(start, MIDDLE_BLOCK + 1)
        maps = self.frozen.continued(maps, split)
        middle, maps = maps, self.frozen.continued(maps, start, first=split)
        early, last = self.image_tower.backbone.rest_from(maps, start)
        return ImageTower.pooled((middle if start > MIDDLE_BLOCK else early, last))

    def _train(self, step: Step) -> None:
        """All epochs of a step that are not done yet; afterwards the towers hold the average of the weights."""
        for tensor in (*self.image_tower.parameters(), *self.text_tower.parameters()):
            tensor.requires_grad_(False)
        for parameters, _ in step.groups:
            for parameter in parameters:
                parameter.requires_grad_(True)
        optimiser = torch.optim.AdamW(
            [{"params": parameters, "lr": rate} for parameters, rate in step.groups],
            weight_decay=self.options.weight_decay,
        )
        average = MovingAverage([self.image_tower, self.text_tower], self.options.average_decay)
        for epoch in range(self._resume(step, optimiser, average), step.epochs):
            started = time.monotonic()
            loss = float(np.mean(list(self._losses(step, epoch, optimiser, average))))
            seconds = round(time.monotonic() - started, 1)
            with average.applied():
                self._measure(step, {"step": step.name, "epoch": epoch, "loss": loss, "seconds": seconds})
            self._save(step, epoch + 1, optimiser, average)
        average.apply_for_good()

    def _losses(
        self, step: Step, epoch: int, optimiser: torch.optim.Optimizer, average: MovingAverage
    ) -> Iterator[float]:
        """Train for one epoch; the loss of each batch."""
        # Each epoch has a seed of its own, so a run that goes on needs no state of random numbers.
        seed = np.random.SeedSequence([self.options.seed, step.number, epoch])
        random = np.random.default_rng(seed)
        torch.manual_seed(int(seed.generate_state(1)[0]))
        self.image_tower.train()
        self.text_tower.train()
        size = min(step.batch_size, len(self.train_items))
        batches = len(self.train_items) // size
        order = random.permutation(len(self.train_items))
        for number in range(batches):
            index = order[number * size : (number + 1) * size]
            factor = rate_factor(epoch * batches + number, step.epochs * batches)
            for group, (_, rate) in zip(optimiser.param_groups, step.groups, strict=True):
                group["lr"] = rate * factor
            chosen = random.integers(len(self.views), size=len(index))
            rows = [getattr(self.views[view], step.part)[row] for view, row in zip(chosen, index, strict=True)]
            images = self.image_tower.project(step.pooled(self._block(np.stack(rows))))
            loss = self._loss(images, self._caption_rows(index, random))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            for group in optimiser.param_groups:
                nn.utils.clip_grad_norm_(group["params"], _LARGEST_GRADIENT)
            optimiser.step()
            average.update()
            yield float(loss.detach())
            if (number + 1) % _STEPS_PER_NOTE == 0:
                print(f"{step.name} {epoch}: {number + 1} of {batches} batches", flush=True)

    def _loss(self, images: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """The objective for (b, d) images and the (b, c) text numbers that describe them."""
        distinct, inverse = np.unique(rows, return_inverse=True)
        positive = np.zeros((len(rows), len(distinct)), dtype=bool)
        positive[np.arange(len(rows))[:, None], inverse.reshape(rows.shape)] = True
        texts = self.text_tower(self.features[torch.from_numpy(distinct).to(self.device)])
        scale = self.log_scale.exp().clamp(max=_LARGEST_SCALE)
        return contrastive_loss(images, texts, torch.from_numpy(positive).to(self.device), scale=scale)

    def _caption_rows(self, index: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """(b, captions_per_image) distinct captions of each image, some of them in Chinese."""
        options = self.options
        width = self.captions.english.shape[1]
        column = random.random((len(index), width)).argsort(axis=1)[:, : options.captions_per_image]
        english = self.captions.english[index[:, None], column]
        chinese = self.captions.chinese[index[:, None], column]
        swap = (random.random(english.shape) < options.chinese_share) & (chinese >= 0)
        return np.where(swap, chinese, english)

    def _block(self, rows: NDArray[np.float16]) -> Tensor:
        block = torch.from_numpy(rows).to(self.device).float()
        return block.contiguous(memory_format=torch.channels_last) if block.ndim == 4 else block

    def _blend(self, before: list[Tensor], step: Step) -> None:
        """Try means of the weights before and after tuning (Wortsman et al., "Robust fine-tuning", CVPR 2022)."""
        live = self._weights()
        after = [tensor.clone() for tensor in live]
        for share in _BLEND_SHARES:
            for tensor, old, new in zip(live, before, after, strict=True):
                tensor.copy_(torch.lerp(old, new, share))
            self._measure(step, {"step": "blend", "share": share})

    def _weights(self) -> list[Tensor]:
        return [t for tower in (self.image_tower, self.text_tower) for t in tower.state_dict().values()]

    # Validation ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _measure(self, step: Step, line: dict[str, Any]) -> None:
        """Add the recall of the present weights to the curve; export them if they are the best so far."""
        self.image_tower.eval()
        self.text_tower.eval()
        rows: NDArray[np.float16] = getattr(self.val_view, step.part)
        starts = range(0, len(rows), _EVALUATION_BATCH)
        blocks = (self._block(np.array(rows[start : start + _EVALUATION_BATCH])) for start in starts)
        images = torch.cat([self.image_tower.project(step.pooled(block)) for block in blocks]).cpu().numpy()
        texts = self.text_tower(self.val_features).cpu().numpy()
        scores = _recall(images, texts, self.val_captions)
        line = {**line, "scale": self.log_scale.exp().item(), **scores}
        if scores["mr"] > self.folder.best_of_others(line):
            with replacing(self.options.out / "weights.safetensors") as partial:
                export_weights(self.image_tower, self.text_tower, partial, scores=scores)
        self.folder.add_to_curve(line)
        told = " ".join(f"{k} {line[k]}" for k in ("step", "epoch", "share", "seconds") if k in line)
        print(f"{told}: mR {scores['mr']:.2f}", flush=True)

    # Going on after an interruption --------------------------------------------------------------------------

    def _save(self, step: Step, epochs: int, optimiser: torch.optim.Optimizer, average: MovingAverage) -> None:
        state = {
            "epochs": epochs,
            "image": self.image_tower.state_dict(),
            "text": self.text_tower.state_dict(),
            "log_scale": self.log_scale.detach(),
            "optimiser": optimiser.state_dict(),
            "average": average.state_dict(),
        }
        self.folder.save(f"{step.name}.pt", state)

    @torch.no_grad()
    def _resume(self, step: Step, optimiser: torch.optim.Optimizer, average: MovingAverage) -> int:
        """Take the step up where it was left; returns the number of epochs that are done."""
        state = self.folder.restored(f"{step.name}.pt")
        if state is None:
            return 0
        self.image_tower.load_state_dict(state["image"])
        self.text_tower.load_state_dict(state["text"])
        self.log_scale.copy_(state["log_scale"])
        optimiser.load_state_dict(state["optimiser"])
        average.load_state_dict(state["average"])
        print(f"{step.name}: {state['epochs']} of {step.epochs} epochs are done", flush=True)
        return int(state["epochs"])


def rate_factor(step: int, total: int) -> float:
    """The share of the largest learning rate at step 0..total - 1: a linear warm-up under half a cosine."""
    warm_up = max(1, min(_WARM_UP_STEPS, total // 2))
    return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / total))


def _usable_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA.
        raise InvalidInput(f"--device {name} cannot be used here ({str(error).splitlines()[0]}).") from error
    return device


def _recall(images: NDArray[np.float32], texts: NDArray[np.float32], captions: CaptionTable) -> dict[str, float]:
    """Recall over all English captions, (n, d) images against the rows of `captions` in (m, d) texts."""
    columns = captions.english
    owner = np.repeat(np.arange(len(columns)), columns.shape[1])
    return retrieval_recall(images, texts[columns.reshape(-1)], owner)
