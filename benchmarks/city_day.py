"""A city-day of Colombia replayed: time per decision, memory, throughput, and growth with load.

Decides every 30 seconds on everything that waits; couriers are told as late as is safe and accept.
"""

import argparse
import json
import resource
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from dispatch import DispatchConfig, Dispatcher
from dispatch.config import CandidateRules
from dispatch.datasets import ColombianDay, public_data_dir
from dispatch.simulation import (
    AlwaysAccept,
    Commitment,
    Constant,
    DayLog,
    Environment,
    Every,
    Kind,
    Policy,
    RollingHorizon,
)

CONFIG = DispatchConfig(
    candidates=CandidateRules(couriers_per_order=20, max_new_orders=2, shift_covers="pickup")
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("city", nargs="?", default="2", help="folder: 2 is Medellin")
    parser.add_argument("--period-s", type=float, default=30.0)
    parser.add_argument(
        "--hours", type=float, nargs=2, default=(0, 24), help="orders placed between these hours"
    )
    parser.add_argument("--json", type=Path, help="keep every decision's time")
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    data = public_data_dir()
    if data is None or not (data / "colombia").is_dir():
        sys.exit("skipped: data not present, get it from github.com/sebastian-quintero/mdrp-sim")
    day = ColombianDay.read(data / "colombia" / args.city).day()
    low, high = (day.start_at + timedelta(hours=hour) for hour in args.hours)
    day = replace(day, orders=tuple(o for o in day.orders if low <= o.placed_at < high))
    dispatcher = Dispatcher(Constant(), CONFIG, day.travel)
    policy = Policy(RollingHorizon(dispatcher, Commitment()), Every(args.period_s))
    log = Environment(day, policy, AlwaysAccept()).run()
    times = [(t.orders, t.couriers, t.cpu_s, t.wall_s) for t in log.timings]
    if args.json:
        args.json.write_text(json.dumps(times))
    report(log)
    if args.plot:
        draw(times, args.plot)


def report(log: DayLog) -> None:
    cpu_s = np.array([t.cpu_s for t in log.timings])
    waiting = np.array([t.orders for t in log.timings])
    online = np.array([t.couriers for t in log.timings])
    done = [e for e in log.events if e.kind is Kind.DELIVERED]
    taken_min = np.array([e.value for e in done]) / 60
    total = len(log.day.orders)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = {
        "orders, couriers in the day": f"{total}, {len(log.day.shifts)}",
        "decisions": f"{len(cpu_s)}",
        "waiting orders, median and most": f"{np.median(waiting):.0f}, {waiting.max()}",
        "couriers online, median and most": f"{np.median(online):.0f}, {online.max()}",
        "CPU per decision, p50": f"{1000 * np.median(cpu_s):.0f} ms",
        "CPU per decision, p99": f"{1000 * np.quantile(cpu_s, 0.99):.0f} ms",
        "slowest decision": f"{1000 * cpu_s.max():.0f} ms",
        "CPU of all decisions": f"{cpu_s.sum():.0f} s",
        "orders per CPU second": f"{total / cpu_s.sum():.0f}",
        "peak memory": f"{peak_mib:.0f} MiB",
        "delivered": f"{len(done) / total:.2%}",
        "click-to-door, mean and p90": (
            f"{taken_min.mean():.1f}, {np.quantile(taken_min, 0.9):.1f} min"
        ),
    }
    print("| what | value |\n|---|---|")
    print("\n".join(f"| {name} | {value} |" for name, value in rows.items()))


def draw(times: list[tuple[int, int, float, float]], path: Path) -> None:
    """Plot every decision, and the median by number of waiting orders."""
    from matplotlib.figure import Figure

    waiting, _, cpu_s, _ = np.array(times).T
    edges = np.unique(np.quantile(waiting, np.linspace(0, 1, 21)))
    group = np.clip(np.digitize(waiting, edges) - 1, 0, len(edges) - 2)
    present = np.unique(group)
    middle = [np.median(waiting[group == g]) for g in present]
    median = [1000 * np.median(cpu_s[group == g]) for g in present]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.add_subplot()
    ax.scatter(waiting, 1000 * cpu_s, s=6, alpha=0.25, color="0.4", linewidths=0)
    ax.plot(middle, median, color="C3", marker="o", markersize=4, label="median")
    ax.set(
        xlabel="orders waiting",
        ylabel="CPU per decision, ms",
        title="Time of a decision grows with the orders that wait",
        xlim=(0, None),
        ylim=(0, None),
    )
    ax.legend(frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
