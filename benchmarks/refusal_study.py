"""What knowing acceptance is worth on days whose couriers refuse: policies on paired seeds.

The busiest hours of a Grubhub instance, couriers of a documented logit law with hidden effects,
answers after one to two minutes, a refused pair blocked for a quarter of an hour. The acceptance
model is trained on offers logged by the blind policy on days of other seeds. Single orders a
minute, so that the study is affordable. Run one acceptance level a call.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dispatch import Dispatcher
from dispatch.config import DispatchConfig
from dispatch.datasets import GrubhubInstance, public_data_dir
from dispatch.domain import Snapshot
from dispatch.prepare import AcceptanceScorer, PairScorer
from dispatch.simulation import (
    AlwaysAccept,
    Commitment,
    Constant,
    Day,
    DayLog,
    Decision,
    Environment,
    Every,
    Kind,
    Outcome,
    Policy,
    RollingHorizon,
)
from dispatch.simulation.compare import mean_interval
from dispatch.simulation.grubhub import GrubhubRun, measure
from dispatch.simulation.grubhub.policies import PERIOD_S, SINGLE_ORDERS
from dispatch.simulation.logit import Listening, LogitBehaviour, tuned
from dispatch.simulation.scorers import LearntEffects
from dispatch.tables import KINDS
from models import PairColumns, train

TEST = "0o50t100s1p100"
PAST = ("1r50t75s2p100", "1o50t100s1p100", "2r50t75s1p125")
HOURS = 2.0
EARLY_S = 180.0
EXPIRES_S = 150.0
GENTLE = 0.15
"""Share of a refusal's price kept: who is refused is offered again in minutes, not served last."""
ASK_AGAIN_S = 150.0
"""From an offer that is refused to the next one: an answer takes 60 to 150 s, an epoch 60."""
MEASURES = ("penalised_excess", "click_to_door", "undelivered_percent")


