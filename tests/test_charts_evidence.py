import numpy as np
import pytest
from matplotlib.patches import Rectangle

from drawn import picture, row, said
from frostline.charts_evidence import CLASSIFICATION, accuracy_bars, agreement, season_agreement, season_scatter

pytestmark = pytest.mark.filterwarnings("error")
NETWORKS = ("Naqu", "Pali", "Maqu")


def rows(*, seasons=("",), overpasses=("am", "pm")):
    out = []
    for i, network in enumerate(NETWORKS):
        for season in seasons:
            for overpass in overpasses:
                for k, score in enumerate(CLASSIFICATION):
                    base = 0.80 + 0.02 * i + 0.01 * k
                    for record, more in (("fused", 0.05), ("smap", 0.0), ("reanalysis", 0.01)):
                        stratum = f"network:{network}{season}"
                        out.append(row(record, stratum, score, base + more, overpass=overpass, n=1000 + i))
    return out


def bars(figure, ax=0):
    return [p for p in figure.axes[ax].patches if isinstance(p, Rectangle) and p.get_height() > 0]


def test_bars_are_as_high_as_the_scores_and_say_them() -> None:
    figure = accuracy_bars(rows(), note="twin Earth")
    text = said(figure)
    for part in ("twin Earth", "Naqu\nn = 1,000", "Maqu\nn = 1,002", "0.850", "0.800", "AM", "PM", "SMAP", "fused"):
        assert part in text
    assert [p.get_height() for p in bars(figure)] == pytest.approx(
        [0.85, 0.87, 0.89, 0.80, 0.82, 0.84, 0.81, 0.83, 0.85]
    )
    assert all(p.get_y() == 0 for p in bars(figure))
    # 3 scores x 2 overpasses, each bar with whiskers from lo to hi
    assert len(figure.axes) == 6
    low, high = figure.axes[0].containers[1].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((0.82, 0.88))


def test_a_score_without_interval_is_not_drawn_and_its_place_says_so() -> None:
    some = [r | ({"lo": None} if r["stratum"] == "network:Pali" and r["record"] == "fused" else {}) for r in rows()]
    figure = accuracy_bars(some)
    assert "too few for a number" in said(figure)
    assert sorted(p.get_height() for p in bars(figure))[0] == pytest.approx(0.06)
    assert "too few for a number" not in said(accuracy_bars(rows()))


def test_pooled_networks_come_last_and_n_that_differ_are_a_range() -> None:
    pooled = [row("fused", "network:all", "accuracy", 0.9, n=3000)]
    figure = accuracy_bars(pooled + rows() + [row("smap", "network:all", "accuracy", 0.8, n=2900)])
    labels = [t.get_text() for t in figure.axes[-2].get_xticklabels()]
    assert [label.split("\n")[0] for label in labels] == [*NETWORKS, "all"]
    assert labels[-1] == "all\nn = 2,900–\n3,000"


def test_agreement_by_hand() -> None:
    # deviations of x: -0.1, 0, 0.1; of y: -0.1, 0.1, 0; R = 0.01 / sqrt(0.02 x 0.02) = 0.5; y - x: 0, 0.1, -0.1
    r, bias, n = agreement([0.8, 0.9, 1.0, np.nan], [0.8, 1.0, 0.9, 0.7])
    assert (r, bias, n) == pytest.approx((0.5, 0.0, 3))
    assert agreement([0.8, 0.9, 1.0], [0.9, 0.95, 1.0])[1] == pytest.approx(0.05)


def test_agreement_of_little_is_unknown() -> None:
    assert np.isnan(agreement([0.8, 0.9], [0.9, 1.0])[0])
    assert np.isnan(agreement([0.8, 0.8, 0.8], [0.9, 1.0, 0.7])[0])
    r, bias, n = agreement([np.nan], [0.5])
    assert np.isnan(r) and np.isnan(bias) and n == 0


def test_scatter_says_bias_and_r_of_each_season() -> None:
    seasons = ("/season:frozen", "/season:transition", "/season:thawed")
    figure = season_scatter(rows(seasons=seasons), note="twin Earth")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    # two scores of three networks where one class is rare, three in between; fused is 0.05 above SMAP everywhere
    assert titles[0] == "frozen season, Dec–Jan\nR 1.00, bias 0.050, n = 6"
    assert titles[1].endswith("R 1.00, bias 0.050, n = 9")
    assert titles[5] == "R 1.00, bias 0.050, n = 6"
    assert "Naqu" in said(figure)


def test_scatter_leaves_out_the_pool_and_wants_three_networks_for_r() -> None:
    season = "/season:transition"
    some = [r for r in rows(seasons=(season,)) if "Maqu" not in r["stratum"]]
    some += [row(who, f"network:all{season}", "accuracy", 0.5) for who in ("fused", "smap")]
    figure = season_scatter(some)
    assert figure.axes[1].get_title(loc="left").endswith("\nbias 0.050, n = 6")
    assert "no point" in figure.axes[0].get_title(loc="left")
    assert figure.axes[0].get_xlim()[0] > 0.6


def test_nothing_to_draw_is_drawn() -> None:
    for figure in (accuracy_bars([]), season_scatter([]), season_agreement([])):
        picture(figure)


def test_r_and_bias_by_network_and_season() -> None:
    some = [row("fused", "network:Naqu/season:frozen", "bias", -0.02, n=216)]
    some += [row("smap", "network:Naqu/season:frozen", "bias", -0.08, n=216)]
    some += [row("fused", "network:Naqu/season:thawed", "correlation", 0.47, n=588)]
    some += [row("fused", "network:Naqu/season:frozen", "correlation", np.nan, n=216)]
    figure = season_agreement(some, note="twin Earth")
    text = said(figure)
    for part in (
        "Naqu\nn = 216",
        "Naqu\nn = 588",
        "thawed season\nMay–Sep",
        "none defined",
        "R, daily frozen share",
        "AM",
        "twin Earth",
    ):
        assert part in text
    drawn = [[c.lines[0].get_ydata()[0] for c in ax.containers] for ax in figure.axes]
    assert drawn == [[], [], [0.47], [-0.02, -0.08], [], []]
