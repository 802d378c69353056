"""Tables as one CSV or Parquet file, block by block, whole under its name or not there at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pandas as pd

from frostline.errors import ConfigError, DiskError
from frostline.store import disk_error

SUFFIXES = (".csv", ".parquet")
MEMORY = "512MB"  # of the database that gathers the blocks of a Parquet file; beyond it they wait on disk


def check_suffix(path: str | Path) -> str:
    """`.csv` or `.parquet`; ConfigError for any other name."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        cause = f"the name ends in {suffix or 'nothing'}"
        raise ConfigError("E-CONFIG", where=path, cause=cause, remedy=f"call it {' or '.join(SUFFIXES)}")
    return suffix


def write_table(tables: Iterable[pd.DataFrame], path: str | Path) -> int:
    """Write tables of the same columns one under the other; the number of rows.

    CSV: UTF-8, dates as YYYY-MM-DD, empty = unknown, floats so that they read back as they are. Parquet: zstd, the
    columns' own types, NULL = unknown. Made in a folder beside `path` and moved to its name when whole; one block is
    held at a time. Raises ConfigError for another suffix and DiskError when it cannot be written or reads back with
    another number of rows.
    """
    path = Path(path)
    write = _csv if check_suffix(path) == ".csv" else _parquet
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.part-", dir=path.parent) as folder:
            part = Path(folder, "table")
            count = write(tables, part)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    except duckdb.IOException as error:
        raise DiskError("E-DISK", where=path, cause=f"cannot be written ({str(error)[:200]})") from error
    return count


def _csv(tables: Iterable[pd.DataFrame], part: Path) -> int:
    count = 0
    with part.open("w", encoding="utf-8", newline="") as file:
        for table in tables:
            table.to_csv(file, index=False, header=count == 0, date_format="%Y-%m-%d", lineterminator="\n")
            count += len(table)
    return count


def _parquet(tables: Iterable[pd.DataFrame], part: Path) -> int:
    count = 0
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": MEMORY,
        "threads": 1,
    }
    with duckdb.connect(str(part.with_name("gathered")), config=settings) as gathered:
        for table in tables:
            gathered.register("block", table)
            gathered.execute("insert into rows select * from block" if count else "create table rows as from block")
            gathered.unregister("block")
            count += len(table)
        name = str(part).replace("'", "''")
        gathered.execute(f"copy rows to '{name}' (format parquet, compression zstd)")
        found = gathered.execute("select count(*) from read_parquet(?)", [str(part)]).fetchone()
    if found != (count,):
        raise DiskError("E-DISK", where=part.name, cause=f"of {count} rows {found} read back")
    return count
