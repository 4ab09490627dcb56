"""Searches while the encoder is switched again and again: each is answered by one encoder from first step to last."""

import threading

import numpy as np
import pytest
from django.db import connection

from imagery.models import Embedding, Encoder
from imagery.services.encoders import encoder_activate, encoder_register
from imagery.services.fill import encoder_fill
from imagery.services.fill_run import fills_drain
from imagery.services.switch import encoder_retire
from search import engine
from search.candidates import candidates_find
from search.encode_query import query_vectors_forget
from search.models import QueryVector, Ranking
from search.services import search_request_parse, search_run
from tests.checkpoints import clip_checkpoint, siglip_checkpoint
from tests.factories import add_tile, axis, know_query, make_collection, make_encoder, make_scene, make_user

pytestmark = pytest.mark.django_db(transaction=True)
_SEARCHES = 24
_WORDS = ("a harbour with boats", "a river", "storage tanks", "a beach", "green trees", "a road", "an airport", "cars")


def test_each_search_during_repeated_switches_comes_from_one_encoder(tmp_path):
    """Two encoders of one dimension, so that a mix would not be refused by the database but give wrong scores."""
    query_vectors_forget()
    folders = [siglip_checkpoint(tmp_path / name) for name in ("first", "second")]
    _other_weights(folders[1])
    first, second = (encoder_register(name=folder.name, kind="transformers", source=str(folder)) for folder in folders)
    encoder_activate(encoder=first)
    user = make_user()
    collection = make_collection(owner=user)
    for _ in range(6):
        make_scene(collection, files=True).tiles.all().delete()
    for scene in collection.scenes.all():
        scene.tiles.create(level=0, x=0, y=0, width=scene.width, height=scene.height)
    for encoder in (first, second):
        encoder_fill(encoder=encoder)
    fills_drain()
    over, errors, rankings = threading.Event(), [], []

    def switch():
        try:
            while not over.is_set():
                for encoder in (second, first):
                    encoder_activate(encoder=encoder)
        except BaseException as error:  # noqa: BLE001 - whatever happens in a thread must fail the test
            errors.append(error)
        finally:
            connection.close()

    def search(offset):
        try:
            for number in range(_SEARCHES // 2):
                words = _WORDS[(number + offset) % len(_WORDS)]
                request = search_request_parse(user=user, text=words)
                rankings.append(search_run(user=user, request=request).pk)
        except BaseException as error:  # noqa: BLE001 - whatever happens in a thread must fail the test
            errors.append(error)
        finally:
            connection.close()

    switcher = threading.Thread(target=switch)
    searchers = [threading.Thread(target=search, args=(offset,)) for offset in (0, 3)]
    for thread in (switcher, *searchers):
        thread.start()
    for thread in searchers:
        thread.join(120)
    over.set()
    switcher.join(120)
    assert not errors
    found = list(Ranking.objects.filter(pk__in=rankings).select_related("encoder", "query__vector"))
    assert len(found) == _SEARCHES
    assert {ranking.encoder for ranking in found} == {first, second}, "searches were answered by both in turn"
    for ranking in found:
        assert ranking.searched == len(ranking.scene_ids) == 6, "never empty, never partial"
        kept = ranking.query.vector
        assert kept is not None and kept.encoder_id == ranking.encoder_id
        rows = Embedding.objects.filter(encoder=ranking.encoder, tile__in=ranking.tile_ids)
        vectors = {row.tile_id: np.asarray(row.vector, dtype=np.float64) for row in rows}
        query = np.asarray(kept.vector, dtype=np.float64)
        for tile, score in zip(ranking.tile_ids, ranking.scores, strict=True):
            stored = vectors[tile]
            cosine = stored @ query / (np.linalg.norm(stored) * np.linalg.norm(query))
            assert score == pytest.approx(cosine, abs=1e-3)


def _other_weights(folder):
    """Give a checkpoint other weights of the same shape."""
    import torch
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    torch.manual_seed(7)
    weights = {
        name: torch.randn_like(value) * 0.2 if value.dim() > 1 else value for name, value in load_file(path).items()
    }
    save_file(weights, path, metadata={"format": "pt"})


def test_a_search_whose_encoder_is_retired_under_it_asks_the_new_one(monkeypatch):
    old, new = make_encoder("old"), make_encoder("new", active=False)
    user = make_user()
    scene = make_scene(make_collection(owner=user), encoder=old)
    add_tile(scene, new, axis(0))
    for encoder in (old, new):
        know_query("harbour", encoder=encoder)
    find = candidates_find

    def retire_meanwhile(**arguments):
        if arguments["encoder"] == old:
            Encoder.objects.filter(pk=old.pk).update(state=Encoder.State.READY)
            Encoder.objects.filter(pk=new.pk).update(state=Encoder.State.ACTIVE)
            encoder_retire(encoder=old)
        return find(**arguments)

    monkeypatch.setattr(engine, "candidates_find", retire_meanwhile)
    ranking = search_run(user=user, request=search_request_parse(user=user, text="harbour"))
    assert (ranking.encoder, ranking.scene_ids) == (new, [scene.pk])


def test_query_vectors_are_kept_by_encoder(tmp_path):
    query_vectors_forget()
    first = encoder_register(name="first", kind="transformers", source=str(siglip_checkpoint(tmp_path / "siglip")))
    second = encoder_register(name="second", kind="transformers", source=str(clip_checkpoint(tmp_path / "clip")))
    user = make_user()
    request = search_request_parse(user=user, text="a harbour with boats")
    for encoder in (first, second, first):
        encoder_activate(encoder=encoder)
        kept = search_run(user=user, request=request).query.vector
        assert kept is not None and kept.encoder == encoder
    assert sorted(len(row.vector) for row in QueryVector.objects.all()) == [24, 32]
