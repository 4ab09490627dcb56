"""Names of classes in land cover legends, in the words that captions of pictures use.

The sentence encoder knows "built-up land" as a kind of land and puts it beside fields and bare ground; the captions
that our layers learnt from say "urban area" or "residential area". Legends: CORINE Land Cover (artificial surfaces,
urban fabric), Anderson et al. 1976 (urban or built-up land), NLCD (developed).
"""

import re
from typing import Final

_CAPTION: Final = "urban area"
_NAMES: Final = (
    r"(?:urban\s+(?:or|and)\s+)?built[\s-]?up(?:\s+(?:land|areas?|surfaces?|zones?))?",
    r"(?:developed|urban)\s+land",
    r"artificial\s+surfaces?",
    r"(?:dis)?continuous\s+urban\s+fabric",
    r"urban\s+fabric",
    r"human\s+settlements?",
)
_PATTERN: Final = re.compile(rf"\b(?:{'|'.join(_NAMES)})\b", re.IGNORECASE)


def in_caption_words(text: str) -> str:
    """Return ``text`` with the names of built-up classes replaced by what captions call them."""
    return _PATTERN.sub(_CAPTION, text)
