"""A client process of the embedded server, for tests: ``python postgres_client.py VAR_DIR [SQL]``.

Starts (or joins) the server, prints the server's process id and the answer to the SQL, then stays
connected until its input ends.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psycopg

from rsportal import postgres


def main() -> None:
    var_dir = sys.argv[1]
    statement = sys.argv[2] if len(sys.argv) > 2 else "SELECT 1"
    entry = postgres.ensure_running(var_dir)
    with psycopg.connect(host=entry["HOST"], dbname=entry["NAME"], user=entry["USER"]) as connection:
        row = connection.execute(statement).fetchone()
        print(postgres.status(var_dir)["pid"], *(row or ()), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
