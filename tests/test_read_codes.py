"""The table of all codes: the same bits as the rules applied to a field, and the unit tested before values are cut."""

import numpy as np
import pytest

from frostline.errors import InputError
from frostline.read.codes import ALL, kelvin

SCALE = np.float32(0.01)


def table():
    found = ALL * SCALE
    found[[0, 60000]] = np.nan
    return found


def by_rules(packed):
    values = packed * SCALE
    values[(packed == 0) | (packed == 60000) | (values < 50) | (values > 350)] = np.nan
    return values


@pytest.mark.parametrize("shape", [(3, 5), (300, 700)])
def test_the_same_bits_as_the_rules(shape):
    packed = np.random.default_rng(0).integers(0, 1 << 16, shape).astype(np.uint16)
    packed[0, :3] = [25013, 0, 60000]
    packed[packed > 35000] -= 30000  # most are temperatures, so that the median is
    found = kelvin("file", "tb_36v", packed, table())
    np.testing.assert_array_equal(found, by_rules(packed))
    assert found[0, 0] == pytest.approx(250.13, abs=1e-4) and np.isnan(found[0, 1])
    assert kelvin("file", "tb_36v", packed.astype(">u2"), table()).tobytes() == found.tobytes()


def test_the_unit_is_tested_where_only_few_cells_know_it():
    packed = np.zeros((600, 700), np.uint16)
    packed[7, 11] = 1000  # 10 K, between the cells that are looked at first
    with pytest.raises(InputError, match="should be in K, its median 10 looks like degrees Celsius"):
        kelvin("file", "tb_36v", packed, table())
    packed[7, 11] = 25000
    assert np.isfinite(kelvin("file", "tb_36v", packed, table())).sum() == 1
    assert np.isnan(kelvin("file", "tb_36v", np.zeros((2, 2), np.uint16), table())).all()
