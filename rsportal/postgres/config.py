"""The server's configuration files, tuned for a small machine that does other work too."""

import os
import shutil
from pathlib import Path
from typing import Final

from rsportal.postgres.files import write_private
from rsportal.postgres.place import Place

APP_ROLE: Final = "rsportal"
APP_DATABASE: Final = "rsportal"
SUPERUSER: Final = "postgres"
_MAP: Final = "portal"
_MIB: Final = 1024 * 1024
_DSM_ROOM_BYTES: Final = 512 * _MIB  # Parallel index builds need this much in /dev/shm.


def write_configuration(place: Place, *, server_user: str, client_users: set[str], libraries: Path) -> None:
    """Write ``postgresql.conf``, ``pg_hba.conf`` and ``pg_ident.conf`` anew; ``local.conf`` has the last word."""
    files = {
        "postgresql.conf": _postgresql_conf(place, libraries),
        "pg_hba.conf": f"local all all peer map={_MAP}\n",
        "pg_ident.conf": "".join(
            f'{_MAP} "{user}" {role}\n'
            for user in sorted({server_user, *client_users})
            for role in (APP_ROLE, SUPERUSER)
        ),
    }
    for name, text in files.items():
        write_private(place.data / name, text)


def _postgresql_conf(place: Place, libraries: Path) -> str:
    memory, cores = memory_bytes(), os.cpu_count() or 1
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": '"' + str(place.socket_dir).replace('"', '""') + '"',
        "unix_socket_permissions": "0700",
        "max_connections": 100,
        "superuser_reserved_connections": 3,
        # Memory. An HNSW index is built several times faster when it fits in maintenance_work_mem.
        # A search through the index of a million vectors reads thousands of pages, anywhere in gigabytes: from
        # here each is at hand, from the system's cache it is copied first.
        "shared_buffers": _share(memory, 6, 64, 8192),
        "effective_cache_size": _share(memory, 2, 256, 65536),
        "work_mem": _share(memory, 256, 8, 64),
        "maintenance_work_mem": _share(memory, 16, 64, 1024),
        # Whoever waits is one of several: a search takes no more processes than there are cores for it.
        "max_parallel_workers": max(2, cores),
        "max_parallel_workers_per_gather": max(1, min(4, cores // 2)),
        "autovacuum_work_mem": _share(memory, 64, 32, 256),
        "dynamic_shared_memory_type": "posix" if _dev_shm_is_roomy() else "mmap",
        # Queries here are short: compiling them costs more than it saves.
        "jit": "off",
        "random_page_cost": 1.1,
        # One machine, no replicas: the log only serves crash recovery. fsync stays on.
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "wal_compression": "on",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "5min",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        # A week of logs, each day's file overwritten a week later.
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "postgresql-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": 0,
    }
    if next(libraries.rglob("pg_prewarm.so"), None):
        # Reads back after a restart what was in memory before it.
        settings["shared_preload_libraries"] = "pg_prewarm"
    lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
    head = "# Written by rsportal at every start. Put your own settings into local.conf beside this file.\n"
    return head + "\n".join(lines) + "\ninclude_if_exists = 'local.conf'\n"


def _quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _share(memory: int, part: int, least_mib: int, most_mib: int) -> str:
    return f"{max(least_mib, min(most_mib, memory // part // _MIB))}MB"


def memory_bytes() -> int:
    """Return the memory this process may use: the machine's, or less inside a container."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return min(machine, int(text))
    return machine


def _dev_shm_is_roomy() -> bool:
    try:
        return shutil.disk_usage("/dev/shm").free >= _DSM_ROOM_BYTES
    except OSError:  # No /dev/shm: not Linux, where PostgreSQL does without it.
        return True
