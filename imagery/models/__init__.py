from imagery.models.adapter import EncoderAdapter
from imagery.models.archive_change import ArchiveChange
from imagery.models.archive_folder import ArchiveFile, ArchiveFolder
from imagery.models.asset import Asset
from imagery.models.collection import Collection, CollectionMember
from imagery.models.embedding import Embedding
from imagery.models.encoder import Encoder
from imagery.models.fill import EncoderFill, FillItem
from imagery.models.job import IngestJob
from imagery.models.scene import Scene
from imagery.models.sketch import EncoderSketch
from imagery.models.stac_import import StacImport
from imagery.models.tile import Tile
from imagery.models.upload import Upload

__all__ = [
    "ArchiveChange",
    "ArchiveFile",
    "ArchiveFolder",
    "Asset",
    "Collection",
    "CollectionMember",
    "Embedding",
    "Encoder",
    "EncoderAdapter",
    "EncoderFill",
    "EncoderSketch",
    "FillItem",
    "IngestJob",
    "Scene",
    "StacImport",
    "Tile",
    "Upload",
]
