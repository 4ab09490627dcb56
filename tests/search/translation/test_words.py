"""Which words are searched for: with the glossary, with a translation model, with a person's own wording."""

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagery.models import Encoder
from rsportal.errors import InvalidInput, Unavailable
from search.checks import translation_model
from search.models import Query, QueryVector, TranslatedText
from search.services import history_erase, search_request_parse, search_run
from search.translation import search_words
from search.translation.marian import MarianTranslator
from search.translation.words import marian
from tests import factories
from tests.search.translation.marian_checkpoint import PAIRS, marian_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def english() -> Encoder:
    return factories.make_encoder(languages=["en"])


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return marian_checkpoint(tmp_path_factory.mktemp("marian"))


@pytest.fixture
def with_model(settings: LazySettings, model_folder):
    settings.TRANSLATOR = str(model_folder)


def _run(user, text: str, **asked):
    return search_run(user=user, request=search_request_parse(user=user, text=text, **asked))


def test_chinese_is_translated_for_an_encoder_that_reads_english(english):
    words = search_words(text="港口附近的工业区", encoder=english)
    assert (words.text, words.translation) == ("industrial area near a port",) * 2
    assert words.untranslated == () and words.row is None


@pytest.mark.parametrize("languages", [["en", "zh"], ["en", "zh-Hans"], ["zh"]])
def test_an_encoder_that_reads_chinese_gets_the_query_itself(languages):
    words = search_words(text="港口附近的工业区", encoder=factories.make_encoder(languages=languages))
    assert (words.text, words.translation) == ("港口附近的工业区", "")


@pytest.mark.parametrize("text", ["a port", "Café près du port", "São Paulo"])
def test_latin_writing_is_left_alone(english, text):
    assert search_words(text=text, encoder=english).translation == ""


@pytest.mark.parametrize(
    ("text", "language"),
    [("порт и море", "Russian"), ("ميناء بحري", "Arabic"), ("港の近くの工場", "Japanese"), ("항구와 바다", "Korean"),
     ("λιμάνι", "Greek"), ("נמל", "Hebrew"), ("ท่าเรือ", "Thai")],
)  # fmt: skip
def test_another_writing_is_refused_with_the_languages_that_are_read(english, text, language):
    with pytest.raises(
        InvalidInput, match=f"looks like {language}.*English, Chinese \\(translated to English\\)"
    ) as caught:
        search_words(text=text, encoder=english)
    assert (caught.value.code, caught.value.field) == ("unsupported_language", "text")


def test_a_writing_the_encoder_reads_passes():
    encoder = factories.make_encoder(languages=["en", "ja", "ru"])
    assert search_words(text="порт и море", encoder=encoder).text == "порт и море"
    assert search_words(text="港の近くの工場", encoder=encoder).text == "港の近くの工場"


def test_unknown_words_are_named_and_the_rest_is_searched(english):
    words = search_words(text="磨坊旁边的河", encoder=english)
    assert (words.text, words.untranslated) == ("river", ("磨坊",))


def test_a_query_of_unknown_words_is_refused_and_not_kept(english):
    with pytest.raises(InvalidInput, match=r"Not understood: 磨坊\. Use other words") as caught:
        _run(factories.make_user(), "磨坊")
    assert (caught.value.code, caught.value.field) == ("not_understood", "text")
    assert not Query.objects.exists()


def test_a_persons_wording_is_taken_whatever_the_encoder():
    for languages in (["en"], ["en", "zh"]):
        encoder = factories.make_encoder(languages=languages)
        words = search_words(text="磨坊", translation="a water mill", encoder=encoder)
        assert (words.text, words.translation, words.untranslated) == ("a water mill", "a water mill", ())


