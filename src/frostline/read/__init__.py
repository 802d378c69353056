"""Agency files to datasets: one keyword-only callable per product, each on the file's own grid.

Right way up, polarity and overpass right, every fill NaN, K and SI units, vocabulary names. A file that is not what it
should be is one `InputError` with file, cause and remedy. Stations come as lists of `Series` with their `Problems`.
"""

from collections.abc import Callable
from typing import Any

from frostline.read.amsr2 import read_amsr2
from frostline.read.basin import read_basin
from frostline.read.cetb import read_cetb
from frostline.read.era5 import read_era5
from frostline.read.esdr import read_esdr
from frostline.read.gipl import read_gipl
from frostline.read.gldas import read_gldas, read_gldas_static
from frostline.read.imerg import read_imerg
from frostline.read.insitu_cma import read_cma
from frostline.read.insitu_ctp import read_ctp
from frostline.read.insitu_folder import read_folder
from frostline.read.insitu_ismn import read_ismn
from frostline.read.insitu_table import read_table
from frostline.read.insitu_uscrn import read_uscrn, read_uscrn_days
from frostline.read.maqu_tb import read_maqu_tb
from frostline.read.melt import read_melt
from frostline.read.smap import read_smap, read_smap_static
from frostline.read.smap_map import read_smap_map
from frostline.read.statics import read_elevation, read_land_cover
from frostline.read.statics_codes import read_classes, read_clcd, read_koppen
from frostline.read.uscrn_rain import read_uscrn_rain
from frostline.read.vic import read_vic

READERS: dict[str, Callable[..., Any]] = {
    "cetb": read_cetb,
    "amsr2": read_amsr2,
    "era5": read_era5,
    "gldas": read_gldas,
    "gldas_static": read_gldas_static,
    "imerg": read_imerg,
    "elevation": read_elevation,
    "land_cover": read_land_cover,
    "clcd": read_clcd,
    "koppen": read_koppen,
    "classes": read_classes,
    "smap": read_smap,
    "smap_static": read_smap_static,
    "esdr": read_esdr,
    "smap_map": read_smap_map,
    "ismn": read_ismn,
    "uscrn": read_uscrn,
    "uscrn_days": read_uscrn_days,
    "basin": read_basin,
    "melt": read_melt,
    "gipl": read_gipl,
    "vic": read_vic,
    "maqu_tb": read_maqu_tb,
    "uscrn_rain": read_uscrn_rain,
    "table": read_table,
    "cma": read_cma,
    "ctp": read_ctp,
    "folder": read_folder,
}
