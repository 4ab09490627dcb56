"""The model card of a student, made from its scores. Pure Python."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any, Final

_SIDES: Final = {
    "teacher": ("teacher", "teacher"),
    "student": ("student", "student"),
    "student_zh": ("student, Chinese", "student"),
    "cross": ("student", "teacher"),
    "cross_zh": ("student, Chinese", "teacher"),
}
_COLUMNS: Final = tuple(f"{way}_r{cut}" for way in ("text_to_image", "image_to_text") for cut in (1, 5, 10))
_AGREEMENTS: Final = {
    "image_cosine": "mean cosine of its pictures to the teacher's",
    "image_explained": "share of the variance of the teacher's pictures that it explains",
    "text_cosine": "mean cosine of its English captions to the teacher's",
    "text_explained": "share of their variance that it explains",
    "chinese_cosine": "mean cosine of Chinese renderings to the teacher's English captions",
    "chinese_explained": "share of their variance that it explains",
    "overlap": "of the teacher's first ten pictures for a caption, found by the student",
    "cross_overlap": "of the teacher's first ten pictures, found by the student's text among the teacher's pictures",
}

_START: Final = {"builtin": "the shipped built-in encoder", "imagenet": "ImageNet weights"}
_WIDTH: Final = 118


def card(told: Mapping[str, Any]) -> str:
    """MODEL_CARD.md of a distillation; `told` is what its scores.json holds."""
    parts = [_what(told), _how(told), _scores(told), _calibration(told), _limits(told)]
    return "\n".join(parts)


def retrieval_table(retrieval: Mapping[str, Mapping[str, float]]) -> str:
    """Recall in percent, one line for each pair of sides."""
    columns = [f"{way} R@{cut}" for way in ("text -> image", "image -> text") for cut in (1, 5, 10)]
    header = ["captions read by", "pictures read by", *columns, "mR"]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for name, (texts, images) in _SIDES.items():
        if name in retrieval:
            figures = " | ".join(f"{retrieval[name][column]:.1f}" for column in (*_COLUMNS, "mr"))
            lines.append(f"| {texts} | {images} | {figures} |")
    return "\n".join(lines)


def _text(*sentences: str) -> str:
    """One paragraph, wrapped."""
    return fill(" ".join(sentences), width=_WIDTH, break_long_words=False, break_on_hyphens=False)


def _what(told: Mapping[str, Any]) -> str:
    teacher, student = told["teacher"], told["student"]
    source = f"`{teacher['source']}`" + (f", revision `{teacher['revision']}`" if teacher["revision"] else "")
    name = f"**{teacher['name']}** ({teacher['kind']}, {source}, SHA-256 `{teacher['sha256'][:12]}`)"
    size = f"{student['bytes'] / 1e6:.1f} MB, half precision, {teacher['dimension']} numbers a vector"
    if student["text_only"]:
        title = f"A text tower for the archive of {teacher['name']}"
        what: tuple[str, ...] = (
            f"The built-in encoder's text tower ({size}), taught to give the vectors of the teacher, {name}.",
            "Pictures are read by the teacher itself, texts by this tower: a web process needs neither torch nor the",
            "teacher's text tower, and the vectors that an archive has from the teacher stay as they are.",
        )
    else:
        title = f"A student of {teacher['name']}"
        what = (
            f"The built-in encoder's architecture ({size}), taught to give the vectors of the teacher, {name}, for",
            "pictures of 224 px and for texts in English and Chinese.",
        )
    return f"# {title}\n\n## What it is\n{_text(*what)}\n"


def _how(told: Mapping[str, Any]) -> str:
    data, student = told["data"], told["student"]
    if student["text_only"]:
        steps = f"Only the text tower was trained: fitted by least squares, then for {data['head_epochs']} epochs."
    else:
        steps = (
            f"The teacher encoded each picture and {data['views']} random views of it. The backbone started from "
            f"{_START[student['start']]}; heads were fitted by least squares, trained for {data['head_epochs']} "
            f"epochs, and together with the backbone's blocks from {data['tail_from']} on for {data['epochs']} more."
        )
    how = (
        f"`{data['captions']}` (SHA-256 `{data['captions_sha256'][:12]}`): {data['train_images']:,} pictures of the",
        f"split `train` with their captions; {data['val_images']:,} of `val` chose among the epochs.",
        steps,
        "Chinese: word-by-word renderings of the captions by a glossary, taught the teacher's vector of the English",
        "original. Loss: the share of the teacher's variance not explained, of pictures and of texts, plus",
        f"{data['contrastive']:g} x InfoNCE of captions and pictures in the teacher's space. Seed {data['seed']}; all",
        "settings are in `settings.json`, the curve in `curve.jsonl`.",
    )
    return f"## How it was made\n{_text(*how)}\n"


def _scores(told: Mapping[str, Any]) -> str:
    data, agreement = told["data"], told["agreement"]
    lines = [f"| {what} | {agreement[name]:.3f} |" for name, what in _AGREEMENTS.items() if name in agreement]
    how = (
        f"Split `val`, held out from training but used to choose the epoch: {data['val_images']:,} pictures,",
        f"{data['val_captions']:,} captions, {data['val_renderings']:,} of them with a Chinese rendering. Recall in",
        "percent; ties count against us. The weights are scored as they are in use, from the half-precision file.",
    )
    table = "\n".join(["| agreement with the teacher | |", "|---|---|", *lines])
    return f"## Scores\n{_text(*how)}\n\n{retrieval_table(told['retrieval'])}\n\n{table}\n"


def _calibration(told: Mapping[str, Any]) -> str:
    measured = told["calibration"]
    if "missing" in measured:
        return f"## Calibration\n{_text('None:', measured['missing'], 'Hits show no bands.')}\n"
    even = -measured["offset"] / measured["scale"] if measured["scale"] > 0 else 2.0
    how = (
        f"Platt scaling of the cosine on `val`, weighted to one match in {1 / measured['prior']:.0f} scenes:",
        f"a cosine of {even:.2f} is worth a probability of 0.5." if even <= 1 else "no cosine is worth even 0.5.",
    )
    return f"## Calibration\n{_text(*how)}\n"


def _limits(told: Mapping[str, Any]) -> str:
    points = (
        "It knows what the training pictures and captions show; beyond them it is weaker than its teacher by more than "
        "the table says.",
        "The Chinese of the table are renderings by the glossary it was taught with. Natural Chinese scores lower.",
        f"The teacher reads {', '.join(told['teacher']['languages'])}. What it does not know, its student cannot learn "
        "from it.",
        "Teacher and training data have licences of their own, which may extend to this student.",
    )
    return "## Limits and licence\n" + "\n".join(_text(f"- {point}") for point in points) + "\n"
