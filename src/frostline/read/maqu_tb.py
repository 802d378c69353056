"""Real SMAP L1C brightness temperatures over Maqu on the Tibetan Plateau, with times recovered from the orbit.

The CSV's own time stamps are wrong; `utc_overpass_inferred` and `pass_inferred` were inferred from SMAP's repeat of
eight days, and are what is read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from frostline.clock import AM, PM, utc_to_solar
from frostline.clock import days as days_between
from frostline.errors import InputError
from frostline.grid import named
from frostline.read.gate import TB_KELVIN, inspect_file, reading
from frostline.read.insitu_table import columns_of
from frostline.schema import coordinates, describe

Array = np.ndarray
PLACE = (102.15, 33.90)  # degrees east and north
OF_PASS = {"AM": AM, "PM": PM}
LOOKS = {"tb_1v": ("tb_v_fore", "tb_v_aft"), "tb_1h": ("tb_h_fore", "tb_h_aft")}


def read_maqu_tb(path: str | Path) -> xr.Dataset:
    """`tb_1v`, `tb_1h` in K on (time, overpass, y, x) of the one EASE-Grid 2.0 cell of 36 km at Maqu, NaN unseen.

    Mean of the fore and the aft look; local solar dates, every one from the first to the last. Left out, and counted in
    attributes: rows marked `suspect`, rows of `unknown_pass`, and `repeated` ones (the first of a date and pass stays).
    Looks outside 50-350 K are unknown. Raises InputError for missing columns or where no row is left.
    """
    path = Path(path)
    inspect_file(path, "text")
    table = columns_of(path)
    wanted = ("utc_overpass_inferred", "pass_inferred", "suspect", *LOOKS["tb_1v"], *LOOKS["tb_1h"])
    with reading(path):
        if lacking := [n for n in wanted if n not in table]:
            raise KeyError(", ".join(lacking))
        suspect = np.array([str(v).lower() == "true" for v in table["suspect"]])
        of_pass = np.array([str(v) for v in table["pass_inferred"]])
        unknown = ~np.isin(of_pass, list(OF_PASS))
        keep = np.flatnonzero(~suspect & ~unknown)
        utc = table["utc_overpass_inferred"][keep].astype("datetime64[ns]")
        seen = {name: np.stack([table[n][keep].astype(float) for n in looks]) for name, looks in LOOKS.items()}
    date = utc_to_solar(utc, PLACE[0])[0]
    overpass = np.array([OF_PASS[p] for p in of_pass[keep]])
    if not len(date):
        raise InputError("E-INPUT-TIME", where=path, cause="holds no pass", remedy="give one row a pass")
    first = np.unique(np.stack([date.astype(int), overpass]), axis=1, return_index=True)[1]
    date, overpass, repeated = date[first], overpass[first], len(date) - len(first)
    time = days_between(date.min(), date.max())
    place = ((date - date.min()) / np.timedelta64(1, "D")).astype(int)
    data = {}
    for name, looks in seen.items():
        full = np.full((len(time), 2, 1, 1), np.nan, np.float32)
        good = np.where((looks >= TB_KELVIN[0]) & (looks <= TB_KELVIN[1]), looks, np.nan)
        full[place, overpass, 0, 0] = good.mean(0)[first]  # unknown where one look is
        data[name] = (("time", "overpass", "y", "x"), full)
    attrs = {
        "source": "SMAP L1C brightness temperature, times inferred from the orbit's repeat",
        "suspect": int(suspect.sum()),
        "unknown_pass": int((unknown & ~suspect).sum()),
        "repeated": repeated,
    }
    grid = named("M36").around(*PLACE, (1, 1))
    ds = coordinates(xr.Dataset(data), time=time, overpass=[AM, PM])
    return describe(grid.write(ds)).assign_attrs(attrs | grid.attrs())
