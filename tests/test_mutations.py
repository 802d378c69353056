"""Slips that such tools are known to make, made on purpose: each must turn an ordinary test red.

A slip is a change of our own code (a reader's codes turned over, rows moved by one, dates by a day, a factor of 0.01,
29 February forgotten). Under it the ordinary test that the table names is called as it stands, and must fail; without
it the same call passes. What happens when the slip is in the files is in `test_mutations_files.py`.

| slip | where | what turns red |
|---|---|---|
| polarity | SMAP's codes | test_twin_write_smap.test_the_reader_gives_back_what_was_written |
| polarity | ESDR's codes | test_read_esdr.test_zero_is_frozen_and_the_rest_is_unknown |
| polarity | labels of a temperature | test_labels.test_state_and_its_threshold |
| polarity | reanalysis as a record | test_classic.test_threshold_by_hand |
| polarity | the table of a tally | test_tally.test_one_day_by_hand |
| polarity | an exported file | test_export.test_codes_by_hand |
| row | window of SMAP's TB | test_round_trip.test_cetb |
| row | window of AMSR2's TB | test_round_trip.test_amsr2_also_across_greenwich |
| row | window of SMAP's states | test_twin_write_smap.test_the_reader_gives_back_what_was_written |
| row | window of the ESDR | test_twin_write_esdr.test_the_reader_gives_back_what_was_written |
| row | hours of ERA5 | test_twin_write_era5land.test_months_follow_each_other |
| row | rain of IMERG | test_twin_write_imerg.test_what_was_written_is_read |
| row | interpolation | test_regrid.test_linear_functions_are_exact_on_the_north_grid |
| row | a station's cell | test_validate_match.test_a_site_sees_the_cell_that_contains_it |
| row | an exported map | test_export.test_cog_names_values_and_place |
| day | SMAP's TB names | test_round_trip.test_cetb |
| day | AMSR2's names | test_read_amsr2.test_lists |
| day | SMAP's names | test_twin_write_smap.test_the_reader_gives_back_what_was_written |
| day | the ESDR's names | test_read_esdr.test_zero_is_frozen_and_the_rest_is_unknown |
| day | hours of ERA5 | test_twin_write_era5land.test_months_follow_each_other |
| day | start of an IMERG file | test_twin_write_imerg.test_what_was_written_is_read |
| day | local time to UTC | test_clock.test_local_solar_time_by_hand |
| day | SMAP's UTC days | test_steps_predictors.test_a_smap_morning_east_of_90_lies_in_the_file_of_the_day_before |
| day | the instant of a label | test_labels.test_instants_by_hand_across_the_date_line_and_the_years_end |
| day | persistence | test_classic.test_persistence_goes_by_date |
| day | the days that are compared | test_validate_match.test_blocks_cover_the_wanted_days_once |
| scale | SMAP's TB | test_round_trip.test_cetb |
| scale | AMSR2's TB | test_round_trip.test_amsr2_also_across_greenwich |
| scale | hours of ERA5 | test_twin_write_era5land.test_months_follow_each_other |
| scale | rain of IMERG | test_twin_write_imerg.test_what_was_written_is_read |
| scale | a record on disk | test_store.test_written_steps_come_back_within_the_packing |
| scale | an exported probability | test_export.test_codes_by_hand |
| leap | the days of a record | test_clock.test_a_leap_year_has_366_days_and_each_day_its_date |
| leap | SMAP's TB names | test_round_trip.test_cetb |
| leap | dates by the day of the year | test_read_common.test_odd_units_and_dates |
| leap | climatology's calendar | test_classic.test_calendar_days_are_those_of_a_leap_year |
| leap | extent by calendar day | test_steps_extent.test_leap_days_have_a_place_of_their_own_and_one_year_no_spread |
"""

import importlib
import re

import numpy as np
import pytest

from frostline import clock, export, labels, store, tally
from frostline.errors import FrostlineError
from frostline.grid import Grid
from frostline.read import amsr2, cetb, era5, esdr, imerg, smap
from frostline.read.common import Part
from frostline.steps import agency_labels, extent

DAY = np.timedelta64(1, "D")
LEAP_DAY = np.datetime64("2016-02-29", "D")


def states():
    """What `test_read_esdr` reads: frozen, thawed, and four reasons for neither."""
    values = np.tile(np.array([0, 1], "u1"), 24).reshape(6, 8)
    values[0, :4] = [252, 253, 254, 255]
    return values


