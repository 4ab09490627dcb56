"""EfficientNet-lite0: the convolutional backbone of the built-in encoder.

Architecture: Tan and Le, "EfficientNet" (ICML 2019), in the "lite" form published for mobile use: no
squeeze-and-excite, ReLU6 instead of swish, stem and head not scaled. Written here from the published
table; parameter names are ours, `rename_imagenet_key` maps those of the ImageNet checkpoint.

This module imports torch: import it inside functions only, never on the start of a web process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_BATCH_NORM_EPSILON: Final = 1e-3
_BATCH_NORM_MOMENTUM: Final = 0.01
_STEM_CHANNELS: Final = 32
HEAD_CHANNELS: Final = 1280
MIDDLE_CHANNELS: Final = 112
BLOCK_COUNT: Final = 16


@dataclass(frozen=True)
class _Stage:
    """A run of inverted residual blocks; `stride` is that of the first block."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES: Final = (
    _Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=16),
    _Stage(repeats=2, kernel=3, stride=2, expansion=6, channels=24),
    _Stage(repeats=2, kernel=5, stride=2, expansion=6, channels=40),
    _Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=80),
    _Stage(repeats=3, kernel=5, stride=1, expansion=6, channels=MIDDLE_CHANNELS),
    _Stage(repeats=4, kernel=5, stride=2, expansion=6, channels=192),
    _Stage(repeats=1, kernel=3, stride=1, expansion=6, channels=320),
)
# The last block whose output is still 1/16 of the input size.
MIDDLE_BLOCK: Final = 10


class ConvNorm(nn.Module):
    """Convolution and batch normalisation with TensorFlow's "same" padding: the odd pixel goes right and below."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        total = kernel - stride if stride > 1 else kernel - 1
        before = total // 2
        symmetric = total % 2 == 0
        self.edge = None if symmetric else (before, total - before, before, total - before)
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=before if symmetric else 0, groups=groups, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPSILON, momentum=_BATCH_NORM_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        if self.edge is not None:
            x = functional.pad(x, self.edge)
        return self.norm(self.conv(x))

    def fold(self) -> None:
        """Merge the batch normalisation into the convolution; right for inference only, harmless if repeated."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
            return
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        conv = self.conv
        folded = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            kernel_size=(conv.kernel_size[0], conv.kernel_size[1]),
            stride=(conv.stride[0], conv.stride[1]),
            padding=conv.padding,
            groups=conv.groups,
            bias=True,
        )
        assert folded.bias is not None
        with torch.no_grad():
            folded.weight.copy_(conv.weight * scale[:, None, None, None])
            folded.bias.copy_(norm.bias - norm.running_mean * scale)
        self.conv, self.norm = folded, nn.Identity()


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel, project by 1x1; with the input added where shapes allow."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = ConvNorm(inputs, wide, kernel=1) if expansion > 1 else None
        self.depthwise = ConvNorm(wide, wide, kernel=kernel, stride=stride, groups=wide)
        self.project = ConvNorm(wide, outputs, kernel=1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self.expand(x), inplace=True) if self.expand is not None else x
        y = self.project(functional.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """(n, 3, H, W) float pixels in about -1..1 -> maps at 1/16 (112 channels) and at 1/32 (1,280 channels)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, _STEM_CHANNELS, kernel=3, stride=2)
        blocks: list[nn.Module] = []
        inputs = _STEM_CHANNELS
        for stage in _STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(
                    InvertedResidual(
                        inputs, stage.channels, kernel=stage.kernel, stride=stride, expansion=stage.expansion
                    )
                )
                inputs = stage.channels
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvNorm(inputs, HEAD_CHANNELS, kernel=1)

    def stem_to(self, x: Tensor, stop: int) -> Tensor:
        """The stem and the first `stop` blocks: (n, 3, H, W) -> (n, c, h, w)."""
        x = functional.relu6(self.stem(x), inplace=True)
        for block in self.blocks[:stop]:
            x = block(x)
        return x

    def rest_from(self, x: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Blocks from `start` (at most 11) to the head: the map at 1/16 and the map at 1/32."""
        middle = x
        for index in range(start, BLOCK_COUNT):
            x = self.blocks[index](x)
            if index == MIDDLE_BLOCK:
                middle = x
        return middle, functional.relu6(self.head(x), inplace=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.rest_from(self.stem_to(x, 0), 0)

    def fold(self) -> None:
        """Merge every batch normalisation into its convolution (inference only)."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()


_IMAGENET_PARTS: Final = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "head.conv",
    "_bn1": "head.norm",
}
_IMAGENET_BLOCK_PARTS: Final = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}


def rename_imagenet_key(key: str) -> str | None:
    """Our name of a parameter of the published ImageNet checkpoint; None for its classifier, which we drop."""
    parts = key.split(".")
    if parts[0] == "_blocks":
        return ".".join(["blocks", parts[1], _IMAGENET_BLOCK_PARTS[parts[2]], *parts[3:]])
    if parts[0] == "_fc":
        return None
    return ".".join([_IMAGENET_PARTS[parts[0]], *parts[1:]])


def imagenet_state(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published ImageNet state dict under our parameter names, without the classifier."""
    renamed = ((rename_imagenet_key(key), value) for key, value in published.items())
    return {name: value for name, value in renamed if name is not None}
