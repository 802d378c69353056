"""Make src/frostline/data/land.npz, the packaged coast lines, from the npm package world-atlas.

The data are Natural Earth 4.1.0 "land" polygons (public domain, naturalearthdata.com) as the TopoJSON
files land-50m.json and land-110m.json of world-atlas 2.0.2 (ISC licence), fetched with the registry's own
client:

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python tools/make_coast.py package src/frostline/data/land.npz

The TopoJSON integers are kept as they are (first differences compress best), with the affine transform to
degrees, the number of points of each ring and the polygon that each ring belongs to (outer ring first, then
holes). The same input gives the same bytes.
"""

import json
import sys
from pathlib import Path

import numpy as np

SCALES = ("50m", "110m")


def rings(topology: dict) -> tuple[list[np.ndarray], list[int]]:
    """Rings of the object "land" in quantised integers, and the polygon number of each."""
    # TopoJSON specification 2.1.3-2.1.4: arcs are delta-encoded; index ~i is arc i reversed; consecutive
    # arcs of a ring share a point.
    arcs = [np.cumsum(np.array(arc, dtype=np.int64), axis=0) for arc in topology["arcs"]]
    out, owner, polygon = [], [], 0
    for geometry in topology["objects"]["land"]["geometries"]:
        many = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        for parts in many:
            for indices in parts:
                pieces = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
                ring = np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])
                if not np.array_equal(ring[0], ring[-1]):
                    raise SystemExit(f"ring {len(out)} is not closed")
                out.append(ring)
                owner.append(polygon)
            polygon += 1
    return out, owner


def main(folder: str, target: str) -> None:
    """Read both scales and write one compressed npz."""
    arrays = {}
    for scale in SCALES:
        topology = json.loads((Path(folder) / f"land-{scale}.json").read_text())
        found, owner = rings(topology)
        points = np.concatenate(found)
        arrays[f"{scale}_steps"] = np.diff(points, axis=0, prepend=0).astype(np.int32).T
        arrays[f"{scale}_lengths"] = np.array([len(ring) for ring in found], np.int32)
        arrays[f"{scale}_polygon"] = np.array(owner, np.int32)
        transform = topology["transform"]
        arrays[f"{scale}_transform"] = np.array([transform["scale"], transform["translate"]], np.float64)
    np.savez_compressed(target, allow_pickle=False, **arrays)
    print(f"{target}: {Path(target).stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
