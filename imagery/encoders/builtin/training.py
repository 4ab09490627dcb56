"""The training of the built-in encoder; `train` is its command line and tells the steps.

This module imports torch: import it inside functions only.
"""

import math
import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imagery.evaluation.recall import rank_both_ways

from .average import MovingAverage
from .corpus import CaptionTable, captioned_images, kept_captions, kept_pixels
from .export import export_weights
from .model import ImageTower, TextTower
from .objective import contrastive_loss
from .options import TrainingOptions
from .run_folder import RunFolder, deciding, replacing
from .schedule import rate_factor, usable_device
from .views import FIRST_TRAINED_BLOCK, FrozenViews, imagenet_backbone

# CLIP's temperature at the start and its bound (Radford et al. 2021).
_FIRST_SCALE: Final = 1 / 0.07
_LARGEST_SCALE: Final = 100.0
_LARGEST_GRADIENT: Final = 2.0
_EVALUATION_BATCH: Final = 128
# Pictures whose channels' centre and spread stand for those of all.
_STATISTICS_IMAGES: Final = 2048
# The heads start from nothing; until they have a direction they would only shake the backbone.
_BACKBONE_WARM_UP_STEPS: Final = 200
_STEPS_PER_NOTE: Final = 5
_CHECKPOINT: Final = "checkpoint.pt"


