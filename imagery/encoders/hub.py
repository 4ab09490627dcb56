"""Checkpoints by hub id: their snapshots in the local cache, fetched when allowed, and the commit they are pinned to.

The cache is huggingface_hub's own (`HF_HOME`), so that files fetched by other programs are found and an air-gapped
machine can be given a copy of it. While a file is fetched, a broken connection is taken up where it stopped; when that
fails for good, the files that are complete stay and the next run fetches the others.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .errors import EncoderUnavailable

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_SECONDS: Final = 20


def is_offline() -> bool:
    """Whether the environment forbids the network (HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE)."""
    return any(
        os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


def is_commit(revision: str) -> bool:
    """Whether a revision is a whole commit, which always means the same files."""
    return _COMMIT.fullmatch(revision) is not None


def commit(source: str, revision: str) -> str:
    """The commit that a branch, tag or "" (the default branch) means now, 40 hexadecimal digits.

    With the network allowed the hub is asked, without it the local cache. Raises EncoderUnavailable.
    """
    if is_commit(revision):
        return revision
    if is_offline():
        cached = _cached(source, revision, patterns=("config.json",))
        if cached is None:
            raise _not_in_cache(source, revision)
        return cached.name
    from httpx2 import HTTPError
    from huggingface_hub import HfApi

    try:
        found = HfApi().model_info(source, revision=revision or None, timeout=_TIMEOUT_SECONDS).sha
    except (HTTPError, OSError, ValueError) as error:
        raise _refusal(source, revision, error) from error
    if found is None or not is_commit(found):
        raise EncoderUnavailable(f"The hub does not say which commit of {source} is the present one: give --revision.")
    return found


def snapshot(source: str, revision: str, *, patterns: Sequence[str], needs: Sequence[str]) -> Path:
    """The folder with the files of a hub id that match `patterns`; each of `needs` matches at least one of them.

    What is in the cache is taken from there without any request. Raises EncoderUnavailable.
    """
    cached = _cached(source, revision, patterns=patterns)
    if cached is not None and all(any(cached.glob(pattern)) for pattern in needs):
        return cached
    if is_offline():
        raise _not_in_cache(source, revision)
    from httpx2 import HTTPError
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, revision=revision or None, allow_patterns=list(patterns)))
    except (HTTPError, OSError, ValueError) as error:
        raise _refusal(source, revision, error) from error


def is_cached(source: str, revision: str, *, patterns: Sequence[str], needs: Sequence[str]) -> bool:
    """Whether ``snapshot`` would find everything in the local cache. Makes no request. Raises EncoderUnavailable."""
    path = _cached(source, revision, patterns=patterns)
    return path is not None and all(any(path.glob(pattern)) for pattern in needs)


def _cached(source: str, revision: str, *, patterns: Sequence[str]) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        path = snapshot_download(
            source, revision=revision or None, allow_patterns=list(patterns), local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise _refusal(source, revision, error) from error
    return Path(path)


def _named(source: str, revision: str) -> str:
    return f"{source} at {revision}" if revision else source


def _not_in_cache(source: str, revision: str) -> EncoderUnavailable:
    return EncoderUnavailable(
        f"The encoder {_named(source, revision)} is not in the local cache and HF_HUB_OFFLINE forbids fetching it: run "
        "the command with RSPORTAL_HF_OFFLINE=0, or fetch it on another machine and give its folder as source."
    )


def _refusal(source: str, revision: str, error: Exception) -> EncoderUnavailable:
    """What went wrong, and what to do about it."""
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, RevisionNotFoundError):
        return EncoderUnavailable(
            f"The hub has no revision “{revision}” of {source}: give a branch, tag or commit that its page lists."
        )
    if isinstance(error, RepositoryNotFoundError):  # Also of those that want a log-in.
        return EncoderUnavailable(
            f"The hub shows no {source}: correct the name; if it wants a log-in, fetch it by hand and give its folder "
            "as source."
        )
    if isinstance(error, HFValidationError):
        return EncoderUnavailable(
            f"“{source}” is neither a folder nor a hub id such as “owner/name”: correct the encoder's source."
        )
    return EncoderUnavailable(
        f"The encoder {_named(source, revision)} could not be fetched ({_reason(error)}): check the network and run "
        "the command again, complete files are kept; or copy its files to a folder and give that as source."
    )


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
