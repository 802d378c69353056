"""Arrays of a store as xarray sees them: packed on disk, float32 in hand, decoded when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from frostline.packing import Spec, unpack

PACKING = ("_FillValue", "scale_factor", "add_offset")  # CF attributes; after reading they say how it was encoded


class Packed(BackendArray):
    """An array of codes that gives float32, NaN where the fill stands.

    xarray's own decoding gives the same numbers in float64, and takes several times as long as reading the codes.
    """

    def __init__(self, codes: Any, spec: Spec) -> None:
        self.codes, self.spec = codes, spec
        self.shape, self.dtype = codes.shape, np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        plain = all(isinstance(k, slice | int | np.integer) for k in key)
        return unpack(np.asarray(self.codes[key] if plain else self.codes.oindex[key]), self.spec)


class Store(BackendEntrypoint):
    """The engine by which `open_store` opens a store: as Zarr, its packed variables decoded by `Packed`."""

    open_dataset_parameters = ("filename_or_obj", "drop_variables")

    def open_dataset(self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None) -> xr.Dataset:  # type: ignore[override]
        """Lazy, without dask; names, dimensions and attributes as `xarray.open_zarr` gives them."""
        import zarr

        same: dict[str, Any] = {"consolidated": True, "chunks": None, "drop_variables": drop_variables}
        ds = xr.open_zarr(filename_or_obj, **same, mask_and_scale=False, decode_coords="all")
        group: Any = zarr.open_group(filename_or_obj, mode="r", use_consolidated=True)
        for name, variable in ds.data_vars.items():
            if "scale_factor" not in variable.attrs:
                continue
            attrs, encoding = dict(variable.attrs), dict(variable.encoding)
            encoding |= {key: attrs.pop(key) for key in PACKING if key in attrs} | {"dtype": variable.dtype}
            spec = Spec(
                str(variable.dtype),
                encoding["_FillValue"],
                float(encoding["scale_factor"]),
                float(encoding.get("add_offset", 0.0)),
            )
            data = indexing.LazilyIndexedArray(Packed(group[name], spec))
            ds[name] = xr.Variable(variable.dims, data, attrs, encoding)
        return ds
