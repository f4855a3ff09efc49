"""Fairness over whole synthetic days: the explicit term, the online bias, and twins.

python benchmarks/day_fairness.py curves [PNG]    # Gini against penalised excess
python benchmarks/day_fairness.py tax [NAME...]   # the agreeable-courier tax
"""

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from dispatch import Dispatcher
from dispatch.config import DispatchConfig, Objective, OfferRules
from dispatch.simulation import (
    AlwaysAccept,
    Commitment,
    Constant,
    Day,
    Environment,
    Every,
    Policy,
    RollingHorizon,
)
from dispatch.simulation.bias import BiasedHorizon
from dispatch.simulation.compare import mean_interval
from dispatch.simulation.logit import Listening, LogitBehaviour, tuned
from dispatch.simulation.measures import summarise
from dispatch.simulation.scorers import LearntEffects
from dispatch.simulation.spec import Source
from dispatch.simulation.twins import TwinBehaviour, twin_day, twin_gap

DAYS = 8
ORDERS, COURIERS = 300, 45
WEIGHTS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
STEPS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01)
LABEL = {"term": "weight", "bias": "step"}
ACCEPTANCE, GAP = 0.71, 2.0


def days() -> list[Day]:
    return [Source(orders=ORDERS, couriers=COURIERS, day=d).load() for d in range(DAYS)]


def config(fairness: float) -> DispatchConfig:
    return DispatchConfig(
        objective=replace(Objective(), fairness=fairness), offers=OfferRules(expires_after_s=150)
    )


def rolling(day: Day, fairness: float, model: object = None, margin_s: float = 0) -> RollingHorizon:
    dispatcher = Dispatcher(model or Constant(), config(fairness), day.travel)
    return RollingHorizon(dispatcher, Commitment(margin_s=margin_s))


def draw(points: dict[str, tuple[float, float]], path: str) -> None:
    """Draw mean Gini against mean penalised excess, by policy; names are `kind parameter`."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    for kind, colour in (("term", "#1f5f99"), ("bias", "#d95f02")):
        mine = {n.split()[1]: p for n, p in points.items() if n.startswith(kind)}
        x, y = zip(*mine.values(), strict=True)
        ax.plot(x, y, "o-", color=colour, label=f"{kind}, by {LABEL[kind]}", markersize=4)
        for parameter, point in mine.items():
            ax.annotate(parameter, point, xytext=(4, 4), textcoords="offset points", fontsize=7)
    ax.set_xlabel("penalised excess, minutes")
    ax.set_ylabel("Gini of orders per hour online")
    ax.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def curves() -> None:
    every = days()
    points: dict[str, tuple[float, float]] = {}
    policies: dict[str, Callable[[Day], Policy]] = {
        **{f"term {w:g}": lambda d, w=w: Policy(rolling(d, w), Every(60)) for w in WEIGHTS},
        **{
            f"bias {s:g}": lambda d, s=s: Policy(BiasedHorizon(rolling(d, 0.0), s), Every(60))
            for s in STEPS
        },
    }
    base: np.ndarray | None = None
    rng = np.random.default_rng(0)
    print(
        "| policy | penalised excess, min | less none, 95 % | late | Gini orders/h | "
        "Gini earnings/h | worst decile | nothing |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, make in policies.items():
        rows = []
        for day in every:
            m = summarise(Environment(day, make(day), AlwaysAccept()).run())
            fair, paid = (m["fairness"][f"{x}_per_online_h"] for x in ("orders", "earnings"))
            rows.append(
                (
                    m["orders"]["penalised_excess_min"],
                    m["orders"]["late_share"],
                    fair["gini"],
                    paid["gini"],
                    paid["worst_decile"],
                    fair["nothing"],
                )
            )
        found = np.array(rows)
        base = found[:, 0] if base is None else base
        low, high = mean_interval(found[:, 0] - base, rng)
        excess, late, gini, paid_gini, worst, nothing = found.mean(axis=0)
        points[name] = (excess, gini)
        print(
            f"| {name} | {excess:.2f} | {low:+.2f} to {high:+.2f} | {late:.1%} | {gini:.3f} | "
            f"{paid_gini:.3f} | {worst:.2f} | {nothing:.1f} |",
            flush=True,
        )
    if len(sys.argv) > 2:
        draw(points, sys.argv[2])


def tax() -> None:
    every = [twin_day(day) for day in days()]
    listening = Listening(AlwaysAccept())
    Environment(every[0], Policy(rolling(every[0], 0.02), Every(60)), listening).run()
    law = tuned(LogitBehaviour(), listening.questions, ACCEPTANCE)
    behaviour = TwinBehaviour(law, GAP)
    aware = LearntEffects(law, ACCEPTANCE)
    faceless = replace(aware, strength=1e9)  # knows the law, and nobody's past
    blind = Constant(ACCEPTANCE)

    def plain(model: object, fairness: float) -> Callable[[Day], Policy]:
        return lambda d: Policy(rolling(d, fairness, model, 120), Every(60))

    policies = {
        "blind, term 0": plain(blind, 0.0),
        "blind, term 0.02": plain(blind, 0.02),
        "law only, term 0.02": plain(faceless, 0.02),
        "aware, term 0": plain(aware, 0.0),
        "aware, term 0.02": plain(aware, 0.02),
        "aware, term 0.2": plain(aware, 0.2),
        "aware, bias 0.001": lambda d: Policy(
            BiasedHorizon(rolling(d, 0.0, aware, 120), 0.001), Every(60)
        ),
    }
    rng = np.random.default_rng(0)
    print(
        "| policy | accepted by agreeable, choosy | earnings per busy hour, 95 % | earnings per "
        "online hour, 95 % | offers per online hour | excess, min |"
    )
    print("|---|---|---|---|---|---|")
    for name, make in policies.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        logs = [
            Environment(day, make(day), behaviour, seed).run() for seed, day in enumerate(every)
        ]
        each = [twin_gap([log.account]) for log in logs]
        all_days = twin_gap([log.account for log in logs])
        excess = np.mean([summarise(log)["orders"]["penalised_excess_min"] for log in logs])
        shown = []
        for measure in ("earnings_per_busy_h", "earnings_per_online_h"):
            low, high = mean_interval(np.array([getattr(g, measure) for g in each]), rng)
            shown.append(f"{getattr(all_days, measure):+.1%} ({low:+.1%} to {high:+.1%})")
        print(
            f"| {name} | {all_days.acceptance_agreeable:.0%}, {all_days.acceptance_choosy:.0%} | "
            f"{shown[0]} | {shown[1]} | {all_days.offers_per_online_h:+.1%} | {excess:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    {"curves": curves, "tax": tax}[sys.argv[1] if len(sys.argv) > 1 else "curves"]()
