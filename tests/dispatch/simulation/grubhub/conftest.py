"""Three orders, two couriers and the day they have, worked out on paper."""

import pandas as pd
import pytest

from dispatch.datasets.grubhub import GrubhubInstance, GrubhubParameters
from dispatch.simulation.grubhub import Assignment, Delivery, Departure, GrubhubRun


@pytest.fixture
def tiny() -> GrubhubInstance:
    """100 metres a minute; r1 has o1 and o2, r2 has o3."""
    return GrubhubInstance(
        name="tiny",
        orders=pd.DataFrame(
            [
                ("o1", 300, 0, 0, "r1", 10),
                ("o2", 500, 0, 2, "r1", 12),
                ("o3", 1000, 200, 20, "r2", 25),
            ],
            columns=["order", "x", "y", "placement_time", "restaurant", "ready_time"],
        ),
        couriers=pd.DataFrame(
            [("c1", 0, 500, 0, 40), ("c2", 5000, 0, 0, 10)],
            columns=["courier", "x", "y", "on_time", "off_time"],
        ),
        restaurants=pd.DataFrame([("r1", 0, 0), ("r2", 1000, 0)], columns=["restaurant", "x", "y"]),
        parameters=GrubhubParameters(100, 4, 4, 40, 90, 10, 15),
    )


@pytest.fixture
def good() -> GrubhubRun:
    """c1 takes o1 and o2 together, told at 2, and o3 when done.

    500 m to r1: there at 7, both handed over at 12 when o2 is ready, off at 14. 3 minutes to o1:
    dropped off at 19, off at 21; 2 minutes to o2: dropped off at 25, off at 27. 5 minutes to r2:
    there at 32, handed over at 34, off at 36; 2 minutes to o3: dropped off at 40.
    """
    return GrubhubRun(
        assignments=(
            Assignment(2, 12, "c1", ("o1", "o2")),
            Assignment(27, 34, "c1", ("o3",)),
        ),
        deliveries=(
            Delivery("o1", 0, 10, 12, 19, "c1"),
            Delivery("o2", 2, 12, 12, 25, "c1"),
            Delivery("o3", 20, 25, 34, 40, "c1"),
        ),
        departures=(
            Departure("c1", 2, "0", "r1"),
            Departure("c1", 14, "r1", "o1"),
            Departure("c1", 21, "o1", "o2"),
            Departure("c1", 27, "o2", "r2"),
            Departure("c1", 36, "r2", "o3"),
        ),
    )
