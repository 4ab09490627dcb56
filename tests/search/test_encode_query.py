"""Query texts to vectors with a real small SigLIP checkpoint: caches, normalisation, languages."""

from pathlib import Path

import numpy as np
import pytest

from imagery.encoders.registry import forget, get_encoder
from imagery.models import Embedding, Encoder
from imagery.services.encoders import encoder_activate, encoder_instance, encoder_register, encoder_spec
from imagery.services.means import encoder_prompts_set
from rsportal.errors import InvalidInput, Unavailable
from search.encode_query import query_encode, query_recipe, query_vectors_forget
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
    encoded = query_encode(text="boats are in a harbour", encoder=encoder)
    direct = get_encoder(encoder_spec(encoder)).encode_texts(["boats are in a harbour"])[0]
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


def test_a_phrase_goes_through_the_prompts_and_new_prompts_serve_no_old_vector(encoder):
    direct = get_encoder(encoder_spec(encoder))
    first = query_encode(text="storage tanks", encoder=encoder)
    mean = direct.encode_texts([prompt.replace("{}", "storage tanks") for prompt in encoder.prompts]).mean(axis=0)
    assert len(encoder.prompts) == 4
    assert first.vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-3)
    encoder_prompts_set(encoder=encoder, prompts=["a photo of {}"])
    second = query_encode(text="storage tanks", encoder=Encoder.objects.get(pk=encoder.pk))
    assert second.vector == pytest.approx(direct.encode_texts(["a photo of storage tanks"])[0], abs=1e-3)
    assert second.row.pk != first.row.pk
    encoder_prompts_set(encoder=encoder, prompts=[])
    third = query_encode(text="storage tanks", encoder=Encoder.objects.get(pk=encoder.pk))
    assert third.vector == pytest.approx(direct.encode_texts(["storage tanks"])[0], abs=1e-3)


def test_other_files_and_another_adapter_serve_no_old_vector(encoder):
    known = query_recipe(encoder)
    assert query_recipe(Encoder(**{**vars_of(encoder), "checksum": "0" * 64})) != known
    assert query_recipe(Encoder(**{**vars_of(encoder), "adapter": {"checksum": "a" * 16}})) != known
    assert query_recipe(Encoder.objects.get(pk=encoder.pk)) == known


def test_a_long_text_is_split_and_says_so(encoder):
    """Its end counts too; the pieces are kept with the vector, and both caches give them back."""
    begin = "a wide river runs through many green trees. " * 8
    text = begin + "many planes are beside the terminal of an airport."
    encoded = query_encode(text=text, encoder=encoder)
    assert len(encoded.row.parts) > 1
    assert " ".join(encoded.row.parts) == text
    assert query_encode(text="a river is near a road", encoder=encoder).row.parts == []
    other = query_encode(text=begin + "white boats are in a harbour with a long pier.", encoder=encoder)
    assert float(encoded.vector @ other.vector) < 1 - 1e-4
    encoded.row.delete()
    again = query_encode(text=text, encoder=encoder)
    assert again.row.parts == encoded.row.parts
    assert np.array_equal(again.vector, encoded.vector)


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


def vars_of(encoder: Encoder) -> dict:
    return {name: getattr(encoder, name) for name in ("name", "checksum", "prompts", "adapter")}


def test_vectors_of_two_encoders_are_kept_apart(encoder, checkpoint):
    other = encoder_register(name="other", kind="transformers", source=str(checkpoint))
    assert query_encode(text="a river", encoder=encoder).row != query_encode(text="a river", encoder=other).row


def test_a_language_the_encoder_does_not_read_gets_a_sentence(encoder):
    user = factories.make_user()
    with pytest.raises(
        InvalidInput, match=r"looks like Russian .* English, Chinese \(translated to English\)"
    ) as caught:
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
