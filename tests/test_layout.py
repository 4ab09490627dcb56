"""Imports run one way: search -> imagery -> rsportal; files stay small enough to read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

_ROOT = Path(settings.BASE_DIR)
_MAY_IMPORT = {
    "rsportal": {"rsportal"},
    "imagery": {"rsportal", "imagery"},
    "search": {"rsportal", "imagery", "search"},
}
_MOST_LINES = 400


def _modules(package: str) -> Iterator[Path]:
    return (path for path in sorted((_ROOT / package).rglob("*.py")) if "migrations" not in path.parts)


def _imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", _MAY_IMPORT)
def test_imports_run_one_way(package):
    wrong = {
        str(path.relative_to(_ROOT)): sorted(_imported_packages(path) & set(_MAY_IMPORT) - _MAY_IMPORT[package])
        for path in _modules(package)
    }
    assert not {path: names for path, names in wrong.items() if names}


@pytest.mark.parametrize("package", [*_MAY_IMPORT, "tests"])
def test_files_are_short(package):
    lengths = {str(path.relative_to(_ROOT)): len(path.read_text().splitlines()) for path in _modules(package)}
    assert not {path: lines for path, lines in lengths.items() if lines > _MOST_LINES}


def test_models_are_imported_without_model_libraries():
    """Heavy libraries are imported where they run, inside functions."""
    heavy = {"torch", "transformers", "openvino"}
    allowed = {_ROOT / "imagery" / "encoders", _ROOT / "search" / "translation"}
    wrong = []
    for package in _MAY_IMPORT:
        for path in _modules(package):
            if allowed.intersection(path.parents):
                continue
            if _imported_packages(path) & heavy:
                wrong.append(str(path.relative_to(_ROOT)))
    assert not wrong
