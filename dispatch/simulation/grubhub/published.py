"""What is published about the Grubhub instances, and which of them this project develops on.

Reyes, Erera, Savelsbergh, Sahasrabudhe, O'Neil (2018), The Meal Delivery Routing Problem.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """An instance as published; minutes, means over its orders.

    `rolling` is the paper's rolling horizon (deciding every 5 minutes), `clairvoyant` an exact
    method that knows the whole day beforehand.
    """

    instance: str
    rolling_click_to_door: float
    rolling_ready_to_pickup: float
    clairvoyant_click_to_door: float
    unavoidable: float


DEVELOPMENT = (
    "0o50t100s1p100",
    "0r50t75s2p125",
    "0o100t100s1p100",
    "1o50t100s1p100",
    "1r50t75s2p100",
    "2o100t100s1p100",
    "2r50t75s1p125",
    "5o50t100s1p100",
    "5o100t100s1p100",
    "6r50t100s2p125",
    "6o100t75s1p100",
    "9o50t100s2p125",
)

SEED_0 = (
    Published("0o50t100s1p100", 31.19, 2.52, 29.81, 28.33),
    Published("0o50t100s1p125", 34.67, 2.27, 33.40, 32.08),
    Published("0o50t100s2p100", 29.79, 1.22, 28.96, 28.33),
    Published("0o50t100s2p125", 34.18, 1.85, 32.60, 32.08),
    Published("0o50t75s1p100", 28.40, 1.65, 27.49, 26.51),
    Published("0o50t75s1p125", 31.62, 1.19, 31.10, 30.26),
    Published("0o50t75s2p100", 27.29, 0.58, 26.83, 26.53),
    Published("0o50t75s2p125", 31.19, 0.70, 30.52, 30.28),
    Published("0r50t100s1p100", 32.46, 2.14, 30.76, 29.52),
    Published("0r50t100s1p125", 36.75, 2.16, 34.66, 33.62),
    Published("0r50t100s2p100", 31.21, 1.11, 29.93, 29.50),
    Published("0r50t100s2p125", 35.60, 1.22, 33.86, 33.60),
    Published("0r50t75s1p100", 29.57, 1.04, 28.47, 27.76),
    Published("0r50t75s1p125", 33.71, 1.19, 32.45, 31.86),
    Published("0r50t75s2p100", 29.03, 0.64, 27.95, 27.74),
    Published("0r50t75s2p125", 33.41, 0.84, 32.00, 31.84),
)
