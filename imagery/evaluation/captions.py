"""Captioned pictures from a JSON Lines file, one object a line: {"filename", "split", "class", "captions"}."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from rsportal.errors import InvalidInput

_LONGEST_LINE_CHARACTERS: Final = 1_000_000


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be used; ``reason`` is a clause that says why."""

    number: int
    reason: str


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture (its path below the folder of pictures), its captions (perhaps none) and its class (None: unknown)."""

    filename: str
    captions: tuple[str, ...]
    scene_class: str | None
    split: str | None


@dataclass(frozen=True)
class CaptionsFile:
    """The usable lines of a file in their order, one picture each, and the ``bad`` ones.

    ``splits`` counts the pictures of each split in the whole file (None: of no split), whichever was asked for.
    """

    path: Path
    pictures: tuple[CaptionedPicture, ...]
    bad: tuple[BadLine, ...]
    splits: dict[str | None, int] = field(default_factory=dict)


def captions_read(path: Path, *, split: str | None = None) -> CaptionsFile:
    """Read the pictures of ``split`` (None: of all). Lines of the same file name are taken as one picture.

    "filename" and "captions" (a list of strings, perhaps empty) are needed; "split" and "class" may be null or left
    out. Bad lines are collected, not raised. Raises InvalidInput (field ``captions`` or ``split``) if the file cannot
    be read or has no usable line, or none of this split.
    """
    found: dict[str, CaptionedPicture] = {}
    bad: list[BadLine] = []
    for number, line in json_lines(path, field="captions"):
        try:
            picture = _picture(line)
            known = found.get(picture.filename)
            found[picture.filename] = picture if known is None else _together(known, picture)
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
    if not found:
        first = f" Line {bad[0].number}: {bad[0].reason}." if bad else " It is empty."
        raise InvalidInput(
            f'{path} has no usable line; each must be an object with "filename" and "captions".{first}',
            field="captions",
        )
    splits = Counter(picture.split for picture in found.values())
    pictures = tuple(picture for picture in found.values() if split is None or picture.split == split)
    if not pictures:
        have = ", ".join(sorted(name for name in splits if name is not None)) or "none at all"
        raise InvalidInput(f"{path} has no picture of the split {split!r}; it has {have}.", field="split")
    return CaptionsFile(path=path, pictures=pictures, bad=tuple(bad), splits=dict(splits))


def json_lines(path: Path, *, field: str) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text) of the lines that are not blank. Raises InvalidInput if the file cannot be read."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror}): check --{field}.", field=field) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is no UTF-8 text: --{field} wants a JSON Lines file.", field=field) from error


def json_object(line: str) -> dict[str, Any]:
    """The object on a line. Raises ValueError with a clause that says what is wrong."""
    if len(line) > _LONGEST_LINE_CHARACTERS:
        raise ValueError(f"it is longer than {_LONGEST_LINE_CHARACTERS:,} characters")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON ({error})") from error
    if not isinstance(row, dict):
        raise ValueError("it is no JSON object")
    return row


def json_text(row: dict[str, Any], name: str, *, needed: bool) -> str | None:
    """A string that is not blank, stripped; None if it is null or missing and not needed. Raises ValueError."""
    value = row.get(name)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'"{name}" is missing or not a text')
    return value.strip()


def _picture(line: str) -> CaptionedPicture:
    row = json_object(line)
    filename = json_text(row, "filename", needed=True)
    assert filename is not None
    if PurePosixPath(filename).is_absolute() or ".." in PurePosixPath(filename).parts or "\0" in filename:
        raise ValueError(f'"filename" must name a file inside the folder of pictures, not {filename!r}')
    captions = row.get("captions")
    if not isinstance(captions, list) or not all(isinstance(text, str) and text.strip() for text in captions):
        raise ValueError('"captions" is not a list of texts')
    return CaptionedPicture(
        filename=filename,
        captions=tuple(text.strip() for text in captions),
        scene_class=json_text(row, "class", needed=False),
        split=json_text(row, "split", needed=False),
    )


def _together(one: CaptionedPicture, two: CaptionedPicture) -> CaptionedPicture:
    for what, first, second in (("class", one.scene_class, two.scene_class), ("split", one.split, two.split)):
        if first != second:
            raise ValueError(f'{one.filename} stands here with the "{what}" {second!r}, earlier with {first!r}')
    return CaptionedPicture(one.filename, (*one.captions, *two.captions), one.scene_class, one.split)