class Gentle:
    """A belief in which refusals cost less: 1 - p times a share."""

    def __init__(self, model: AcceptanceScorer, share: float) -> None:
        self._model, self._share = model, share
        self.version = f"{model.version}, refusals at {share:g}"

    def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Raise every probability."""
        return 1 - self._share * (1 - self._model.predict_proba(columns))


class Oracle:
    """The couriers' law, hidden effects included."""

    version = "oracle"

    def __init__(self, law: LogitBehaviour) -> None:
        self._law = law
        self._effect: dict[str, float] = {}
        self._couriers: np.ndarray = np.zeros(0)

    def see(self, snapshot: Snapshot) -> None:
        """Note who the couriers of the next question are."""
        for courier in snapshot.couriers:
            if courier.id not in self._effect:
                self._effect[courier.id] = self._law.effect(courier.id)
        self._couriers = np.array([self._effect[c.id] for c in snapshot.couriers])

    def predict_pairs(self, pairs: PairColumns) -> np.ndarray:
        """Return the true chance of k pairs."""
        columns, law = pairs.expand(), self._law
        work_s = columns["to_pickup_s"] + columns["wait_s"] + columns["trip_s"]
        left_s = columns["shift_left_s"] - columns["until_free_s"] - work_s
        odds = law.intercept + self._couriers[pairs.courier_row]
        odds += law.inbound_per_min * (columns["to_pickup_s"] / 60 - 6)
        odds += law.outbound_per_min * (columns["trip_s"] / 60 - 10)
        odds += law.wait_per_min * (columns["wait_s"] / 60 - 4)
        odds += law.shift_end * (left_s < 900)
        return np.clip(1 / (1 + np.exp(-odds)), 1e-6, 1 - 1e-6)

    def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Not asked: pairs come with their couriers."""
        raise NotImplementedError("the oracle knows couriers, not columns")


class SoftOracle(Oracle):
    """The law, with refusals at a share of their price."""

    version = "oracle, gentle"

    def predict_pairs(self, pairs: PairColumns) -> np.ndarray:
        """Return the true chance of k pairs, raised."""
        return 1 - GENTLE * (1 - super().predict_pairs(pairs))


class ByExpectedTime:
    """A belief under which an offer is worth the expected minutes until somebody rides.

    A refusal costs what the next best courier costs who is asked `ASK_AGAIN_S` later until they
    accept, less the time to spare of who is told early, and not the price of serving the order
    last. Whom to ask first is then who brings the least expected time to the door, a likely
    acceptor farther away or a nearer gamble.
    """

    def __init__(self, model: PairScorer, version: str) -> None:
        self._model = model
        self.version = f"{version}, by expected time"

    def see(self, snapshot: Snapshot) -> None:
        """Pass on who the couriers are to a model that wants to know."""
        if isinstance(self._model, Oracle):
            self._model.see(snapshot)

    def predict_pairs(self, pairs: PairColumns) -> np.ndarray:
        """Return the chance at which the dispatcher's own price of a refusal is the right one."""
        chance, columns, order = self._model.predict_pairs(pairs), pairs.expand(), pairs.order_row
        rides_s = columns["until_free_s"] + columns["to_pickup_s"] + columns["trip_s"]
        door_s = rides_s + columns["wait_s"]
        # every order's pairs by what asking them after a refusal, until they accept, comes to
        spare_s = np.minimum(columns["wait_s"], EARLY_S)
        later_s = door_s + np.maximum(ASK_AGAIN_S / chance - spare_s, 0.0)
        ranking = np.lexsort((later_s, order))
        start = np.searchsorted(order[ranking], order)
        best = ranking[start]
        second = ranking[np.minimum(start + 1, len(ranking) - 1)]
        other = np.where(best == np.arange(len(order)), second, best)
        slowest_s = np.full(int(order.max(initial=-1)) + 1, -np.inf)
        np.maximum.at(slowest_s, order, door_s)
        last_s = slowest_s[order] + CONFIG.objective.retry_s
        after_s = np.where(order[other] == order, np.minimum(later_s[other], last_s), last_s)
        price = (1 - chance) * np.maximum(after_s - door_s, 0.0) / (last_s - door_s)
        return np.asarray(np.clip(1 - price, 1e-6, 1 - 1e-9))

    def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Not asked: pairs come with their orders."""
        raise NotImplementedError("the expected time is an order's, over all its couriers")


class Seeing(RollingHorizon):
    """A rolling horizon whose scorer is told who the couriers are."""

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        """Let the scorer see, then decide."""
        model = self.dispatcher.model
        if isinstance(model, Oracle | ByExpectedTime):
            model.see(snapshot)
        return super().decide(snapshot, next_epoch_s)


@dataclass
class Recorder:
    """Accepts everything in its belief, and remembers what it was asked about."""

    version: str = "recorder"
    pairs: PairColumns | None = None

    def predict_pairs(self, pairs: PairColumns) -> np.ndarray:
        """Remember the pairs."""
        self.pairs = pairs
        return np.full(len(pairs.courier_row), 1 - 1e-9)

    def predict_proba(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Believe in acceptance."""
        return np.full(len(columns["to_pickup_s"]), 1 - 1e-9)


