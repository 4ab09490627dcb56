"""Static files: hashed names and compression once collected, plain names before."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class PortalStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Serves the hashed name when the manifest has it, else the plain one (tests, first start)."""

    manifest_strict = False
