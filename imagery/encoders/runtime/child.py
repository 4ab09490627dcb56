"""Heavy work in a process of its own: exporting and measuring leave no memory and no library behind in ours.

``python -m imagery.encoders.runtime.child REQUEST.json ANSWER.json``; the functions here start it.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable
from rsportal.errors import RsportalError

from .artefact import artefact_folder, artefact_read, encoder_folder
from .plan import REFERENCE, Plan, Precision, Runtime

if TYPE_CHECKING:
    from imagery.encoders.base import EncoderSpec

_PROJECT: Final = Path(__file__).resolve().parents[3]
_SHOWN_LINES: Final = 12
_ERRORS: Final[dict[str, type[RsportalError]]] = {
    error.code: error for error in (EncoderUnavailable, EncoderMismatch, RsportalError)
}


def run_apart(request: dict[str, Any]) -> dict[str, Any]:
    """Have another process do what ``request["do"]`` says and return its answer.

    Raises the expected error that it raised; EncoderUnavailable, with its last words, when it broke down.
    """
    with tempfile.TemporaryDirectory(prefix="rsportal-encoder-") as folder:
        asked, answered = Path(folder) / "request.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(request), encoding="utf-8")
        command = [sys.executable, "-m", __name__, str(asked), str(answered)]
        done = subprocess.run(
            command, cwd=_PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not answered.exists():
            words = "\n".join(done.stderr.strip().splitlines()[-_SHOWN_LINES:])
            raise EncoderUnavailable(
                f"Preparing the encoder {request['spec']['source']} broke down (exit status {done.returncode}); free "
                f"memory and disk space, then try again. Last words: {words}"
            )
        answer: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
    if error := answer.get("error"):
        raise _ERRORS.get(error["code"], RsportalError)(error["message"], code=error["code"])
    return answer


def tower_export_apart(spec: "EncoderSpec", plan: Plan, name: str) -> None:
    """Export one tower unless it is there whole. Raises EncoderUnavailable or EncoderMismatch."""
    run_apart({"do": "export", "spec": spec_as_json(spec), "plan": plan_as_json(plan), "tower": name})


def spec_as_json(spec: "EncoderSpec") -> dict[str, str]:
    """What ``spec_from_json`` reads."""
    return {"kind": spec.kind.value, "source": spec.source, "revision": spec.revision}


def spec_from_json(values: dict[str, str]) -> "EncoderSpec":
    """The spec that was written."""
    from imagery.encoders.base import EncoderKind, EncoderSpec

    return EncoderSpec(kind=EncoderKind(values["kind"]), source=values["source"], revision=values["revision"])


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """What ``plan_from_json`` reads."""
    return {
        **plan.as_words(),
        "threads": plan.threads,
        "checksum": plan.checksum,
        "folder": str(plan.folder) if plan.folder else "",
    }


def plan_from_json(values: dict[str, Any]) -> Plan:
    """The plan that was written; nothing is unloaded under it."""
    return Plan(
        runtime=Runtime(values["runtime"]),
        precision=Precision(values["precision"]),
        device=values["device"],
        threads=int(values["threads"]),
        checksum=values["checksum"],
        folder=Path(values["folder"]) if values["folder"] else None,
    )


@contextmanager
def alone(folder: Path, checksum: str) -> Iterator[None]:
    """Let one process at a time make the files of an encoder; the others wait."""
    import fcntl

    place = encoder_folder(folder, checksum)
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _export(request: dict[str, Any]) -> dict[str, Any]:
    from imagery.encoders.base import TowerName
    from imagery.encoders.registry import make_encoder

    from .export import tower_export
    from .running import REGIONS_TOWER

    plan, name = plan_from_json(request["plan"]), request["tower"]
    assert plan.folder is not None
    with alone(plan.folder, plan.checksum):
        place = artefact_folder(plan.folder, checksum=plan.checksum, tower=name, form=plan.form)
        if artefact_read(place) is None:
            spec = spec_from_json(request["spec"])
            with_regions = replace(REFERENCE, regions=name == REGIONS_TOWER)
            exportable = make_encoder(spec, plan=with_regions).exportable(
                TowerName.IMAGE if with_regions.regions else TowerName(name)
            )
            if exportable is None:
                raise EncoderUnavailable(f"The encoder {spec.source} has no {name} tower to export.")
            tower_export(exportable, name=name, folder=plan.folder, checksum=plan.checksum, form=plan.form)
    return {}


def _measure(request: dict[str, Any]) -> dict[str, Any]:
    from .tuning import measured

    return measured(request)


def _compare(request: dict[str, Any]) -> dict[str, Any]:
    from .gate import compared

    return compared(request)


_JOBS: Final = {"export": _export, "measure": _measure, "compare": _compare}


def main(arguments: list[str]) -> None:
    """Do what the request file says and write the answer file."""
    request = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        answer = _JOBS[request["do"]](request)
    except RsportalError as error:
        answer = {"error": {"code": error.code, "message": error.message}}
    Path(arguments[1]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
