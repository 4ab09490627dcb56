"""Django's PostgreSQL backend with one difference: a connection starts the embedded server first.

So `manage.py help` starts nothing, `manage.py migrate` does, and a server that was killed is back (and
recovered) at the next connection.
"""

from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresDatabaseWrapper
from django.db.backends.postgresql.client import DatabaseClient as PostgresDatabaseClient
from django.db.utils import OperationalError

from rsportal import postgres
from rsportal.postgres.binaries import packaged_root, program
from rsportal.postgres.errors import PostgresError


class DatabaseClient(PostgresDatabaseClient):
    """Runs the packaged ``psql``, so that `manage.py dbshell` needs nothing installed."""

    def runshell(self, parameters: Iterable[str]) -> None:
        """Start the server, then psql."""
        postgres.ensure_running(self.connection.settings_dict["EMBEDDED_VAR_DIR"])
        super().runshell(parameters)

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """Name the packaged program instead of whatever ``psql`` the search path has."""
        arguments, environment = super().settings_to_cmd_args_env(settings_dict, parameters)
        arguments[0] = program(packaged_root(), "psql")
        return arguments, environment


class DatabaseWrapper(PostgresDatabaseWrapper):
    """Connects to the embedded server."""

    client_class = DatabaseClient

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection; starts the server first where it does not run.

        Raises OperationalError, as for any database that cannot be reached, with the reason.
        """
        try:
            postgres.ensure_running(self.settings_dict["EMBEDDED_VAR_DIR"])
        except PostgresError as error:
            raise OperationalError(error.message) from error
        return super().get_new_connection(conn_params)
