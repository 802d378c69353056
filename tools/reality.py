"""How far the twin may be believed: its soil, weather and brightness beside real series.

    FROSTLINE_DATA=/folder/with/the/files python tools/reality.py                (about a minute on one core)
    FROSTLINE_DATA=/folder/with/the/files python tools/reality.py --parts uscrn
    FROSTLINE_DATA=/folder/with/the/files python tools/reality.py --write        (also tables and figures of docs/)

uscrn  USCRN stations of 2020: air and precipitation in, 5 cm soil against the measured one.
gipl   GIPL's Alaskan site: air and snow depth in, ground at 12 depths against the measured one.
vic    VIC's 6-hourly air in Quebec, 2000-2010: the generator's weather beside it, and what either does to the soil.
maqu   SMAP's L band over Maqu, 2016-2019: NPR-STA on it, and the twin's polarization ratio beside it.

Prints tables, then rows for docs/results.md. Intervals are 95 %: over stations, blocks of days, years or seeds, as n
says. Nothing of the twin is fitted to these series.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from reality_common import Part, Row
from reality_fields import maqu, vic
from reality_ground import gipl, uscrn
from reality_pictures import PICTURES

from frostline.runs import provenance

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "twin-and-reality.md"
IMAGES = ROOT / "docs" / "images"
PARTS = {"uscrn": uscrn, "gipl": gipl, "vic": vic, "maqu": maqu}
SEEDS = {"uscrn": "bootstrap 1", "gipl": "rain 1, bootstrap 1", "vic": "weather 1-3", "maqu": "twin 1-3"}
# rows of docs/results.md: those whose figure begins so
RESULTS = {
    "uscrn": (
        "accuracy, ", "frozen accuracy, stations that freeze", "thawed accuracy, stations that freeze",
        "frozen days, twin - measured, ", "onset in autumn, twin - measured, days, ",
        "5 cm in winter, twin - measured, K, stations that freeze",
    ),
    "gipl": ("accuracy, 0.072", "error, K, root mean square, 0.072", "error, K, root mean square, 0.506"),
    "vic": ("sd within", "lag-1", "frozen days, AM, real", "frozen days, AM, generated", "transitions", "trend"),
    "maqu": ("of these in July", "same state", "the twin there", "correlation", "absolute difference", "PM - AM"),
}  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """A Markdown table of figures."""
    told = [f"| {r.cells(digits(r))} | {r.skill} |" for r in rows]
    return "\n".join(["| figure | value [lo, hi] | n | skill |", "|---|---|---|---|", *told])


def digits(row: Row) -> int:
    """Decimals that a figure deserves: three for shares, one for days, two otherwise.

    >>> digits(Row("accuracy, all", 0.9, 0.8, 1.0, "5")), digits(Row("frozen days", 41.7, 30.0, 50.0, "40"))
    (3, 1)
    """
    size = max(abs(v) for v in (row.value, row.lo, row.hi) if v == v) if row.value == row.value else 1.0
    return 3 if size <= 1.0 else 2 if size < 5.0 else 1


def results(name: str, part: Part, commit: str) -> list[str]:
    """Rows of docs/results.md."""
    lines = []
    for about, rows in part.rows.items():
        for row in rows:
            if row.figure.startswith(RESULTS[name]):
                tail = f"`python tools/reality.py --parts {name}` | {commit} | {SEEDS[name]} |"
                skill = f"; skill {row.skill}" if row.skill != "-" else ""
                figure, value, n = row.cells(digits(row)).split(" | ")
                lines.append(f"| {about}: {figure}{skill} | {value} | {n} | {tail}")
    return lines


def written(page: str, blocks: dict[str, str]) -> str:
    """The page with each block between its two marks replaced.

    >>> written("a\\n<!-- begin x -->\\nold\\n<!-- end x -->\\nb", {"x": "new"}).split("\\n")
    ['a', '<!-- begin x -->', 'new', '<!-- end x -->', 'b']
    """
    for name, text in blocks.items():
        marks = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if page.count(marks[0]) != 1 or page.count(marks[1]) != 1:
            raise SystemExit(f"the page must hold {marks[0]} and {marks[1]} once")
        pattern = re.escape(marks[0]) + r".*?" + re.escape(marks[1])
        page = re.sub(pattern, lambda _, m=marks, t=text: f"{m[0]}\n{t}\n{m[1]}", page, flags=re.DOTALL)
    return page


def main(arguments: Sequence[str] | None = None) -> None:
    """Work out the chosen parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--data", type=Path, default=os.environ.get("FROSTLINE_DATA"), help="folder with the series")
    parser.add_argument("--write", action="store_true", help="put tables and figures into docs/")
    chosen = parser.parse_args(arguments)
    if chosen.data is None:
        parser.error("FROSTLINE_DATA is not set: the folder that holds uscrn_daily_2020, gipl_alaska_site, ...")
    commit, lines, blocks = str(provenance()["commit"]), [], {}
    for name in chosen.parts:
        part = PARTS[name](Path(chosen.data))
        told = [f"**{about}**\n\n{table(rows)}" for about, rows in part.rows.items()]
        blocks[name] = "\n\n".join([*told, part.text])
        lines += results(name, part, commit)
        print(blocks[name], end="\n\n")
        if chosen.write and name in PICTURES:
            PICTURES[name](part.drawn, IMAGES / f"reality_{name}.png")
    print("\n".join(["| figure | value [lo, hi] | n | command | commit | seed |", "|---|---|---|---|---|---|", *lines]))
    if chosen.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), blocks), encoding="utf-8")


if __name__ == "__main__":
    main()
