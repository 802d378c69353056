"""The doubts of several collocations as a person reads them: each pair of members once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from frostline.words import NAMES

FEEDS = re.compile(r"(\S+) is an input of (\S+): (.*)")  # as validate/collocation_doubts.py tells them
SHARES = re.compile(r"(\S+) and (\S+) share an input (.*)")


def merged(lines: Iterable[str]) -> list[str]:
    """The doubts of several collocations, each pair of members once; that one feeds the other says more than sharing.

    >>> merged(["esdr and reanalysis share an input (era5): x", "reanalysis is an input of esdr: y", "z", "z",
    ...         "reanalysis is an input of smap: y"])
    ['reanalysis is an input of ESDR and of SMAP: y', 'z']
    """
    told = list(dict.fromkeys(lines))
    fed = {frozenset(found.groups()[:2]) for line in told if (found := FEEDS.fullmatch(line))}
    out: dict[tuple[str, str], list[str]] = {}
    for line in told:
        feeds, shares = FEEDS.fullmatch(line), SHARES.fullmatch(line)
        if feeds:
            source, user, why = feeds.groups()
            out.setdefault((f"{NAMES.get(source, source)} is an input of ", f": {why}"), []).append(user)
        elif shares is None:
            out.setdefault((line, ""), [])
        elif frozenset(shares.groups()[:2]) not in fed:
            a, b, what = shares.groups()
            out[f"{NAMES.get(a, a)} and {NAMES.get(b, b)} share an input {what}", ""] = []
    order = sorted(out, key=lambda key: (not out[key], key[0] in told))  # who feeds whom, who shares, the rest
    return [head + " and of ".join(NAMES.get(m, m) for m in out[head, tail]) + tail for head, tail in order]
