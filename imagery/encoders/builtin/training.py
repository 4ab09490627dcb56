"""The training loop of the built-in encoder; `train` is its command line.

This module imports torch: import it inside functions only.
"""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imagery.encoders.evaluation import retrieval_recall

from .corpus import CaptionTable, caption_table, captioned_images, load_pixels
from .efficientnet import MIDDLE_BLOCK
from .export import export_weights
from .model import ImageTower, TextTower
from .objective import contrastive_loss
from .sentences import SentenceFeatures
from .train import TrainingOptions
from .views import FrozenViews, imagenet_backbone

_FIRST_SCALE: Final = 1 / 0.07
_LARGEST_SCALE: Final = 100.0
_WARM_UP_STEPS: Final = 50
_LARGEST_GRADIENT: Final = 2.0
_EVALUATION_BATCH: Final = 128
_STEPS_PER_NOTE: Final = 5
_BLEND_SHARES: Final = (0.2, 0.35, 0.5, 0.65, 0.8)


class Training:
    """One run; everything it needs to go on after an interruption is in `options.out`."""

    def __init__(self, options: TrainingOptions) -> None:
        self.options = options
        options.out.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        self.device = torch.device(options.device)
        self.random = np.random.default_rng(options.seed)
        sentences = SentenceFeatures()
        self.train_items = captioned_images(options.images, options.captions, split="train")
        self.val_items = captioned_images(options.images, options.captions, split="val")
        self.captions = self._captions("train", sentences)
        self.val_captions = self._captions("val", sentences)
        self.features = torch.from_numpy(self.captions.features).to(self.device)
        self.image_tower = ImageTower(dropout=options.image_dropout).to(self.device)
        self.text_tower = TextTower(dropout=options.text_dropout).to(self.device)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE), device=self.device))
        self.image_tower.backbone.load_state_dict(imagenet_backbone())
        # The statistics of the batch normalisations stay those of ImageNet, so they may as well be part of the
        # convolutions: a third faster, and the average of the weights needs no special care.
        self.image_tower.backbone.fold()
        self.step = 0

    def run(self) -> None:
        """All steps that are not done yet."""
        options = self.options
        cache = self.frozen = FrozenViews(options.out, device=self.device, half=options.half)
        train_pixels = load_pixels(self.train_items, options.out / "train_pixels.npy")
        val_pixels = load_pixels(self.val_items, options.out / "val_pixels.npy")
        self.val_view = cache.plain(val_pixels, "val")
        self.views = [cache.random(train_pixels, number) for number in range(1, options.views + 1)]
        pooled = np.concatenate([view.pooled for view in self.views]).astype(np.float32)
        self.image_tower.set_statistics(torch.from_numpy(pooled).to(self.device))
        if not self._restore("heads.pt"):
            self._train_heads()
            self._save("heads.pt", epoch=options.head_epochs)
        self._tune()
        self._blend()

    def _captions(self, split: str, sentences: SentenceFeatures) -> CaptionTable:
        store = self.options.out / f"{split}_captions.pt"
        items = self.train_items if split == "train" else self.val_items
        if store.exists():
            return CaptionTable(**torch.load(store, weights_only=False))
        table = caption_table(items, sentences=sentences, seed=self.options.seed)
        torch.save(vars(table), store)
        return table

    def _maps(self, maps: NDArray[np.float16]) -> Tensor:
        block = torch.from_numpy(np.asarray(maps)).to(self.device).float()
        return block.contiguous(memory_format=torch.channels_last)

    # Steps ---------------------------------------------------------------------------------------------------

    def _train_heads(self) -> None:
        options = self.options
        val_pooled = torch.from_numpy(self.val_view.pooled).to(self.device).float()
        parameters = [*self.image_tower.head.parameters(), *self.text_tower.parameters(), self.log_scale]
        optimiser = torch.optim.AdamW(parameters, lr=options.head_rate, weight_decay=options.weight_decay)
        average = MovingAverage([self.image_tower, self.text_tower], options.average_decay)
        batch_size = 2 * options.batch_size
        total = options.head_epochs * (len(self.train_items) // batch_size)
        for epoch in range(options.head_epochs):
            self.image_tower.train()
            self.text_tower.train()
            for index in self._batches(batch_size):
                self._set_rate(optimiser, [options.head_rate], total)
                view = self.random.integers(len(self.views), size=len(index))
                rows = np.stack([self.views[v].pooled[i] for v, i in zip(view, index, strict=True)])
                pooled = torch.from_numpy(rows).to(self.device).float()
                self._update(optimiser, self.image_tower.project(pooled), index, average)
            with average.applied():
                scores = self._log("heads", epoch, lambda: self.image_tower.project(val_pooled))
                self._keep_best(scores)
        average.apply_for_good()

    def _tune(self) -> None:
        options = self.options
        backbone = self.image_tower.backbone
        tuned = [*backbone.blocks[options.tail_from :], backbone.head]
        backbone_parameters = [p for module in tuned for p in module.parameters()]
        for parameter in backbone.parameters():
            parameter.requires_grad_(False)
        for parameter in backbone_parameters:
            parameter.requires_grad_(True)
        head_parameters = [*self.image_tower.head.parameters(), *self.text_tower.parameters(), self.log_scale]
        rates = [options.backbone_rate, options.tuned_head_rate]
        optimiser = torch.optim.AdamW(
            [{"params": backbone_parameters}, {"params": head_parameters}], weight_decay=options.weight_decay
        )
        self.image_tower.to(memory_format=torch.channels_last)
        average = MovingAverage([self.image_tower, self.text_tower], options.average_decay)
        total = options.epochs * (len(self.train_items) // options.batch_size)
        self.step = 0
        first = self._resume(optimiser, average)
        for epoch in range(first, options.epochs):
            started = time.monotonic()
            self.text_tower.train()
            self.image_tower.train()
            losses = []
            for index in self._batches(options.batch_size):
                self._set_rate(optimiser, rates, total)
                view = self.random.integers(len(self.views), size=len(index))
                maps = self._maps(np.stack([self.views[v].maps[i] for v, i in zip(view, index, strict=True)]))
                pooled = self._pooled(maps)
                losses.append(self._update(optimiser, self.image_tower.project(pooled), index, average))
                if self.step % _STEPS_PER_NOTE == 0:
                    speed = len(losses) * options.batch_size / (time.monotonic() - started)
                    print(f"epoch {epoch} step {self.step}: loss {losses[-1]:.3f}, {speed:.0f} images/s", flush=True)
            seconds = time.monotonic() - started
            with average.applied():
                scores = self._log("tuning", epoch, self._val_images, loss=float(np.mean(losses)), seconds=seconds)
                self._keep_best(scores)
            self._save("checkpoint.pt", epoch=epoch + 1, optimiser=optimiser, average=average)
        average.apply_for_good()

    def _blend(self) -> None:
        """Try means of the weights before and after tuning (Wortsman et al., "Robust fine-tuning", CVPR 2022)."""
        before = torch.load(self.options.out / "heads.pt", map_location=self.device, weights_only=False)
        towers = ((self.image_tower, before["image"]), (self.text_tower, before["text"]))
        pairs = [(live, old[name]) for tower, old in towers for name, live in tower.state_dict().items()]
        after = [live.clone() for live, _ in pairs]
        for share in _BLEND_SHARES:
            for (live, old), new in zip(pairs, after, strict=True):
                live.copy_(torch.lerp(old, new, share))
            self._keep_best(self._log("blend", 0, self._val_images, share=share))

    def _pooled(self, maps: Tensor) -> Tensor:
        """Cached maps -> pooled channels, through the frozen blocks and the trained ones."""
        start = self.options.tail_from
        split = min(start, MIDDLE_BLOCK + 1)
        maps = self.frozen.continued(maps, split)
        middle, maps = maps, self.frozen.continued(maps, start, first=split)
        early, last = self.image_tower.backbone.rest_from(maps, start)
        return ImageTower.pooled((middle if start > MIDDLE_BLOCK else early, last))

    def _batches(self, size: int) -> Iterator[NDArray[np.int64]]:
        order = self.random.permutation(len(self.train_items))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]

    def _set_rate(self, optimiser: torch.optim.Optimizer, rates: list[float], total: int) -> None:
        factor = min(1.0, (self.step + 1) / _WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * self.step / total))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        self.step += 1

    def _update(
        self, optimiser: torch.optim.Optimizer, images: Tensor, index: NDArray[np.int64], average: "MovingAverage"
    ) -> float:
        rows = self._caption_rows(index)
        distinct, inverse = np.unique(rows, return_inverse=True)
        positive = np.zeros((len(index), len(distinct)), dtype=bool)
        positive[np.arange(len(index))[:, None], inverse.reshape(rows.shape)] = True
        texts = self.text_tower(self.features[torch.from_numpy(distinct)])
        scale = self.log_scale.exp().clamp(max=_LARGEST_SCALE)
        loss = contrastive_loss(images, texts, torch.from_numpy(positive).to(self.device), scale=scale)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            nn.utils.clip_grad_norm_(group["params"], _LARGEST_GRADIENT)
        optimiser.step()
        average.update()
        return float(loss.detach())

    def _caption_rows(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """(b, captions_per_image) distinct captions of each image, some of them in Chinese."""
        options = self.options
        width = self.captions.english.shape[1]
        column = self.random.random((len(index), width)).argsort(axis=1)[:, : options.captions_per_image]
        english = self.captions.english[index[:, None], column]
        chinese = self.captions.chinese[index[:, None], column]
        swap = (self.random.random(english.shape) < options.chinese_share) & (chinese >= 0)
        return np.where(swap, chinese, english)

    # Validation ----------------------------------------------------------------------------------------------

    def _val_images(self) -> Tensor:
        rows = []
        for start in range(0, len(self.val_view.maps), _EVALUATION_BATCH):
            block = self._maps(self.val_view.maps[start : start + _EVALUATION_BATCH])
            rows.append(self.image_tower.project(self._pooled(block)))
        return torch.cat(rows)

    @torch.no_grad()
    def _log(self, step: str, epoch: int, images: Any, **more: float) -> dict[str, float]:
        self.image_tower.eval()
        self.text_tower.eval()
        image_rows = images().float().cpu().numpy()
        features = torch.from_numpy(self.val_captions.features).to(self.device)
        text_rows = self.text_tower(features).cpu().numpy()
        columns = self.val_captions.english
        owner = np.repeat(np.arange(len(columns)), columns.shape[1])
        scores = retrieval_recall(image_rows, text_rows[columns.reshape(-1)], owner)
        line = {"step": step, "epoch": epoch, **more, "scale": float(self.log_scale.detach().exp()), **scores}
        with (self.options.out / "curve.jsonl").open("a", encoding="utf-8") as curve:
            curve.write(json.dumps(line) + "\n")
        print(f"{step} {epoch}: mR {scores['mr']:.2f}", {k: round(v, 3) for k, v in more.items()}, flush=True)
        return scores

    def _keep_best(self, scores: dict[str, float]) -> None:
        best_file = self.options.out / "best.json"
        best = json.loads(best_file.read_text())["mr"] if best_file.exists() else -1.0
        if scores["mr"] > best:
            export_weights(self.image_tower, self.text_tower, self.options.out / "weights.safetensors", scores=scores)
            best_file.write_text(json.dumps(scores))

    # Going on after an interruption --------------------------------------------------------------------------

    def _save(self, name: str, *, epoch: int, **more: Any) -> None:
        state = {
            "epoch": epoch,
            "step": self.step,
            "image": self.image_tower.state_dict(),
            "text": self.text_tower.state_dict(),
            "log_scale": self.log_scale.detach(),
            "random": self.random.bit_generator.state,
            "torch_random": torch.get_rng_state(),
            **{key: value.state_dict() for key, value in more.items()},
        }
        partial = self.options.out / (name + ".partial")
        torch.save(state, partial)
        partial.rename(self.options.out / name)

    def _restore(self, name: str) -> dict[str, Any]:
        path: Path = self.options.out / name
        if not path.exists():
            return {}
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=False)
        self.image_tower.load_state_dict(state["image"])
        self.text_tower.load_state_dict(state["text"])
        with torch.no_grad():
            self.log_scale.copy_(state["log_scale"])
        self.random.bit_generator.state = state["random"]
        torch.set_rng_state(state["torch_random"].cpu())
        return state

    def _resume(self, optimiser: torch.optim.Optimizer, average: "MovingAverage") -> int:
        state = self._restore("checkpoint.pt")
        if not state:
            return 0
        self.step = state["step"]
        optimiser.load_state_dict(state["optimiser"])
        average.load_state_dict(state["average"])
        return int(state["epoch"])


