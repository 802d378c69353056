"""One writer of a store at a time, by a file beside it that names the process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.errors import DiskError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer at a time; the lock of a process that no longer lives is taken over."""
    lock = path.with_name(path.name + ".lock")
    me = f"{socket.gethostname()} {os.getpid()}"
    mine = lock.with_name(
        f"{lock.name}.{os.getpid()}"
    )  # whole before it is called the lock: a kill leaves no nameless one
    for _ in range(2):
        mine.write_text(me, encoding="utf-8")
        try:
            os.link(mine, lock)
            break
        except FileExistsError:
            host, _, pid = lock.read_text(encoding="utf-8").partition(" ")
            alive = host != socket.gethostname() or not pid or Path(f"/proc/{pid}").exists() or _signalled(pid)
            if alive:
                cause = f"process {pid} on {host} is writing this store"
                raise DiskError("E-STORE", where=path, cause=cause, remedy=f"wait, or remove {lock}") from None
            lock.unlink(missing_ok=True)
        finally:
            mine.unlink(missing_ok=True)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _signalled(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, PermissionError) as error:
        return isinstance(error, PermissionError)  # somebody else's lives
    return True
