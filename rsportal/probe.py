"""Asks the web process of this machine whether it lives: ``python -m rsportal.probe`` exits with 0 if it does.

For container health checks; standard library only.
"""

import http.client
import os
import sys
from typing import Final

_TIMEOUT_SECONDS: Final = 5.0


def alive(port: int, host_header: str) -> bool:
    """Tell whether /healthz answers. ``host_header`` must be one of RSPORTAL_ALLOWED_HOSTS."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz", headers={"Host": host_header})
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    allowed = os.environ.get("RSPORTAL_ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    sys.exit(0 if alive(int(os.environ.get("PORT", "8000")), "localhost" if allowed == "*" else allowed) else 1)