def undone(test):
    """Call a test that patches something, and take its patches back."""
    with pytest.MonkeyPatch.context() as patches:
        test(patches)


# name of an ordinary test -> how it is called; one with Hypothesis on one example
CALLS = {
    "test_twin_write_smap.test_the_reader_gives_back_what_was_written": lambda t, tmp: t(tmp, grid="M36", seed=3),
    "test_twin_write_esdr.test_the_reader_gives_back_what_was_written": lambda t, tmp: t(tmp, "h5", seed=3, half="CO"),
    "test_read_esdr.test_zero_is_frozen_and_the_rest_is_unknown": lambda t, tmp: t(tmp, states()),
    "test_round_trip.test_cetb": lambda t, tmp: t(tmp, "v3", seed=0, overpass=0, polarization="V"),
    "test_round_trip.test_amsr2_also_across_greenwich": lambda t, tmp: t(tmp, seed=0, orbit="D", frequency=18),
    "test_read_amsr2.test_lists": lambda t, tmp: t(tmp),
    "test_twin_write_era5land.test_months_follow_each_other": lambda t, tmp: t(tmp),
    "test_twin_write_imerg.test_what_was_written_is_read": lambda t, tmp: t(tmp, "V06B"),
    "test_labels.test_instants_by_hand_across_the_date_line_and_the_years_end": lambda t, tmp: t(1, "2017-01-01", 72.0),
    "test_clock.test_local_solar_time_by_hand": lambda t, tmp: t("2017-03-10", 6.0, 120.0, "2017-03-09T22:00"),
    "test_steps_predictors.test_a_smap_morning_east_of_90_lies_in_the_file_of_the_day_before": lambda t, tmp: t(tmp),
    "test_export.test_codes_by_hand": lambda t, tmp: t(0.9, 0, 1, 180, 0, 20),
    "test_export.test_cog_names_values_and_place": lambda t, tmp: t(tmp),
    "test_store.test_written_steps_come_back_within_the_packing": lambda t, tmp: t(tmp),
    "test_validate_match.test_blocks_cover_the_wanted_days_once": lambda t, tmp: undone(t),
    "test_regrid.test_linear_functions_are_exact_on_the_north_grid": lambda t, tmp: t(quarter_degree(), 97.3, 35.0),
}


def quarter_degree():
    return importlib.import_module("test_regrid").ERA5


def after(change):
    """A function that changes what another gives."""
    return lambda plain: lambda *args, **options: change(plain(*args, **options))


def down(field):
    return np.roll(field, 1, axis=-2)


def each(change):
    return lambda fields: {name: change(values) for name, values in fields.items()}


def opposite_table(plain):
    return lambda claim, truth: plain(claim, 1 - truth)


def mirrored(plain):
    other = {"frozen": "thaw", "thaw": "frozen"}
    return lambda *fields, polarity: dict(
        zip(plain(*fields, polarity=polarity), plain(*fields, polarity=other[polarity]).values(), strict=True)
    )


def no_leap_day(plain):
    def days(start, end):
        found = plain(start, end)
        return found[found.astype("datetime64[D]") != LEAP_DAY]

    return days


def forgets(plain):
    return lambda text: None if plain(text) == LEAP_DAY else plain(text)


def common_year(plain):
    """29 February is 1 March."""
    return lambda dates: plain(np.where(np.asarray(dates, "datetime64[D]") == LEAP_DAY, LEAP_DAY + 1, dates))


def late_persistence(plain):
    return lambda values, *, grid, lag=1: plain(values, grid=grid, lag=lag + 1)


def to(value):
    return lambda plain: value


