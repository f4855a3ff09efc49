"""Broken snapshots read from a file are refused by name, never with a traceback."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dispatch.errors import InvalidInputError
from dispatch.pipeline import Dispatcher
from dispatch.snapshot import parse_snapshot, read_snapshot

COORDINATE = re.compile(rb'"(?:lat|lon)": ?"?(-?\d+\.\d+)')


def test_the_unbroken_snapshot_is_read_and_dispatched(
    dispatcher: Dispatcher, small_snapshot: Any, tmp_path: Path
) -> None:
    """What the broken ones are made from is sound, so each is refused for its own break."""
    plan = dispatcher.assign(small_snapshot)
    offered = {name for offer in plan.offers for name in offer.order_ids}
    assert offered == {"o1", "o2", "o3", "o4", "o5"}
    assert [entry.order_id for entry in plan.locked] == ["o6"]


def test_a_broken_file_is_refused_by_the_name_of_its_field(broken: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(broken.text)
    with pytest.raises(InvalidInputError) as refused:
        read_snapshot(file)
    paths = [problem.path for problem in refused.value.problems]
    assert any(broken.path in path for path in paths), paths


def test_a_refusal_never_repeats_a_coordinate(broken: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_snapshot(broken.text)
    sent = {value.decode() for value in COORDINATE.findall(broken.text)}
    assert not [value for value in sent if value in str(refused.value)]


def test_lenient_reading_sets_aside_or_refuses_but_never_fails(
    broken: Any, dispatcher: Dispatcher
) -> None:
    """Whatever is wrong, lenient reading names it, and what is kept can be dispatched."""
    try:
        intake = parse_snapshot(broken.text, "lenient")
    except InvalidInputError as error:
        problems = error.problems
    else:
        problems = intake.problems
        dispatcher.assign(intake)
    assert any(broken.path in problem.path for problem in problems)


def test_a_courier_set_aside_keeps_its_pending_orders_locked(
    dispatcher: Dispatcher, small_raw: dict[str, Any]
) -> None:
    """An order whose offer is out must not be offered again because its courier's row is bad."""
    small_raw["couriers"][4]["capacity"]["orders"] = -1
    plan = dispatcher.assign(parse_snapshot(json.dumps(small_raw), "lenient"))
    assert "o6" not in {name for offer in plan.offers for name in offer.order_ids}


def test_a_missing_file_is_refused_like_any_other_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        read_snapshot(tmp_path / "none.json")
