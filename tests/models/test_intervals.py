"""Intervals know the luck of the bags and of the calibration, and bags keep orders whole."""

from __future__ import annotations

import numpy as np
import pytest

from models.calibration import SigmoidCalibration
from models.intervals import (
    BAG_ROWS,
    bag_share,
    probability_interval,
    resample,
    resampled_calibrations,
)

PLAIN = SigmoidCalibration(1.0, 0.0)


def test_a_bag_holds_whole_orders_and_as_many_as_its_share() -> None:
    orders = np.repeat(np.arange(1000), 3)
    rows = resample(orders, seed=1, bag=0, share=0.25)
    assert len(rows) == 750
    _, times = np.unique(orders[rows], return_counts=True)
    assert (times % 3 == 0).all()
    assert not np.array_equal(rows, resample(orders, seed=1, bag=1, share=0.25))


def test_only_long_logs_are_bagged_in_part() -> None:
    assert bag_share(BAG_ROWS) == 1.0
    assert bag_share(4 * BAG_ROWS) == 0.25


def test_bags_of_a_quarter_of_the_rows_count_half_their_spread() -> None:
    """Variance falls with the rows: the log-odds reach half as far."""
    scores, bags = np.zeros(3), np.array([[-0.1] * 3, [0.1] * 3])
    same = (PLAIN, PLAIN)
    whole, part = (
        probability_interval(PLAIN, same, scores, bags, share, 0.9) for share in (1.0, 0.25)
    )
    reach = [np.log(high / (1.0 - high)) for _, high in (whole, part)]
    np.testing.assert_allclose(reach[0], 2.0 * reach[1])
    np.testing.assert_allclose(whole[0], 1.0 - whole[1])


def test_the_luck_of_the_calibration_widens_an_interval_on_which_all_bags_agree() -> None:
    scores = np.array([-1.0, 0.0, 2.0])
    agreed = np.tile(scores, (4, 1))
    sure = probability_interval(PLAIN, (PLAIN, PLAIN), scores, agreed, 1.0, 0.9)
    np.testing.assert_allclose(sure[0], sure[1])
    lucky = (SigmoidCalibration(1.0, 0.2), SigmoidCalibration(1.0, -0.2))
    low, high = probability_interval(PLAIN, lucky, scores, agreed, 1.0, 0.9)
    assert (low < PLAIN.apply(scores)).all()
    assert (high > PLAIN.apply(scores)).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_without_refusals_is_calibrated_on_all_rows(seed: int) -> None:
    """One refusal in forty offers is missed by a third of the draws."""
    scores = np.random.default_rng(seed).normal(size=40)
    accepted = np.arange(40) > 0
    found = resampled_calibrations(
        SigmoidCalibration.fit, scores, accepted, np.arange(40), seed, 12
    )
    assert len(found) == 12
    assert SigmoidCalibration.fit(scores, accepted) in found
