"""The catalogue in the administration: collections, scenes, jobs, encoders and archive folders, one file each."""

from imagery.admin.archive_file import ArchiveFileAdmin
from imagery.admin.archive_folder import ArchiveFolderAdmin
from imagery.admin.collection import CollectionAdmin
from imagery.admin.encoder import EncoderAdmin
from imagery.admin.job import IngestJobAdmin
from imagery.admin.scene import SceneAdmin

__all__ = [
    "ArchiveFileAdmin",
    "ArchiveFolderAdmin",
    "CollectionAdmin",
    "EncoderAdmin",
    "IngestJobAdmin",
    "SceneAdmin",
]