def test_a_search_keeps_what_was_searched_for(english):
    user = factories.make_user()
    known = factories.know_query("river")
    ranking = _run(user, "磨坊旁边的河")
    query = Query.objects.get(rankings=ranking)
    assert (query.text, query.translation, query.untranslated) == ("磨坊旁边的河", "river", ["磨坊"])
    assert query.vector == known
    own = factories.know_query("an old mill")
    assert _run(user, "磨坊", translation=" an old mill ").query.vector == own
    assert not TranslatedText.objects.exists()


# With a model


def test_the_model_translates_the_words_the_glossary_lacks_in_their_place(english, with_model):
    words = search_words(text="河流旁边的磨坊", encoder=english)
    assert (words.text, words.untranslated) == ("mill beside a river", ())
    assert words.row == TranslatedText.objects.get()


def test_the_model_reads_a_text_whole_that_the_glossary_hardly_knows(english, with_model):
    assert search_words(text="犇彧鑫淼", encoder=english).text == PAIRS["犇彧鑫淼"].rstrip(".").replace("An", "an")


def test_the_model_is_not_asked_when_the_glossary_is_enough(english, settings):
    settings.TRANSLATOR = "/nowhere/at/all"
    assert search_words(text="港口附近的工业区", encoder=english).text == "industrial area near a port"


def test_a_repeated_text_costs_one_statement_and_no_model(english, with_model, settings):
    first = search_words(text="河流旁边的谷仓", encoder=english)
    translator = marian(settings.TRANSLATOR)
    assert translator is not None
    translator._loaded = None
    with CaptureQueriesContext(connection) as queries:
        assert search_words(text="河流旁边的谷仓", encoder=english) == first
    assert len(queries) == 1
    assert translator._loaded is None


def test_another_model_answers_for_itself(english, with_model, settings, tmp_path, model_folder):
    search_words(text="河流旁边的谷仓", encoder=english)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in model_folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes() + (b" " if path.name == "config.json" else b""))
    assert MarianTranslator(str(copy)).checksum() != MarianTranslator(str(model_folder)).checksum()
    settings.TRANSLATOR = str(copy)
    search_words(text="河流旁边的谷仓", encoder=english)
    assert TranslatedText.objects.count() == 2


def test_a_missing_model_is_logged_and_the_words_are_named(english, settings, tmp_path):
    settings.TRANSLATOR = str(tmp_path / "nothing")
    words = search_words(text="磨坊旁边的河", encoder=english)
    assert (words.text, words.untranslated) == ("river", ("磨坊",))
    with pytest.raises(Unavailable, match=r"has no config\.json"):
        MarianTranslator(settings.TRANSLATOR).checksum()


def test_offline_a_hub_id_is_refused_without_a_request(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="translation model example/opus is not in the local cache"):
        MarianTranslator("example/opus").translate(["磨坊"])


def test_a_folder_that_is_no_marian_model_is_refused(tmp_path, model_folder):
    for path in model_folder.iterdir():
        content = b"broken" if path.suffix == ".safetensors" else path.read_bytes()
        (tmp_path / path.name).write_bytes(content)
    with pytest.raises(Unavailable, match="cannot be loaded"):
        MarianTranslator(str(tmp_path)).translate(["磨坊"])


def test_erasing_a_search_takes_its_translation_unless_somebody_else_asked_it(english, with_model):
    ann, bob = factories.make_user(), factories.make_user()
    factories.know_query("mill beside a river")
    for user in (ann, bob):
        _run(user, "河流旁边的磨坊")
    assert TranslatedText.objects.count() == 1 and QueryVector.objects.count() == 1
    history_erase(user=ann)
    assert TranslatedText.objects.count() == 1
    history_erase(user=bob)
    assert not TranslatedText.objects.exists() and not QueryVector.objects.exists()


def test_the_start_up_check_warns_of_a_missing_model(settings, tmp_path, model_folder):
    for source, found in (("", []), (str(model_folder), []), (str(tmp_path / "nothing"), ["search.W001"])):
        settings.TRANSLATOR = source
        assert [message.id for message in translation_model()] == found
