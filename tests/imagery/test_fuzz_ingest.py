"""A small share of what bench/fuzz_ingest.py does: damaged files of every kind through the real ingest."""

import time

import pytest

from tests.fuzzing import mutant, seeds
from tests.fuzzing_ingest import archive_faults, mutant_ingest

FILES = 60
_SLOWEST_SECONDS = 10.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return seeds(tmp_path_factory.mktemp("seeds"))


@pytest.mark.django_db
def test_damaged_files_are_whole_scenes_or_refused_in_a_sentence(
    whole, collection, owner, encoder, tmp_path, django_capture_on_commit_callbacks
):
    fates: dict[str, int] = {}
    for number in range(FILES):
        made = mutant(number, whole)
        path = tmp_path / made.name
        path.write_bytes(made.content)
        begun = time.monotonic()
        with django_capture_on_commit_callbacks(execute=True):
            fate, faults = mutant_ingest(path, collection=collection, user=owner)
        assert not faults, (number, made.seed, made.way, faults)
        assert time.monotonic() - begun < _SLOWEST_SECONDS, (number, made.seed, made.way)
        fates[fate] = fates.get(fate, 0) + 1
    assert not archive_faults()
    assert min(fates.get(fate, 0) for fate in ("ready", "refused at once", "refused while reading")) > 3, fates


def test_a_number_is_always_the_same_file(whole):
    assert mutant(7, whole) == mutant(7, whole) != mutant(8, whole)
    assert mutant(7, whole).content != whole[mutant(7, whole).seed] or mutant(7, whole).way == "as it was"
