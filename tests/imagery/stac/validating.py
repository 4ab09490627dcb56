"""Judges of STAC documents that need no network: pystac and stac-validator, both with the core schemas of pystac's
package, and for the extensions with rules of our own written from their tables of fields.

What lies outside (another version, an extension the portal does not write) fails the test instead of being fetched.
"""

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import jsonschema_specifications  # type: ignore[import-untyped]
import pystac
from pystac.validation import JsonSchemaSTACValidator, validate_dict
from pystac.validation.local_validator import get_local_schema_cache
from stac_validator.stac_validator import StacValidate  # type: ignore[import-untyped]

from imagery.stac.names import EXTENSIONS
from tests.imagery.stac.extension_rules import RULES

Json = dict[str, Any]


class _Offline(pystac.StacIO):
    def read_text(self, source: Any, *_args: Any, **_options: Any) -> str:
        raise AssertionError(f"would have fetched {source}")

    def write_text(self, dest: Any, txt: str, *_args: Any, **_options: Any) -> None:
        raise NotImplementedError


@cache
def schemas() -> dict[str, Json]:
    """Return every schema there is, by its address."""
    own = {address: extension_schema(prefix) for prefix, address in EXTENSIONS.items()}
    return {**get_local_schema_cache(), **own}


def extension_schema(prefix: str) -> Json:
    """Return our rules for the fields of an extension, wherever STAC lets them stand."""
    fields: Json = {
        "type": "object",
        "properties": RULES[prefix],
        "patternProperties": {f"^(?!{prefix})": {}},
        "additionalProperties": False,
    }
    with_bands: Json = {"allOf": [fields, {"properties": {"bands": {"items": fields}}}]}
    many = {"additionalProperties": with_bands}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": EXTENSIONS[prefix],
        "type": "object",
        "required": ["stac_extensions"],
        "properties": {
            "stac_extensions": {"contains": {"const": EXTENSIONS[prefix]}},
            "properties": with_bands,
            "assets": many,
            "item_assets": many,
        },
    }


@cache
def _schema_files() -> dict[str, str]:
    folder = Path(mkdtemp(prefix="stac-schemas-"))
    known = {**schemas(), **_drafts()}
    files = {}
    for number, (address, schema) in enumerate(known.items()):
        path = folder / f"{number}.json"
        path.write_text(json.dumps(schema))
        files[address] = str(path)
    return files


def _drafts() -> dict[str, Json]:
    draft = "http://json-schema.org/draft-07/schema"
    return {draft: jsonschema_specifications.REGISTRY.contents(draft)}


@cache
def _validator() -> JsonSchemaSTACValidator:
    validator = JsonSchemaSTACValidator()
    validator.schema_cache.update(schemas())
    return validator


def check_stac(document: Json) -> None:
    """Fail unless both judges find nothing, and the document comes back from pystac as it went in."""
    text = json.dumps(document, allow_nan=False)
    document = json.loads(text)
    validator = _validator()
    pystac.StacIO.set_default(_Offline)
    try:
        validate_dict(document, validator=validator)
        judge = StacValidate(schema_map=dict(_schema_files()))
        assert judge.validate_dict(document), judge.message
    finally:
        pystac.StacIO.set_default(pystac.stac_io.DefaultStacIO)
    for address in document.get("stac_extensions", []):
        assert address in schemas() or not address.startswith("https://stac-extensions.github.io"), address
