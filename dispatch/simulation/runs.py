"""A run is a folder: what was asked for, what happened, what it comes to; run again, compared.

`run.json` (specification, versions), `events.parquet`, `orders.parquet`, `couriers.parquet` and
`metrics.json` are the same bytes for the same specification and versions; what depends on the
machine is in `timings.json` alone.
"""

import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dispatch.errors import InvalidInputError, Problem
from dispatch.simulation.behaviour import AlwaysAccept
from dispatch.simulation.environment import DayLog, Environment, Timing
from dispatch.simulation.events import events_table
from dispatch.simulation.logit import Listening, LogitBehaviour, tuned
from dispatch.simulation.measures import couriers_table, orders_table, summarise
from dispatch.simulation.spec import PolicyRules, RunSpec, Source
from dispatch.simulation.world import Progress

RUN, EVENTS, ORDERS, COURIERS, METRICS, TIMINGS = (
    "run.json",
    "events.parquet",
    "orders.parquet",
    "couriers.parquet",
    "metrics.json",
    "timings.json",
)
SAME_BYTES = (RUN, EVENTS, ORDERS, COURIERS, METRICS)
_PACKAGES = ("courier-dispatch", "numpy", "pandas", "pyarrow", "scipy", "ortools")


def live(spec: RunSpec, progress: Progress | None = None) -> DayLog:
    """Live through the day of a specification."""
    day = spec.source.load()
    policy, behaviour = spec.policy.make(day), spec.couriers.make()
    return Environment(day, policy, behaviour, spec.seed, progress).run()


def tune_couriers(
    source: Source, couriers: LogitBehaviour, acceptance: float, progress: Progress | None = None
) -> LogitBehaviour:
    """Move the intercept so that couriers would accept this share of a day's offers, on average.

    The offers are those of the default policy when everybody accepts.
    """
    day = source.load()
    listening = Listening(AlwaysAccept())
    Environment(day, PolicyRules().make(day), listening, progress=progress).run()
    return tuned(couriers, listening.questions, acceptance)


def write_run(log: DayLog, spec: RunSpec, folder: str | Path) -> Path:
    """Write a run into a folder, over what was there."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    versions = {"python": platform.python_version(), **{n: version(n) for n in _PACKAGES}}
    _write_json(place / RUN, {"spec": json.loads(spec.to_json()), "versions": versions})
    pq.write_table(events_table(list(log.events)), place / EVENTS)
    for name, table in ((ORDERS, orders_table(log)), (COURIERS, couriers_table(log))):
        arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(arrow, place / name)
    _write_json(place / METRICS, summarise(log))
    _write_json(place / TIMINGS, timings(log.timings))
    return place


def timings(entries: Sequence[Timing]) -> dict[str, Any]:
    """Say what deciding took: seconds of processor and wall time."""
    found: dict[str, Any] = {"decisions": len(entries)}
    for name in ("cpu_s", "wall_s"):
        values = np.array([getattr(entry, name) for entry in entries])
        if len(values):
            found[name] = {
                "total": float(values.sum()),
                "p50": float(np.quantile(values, 0.5)),
                "p99": float(np.quantile(values, 0.99)),
                "max": float(values.max()),
            }
    found["each"] = [
        {"at_s": e.at_s, "orders": e.orders, "couriers": e.couriers, "wall_s": e.wall_s}
        for e in entries
    ]
    return found


def read_spec(folder: str | Path) -> RunSpec:
    """Read the specification of a run.

    Raises
    ------
    InvalidInputError
        The folder holds no run.
    """
    path = Path(folder) / RUN
    try:
        raw = json.loads(path.read_text())
        return RunSpec.from_json(json.dumps(raw["spec"]))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise InvalidInputError("run", [Problem(str(path), reason)]) from None
    except (KeyError, TypeError, json.JSONDecodeError):
        message = "is not the description of a run; write one with dispatch simulate --out"
        raise InvalidInputError("run", [Problem(str(path), message)]) from None


@dataclass(frozen=True, slots=True)
class RunDiff:
    """How two runs differ.

    Attributes
    ----------
    files
        Files that are not the same bytes.
    first_event
        Row of the first event that differs, and the event in either run; None if none does.
    metrics
        Every metric that differs, by its path, with both values.
    """

    files: tuple[str, ...]
    first_event: tuple[int, dict[str, Any] | None, dict[str, Any] | None] | None
    metrics: dict[str, tuple[Any, Any]]

    def __bool__(self) -> bool:
        return bool(self.files)


def diff_runs(one: str | Path, other: str | Path) -> RunDiff:
    """Compare two run folders."""
    first, second = Path(one), Path(other)
    read_spec(first)
    read_spec(second)
    files = [n for n in SAME_BYTES if (first / n).read_bytes() != (second / n).read_bytes()]
    events = [pq.read_table(place / EVENTS).to_pylist() for place in (first, second)]
    metrics = [dict(flat(json.loads((place / METRICS).read_text()))) for place in (first, second)]
    return RunDiff(
        files=tuple(files),
        first_event=_first_difference(*events),
        metrics={
            name: (metrics[0].get(name), metrics[1].get(name))
            for name in sorted(metrics[0].keys() | metrics[1].keys())
            if metrics[0].get(name) != metrics[1].get(name)
        },
    )


def replay(folder: str | Path, into: str | Path, progress: Progress | None = None) -> RunDiff:
    """Run a run again from its specification, and compare."""
    spec = read_spec(folder)
    write_run(live(spec, progress), spec, into)
    return diff_runs(folder, into)


def flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk the leaves of nested metrics, with dotted names."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def with_seed(spec: RunSpec, seed: int) -> RunSpec:
    """Return the specification of another seed; of the synthetic city, also of that day."""
    source = spec.source
    if source.layout == "synthetic":
        source = replace(source, day=source.day + seed)
    return replace(spec, source=source, seed=seed)


def _first_difference(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> tuple[int, dict[str, Any] | None, dict[str, Any] | None] | None:
    for row in range(max(len(one), len(other))):
        a = one[row] if row < len(one) else None
        b = other[row] if row < len(other) else None
        if repr(a) != repr(b):  # NaN is not equal to itself
            return row, a, b
    return None


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
