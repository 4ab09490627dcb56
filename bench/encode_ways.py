"""One way to encode, measured in a process of its own; ``bench/encode.py`` starts it with a request on stdin.

The tutorial way is what the documentation of transformers shows: open with PIL, run the image processor, one picture
at a time through the float32 model. Ours is the portal's own code path.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from imagery.encoders.base import EncoderKind, EncoderSpec, unit_rows
from imagery.encoders.registry import make_encoder
from imagery.encoders.runtime.memory import resident_bytes
from imagery.encoders.runtime.plan import Plan, Precision, Runtime

PREPARE_AHEAD = 8
BATCH = 16
GEMM_SIDE = 2048


def main() -> None:
    request = json.load(sys.stdin)
    cores = request["threads"]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    answer = _WAYS[request["way"]](request)
    answer["peak_rss_mb"] = peak_rss_mb()
    json.dump(answer, sys.stdout)


def peak_rss_mb() -> int:
    """The largest memory of this program (getrusage would count what its parent held when it was started)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)


def tutorial(request: dict[str, Any]) -> dict[str, Any]:
    """PIL, the checkpoint's image processor, float32 torch, one picture at a time."""
    import torch

    torch.set_num_threads(request["threads"])
    if request["kind"] == EncoderKind.BUILTIN:
        encoder = make_encoder(_spec(request))
        return _measured(
            request, lambda paths: np.concatenate([encoder.encode_images([_open(p)]) for p in paths]), None
        )
    from transformers import AutoModel, AutoTokenizer
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    model = AutoModel.from_pretrained(request["source"]).eval()
    processor = SiglipImageProcessorPil.from_pretrained(request["source"])
    tokenizer = AutoTokenizer.from_pretrained(request["source"])

    def images(paths: list[str]) -> NDArray[np.float32]:
        rows = []
        for path in paths:
            inputs = processor(images=_open(path), return_tensors="pt")
            with torch.no_grad():
                rows.append(model.get_image_features(**inputs).pooler_output[0].numpy())
        return unit_rows(np.stack(rows))

    def text(words: str) -> NDArray[np.float32]:
        inputs = tokenizer([words], padding="max_length", max_length=64, truncation=True, return_tensors="pt")
        with torch.no_grad():
            return unit_rows(model.get_text_features(input_ids=inputs["input_ids"]).pooler_output.numpy())

    return _measured(request, images, text)


def ours(request: dict[str, Any]) -> dict[str, Any]:
    """The portal's way under a plan: pictures are opened and resized in a thread beside the one that computes."""
    encoder = make_encoder(_spec(request), plan=_plan(request))
    encoder.load(text=False)

    def images(paths: list[str]) -> NDArray[np.float32]:
        prepared: Queue[Any] = Queue(maxsize=PREPARE_AHEAD)

        def prepare() -> None:
            for path in paths:
                prepared.put(encoder.image_input(_open(path)))

        thread = threading.Thread(target=prepare)
        thread.start()
        starts = range(0, len(paths), BATCH)
        rows = [encoder.encode_inputs([prepared.get() for _ in paths[start : start + BATCH]]) for start in starts]
        thread.join()
        return np.concatenate(rows)

    return _measured(request, images, None)  # Texts are measured where the portal encodes them: in a web process.


def web(request: dict[str, Any]) -> dict[str, Any]:
    """A web process: the whole portal imported, the text tower alone, queries from eight threads."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    from rsportal.wsgi import application

    assert application
    before = resident_bytes()
    encoder = make_encoder(_spec(request), plan=_plan(request))
    threads = [
        threading.Thread(target=encoder.encode_texts, args=([f"a river near an airport {number}"],))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loaded = resident_bytes()
    text_seconds, _ = _best(lambda: encoder.encode_texts(request["texts"][:1]), rounds=max(5, request["rounds"]))
    from imagery.encoders.runtime.memory import trim

    encoder.unload()
    trim()
    names = ("before", "with_text_tower", "after_unload")
    sizes = {f"rss_mb_{n}": round(v / 2**20) for n, v in zip(names, (before, loaded, resident_bytes()), strict=True)}
    return {**sizes, "text_ms": 1000 * text_seconds}


def gemm(request: dict[str, Any]) -> dict[str, Any]:
    """What the cores reach in a product of two large matrices, in GFLOP/s: what a tower could reach at best."""
    import torch

    torch.set_num_threads(request["threads"])
    told = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(GEMM_SIDE, GEMM_SIDE).to(dtype) for _ in range(2))
        seconds, _ = _best(lambda a=a, b=b: torch.mm(a, b), rounds=5)  # type: ignore[misc]
        told[f"{str(dtype).removeprefix('torch.')}_gflops"] = round(2 * GEMM_SIDE**3 / seconds / 1e9)
    return told


def queries(request: dict[str, Any]) -> dict[str, Any]:
    """A query through the portal's caches, on a database of its own: asked for the first time, and again."""
    with _portal(request):
        from imagery.services.encoders import builtin_encoder_ensure
        from search.encode_query import query_encode

        encoder = builtin_encoder_ensure()
        query_encode(text="warm up", encoder=encoder)
        first = _best(lambda: query_encode(text="an airport by the sea", encoder=encoder), rounds=1)[0]
        times = sorted(
            _best(lambda: query_encode(text="an airport by the sea", encoder=encoder), rounds=1)[0] for _ in range(200)
        )
        return {"first_ms": 1000 * first, "repeated_ms": 1000 * times[100], "repeated_p95_ms": 1000 * times[190]}


