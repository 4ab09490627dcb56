"""Query texts to vectors with a real small SigLIP checkpoint: caches, normalisation, languages."""

from pathlib import Path

import numpy as np
import pytest

from imagery.encoders.registry import forget, get_encoder
from imagery.models import Embedding, Encoder
from imagery.services.encoders import encoder_activate, encoder_instance, encoder_register, encoder_spec
from rsportal.errors import InvalidInput, Unavailable
from search.encode_query import query_encode, query_vectors_forget
from search.models import Query, QueryVector
from search.services import search_request_parse, search_run
from tests import factories
from tests.checkpoints import SENTENCES, siglip_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("siglip") / "model")


@pytest.fixture
def encoder(checkpoint) -> Encoder:
    query_vectors_forget()
    forget()
    return encoder_activate(encoder=encoder_register(name="tiny", kind="transformers", source=str(checkpoint)))


def test_the_vector_is_the_encoder_s_at_half_precision(encoder):
    encoded = query_encode(text="a harbour with boats", encoder=encoder)
    direct = get_encoder(encoder_spec(encoder)).encode_texts(["a harbour with boats"])[0]
    assert encoded.vector.dtype == np.float32
    assert encoded.vector == pytest.approx(direct, abs=1e-3)
    assert np.array_equal(encoded.vector, np.float32(np.float16(direct)))


def test_both_caches_give_the_same_vector_without_the_model(encoder, django_assert_num_queries):
    first = query_encode(text="a river", encoder=encoder)
    Encoder.objects.filter(pk=encoder.pk).update(source="/nowhere")
    lost = Encoder.objects.get(pk=encoder.pk)
    with django_assert_num_queries(1) as asked:
        from_memory = query_encode(text="a river", encoder=lost)
    assert '"vector"' not in asked[0]["sql"]
    query_vectors_forget()
    from_database = query_encode(text="a river", encoder=lost)
    for again in (from_memory, from_database):
        assert np.array_equal(again.vector, first.vector)
        assert again.row.pk == first.row.pk
    with pytest.raises(Unavailable):
        query_encode(text="another river", encoder=lost)


def test_spaces_and_width_do_not_matter_but_case_is_kept(encoder):
    row = query_encode(text="a  river\n runs", encoder=encoder).row
    assert query_encode(text="ａ river runs", encoder=encoder).row == row
    assert query_encode(text="A river runs", encoder=encoder).row != row
    assert QueryVector.objects.count() == 2


def test_a_row_erased_meanwhile_is_made_again(encoder):
    first = query_encode(text="a river", encoder=encoder)
    first.row.delete()
    again = query_encode(text="a river", encoder=encoder)
    assert np.array_equal(again.vector, first.vector)
    assert QueryVector.objects.count() == 1


def test_vectors_of_two_encoders_are_kept_apart(encoder, checkpoint):
    other = encoder_register(name="other", kind="transformers", source=str(checkpoint))
    assert query_encode(text="a river", encoder=encoder).row != query_encode(text="a river", encoder=other).row


def test_a_language_the_encoder_does_not_read_gets_a_sentence(encoder):
    user = factories.make_user()
    with pytest.raises(InvalidInput, match=r"looks like Russian .* English, Chinese \(translated to English\)") as caught:
        search_run(user=user, request=search_request_parse(user=user, text="аэропорт у моря"))
    assert (caught.value.code, caught.value.field) == ("unsupported_language", "text")
    assert not Query.objects.exists() and not QueryVector.objects.exists()


def test_a_multilingual_encoder_reads_chinese(encoder):
    """Languages are the row's: the guard before the model lets Chinese pass, the cached vector answers."""
    Encoder.objects.filter(pk=encoder.pk).update(languages=["en", "zh"])
    user = factories.make_user()
    row = factories.know_query("海边的机场", factories.axis(0, 32))
    ranking = search_run(user=user, request=search_request_parse(user=user, text="海边的机场"))
    assert ranking.query.vector == row


def test_a_whole_search_with_a_real_model(encoder):
    """Scenes whose vectors are those of sentences: each sentence finds its own scene first."""
    owner = factories.make_user()
    collection = factories.make_collection(owner=owner)
    vectors = encoder_instance(encoder).encode_texts(SENTENCES)
    scenes = [
        factories.make_scene(collection, title=text, vector=vector)
        for text, vector in zip(SENTENCES, vectors, strict=True)
    ]
    assert Embedding.objects.count() == len(SENTENCES)
    for text, scene in zip(SENTENCES, scenes, strict=True):
        ranking = search_run(user=owner, request=search_request_parse(user=owner, text=text))
        assert ranking.scene_ids[0] == scene.pk
        assert ranking.scores[0] == pytest.approx(1.0, abs=2e-3)
        assert ranking.took_ms["encode"] > 0