class Logging(RollingHorizon):
    """A blind rolling horizon that keeps an offers log as a platform would."""

    def __init__(self, recorder: Recorder, day: Day, commitment: Commitment) -> None:
        super().__init__(Dispatcher(recorder, CONFIG, day.travel), commitment)
        self._recorder = recorder
        self._open: dict[tuple[str, str], dict[str, object]] = {}
        self.rows: list[dict[str, object]] = []

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Write down how offers were answered."""
        for outcome in outcomes:
            row = self._open.pop((outcome.order_ids[0], outcome.courier_id), None)
            if row is not None and outcome.answer != "void":
                accepted = int(outcome.answer == "accepted")
                self.rows.append({**row, "offer_id": outcome.offer_id, "accepted": accepted})

    def decide(self, snapshot: Snapshot, next_epoch_s: float) -> Decision:
        """Decide, and note what was known of every offer made."""
        decision = super().decide(snapshot, next_epoch_s)
        pairs = self._recorder.pairs
        if not decision.proposals or pairs is None:
            return decision
        order = {o.id: k for k, o in enumerate(snapshot.orders)}
        courier = {c.id: k for k, c in enumerate(snapshot.couriers)}
        known = zip(pairs.order_row.tolist(), pairs.courier_row.tolist(), strict=True)
        at = {pair: k for k, pair in enumerate(known)}
        wanted = [at[order[p.order_ids[0]], courier[p.courier_id]] for p in decision.proposals]
        columns = pairs.take(np.array(wanted)).expand()
        for k, proposal in enumerate(decision.proposals):
            name = proposal.order_ids[0]
            self._open[name, proposal.courier_id] = {
                "order_id": name,
                "courier_id": proposal.courier_id,
                "offered_at": snapshot.now,
                **{column: float(values[k]) for column, values in columns.items()},
            }
        return decision


CONFIG: DispatchConfig = replace(
    SINGLE_ORDERS, offers=replace(SINGLE_ORDERS.offers, expires_after_s=EXPIRES_S)
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acceptance", type=float, default=0.71)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--past-seeds", type=int, default=6)
    parser.add_argument("--only", nargs="+", help="policies by name, the first to compare with")
    parser.add_argument("--json", type=Path, help="keep every day's measures")
    args = parser.parse_args()
    data = public_data_dir()
    if data is None or not (data / "grubhub").is_dir():
        sys.exit("skipped: data not present, get it from github.com/grubhub/mdrplib")
    test = busiest(GrubhubInstance.read(data / "grubhub" / TEST))
    past = [busiest(GrubhubInstance.read(data / "grubhub" / name)) for name in PAST]
    law = behaviour_for(test.day(), args.acceptance)
    log = past_offers(past, law, args.past_seeds)
    model = train(log)
    print(
        f"mean acceptance set to {args.acceptance}; {len(test.orders)} orders; trained on "
        f"{len(log)} offers, {log['accepted'].mean():.2f} accepted"
    )
    early, late = Commitment(margin_s=EARLY_S), Commitment()
    mean = float(log["accepted"].mean())

    def rolling(
        model: Callable[[], AcceptanceScorer], commitment: Commitment, backups: int = 0
    ) -> Callable[[Day], Policy]:
        def make(day: Day) -> Policy:
            dispatcher = Dispatcher(model(), CONFIG, day.travel)
            return Policy(Seeing(dispatcher, commitment, backups=backups), Every(PERIOD_S))

        return make

    policies = {
        "blind": rolling(Constant, late),
        "blind, told 3 min earlier": rolling(Constant, early),
        "blind, told 1 min earlier": rolling(Constant, Commitment(margin_s=60.0)),
        "blind, told 5 min earlier": rolling(Constant, Commitment(margin_s=300.0)),
        "blind, told 3 min earlier, 2 backups": rolling(Constant, early, 2),
        "aware, told earlier": rolling(lambda: model, early),
        "aware, gentle, told earlier": rolling(lambda: Gentle(model, GENTLE), early),
        "aware, gentle, 2 backups": rolling(lambda: Gentle(model, GENTLE), early, 2),
        "law and effects learnt in the day, gentle": rolling(
            lambda: Gentle(LearntEffects(law, mean), GENTLE), early
        ),
        "aware, by expected time, told earlier": rolling(
            lambda: ByExpectedTime(model, "aware"), early
        ),
        "oracle, by expected time, told earlier": rolling(
            lambda: ByExpectedTime(Oracle(law), "oracle"), early
        ),
        "oracle, gentle, told earlier": rolling(lambda: SoftOracle(law), early),
        "oracle, gentle, 2 backups": rolling(lambda: SoftOracle(law), early, 2),
    }
    policies = {name: make for name, make in policies.items() if name in (args.only or policies)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in policies}
    for seed in range(args.seeds):
        for name, make in policies.items():
            day = test.day()
            lived = Environment(day, make(day), law, seed).run()
            found[name].append(measured(lived, test))
        if args.json:
            args.json.write_text(json.dumps(found))
    report(found)


def busiest(instance: GrubhubInstance) -> GrubhubInstance:
    """Keep the orders of the busiest hours."""
    placed = instance.orders["placement_time"].to_numpy(np.float64)
    counts = [((placed >= t) & (placed < t + 60 * HOURS)).sum() for t in placed]
    start = placed[int(np.argmax(counts))]
    inside = (placed >= start) & (placed < start + 60 * HOURS)
    return replace(instance, orders=instance.orders[inside].reset_index(drop=True))


def behaviour_for(day: Day, acceptance: float) -> LogitBehaviour:
    """Set the law to a mean acceptance over the offers of a day on which all are accepted."""
    ear = Listening(AlwaysAccept())
    policy = Policy(RollingHorizon(Dispatcher(Constant(), CONFIG, day.travel)), Every(PERIOD_S))
    Environment(day, policy, ear).run()
    return tuned(LogitBehaviour(), ear.questions, acceptance)


def past_offers(past: list[GrubhubInstance], law: LogitBehaviour, seeds: int) -> pd.DataFrame:
    """Log the offers of the blind policy, one day after the other."""
    frames = []
    for k, (instance, seed) in enumerate((i, s) for s in range(seeds) for i in past):
        day = instance.day()
        policy = Logging(Recorder(), day, Commitment(margin_s=EARLY_S))
        Environment(day, Policy(policy, Every(PERIOD_S)), law, 1000 + seed).run()
        frame = pd.DataFrame(policy.rows)
        for name in ("offer_id", "order_id"):
            frame[name] = f"{k}-" + frame[name]
        frame["vehicle"] = [KINDS[int(code)].value for code in frame["vehicle"]]
        frame["courier_id"] = f"{instance.name}-" + frame["courier_id"]
        frame["offered_at"] = pd.to_datetime(frame["offered_at"], utc=True) + pd.Timedelta(days=k)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def measured(log: DayLog, instance: GrubhubInstance) -> dict[str, float]:
    """Measure a day, and how its offers fared."""
    found = measure(GrubhubRun.of_log(instance, log), instance).as_dict()
    count = {kind: sum(e.kind is kind for e in log.events) for kind in Kind}
    return {
        **{name: found[name] for name in MEASURES},
        "acceptance": count[Kind.ACCEPTED] / max(count[Kind.OFFERED], 1),
        "offers_per_order": count[Kind.OFFERED] / found["orders"],
    }


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Print means, and paired differences from the first two policies with bootstrap intervals."""
    rng = np.random.default_rng(0)
    excess = {
        name: np.array([day["penalised_excess"] for day in days]) for name, days in found.items()
    }
    bases = list(found)[:2]
    heads = " | ".join(f"less {name}" for name in bases)
    print(f"| policy | accepted | offers per order | undelivered % | CtD | excess | {heads} |")
    print("|---" * (6 + len(bases)) + "|")
    for name, days in found.items():
        mean = {key: float(np.mean([day[key] for day in days])) for key in days[0]}
        gaps = []
        for base in bases:
            gap = excess[name] - excess[base]
            low, high = mean_interval(gap, rng)
            said = f"{gap.mean():+.2f} [{low:+.2f}, {high:+.2f}], {(gap < 0).sum()} of {len(gap)}"
            gaps.append("" if name == base else said)
        print(
            f"| {name} | {mean['acceptance']:.2f} | {mean['offers_per_order']:.2f} | "
            f"{mean['undelivered_percent']:.2f} | {mean['click_to_door']:.2f} | "
            f"{mean['penalised_excess']:.2f} | {' | '.join(gaps)} |"
        )


if __name__ == "__main__":
    main()
