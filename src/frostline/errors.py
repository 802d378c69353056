"""What a person is told when something is wrong: one line with place, cause and remedy, and an exit code."""

from __future__ import annotations

from pathlib import Path


class FrostlineError(Exception):
    """One clear line, `CODE  where: cause. remedy.`, and the exit code of the command line.

    Exit codes: 0 done; 1 a bug; 2 usage or experiment file; 3 input invalid; 4 finished, some inputs were
    skipped; 5 network or sign-in; 6 disk or memory; 75 interrupted, can be resumed.

    >>> str(InputError("E-INPUT-EMPTY", where="a.h5", cause="the file is empty", remedy="fetch it again"))
    'E-INPUT-EMPTY  a.h5: the file is empty. Fetch it again.'
    """

    exit = 1

    def __init__(self, code: str, *, where: str | Path = "", cause: str, remedy: str = "") -> None:
        self.code, self.where, self.cause, self.remedy = code, str(where), cause, remedy
        place = f"{self.where}: " if self.where else ""
        line = f"{code}  {place}{_sentence(cause, capital=False)} {_sentence(remedy)}"
        super().__init__(" ".join(line.split("\n")).rstrip())

    def __reduce__(self) -> tuple:
        """Errors cross process pools, so they pickle by their parts."""
        return (_again, (type(self), self.code, self.where, self.cause, self.remedy))


class ConfigError(FrostlineError):
    """The command line or the experiment file is wrong."""

    exit = 2


class InputError(FrostlineError):
    """An input file or what it says is wrong."""

    exit = 3


class DiskError(FrostlineError):
    """No room, or the store cannot be written."""

    exit = 6


class Interrupted(FrostlineError):
    """Stopped from outside; running again goes on from here."""

    exit = 75


def _sentence(text: str, *, capital: bool = True) -> str:
    text = text.strip()
    if not text:
        return ""
    if capital:
        text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else text + "."


def _again(kind: type[FrostlineError], code: str, where: str, cause: str, remedy: str) -> FrostlineError:
    return kind(code, where=where, cause=cause, remedy=remedy)
