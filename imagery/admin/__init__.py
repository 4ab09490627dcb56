"""The catalogue in the administration: collections, scenes, jobs and encoders, one file each."""

from imagery.admin.collection import CollectionAdmin
from imagery.admin.encoder import EncoderAdmin
from imagery.admin.job import IngestJobAdmin
from imagery.admin.scene import SceneAdmin

__all__ = ["CollectionAdmin", "EncoderAdmin", "IngestJobAdmin", "SceneAdmin"]
