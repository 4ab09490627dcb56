"""The distillation of a teacher into the built-in architecture; `manage.py distill` is its command line.

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

from .average import MovingAverage
from .corpus import captioned_images
from .distill_lessons import kept_lessons
from .distill_loss import distillation_loss
from .distill_options import DistillOptions
from .distill_result import export_student, written_result
from .distill_scores import agreement, spread
from .distill_student import Student, StudentView
from .run_folder import RunFolder, deciding
from .schedule import rate_factor, usable_device
from .teacher import Teacher

# CLIP's temperature at the start and its bound (Radford et al. 2021).
_FIRST_SCALE: Final = 1 / 0.07
_LARGEST_SCALE: Final = 100.0
_LARGEST_GRADIENT: Final = 2.0
_STEPS_PER_NOTE: Final = 20


@dataclass(frozen=True)
class Step:
    """One of the two steps that learn by gradients; see `training.Step`. `part` is what it reads of a view."""

    name: str
    number: int
    epochs: int
    groups: list[tuple[list[nn.Parameter], float]]
    part: str


class Distillation:
    """One run. What it needs to go on after an interruption is in `options.out`.

    1. The teacher's vectors of all views and captions are computed and kept.
    2. "start": the heads' linear maps by least squares (seconds).
    3. "heads": the whole heads, on frozen features. 4. "tuning": heads and late blocks. The weights that agree best
    with the teacher on the split "val" are exported.
    """

    def __init__(self, options: DistillOptions, teacher: Teacher, *, say: Callable[[str], None] = print) -> None:
        """Raises InvalidInput for data, settings or a device that cannot be used."""
        self.options, self.teacher, self.say = options, teacher, say
        self.device = usable_device(options.device)
        torch.set_num_threads(options.threads)
        self.train_items = captioned_images(options.images, options.captions, split="train")
        self.val_items = captioned_images(options.images, options.captions, split="val")
        self.folder = RunFolder(options.out, settings={**deciding(options), "teacher_sha256": teacher.checksum})
        torch.manual_seed(options.seed)
        self.student = Student(options, dimension=teacher.dimension, device=self.device)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE), device=self.device))

    def run(self) -> dict[str, Any]:
        """All steps that are not done yet; returns what is written to scores.json."""
        self._prepare()
        self._start()
        for step in self._steps():
            self._train(step)
        self.say("scoring the weights as they are in use")
        return written_result(self.options, self.teacher, val=self.val, pixels=self.val_pixels, train=self.lessons)

    def _prepare(self) -> None:
        """Read what teacher and untrained backbone say of every view, or compute it on the first run."""
        options, path, teacher = self.options, self.options.out, self.teacher
        views = 1 if options.text_only else 1 + options.views
        self.say(f"{teacher.name} encodes {views * len(self.train_items) + len(self.val_items)} pictures")
        self.val, self.val_pixels = kept_lessons(
            self.val_items, split="val", teacher=teacher, folder=path, seed=options.seed
        )
        self.lessons, pixels = kept_lessons(
            self.train_items, split="train", teacher=teacher, folder=path, seed=options.seed
        )
        self.spreads = spread(self.lessons.images), spread(self.lessons.texts)
        self.features = torch.from_numpy(self.lessons.captions.features).to(self.device)
        self.views: list[StudentView] = []
        self.targets = [self.lessons.images]
        self.val_view: StudentView | None = None
        if options.text_only:
            return
        for view in range(1, options.views + 1):
            store = path / f"teacher_view_{view}.npy"
            self.targets.append(teacher.view_rows(pixels, view, store, seed=options.seed))
        kept = self.student.kept_view
        self.val_view = kept(self.val_pixels, 0, path, "val", seed=options.seed)
        self.views = [kept(pixels, v, path, f"view_{v}", seed=options.seed) for v in range(options.views + 1)]
        self.student.set_statistics(self.views)

    def _start(self) -> None:
        """Least squares; the towers before and after it are the first two points of the curve."""
        if (state := self.folder.restored("start.pt")) is not None:
            self._load(state)
            return
        self._measure(None, {"step": "untrained"})
        self.student.fit_text_head(self.lessons, self.val)
        if self.val_view is not None:
            self.student.fit_image_head(self.views, self.targets, self.val_view, self.val)
        self._measure(None, {"step": "start"})
        self.folder.save("start.pt", self._state())

    def _steps(self) -> Iterator[Step]:
        options, heads = self.options, [*self.student.head_parameters(), self.log_scale]
        yield Step("heads", 1, options.head_epochs, [(heads, options.head_rate)], "pooled")
        if not options.text_only:
            late = self.student.late_parameters(options.tail_from)
            yield Step("tuning", 2, options.epochs, [(late, options.backbone_rate), (heads, options.head_rate)], "maps")

    def _train(self, step: Step) -> None:
        """All epochs of a step that are not done yet; afterwards the towers hold the average of the weights."""
        if step.epochs == 0:
            return
        for tower in self.student.towers:
            tower.requires_grad_(False)
        for parameters, _ in step.groups:
            for parameter in parameters:
                parameter.requires_grad_(True)
        optimiser = torch.optim.AdamW(
            [{"params": parameters, "lr": rate} for parameters, rate in step.groups],
            weight_decay=self.options.weight_decay,
        )
        average = MovingAverage(self.student.towers, self.options.average_decay)
        for epoch in range(self._resume(step, optimiser, average), step.epochs):
            started = time.monotonic()
            loss = float(np.mean(list(self._losses(step, epoch, optimiser, average))))
            seconds = round(time.monotonic() - started, 1)
            with average.applied():
                self._measure(step, {"step": step.name, "epoch": epoch, "loss": loss, "seconds": seconds})
            state = {"epochs": epoch + 1, "optimiser": optimiser.state_dict(), "average": average.state_dict()}
            self.folder.save(f"{step.name}.pt", {**self._state(), **state})
        average.apply_for_good()

    def _losses(
        self, step: Step, epoch: int, optimiser: torch.optim.Optimizer, average: MovingAverage
    ) -> Iterator[float]:
        """Train for one epoch; the loss of each batch."""
        # Each epoch has a seed of its own, so a run that goes on needs no state of random numbers.
        seed = np.random.SeedSequence([self.options.seed, step.number, epoch])
        random = np.random.default_rng(seed)
        torch.manual_seed(int(seed.generate_state(1)[0]))
        for tower in self.student.towers:
            tower.train()
        size = min(self.options.batch_size, len(self.train_items))
        batches = len(self.train_items) // size
        order = random.permutation(len(self.train_items))
        for number in range(batches):
            index = order[number * size : (number + 1) * size]
            factor = rate_factor(epoch * batches + number, step.epochs * batches)
            for group, (_, rate) in zip(optimiser.param_groups, step.groups, strict=True):
                group["lr"] = rate * factor
            loss = self._loss(step, index, random)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            for group in optimiser.param_groups:
                nn.utils.clip_grad_norm_(group["params"], _LARGEST_GRADIENT)
            optimiser.step()
            average.update()
            yield float(loss.detach())
            if (number + 1) % _STEPS_PER_NOTE == 0:
                self.say(f"{step.name} {epoch}: {number + 1} of {batches} batches")

    def _loss(self, step: Step, index: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        """The loss for the pictures of these numbers, in a view and with captions drawn at random."""
        chosen = random.integers(len(self.targets), size=len(index))
        pairs = list(zip(chosen, index, strict=True))
        images = None
        if self.views:
            images = self.student.image_rows(np.stack([getattr(self.views[v], step.part)[row] for v, row in pairs]))
        rows = self._caption_rows(index, random)
        distinct, inverse = np.unique(rows, return_inverse=True)
        positive = np.zeros((len(rows), len(distinct)), dtype=bool)
        positive[np.arange(len(rows))[:, None], inverse.reshape(rows.shape)] = True
        return distillation_loss(
            images=images,
            texts=self.student.text(self.features[torch.from_numpy(distinct).to(self.device)]),
            teacher_images=self._tensor(np.stack([self.targets[v][row] for v, row in pairs])),
            teacher_texts=self._tensor(self.lessons.texts[distinct]),
            positive=self._tensor(positive),
            scale=self.log_scale.exp().clamp(max=_LARGEST_SCALE),
            spreads=self.spreads,
            contrastive=self.options.contrastive,
        )

    def _caption_rows(self, index: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """(b, captions_per_image) text numbers of distinct captions of each picture, some of them in Chinese."""
        options, table = self.options, self.lessons.captions
        columns = random.random((len(index), table.english.shape[1])).argsort(axis=1)[:, : options.captions_per_image]
        english, chinese = (rows[index[:, None], columns] for rows in (table.english, table.chinese))
        swap = (random.random(english.shape) < options.chinese_share) & (chinese >= 0)
        return np.where(swap, chinese, english)

    def _tensor(self, array: NDArray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    # Validation and going on after an interruption -------------------------------------------------------------

    def _measure(self, step: Step | None, line: dict[str, Any]) -> None:
        """Add how near the present weights are to the teacher to the curve; export them if they are the nearest."""
        images = None
        if self.val_view is not None:
            images = self.student.all_image_rows(getattr(self.val_view, step.part if step else "pooled"))
        scores = agreement(self.val, images, self.student.all_text_rows(self.val.captions.features))
        if line["step"] == "untrained":
            scores.pop("score")  # Never the one that is chosen.
        line = {**line, **scores}
        if "score" in scores and scores["score"] > self.folder.best_of_others(line, by="score"):
            export_student(self.student, self.options, teacher=self.teacher, scores=scores)
        self.folder.add_to_curve(line)
        told = " ".join(f"{name} {value:.3f}" for name, value in scores.items())
        self.say(f"{line['step']} {line.get('epoch', '')}: {told}")

    def _state(self) -> dict[str, Any]:
        towers = [tower.state_dict() for tower in self.student.towers]
        return {"towers": towers, "log_scale": self.log_scale.detach()}

    @torch.no_grad()
    def _load(self, state: dict[str, Any]) -> None:
        for tower, saved in zip(self.student.towers, state["towers"], strict=True):
            tower.load_state_dict(saved)
        self.log_scale.copy_(state["log_scale"])

    def _resume(self, step: Step, optimiser: torch.optim.Optimizer, average: MovingAverage) -> int:
        """Take the step up where it was left; returns the number of epochs that are done."""
        state = self.folder.restored(f"{step.name}.pt")
        if state is None:
            return 0
        self._load(state)
        optimiser.load_state_dict(state["optimiser"])
        average.load_state_dict(state["average"])
        self.say(f"{step.name}: {state['epochs']} of {step.epochs} epochs are done")
        return int(state["epochs"])
