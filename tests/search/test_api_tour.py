"""A program's whole way, with a real checkpoint: make a collection, upload, encode, search, tell what it opened."""

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile

from imagery.models import Encoder
from imagery.services.encoders import encoder_activate, encoder_register
from imagery.services.ingest import ingest_job_run
from search.models import Event
from tests.api import SchemaClient
from tests.checkpoints import siglip_checkpoint
from tests.factories import make_user, picture

pytestmark = pytest.mark.django_db


def test_from_a_new_collection_to_a_logged_click(tmp_path):
    cache.clear()
    folder = siglip_checkpoint(tmp_path / "checkpoint")
    encoder = encoder_register(name="small", kind=Encoder.Kind.TRANSFORMERS, source=str(folder))
    encoder_activate(encoder=encoder)
    client = SchemaClient(make_user("ada"))
    client.post("/api/v1/collections/", {"slug": "fields", "title": "Fields"})
    file = SimpleUploadedFile("field.png", picture(1, size=64), content_type="image/png")
    job = client.post("/api/v1/scenes/", {"file": file, "collection": "fields"}, format="multipart").json()
    ingest_job_run(job_id=job["id"])
    done = client.get(job["links"]["self"]).json()
    assert (done["state"], done["percent"], done["finished"]) == ("ready", 100, True)
    assert client.get("/api/v1/collections/fields/").json()["scene_count"] == 1
    answer = client.get("/api/v1/search/", {"text": "a harbour with boats and a long pier"}).json()
    (hit,) = answer["results"]
    assert (answer["encoder"], hit["scene"], hit["filename"]) == ("small", done["scene"], "field.png")
    assert b"".join(client.get(hit["links"]["thumbnail"]).streaming_content)[:4] == b"RIFF"
    assert client.post("/api/v1/events/", {"token": hit["token"], "kind": "click"}).status_code == 200
    assert str(Event.objects.get().impression.scene_id) == hit["scene"]
    (asked,) = client.get("/api/v1/me/history/").json()["results"]
    assert asked["channel"] == "api"