class MovingAverage:
    """Exponential moving average of all parameters and buffers of some modules."""

    def __init__(self, modules: list[nn.Module], decay: float) -> None:
        self._live = [t for m in modules for t in m.state_dict(keep_vars=True).values() if t.is_floating_point()]
        self._mean = [t.detach().clone() for t in self._live]
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the present weights; the first steps weigh more."""
        self._updates += 1
        weight = 1 - min(self._decay, self._updates / (self._updates + 10))
        for mean, live in zip(self._mean, self._live, strict=True):
            mean.lerp_(live.detach(), weight)

    def applied(self) -> "_Applied":
        """A context in which the modules hold the average."""
        return _Applied(self._live, self._mean)

    @torch.no_grad()
    def apply_for_good(self) -> None:
        """The modules take the average over."""
        for mean, live in zip(self._mean, self._live, strict=True):
            live.copy_(mean)

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self._mean, "updates": self._updates}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._updates = state["updates"]
        for mean, saved in zip(self._mean, state["mean"], strict=True):
            mean.copy_(saved)


class _Applied:
    def __init__(self, live: list[Tensor], mean: list[Tensor]) -> None:
        self._live, self._mean = live, mean

    @torch.no_grad()
    def __enter__(self) -> None:
        self._kept = [t.detach().clone() for t in self._live]
        for live, mean in zip(self._live, self._mean, strict=True):
            live.copy_(mean)

    @torch.no_grad()
    def __exit__(self, *_: object) -> None:
        for live, kept in zip(self._live, self._kept, strict=True):
            live.copy_(kept)
