"""The text tower's trained layers in numpy: a web process answers text queries without torch."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.errors import EncoderMismatch

_NORM_EPSILON: Final = 1e-5  # torch.nn.LayerNorm's
_GELU_CUBIC: Final = 0.044715


class TextHead:
    """(n, features) float32 -> (n, dimension) rows, not yet of unit length; the same as `model.TextTower`."""

    def __init__(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        try:
            self._gain, self._bias = tensors["norm.weight"], tensors["norm.bias"]
            self._linear, self._linear_bias = tensors["head.linear.weight"].T, tensors["head.linear.bias"]
            self._up, self._up_bias = tensors["head.up.weight"].T, tensors["head.up.bias"]
            self._down = tensors["head.down.weight"].T
        except KeyError as error:
            raise EncoderMismatch(
                f"The built-in encoder's weights lack the text tensor {error}: restore the shipped file."
            ) from error

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        centred = features - features.mean(axis=1, keepdims=True)
        variance = np.square(centred).mean(axis=1, keepdims=True)
        x = centred / np.sqrt(variance + _NORM_EPSILON) * self._gain + self._bias
        hidden = _gelu(x @ self._up + self._up_bias)
        return np.asarray(x @ self._linear + self._linear_bias + hidden @ self._down, dtype=np.float32)


def _gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The tanh form of GELU (Hendrycks and Gimpel 2016)."""
    inner = np.sqrt(2 / np.pi).astype(np.float32) * (x + _GELU_CUBIC * x**3)
    return np.asarray(0.5 * x * (1 + np.tanh(inner)), dtype=np.float32)