later, hundredth = after(lambda date: None if date is None else date + DAY), after(lambda values: values * 0.01)
hundredths = after(each(lambda values: values * np.float32(0.01)))
# the row of the table -> what is replaced, and by what of the plain one
SLIPS = {
    "polarity, SMAP's codes": [(smap, "FROZEN", to(0)), (smap, "THAWED", to(1))],
    "polarity, ESDR's codes": [(esdr, "STATES", to({0: (0, 0), 1: (1, 1), 2: (0, 1), 3: (1, 0)}))],
    "polarity, labels of a temperature": [(labels, "state", after(lambda frozen: 1 - frozen))],
    "polarity, reanalysis as a record": [
        ("test_classic", "threshold", after(lambda ds: ds.assign(frozen=1 - ds["frozen"])))
    ],
    "polarity, the table of a tally": [(tally, "_indicators", opposite_table)],
    "polarity, an exported file": [(export, "encode", mirrored)],
    "row, window of SMAP's TB": [(Part, "of", after(down))],
    "row, window of AMSR2's TB": [(Part, "of", after(down))],
    "row, window of SMAP's states": [(Part, "of", after(down))],
    "row, window of the ESDR": [(Part, "of", after(down))],
    "row, hours of ERA5": [(Part, "of", after(down))],
    "row, rain of IMERG": [(imerg, "_load", after(each(down)))],
    "row, interpolation": [("test_regrid", "apply", after(down))],
    "row, a station's cell": [(Grid, "locate", after(lambda at: (at[0] - 1, at[1])))],
    "row, an exported map": [
        (export, "_write_tiff", lambda plain: lambda path, codes, *rest: plain(path, down(codes), *rest))
    ],
    "day, SMAP's TB names": [(cetb, "date_of", later)],
    "day, AMSR2's names": [(amsr2, "date_of", later)],
    "day, SMAP's names": [(smap, "date_of", later)],
    "day, the ESDR's names": [(esdr, "date_of", later)],
    "day, hours of ERA5": [(era5, "decode_times", later)],
    "day, start of an IMERG file": [("test_twin_write_imerg", "load_imerg", after(lambda got: (got[0] + DAY, got[1])))],
    "day, local time to UTC": [(clock, "solar_to_utc", later)],
    "day, SMAP's UTC days": [(agency_labels, "utc_day_offset", after(lambda days: 0 * days))],
    "day, the instant of a label": [
        ("test_labels", "solar_labels", after(lambda found: [(d + DAY, *rest) for d, *rest in found]))
    ],
    "day, persistence": [("test_classic", "persistence", late_persistence)],
    "day, the days that are compared": [("frostline.validate.match", "common_days", after(lambda days: days[1:]))],
    "scale, SMAP's TB": [(cetb, "_kelvin", hundredth)],
    "scale, AMSR2's TB": [(amsr2, "_load", hundredths)],
    "scale, hours of ERA5": [(era5, "decode", hundredth)],
    "scale, rain of IMERG": [(imerg, "_load", hundredths)],
    "scale, a record on disk": [(store, "pack", lambda plain: lambda values, spec: plain(values * 0.01, spec))],
    "scale, an exported probability": [(export, "encode", hundredths)],
    "leap, the days of a record": [(clock, "days", no_leap_day)],
    "leap, SMAP's TB names": [(cetb, "date_of", forgets)],
    "leap, dates by the day of the year": [("test_read_common", "date_of", forgets)],
    "leap, climatology's calendar": [("test_classic", "calendar_day", common_year)],
    "leap, extent by calendar day": [(extent, "calendar_day", common_year)],
}
ROWS = {
    f"{kind}, {where}": test for kind, where, test in re.findall(r"^\| (\w+) \| (.+?) \| (test_\S+) \|", __doc__, re.M)
}


def ordinary(name, tmp_path):
    """Call an ordinary test as pytest would, on one example where it has many."""
    module, function = name.split(".")
    test = getattr(importlib.import_module(module), function)
    test = getattr(getattr(test, "hypothesis", None), "inner_test", test)
    CALLS.get(name, lambda t, tmp: t())(test, tmp_path)


def test_the_table_is_the_list_of_slips_and_knows_all_five_kinds():
    assert list(ROWS) == list(SLIPS)
    assert {row.split(",")[0] for row in ROWS} == {"polarity", "row", "day", "scale", "leap"}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_turns_an_ordinary_test_red(slip, tmp_path, monkeypatch):
    (tmp_path / "plain").mkdir()
    ordinary(ROWS[slip], tmp_path / "plain")
    for place, name, changed in SLIPS[slip]:
        place = importlib.import_module(place) if isinstance(place, str) else place
        monkeypatch.setattr(place, name, changed(getattr(place, name)))
    (tmp_path / "slipped").mkdir()
    with pytest.raises((AssertionError, FrostlineError)):
        ordinary(ROWS[slip], tmp_path / "slipped")
