"""Parameters are checked when they are made, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from models import AcceptanceParams


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"leaves": 1}, r"expected leaves in \[2, 4096\], got 1"),
        ({"learning_rate": float("nan")}, r"expected learning_rate in \[0.0001, 1.0\], got nan"),
        ({"leaves": True}, "leaves: expected int, got True"),
        ({"monotone": 1}, "monotone: expected bool, got 1"),
        ({"threads": 0, "n_folds": 1}, r"n_folds in \[2, 10\], got 1; expected threads"),
        ({"calibration_share": 0.45, "test_share": 0.45}, "at most 0.8"),
    ],
)
def test_a_parameter_out_of_range_is_named_with_its_range(
    values: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        AcceptanceParams(**values)


def test_a_whole_number_serves_as_a_float() -> None:
    assert type(AcceptanceParams(l2=5).l2) is float
