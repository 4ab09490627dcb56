"""Which pgvector the database has, and which one the portal needs."""

from typing import Final

from django.db import connection

from rsportal.errors import Unavailable

# Before it: CVE-2026-3172, and a fault of VACUUM on HNSW indexes.
NEEDED: Final = (0, 8, 4)
NEEDED_TEXT: Final = ".".join(map(str, NEEDED))


def pgvector_check() -> None:
    """Raise Unavailable, saying what the operator must do, unless the database has a pgvector that will do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        row = cursor.fetchone()
    if row is None:
        raise Unavailable(
            "The database lacks the extension vector (pgvector). As a superuser of this database: "
            "CREATE EXTENSION vector; or run migrate with an account that may do it.",
            code="extension_missing",
        )
    if version_numbers(row[0]) < NEEDED:
        raise Unavailable(
            f"The database has pgvector {row[0]}; {NEEDED_TEXT} or newer is needed. Upgrade the package, "
            "then as a superuser of this database: ALTER EXTENSION vector UPDATE;",
            code="extension_old",
        )


def version_numbers(text: str) -> tuple[int, ...]:
    """Return (0, 8, 6) for "0.8.6"; a suffix such as "-dev" is left out."""
    return tuple(int(part) for part in text.split("-")[0].split(".") if part.isdigit())
