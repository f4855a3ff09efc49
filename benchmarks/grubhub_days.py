"""Days of the Grubhub instances under one policy: measures per instance, beside the published ones.

Every day is checked strictly; a violation ends the run. CPU is of the whole day, solver processes
included, after a warm-up: their start, and some orders of the day's middle. Results can be kept as
JSON, one file per instance, and are then read instead of run again.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from dispatch.config import load_config
from dispatch.datasets import GrubhubInstance, public_data_dir
from dispatch.simulation import AlwaysAccept, Day, Environment, Policy
from dispatch.simulation.grubhub import GrubhubRun, check_run, measure, write_solution
from dispatch.simulation.grubhub.policies import (
    PERIOD_S,
    PUBLISHED_PERIOD_S,
    greedy_nearest,
    rolling_horizon,
    single_orders,
)
from dispatch.simulation.grubhub.published import DEVELOPMENT, SEED_0
from dispatch.simulation.grubhub.reyes import paper_scheme
from optimization.solvers.registry import SOLVERS

POLICIES: dict[str, tuple[Callable[..., Policy], float]] = {
    "ours": (rolling_horizon, PERIOD_S),
    "greedy": (greedy_nearest, PUBLISHED_PERIOD_S),
    "single": (single_orders, PUBLISHED_PERIOD_S),
    "paper": (paper_scheme, PUBLISHED_PERIOD_S),
}
SETS = {"development": DEVELOPMENT, "seed-0": tuple(row.instance for row in SEED_0)}
WARM_UP_ORDERS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("days", nargs="+", help=f"instances, or {' or '.join(SETS)}")
    parser.add_argument("--policy", choices=POLICIES, default="ours")
    parser.add_argument("--period-s", type=float, help="60 for ours and 300 for others by default")
    parser.add_argument("--config", type=Path, help="TOML for our policy instead of its default")
    parser.add_argument("--results", type=Path, help="folder of JSON files, one per instance")
    parser.add_argument("--solutions", type=Path, help="folder for the public solution files")
    args = parser.parse_args()
    data = public_data_dir()
    if data is None or not (data / "grubhub").is_dir():
        sys.exit("skipped: data not present, get it from github.com/grubhub/mdrplib")
    make, period_s = POLICIES[args.policy]
    label = args.policy
    if args.config:
        make, label = partial(rolling_horizon, config=load_config(args.config)), args.config.stem
    period_s = args.period_s or period_s
    names = [name for given in args.days for name in SETS.get(given, (given,))]
    rows = []
    for name in names:
        kept = args.results and args.results / f"{label}-{period_s:g}-{name}.json"
        if kept and kept.exists():
            row = json.loads(kept.read_text())
        else:
            instance = GrubhubInstance.read(data / "grubhub" / name)
            row, run = live(instance, lambda day: make(day, period_s=period_s))
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(row))
            if args.solutions:
                write_solution(run, args.solutions / name)
        rows.append({"instance": name, **row})
        print_row(rows[-1], head=len(rows) == 1)
    print_means(rows)
    if set(SETS["seed-0"]) <= set(names):
        print_beside_published(rows)


def live(
    instance: GrubhubInstance, make: Callable[[Day], Policy]
) -> tuple[dict[str, float], GrubhubRun]:
    """Live through one day; its measures, and what deciding took."""
    day = instance.day()
    placed = sorted(day.orders, key=lambda order: order.placed_at)
    middle = max(0, (len(placed) - WARM_UP_ORDERS) // 2)
    warm_up = replace(day, orders=tuple(placed[middle : middle + WARM_UP_ORDERS]))
    workers = SOLVERS["packing"].pool  # type: ignore[attr-defined]
    if not workers.alive:
        workers.warm().join()
    Environment(warm_up, make(warm_up), AlwaysAccept()).run()
    start_s = cpu_s()
    log = Environment(day, make(day), AlwaysAccept()).run()
    day_cpu_s = cpu_s() - start_s
    run = GrubhubRun.of_log(instance, log)
    violations = check_run(run, instance)
    if violations:
        sys.exit("\n".join(map(str, violations)))
    wall_ms = 1000 * np.array([timing.wall_s for timing in log.timings])
    return {
        **measure(run, instance).as_dict(),
        "cpu_s": day_cpu_s,
        "decisions": len(wall_ms),
        "median_ms": float(np.median(wall_ms)),
        "slowest_ms": float(wall_ms.max()),
    }, run


def cpu_s() -> float:
    """CPU seconds of this process and its children, living ones included (Linux)."""
    own = sum(os.times()[:4])
    tick = os.sysconf("SC_CLK_TCK")
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
            own += sum(map(int, fields[11:15])) / tick
    return own


COLUMNS = (
    ("orders", "orders", "{:.0f}"),
    ("undelivered %", "undelivered_percent", "{:.2f}"),
    ("CtD", "click_to_door", "{:.2f}"),
    ("CtD p90", "click_to_door_p90", "{:.1f}"),
    ("overage", "overage", "{:.2f}"),
    ("RtP", "ready_to_pickup", "{:.2f}"),
    ("RtD", "ready_to_door", "{:.2f}"),
    ("utilisation", "utilisation", "{:.2f}"),
    ("cost", "cost_per_order", "{:.2f}"),
    ("per bundle", "orders_per_bundle", "{:.3f}"),
    ("unavoidable", "unavoidable", "{:.2f}"),
    ("excess", "penalised_excess", "{:.2f}"),
    ("CPU s", "cpu_s", "{:.1f}"),
    ("median ms", "median_ms", "{:.0f}"),
    ("slowest ms", "slowest_ms", "{:.0f}"),
)


def print_row(row: dict[str, float], *, head: bool) -> None:
    if head:
        print("| instance | " + " | ".join(name for name, _, _ in COLUMNS) + " |")
        print("|---" * (len(COLUMNS) + 1) + "|")
    cells = " | ".join(form.format(row[key]) for _, key, form in COLUMNS)
    print(f"| {row['instance']} | {cells} |", flush=True)


def print_means(rows: list[dict[str, float]]) -> None:
    mean = {key: float(np.mean([row[key] for row in rows])) for _, key, _ in COLUMNS}
    print_row({"instance": "**mean**", **mean}, head=False)  # type: ignore[dict-item]


def print_beside_published(rows: list[dict[str, float]]) -> None:
    found = {str(row["instance"]): row for row in rows}
    print("\n| instance | ours CtD | paper | clairvoyant | unavoidable | ours RtP | paper RtP |")
    print("|---|---|---|---|---|---|---|")
    for row in SEED_0:
        ours = found[row.instance]
        print(
            f"| {row.instance} | {ours['click_to_door']:.2f} | {row.rolling_click_to_door:.2f} | "
            f"{row.clairvoyant_click_to_door:.2f} | {row.unavoidable:.2f} | "
            f"{ours['ready_to_pickup']:.2f} | {row.rolling_ready_to_pickup:.2f} |"
        )
    ctd = np.array([found[row.instance]["click_to_door"] for row in SEED_0])
    paper = np.array([row.rolling_click_to_door for row in SEED_0])
    best = np.array([row.clairvoyant_click_to_door for row in SEED_0])
    print(
        f"| **mean** | {ctd.mean():.2f} | {paper.mean():.2f} | {best.mean():.2f} | | | |\n\n"
        f"better than the paper's scheme on {(ctd < paper).sum()} of {len(ctd)}; "
        f"{(paper.mean() - ctd.mean()) / (paper.mean() - best.mean()):.0%} of the way "
        f"from it to the clairvoyant method"
    )


if __name__ == "__main__":
    main()
