"""What can go wrong with the embedded PostgreSQL."""

from rsportal.errors import Unavailable


class PostgresError(Unavailable):
    """The embedded server cannot be prepared, started, reached or stopped; the message says why."""

    code = "database_unavailable"
