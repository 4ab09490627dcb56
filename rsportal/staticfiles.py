"""Static files: hashed names and compression once collected, plain names before."""

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class PortalStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Serves the hashed name when the manifest has it, else the plain one (tests, first start)."""

    manifest_strict = False
    # Modules import each other by their hashed names too, so that a new release is never mixed with a cached old one.
    support_js_module_import_aggregation = True

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        """Return the hashed name, or ``name`` itself for a file that has not been collected yet."""
        try:
            return str(super().hashed_name(name, content, filename))
        except ValueError:
            if content is not None or filename is not None:
                raise  # while collecting, a missing file is a fault
            return name
