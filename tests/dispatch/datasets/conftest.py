"""A past of the synthetic city that several tests look at, and tiny public instances."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from dispatch.datasets import SyntheticCity, offers_log, public_data_dir

CITY = SyntheticCity(seed=11)


@pytest.fixture(scope="session")
def past() -> tuple[pd.DataFrame, pd.DataFrame]:
    return offers_log(CITY, 6_000)


@pytest.fixture
def log(past: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return past[0].head(30).copy()


@pytest.fixture
def grubhub(tmp_path: Path) -> Path:
    """Two restaurants, four orders, three couriers; 100 metres a minute.

    Minute 20: o1 (placed 5) is gone, o2 and o3 (11, 20) of one restaurant wait, o4 (21) is not
    yet placed. c1 (0 to 60) and c2 (20 to 80) are online, c3 (0 to 20) has just left.
    From c1 (0, 0) to r1 (300, 400) it is 500 m: exactly 5 minutes. From r1 to o2 (301, 400) it is
    1 m: 1 minute. From c1 to o2 it is hypot(301, 400) = 500.6 m: 6 minutes.
    """
    folder = tmp_path / "tiny"
    folder.mkdir()
    rows = {
        "orders": [
            "order x y placement_time restaurant ready_time",
            "o1 0 0 5 r2 10",
            "o2 301 400 11 r1 22",
            "o3 300 700 20 r1 30",
            "o4 0 100 21 r2 30",
        ],
        "couriers": [
            "courier x y on_time off_time",
            "c1 0 0 0 60",
            "c2 1000 0 20 80",
            "c3 5 5 0 20",
        ],
        "restaurants": ["restaurant x y", "r1 300 400", "r2 0 50"],
    }
    for name, lines in rows.items():
        text = "\n".join(line.replace(" ", "\t") for line in lines)
        (folder / f"{name}.txt").write_text(text + "\n")
    (folder / "instance_parameters.txt").write_text(
        "meters_per_minute\tpickup service minutes\tdropoff service minutes\t"
        "target click-to-door\tmaximum click-to-door\tpay per order\tguaranteed pay per hour\n"
        "100\t4\t4\t40\t90\t10\t15\n"
    )
    return folder


@pytest.fixture
def colombia(tmp_path: Path) -> Path:
    """Three orders, two couriers; at 19:30 order 2 waits and courier 1 is on shift.

    Order 3 is placed at 23:55 and becomes ready after midnight; courier 2 works over midnight.
    """
    folder = tmp_path / "9"
    folder.mkdir()
    files = {
        "orders": "order_id,pick_up_lat,pick_up_lng,drop_off_lat,drop_off_lng,placement_time,"
        "preparation_time,ready_time,expected_drop_off_time\n"
        "1,3.36,-76.53,3.37,-76.51,19:20:00,19:21:00,19:31:00,19:50:00\n"
        "2,3.42,-76.54,3.43,-76.55,19:20:01,19:21:00,19:35:00,19:55:30\n"
        "3,3.43,-76.54,3.44,-76.50,23:55:00,23:56:00,00:10:00,00:30:00\n",
        "couriers": "courier_id,vehicle,on_lat,on_lng,on_time,off_time\n"
        "1,walking,3.45,-76.54,19:00:00,20:00:00\n"
        "2,motorcycle,3.40,-76.54,23:00:00,01:00:00\n",
    }
    for name, text in files.items():
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    return folder


@pytest.fixture
def public_data() -> Path:
    folder = public_data_dir()
    if folder is None:
        pytest.skip(
            "data not present, get it from github.com/grubhub/mdrplib and "
            "github.com/sebastian-quintero/mdrp-sim and name its folder in COURIER_DATA_DIR"
        )
    return folder
