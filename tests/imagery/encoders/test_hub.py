"""Checkpoints by hub id: pinned to a commit, resumed, refused with a sentence, and never fetched while offline.

Every test is a process of its own with a cache of its own, because the hub's library reads its settings once.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec
from tests.checkpoints import Shape, siglip_of_shape
from tests.hub_server import Hub, commit_of, hub_server

REPO = "someone/tiny-siglip"
SECONDS = 600  # A busy machine starts torch slowly.
# Any connection beyond this machine's files ends the process with a traceback.
GUARD = """
import socket
def refuse(*arguments, **named):
    raise AssertionError(f"a connection was attempted: {arguments}")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
"""
PROGRAM = """
import json, sys
from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.errors import EncoderUnavailable
source, revision = sys.argv[1], sys.argv[2]
told = {}
try:
    spec = EncoderSpec(EncoderKind.TRANSFORMERS, source, revision)
    told["commit"] = registry.resolved_revision(spec)
    spec = EncoderSpec(EncoderKind.TRANSFORMERS, source, told["commit"] or revision)
    told["dimension"] = registry.describe(spec).dimension
    told["checksum"] = registry.checksum(spec)
    if "encode" in sys.argv:
        told["text"] = registry.get_encoder(spec).encode_texts(["a river"])[0].tolist()
except EncoderUnavailable as error:
    told["refused"] = error.message
print(json.dumps(told))
"""


def ask(
    environment: dict[str, str], source: str = REPO, revision: str = "", *arguments: str, guard: bool = False
) -> dict[str, Any]:
    """What a fresh process finds under a source."""
    done = subprocess.run(
        [sys.executable, "-c", (GUARD if guard else "") + PROGRAM, source, revision, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, model_folder: Callable[[str], Path]) -> dict[str, Path]:
    """A repository of two commits; beside the checkpoint each has files that nobody needs."""
    folder = tmp_path_factory.mktemp("hub")
    for name, family in (("main", "base"), ("v1", "large")):
        shutil.copytree(model_folder(family), folder / name)
        (folder / name / "README.md").write_text(f"The {name} version.")
        (folder / name / "pytorch_model.bin").write_bytes(b"not wanted")
    return {"main": folder / "main", "v1": folder / "v1"}


@pytest.fixture(scope="module")
def hub(versions: dict[str, Path]) -> Any:
    with hub_server(REPO, versions) as running:
        yield running


def test_a_branch_and_a_tag_become_their_commit(hub: Hub, versions: dict[str, Path], tmp_path: Path) -> None:
    """The default branch, the tag, then both again from the cache, as commits and without a connection."""
    online = hub.environment(tmp_path)
    first, tagged = ask(online), ask(online, REPO, "v1")
    assert (first["commit"], first["dimension"]) == (commit_of(versions["main"]), 96)
    assert (tagged["commit"], tagged["dimension"]) == (commit_of(versions["v1"]), 128)
    assert first["checksum"] != tagged["checksum"]
    assert not [path for _method, path, _range in hub.asked if path.endswith((".bin", ".md"))]
    for known in (first, tagged):
        assert ask(online, REPO, known["commit"], guard=True) == known
        assert ask({**online, "HF_HUB_OFFLINE": "1"}, REPO, known["commit"], guard=True) == known


def test_a_branch_that_moved_is_a_new_commit_and_the_old_one_stays(versions: dict[str, Path], tmp_path: Path) -> None:
    with hub_server(REPO, dict(versions)) as hub:
        online = hub.environment(tmp_path)
        before = ask(online, REPO, "main")
        hub.revisions["main"] = hub.revisions["v1"]
        assert ask(online, REPO, "main")["commit"] == hub.revisions["v1"]
        assert ask(online, REPO, before["commit"], guard=True) == before


def test_offline_reads_a_cache_that_was_carried_over_and_asks_nobody(
    hub: Hub, versions: dict[str, Path], tmp_path: Path
) -> None:
    """The layout of the cache, made by hand, is enough: refs, snapshots, no record of who fetched what."""
    commit = commit_of(versions["main"])
    place = tmp_path / "hub" / f"models--{REPO.replace('/', '--')}"
    shutil.copytree(versions["main"], place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    offline = {**hub.environment(tmp_path), "HF_HUB_OFFLINE": "1"}
    for revision in ("", "main", commit):
        answer = ask(offline, REPO, revision, guard=True)
        assert answer["commit"] == commit
    assert len(ask(offline, REPO, "", "encode", guard=True)["text"]) == 96
    for lost in ("v1", "f" * 40):
        assert "RSPORTAL_HF_OFFLINE=0" in ask(offline, REPO, lost, guard=True)["refused"]


def test_a_folder_asks_nobody_even_where_it_might(versions: dict[str, Path], tmp_path: Path) -> None:
    environment = {"HF_HUB_OFFLINE": "0", "RSPORTAL_HF_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    answer = ask(environment, str(versions["main"]), "", "encode", guard=True)
    assert answer["commit"] == ""
    assert len(answer["text"]) == 96


@pytest.mark.parametrize(
    ("source", "revision", "sentence"),
    [
        (REPO, "v99", "no revision “v99”"),
        (REPO, "0" * 40, "no revision"),
        ("someone/else", "", "shows no someone/else"),
        ("no such name!", "", "neither a folder nor a hub id"),
    ],
)
def test_what_the_hub_does_not_have_is_told(
    hub: Hub, tmp_path: Path, source: str, revision: str, sentence: str
) -> None:
    assert sentence in ask(hub.environment(tmp_path), source, revision)["refused"]


def test_a_hub_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with hub_server(REPO, {}) as hub:
        closed = hub.environment(tmp_path)
    refused = ask(closed)["refused"]
    assert "check the network" in refused
    assert "copy its files" in refused


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with 24 MB of weights: larger than what is written to the disk at once."""
    shape = Shape(width=128, layers=1, heads=2, vocabulary=45_000)
    return siglip_of_shape(tmp_path_factory.mktemp("large") / "model", shape, spread=False)


def weights_asked(hub: Hub) -> list[str]:
    """The Range headers of the requests for the weights."""
    return [asked for method, path, asked in hub.asked if method == "GET" and path.endswith(".safetensors")]


def test_a_broken_transfer_goes_on_where_it_stopped(large: Path, tmp_path: Path) -> None:
    with hub_server(REPO, {"main": large}) as hub:
        hub.cut_after = 15 << 20
        answer = ask(hub.environment(tmp_path))
        first, second = weights_asked(hub)
    assert answer["checksum"] == registry.checksum(EncoderSpec(EncoderKind.TRANSFORMERS, str(large)))
    assert first == ""
    assert int(second.removeprefix("bytes=").split("-")[0]) >= 10 << 20


def test_after_a_failure_complete_files_are_kept(large: Path, tmp_path: Path) -> None:
    with hub_server(REPO, {"main": large}) as hub:
        online = hub.environment(tmp_path)
        hub.cut_after, hub.reset = 1 << 20, True
        refused = ask(online)["refused"]
        assert "run the command again, complete files are kept" in refused
        assert ask({**online, "HF_HUB_OFFLINE": "1"}, guard=True)["refused"], "half a checkpoint is none"
        hub.cut_after = None
        hub.asked.clear()
        assert ask(online)["dimension"] == 128
        assert {path.rsplit("/", 1)[-1] for _method, path, _range in hub.asked if "/resolve/" in path} == {
            "model.safetensors"
        }