class Training:
    """One run. What it needs to go on after an interruption is in `options.out`."""

    def __init__(self, options: TrainingOptions) -> None:
        """Raises InvalidInput for data, settings or a device that cannot be used."""
        self.options = options
        self.device = usable_device(options.device)
        torch.set_num_threads(options.threads)
        self.train_items = captioned_images(options.images, options.captions, split="train")
        self.val_items = captioned_images(options.images, options.captions, split="val")
        self.folder = RunFolder(options.out, settings=deciding(options))
        torch.manual_seed(options.seed)
        self.image_tower = ImageTower(dropout=options.image_dropout)
        self.text_tower = TextTower(dropout=options.text_dropout).to(self.device)
        backbone = self.image_tower.backbone
        backbone.load_state_dict(imagenet_backbone())
        # The statistics of the batch normalisations stay those of ImageNet, so they may as well be part of the
        # convolutions: a third faster, and the average of the weights needs no special care.
        backbone.fold()
        backbone.requires_grad_(False)
        for module in (*backbone.blocks[FIRST_TRAINED_BLOCK:], backbone.head):
            module.requires_grad_(True)
        self.image_tower.to(self.device, memory_format=torch.channels_last)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE), device=self.device))

    def run(self) -> None:
        """All epochs that are not done yet."""
        self._prepare()
        options = self.options
        late = [parameter for parameter in self.image_tower.backbone.parameters() if parameter.requires_grad]
        heads = [*self.image_tower.head.parameters(), *self.text_tower.parameters(), self.log_scale]
        optimiser = torch.optim.AdamW(
            [
                {"params": late, "top": options.backbone_rate, "warm_up": _BACKBONE_WARM_UP_STEPS},
                {"params": heads, "top": options.head_rate, "warm_up": 1},
            ],
            weight_decay=options.weight_decay,
        )
        average = MovingAverage([self.image_tower, self.text_tower], options.average_decay)
        for epoch in range(self._resume(optimiser, average), options.epochs):
            started = time.monotonic()
            loss = float(np.mean(list(self._losses(epoch, optimiser, average))))
            seconds = round(time.monotonic() - started, 1)
            with average.applied():
                self._measure({"epoch": epoch, "loss": loss, "seconds": seconds})
            self._save(epoch + 1, optimiser, average)

    def _prepare(self) -> None:
        """Read captions and pictures, or make them on the first run."""
        options, path = self.options, self.options.out
        self.captions = kept_captions(self.train_items, path / "train_captions.npz", seed=options.seed)
        self.val_captions = kept_captions(self.val_items, path / "val_captions.npz", seed=options.seed)
        self.features = torch.from_numpy(self.captions.features).to(self.device)
        self.val_features = torch.from_numpy(self.val_captions.features).to(self.device)
        self.frozen = FrozenViews(path, device=self.device, half=options.half)
        self.pixels = kept_pixels(self.train_items, path / "train_pixels.npy")
        self.val_maps = self.frozen.plain(kept_pixels(self.val_items, path / "val_pixels.npy"), "val")
        with torch.no_grad():
            some = self._view(0)[:_STATISTICS_IMAGES]
            self.image_tower.set_statistics(torch.cat([self._pooled(block) for block in self._blocks(some)]))

    def _view(self, epoch: int) -> NDArray[np.float16]:
        """The view that an epoch trains on; after `views` epochs they come round again."""
        return self.frozen.random(self.pixels, 1 + epoch % self.options.views)

    # One epoch -----------------------------------------------------------------------------------------------

    def _losses(self, epoch: int, optimiser: torch.optim.Optimizer, average: MovingAverage) -> Iterator[float]:
        """Train for one epoch; the loss of each batch."""
        options, maps = self.options, self._view(epoch)
        # Each epoch has a seed of its own, so a run that goes on needs no state of random numbers.
        seed = np.random.SeedSequence([options.seed, epoch])
        random = np.random.default_rng(seed)
        torch.manual_seed(int(seed.generate_state(1)[0]))
        self.image_tower.train()
        self.text_tower.train()
        size = min(options.batch_size, len(self.train_items))
        batches = len(self.train_items) // size
        order = random.permutation(len(self.train_items))
        for number in range(batches):
            index = order[number * size : (number + 1) * size]
            step = epoch * batches + number
            factor = rate_factor(step, options.epochs * batches)
            for group in optimiser.param_groups:
                group["lr"] = group["top"] * factor * min(1.0, (step + 1) / group["warm_up"])
            images = self.image_tower.project(self._pooled(maps[index]))
            loss = self._loss(images, self._caption_rows(index, random))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            for group in optimiser.param_groups:
                nn.utils.clip_grad_norm_(group["params"], _LARGEST_GRADIENT)
            optimiser.step()
            average.update()
            yield float(loss.detach())
            if (number + 1) % _STEPS_PER_NOTE == 0:
                print(f"epoch {epoch}: {number + 1} of {batches} batches", flush=True)

    def _pooled(self, maps: NDArray[np.float16]) -> Tensor:
        """(n, 80, 14, 14) cached maps -> (n, POOLED_CHANNELS), through the trained blocks."""
        block = torch.from_numpy(np.ascontiguousarray(maps)).to(self.device).float()
        block = block.contiguous(memory_format=torch.channels_last)
        return ImageTower.pooled(self.image_tower.backbone.rest_from(block, FIRST_TRAINED_BLOCK))

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

    # Validation ----------------------------------------------------------------------------------------------

    @staticmethod
    def _blocks(maps: NDArray[np.float16]) -> Iterator[NDArray[np.float16]]:
        for start in range(0, len(maps), _EVALUATION_BATCH):
            yield maps[start : start + _EVALUATION_BATCH]

    @torch.no_grad()
    def _measure(self, line: dict[str, Any]) -> None:
        """Add the recall of the present weights to the curve; export them if they are the best so far."""
        self.image_tower.eval()
        self.text_tower.eval()
        projected = [self.image_tower.project(self._pooled(block)) for block in self._blocks(self.val_maps)]
        images = torch.cat(projected).cpu().numpy()
        texts = self.text_tower(self.val_features).cpu().numpy()
        scores = _recall(images, texts, self.val_captions)
        line = {**line, "scale": self.log_scale.exp().item(), **scores}
        if scores["mr"] > self.folder.best_of_others(line):
            with replacing(self.options.out / "weights.safetensors") as partial:
                export_weights(self.image_tower, self.text_tower, partial, scores=scores)
        self.folder.add_to_curve(line)
        print(f"epoch {line['epoch']}: {line['seconds']} s, mR {scores['mr']:.2f}", flush=True)

    # Going on after an interruption --------------------------------------------------------------------------

    def _save(self, epochs: int, optimiser: torch.optim.Optimizer, average: MovingAverage) -> None:
        state = {
            "epochs": epochs,
            "image": self.image_tower.state_dict(),
            "text": self.text_tower.state_dict(),
            "log_scale": self.log_scale.detach(),
            "optimiser": optimiser.state_dict(),
            "average": average.state_dict(),
        }
        self.folder.save(_CHECKPOINT, state)

    @torch.no_grad()
    def _resume(self, optimiser: torch.optim.Optimizer, average: MovingAverage) -> int:
        """Take the run up where it was left; returns the number of epochs that are done."""
        state = self.folder.restored(_CHECKPOINT)
        if state is None:
            return 0
        self.image_tower.load_state_dict(state["image"])
        self.text_tower.load_state_dict(state["text"])
        self.log_scale.copy_(state["log_scale"])
        optimiser.load_state_dict(state["optimiser"])
        average.load_state_dict(state["average"])
        print(f"{state['epochs']} of {self.options.epochs} epochs are done", flush=True)
        return int(state["epochs"])


def _recall(images: NDArray[np.float32], texts: NDArray[np.float32], captions: CaptionTable) -> dict[str, float]:
    """Recall over all English captions, (n, d) images against the rows of `captions` in (m, d) texts."""
    columns = captions.english
    owner = np.repeat(np.arange(len(columns)), columns.shape[1])
    ranked = rank_both_ways(images, texts[columns.reshape(-1)], owner)
    return {**ranked.recall("expected"), "mr_ties_against": ranked.recall("against")["mr"]}
