"""The GIPL site's files: written by hand, and the real ones."""

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read.gipl import DEPTHS, read_gipl


def write(folder, air=(5.0, -1.0, -20.0), snow=(0.0, 0.0, 0.1), ground=None, days=(1, 2, 3)):
    for name, values in (("bound.txt", air), ("snow.txt", snow)):
        lines = [str(len(values)), *(f"{d}\t{v}" for d, v in zip(days, values, strict=False))]
        (folder / name).write_text("\n".join(lines))
    ground = np.tile(np.array(air)[:, None], len(DEPTHS)) if ground is None else ground
    np.savetxt(folder / "mesres.txt", ground)
    return folder


def test_celsius_becomes_kelvin_and_columns_are_depths(tmp_path):
    ds = read_gipl(write(tmp_path))
    np.testing.assert_allclose(ds["air_temperature"], [278.15, 272.15, 253.15], atol=1e-4)
    assert ds["ground_temperature"].dims == ("day", "depth") and ds["ground_temperature"].shape == (3, 12)
    assert ds["snow_depth"].values[-1] == pytest.approx(0.1) and ds["depth"].values[-1] == 1.1
    assert ds["day"].values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"days": (1, 2, 4)}, "E-INPUT-SCHEMA.*bound.txt.*no list of 3 days"),
        ({"snow": (0.0, 0.0)}, "E-INPUT-SCHEMA.*3 days of air, 2 of snow"),
        ({"snow": (0.0, 0.0, 30.0)}, r"E-INPUT-UNITS.*snow.txt.*outside 0\.\.15"),
        ({"air": (278.0, 272.0, 253.0)}, "E-INPUT-UNITS.*bound.txt"),
        ({"ground": np.zeros((3, 11))}, r"E-INPUT-SCHEMA.*\(3, 11\)"),
    ],
)
def test_what_is_no_such_site_is_one_line(tmp_path, change, told):
    with pytest.raises(InputError, match=told) as error:
        read_gipl(write(tmp_path, **change))
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    (write(tmp_path) / "snow.txt").unlink()
    with pytest.raises(InputError, match=r"E-INPUT-MISSING.*snow\.txt"):
        read_gipl(tmp_path)


@pytest.mark.real
def test_the_real_site(real_data):
    ds = read_gipl(real_data("gipl_alaska_site"))
    # PROVENANCE of the files: 757 days, first column -33.9..13.8 degC and 71 % below 0, air -46.4..14.9
    first = ds["ground_temperature"].values[:, 0] - 273.15
    assert len(first) == 757 and (first < 0).mean() == pytest.approx(0.71, abs=0.005)
    np.testing.assert_allclose([first.min(), first.max()], [-33.9, 13.8], atol=0.05)
    air = ds["air_temperature"].values - 273.15
    np.testing.assert_allclose([air.min(), air.max()], [-46.4, 14.9], atol=0.05)