def ingest(request: dict[str, Any]) -> dict[str, Any]:
    """A whole ingest by this process (claim, decode, tile, thumbnails, store) against encoding alone, images/s."""
    with _portal(request):
        from imagery.models import Encoder, Scene
        from imagery.services.encoders import encoder_register
        from imagery.services.ingest import Source, SourceFile, ingest_jobs_drain, sources_ingest
        from imagery.services.selftest import encoder_ready
        from tests.factories import make_collection, make_user

        row = encoder_register(name="bench", kind=request["kind"], source=request["source"])
        told = {**request["plan"], "device": "cpu", "form": "full"}
        Encoder.objects.filter(pk=row.pk).update(runtime=told, state=Encoder.State.ACTIVE)
        row.refresh_from_db()
        # A worker loads the model and checks it against known vectors once, before its first picture: in neither time.
        model = encoder_ready(encoder=row, image=True)
        inputs = [model.image_input(_open(path)) for path in request["pictures"]]
        model.encode_inputs(inputs)
        pure = len(inputs) / _best(lambda: model.encode_inputs(inputs), rounds=2)[0]
        user = make_user("bench")
        sources = [Source(files=[SourceFile(Path(path), Path(path).name)]) for path in request["pictures"]]
        list(sources_ingest(sources=sources, collection=make_collection(owner=user), user=user))
        begun = time.perf_counter()
        ingest_jobs_drain()
        whole = len(sources) / (time.perf_counter() - begun)
        ready = Scene.objects.ready().count()
        if ready != len(sources):
            raise RuntimeError(f"{ready} of {len(sources)} pictures are READY")
        return {"pure_per_second": pure, "ingest_per_second": whole, "share": whole / pure}


@contextmanager
def _portal(request: dict[str, Any]) -> Iterator[None]:
    """The portal on an empty database and media folder of its own, which are removed afterwards."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    os.environ["RSPORTAL_TEST_DB_SUFFIX"] = f"bench_{os.getpid()}"
    os.environ["RSPORTAL_LOG_LEVEL"] = "ERROR"
    os.environ["RSPORTAL_ENCODER_THREADS"] = str(request["threads"])
    with tempfile.TemporaryDirectory(prefix="rsportal-bench-media-") as media:
        os.environ["RSPORTAL_MEDIA_DIR"] = media
        import django

        django.setup()
        from django.conf import settings
        from django.db import connection

        if folder := (request.get("plan") or {}).get("folder"):
            settings.ENCODER_DIR = Path(folder)
        name = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        try:
            yield
        finally:
            connection.creation.destroy_test_db(name, verbosity=0)


def prepare(request: dict[str, Any]) -> dict[str, Any]:
    """What the portal does when an encoder is activated: measure, choose, export."""
    from imagery.encoders.runtime.child import run_apart

    begun = time.perf_counter()
    asked = {**request["prepare"], "do": "measure", "threads": request["threads"]}
    return {**run_apart(asked), "seconds": round(time.perf_counter() - begun, 1)}


def _measured(
    request: dict[str, Any], images: Callable[[list[str]], Any], text: Callable[[str], Any] | None
) -> dict[str, Any]:
    paths, words = request["pictures"], request["texts"]
    images(paths[:2])
    seconds, rows = _best(lambda: images(paths), rounds=request["rounds"])
    answer: dict[str, Any] = {"images_per_second": len(paths) / seconds}
    np.save(request["rows"], rows)
    if text is not None and words:
        text(words[0])
        answer["text_ms"] = 1000 * _best(lambda: text(words[0]), rounds=max(5, request["rounds"]))[0]
    return answer


def _best(work: Callable[[], Any], *, rounds: int) -> tuple[float, Any]:
    """The shortest of some rounds, in seconds, and what it gave: other programs make a round longer, never shorter."""
    best, result = float("inf"), None
    for _ in range(rounds):
        begun = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - begun)
    return best, result


def _spec(request: dict[str, Any]) -> EncoderSpec:
    return EncoderSpec(EncoderKind(request["kind"]), request["source"])


def _plan(request: dict[str, Any]) -> Plan:
    told = request["plan"]
    return Plan(
        runtime=Runtime(told["runtime"]),
        precision=Precision(told["precision"]),
        threads=request["threads"],
        checksum=told["checksum"],
        folder=Path(told["folder"]),
    )


def _open(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


_WAYS = {way.__name__: way for way in (tutorial, ours, web, gemm, queries, ingest, prepare)}

if __name__ == "__main__":
    main()
