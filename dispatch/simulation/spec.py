"""What a run consists of, as data: a source of days, policies and behaviours by their parameters.

A run's specification is written beside its results and is enough to run it again.
"""

import json
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from dispatch.config import BundleRules, CandidateRules, DispatchConfig, Objective, OfferRules
from dispatch.domain import STRICT
from dispatch.errors import InvalidInputError, Problem
from dispatch.simulation.behaviour import AlwaysAccept, Behaviour
from dispatch.simulation.day import Day
from dispatch.simulation.logit import LogitBehaviour
from dispatch.simulation.policy import Policy, When, Whom
from dispatch.validate import structural_findings

T = TypeVar("T")

_PATIENT = DispatchConfig(offers=OfferRules(expires_after_s=150.0))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a day comes from: the synthetic city, or a folder of a public format."""

    __pydantic_config__ = STRICT

    layout: Literal["synthetic", "grubhub", "colombia"] = "synthetic"
    folder: str = ""
    city_seed: Annotated[int, Field(ge=0)] = 2025
    day: Annotated[int, Field(ge=0, le=100_000)] = 0
    orders: Annotated[int, Field(ge=1, le=100_000)] = 900
    couriers: Annotated[int, Field(ge=1, le=100_000)] = 130

    def load(self) -> Day:
        """Read or draw the day."""
        from dispatch.datasets import ColombianDay, GrubhubInstance, SyntheticCity, synthetic_day

        if self.layout == "grubhub":
            return GrubhubInstance.read(self.folder).day()
        if self.layout == "colombia":
            return ColombianDay.read(self.folder).day()
        city = SyntheticCity(
            seed=self.city_seed, orders_per_day=self.orders, n_couriers=self.couriers
        )
        return synthetic_day(city, self.day)


def parse_source(text: str) -> Source:
    """Read `synthetic`, `synthetic,day=3,orders=200,couriers=30`, or a folder of a public format.

    Raises
    ------
    InvalidInputError
        An unknown name or value, or a folder of neither format.
    """
    kind, *options = text.split(",")
    if kind != "synthetic":
        folder = Path(text)
        for layout, file in (("grubhub", "orders.txt"), ("colombia", "orders.csv.gz")):
            if (folder / file).is_file():
                return _checked(_SOURCE, {"layout": layout, "folder": str(folder)}, "source")
        message = "expected synthetic, or a folder with orders.txt or orders.csv.gz"
        raise InvalidInputError("source", [Problem(text, message)])
    raw: dict[str, Any] = {}
    for option in options:
        name, _, value = option.partition("=")
        raw[name] = int(value) if value.isdecimal() else value
    return _checked(_SOURCE, raw, "source")


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """A policy by its parameters; loadable from TOML, the dispatcher's under `[dispatch]`.

    Attributes
    ----------
    period_s, event_gap_s
        Decide every so often; with a gap, also on events, on its multiples.
    commit_late, margin_s, first_job
        Tell couriers as late as is safe or at once, the whole trip or its first job: `Commitment`.
    backups
        Couriers asked after a refusal without waiting for the next epoch.
    urgent_step_s
        Raise an order's priority for every so long it has waited; 0: never.
    reposition
        Where idle couriers go.
    bias_step
        Step of the online bias per courier (see `BiasedHorizon`); 0: none.
    model, chance
        Folder of an acceptance model, or the one chance believed of every offer.
    """

    __pydantic_config__ = STRICT

    name: Annotated[str, Field(min_length=1, max_length=64)] = "default"
    period_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    event_gap_s: Annotated[float, Field(ge=1, le=3600)] | None = None
    commit_late: bool = True
    margin_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    first_job: bool = False
    backups: Annotated[int, Field(ge=0, le=50)] = 0
    urgent_step_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    reposition: Literal["stay", "pickups"] = "stay"
    bias_step: Annotated[float, Field(ge=0, le=100)] = 0.0
    model: str | None = None
    chance: Annotated[float, Field(gt=0, lt=1)] = 1 - 1e-9
    dispatch: DispatchConfig = _PATIENT

    def make(self, day: Day) -> Policy:
        """Make the policy for one run of a day, with the day's travel times and shift rule."""
        from dispatch.pipeline import Dispatcher
        from dispatch.simulation.bias import BiasedHorizon
        from dispatch.simulation.reposition import BackToPickups, Stay
        from dispatch.simulation.rolling import Commitment, RollingHorizon
        from dispatch.simulation.scorers import Constant
        from dispatch.simulation.when import Every, OnEvents
        from dispatch.simulation.whom import Everyone, UrgentFirst

        candidates = replace(self.dispatch.candidates, shift_covers=day.rules.shift_covers)
        config = replace(self.dispatch, candidates=candidates)
        if self.model is None:
            dispatcher = Dispatcher(Constant(self.chance), config, day.travel)
        else:
            import models

            dispatcher = Dispatcher(models.load(self.model), config, day.travel)
        commitment = Commitment(self.commit_late, self.margin_s, self.first_job)
        horizon = RollingHorizon(dispatcher, commitment, backups=self.backups)
        when: When = Every(self.period_s)
        if self.event_gap_s is not None:
            when = OnEvents(self.event_gap_s, self.period_s)
        whom: Whom = UrgentFirst(self.urgent_step_s) if self.urgent_step_s else Everyone()
        return Policy(
            assign=BiasedHorizon(horizon, self.bias_step) if self.bias_step else horizon,
            when=when,
            whom=whom,
            reposition=BackToPickups() if self.reposition == "pickups" else Stay(),
            name=self.name,
        )


CHAINS = PolicyRules(
    name="chains",
    first_job=True,
    dispatch=DispatchConfig(
        policy_id="chains",
        candidates=CandidateRules(
            couriers_per_order=40, max_pickup_m=200_000, max_new_orders=3, shift_covers="pickup"
        ),
        bundles=BundleRules(
            enabled=True,
            mates_per_order=6,
            couriers_per_pair=6,
            couriers_per_triple=4,
            orders_per_courier=6,
            max_ready_gap_s=3600.0,
            one_visit_per_place=True,
            finish_first=True,
        ),
        objective=Objective(acceptance=1.0, delivery_time=1.0, lateness=0.0, fairness=0.0),
        offers=replace(_PATIENT.offers, rivals=0),  # no backups, and nobody asks why
    ),
)
"""Minutes to the door count, trips are chains of jobs at one restaurant each, told job by job.

The default for days under the rules of the Grubhub instances, all of them alike.
"""

POLICIES: dict[str, PolicyRules] = {
    rules.name: rules
    for rules in (
        PolicyRules(),
        CHAINS,
        PolicyRules(name="at-once", commit_late=False),
        PolicyRules(name="five-minutes", period_s=300.0),
        PolicyRules(
            name="fair",
            dispatch=replace(_PATIENT, objective=replace(_PATIENT.objective, fairness=0.2)),
        ),
        PolicyRules(
            name="unfair",
            dispatch=replace(_PATIENT, objective=replace(_PATIENT.objective, fairness=0.0)),
        ),
        PolicyRules(
            name="bias",
            bias_step=0.0005,
            dispatch=replace(_PATIENT, objective=replace(_PATIENT.objective, fairness=0.0)),
        ),
    )
}
"""Policies by name, for comparisons."""


def load_policy(text: str) -> PolicyRules:
    """Return a policy of `POLICIES` by its name, or read one from TOML.

    Raises
    ------
    InvalidInputError
        Unreadable TOML, unknown names and values out of range, all at once.
    """
    if text in POLICIES:
        return POLICIES[text]
    raw = _toml(text, "policy", f"; expected TOML or one of {', '.join(POLICIES)}")
    return _checked(_POLICY, {"name": Path(text).stem, **raw}, "policy")


@dataclass(frozen=True, slots=True)
class CourierRules:
    """How couriers behave: everybody accepts at once, or chooses by a logit."""

    __pydantic_config__ = STRICT

    kind: Literal["accept", "logit"] = "accept"
    logit: LogitBehaviour = field(default_factory=LogitBehaviour)

    def make(self) -> Behaviour:
        """Make the behaviour."""
        return AlwaysAccept() if self.kind == "accept" else self.logit


def load_couriers(path: str) -> CourierRules:
    """Read couriers from TOML: `kind`, and the law's parameters under `[logit]`.

    Raises
    ------
    InvalidInputError
        Unreadable TOML, unknown names and values out of range.
    """
    return _checked(_COURIERS, _toml(path, "couriers"), "couriers")


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A day, a policy, couriers and a seed: what makes a run, and makes it again."""

    __pydantic_config__ = STRICT

    source: Source = field(default_factory=Source)
    policy: PolicyRules = field(default_factory=PolicyRules)
    couriers: CourierRules = field(default_factory=CourierRules)
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    def to_json(self) -> str:
        """Write the specification, defaults included."""
        return _RUN.dump_json(self, indent=1).decode()

    @staticmethod
    def from_json(text: str | bytes) -> "RunSpec":
        """Read back what `to_json` wrote.

        Raises
        ------
        InvalidInputError
            Listing what is wrong.
        """
        try:
            return _RUN.validate_json(text)
        except ValidationError as error:
            raise _invalid(error, "run") from None


_SOURCE = TypeAdapter(Source)
_POLICY = TypeAdapter(PolicyRules)
_COURIERS = TypeAdapter(CourierRules)
_RUN = TypeAdapter(RunSpec)


def _toml(path: str, what: str, otherwise: str = "") -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text())
    except OSError as error:
        message = (error.strerror or "cannot be read").lower() + otherwise
    except ValueError as error:
        message = f"is not TOML: {error}"
    raise InvalidInputError(what, [Problem(path, message)])


def _checked(adapter: TypeAdapter[T], raw: object, what: str) -> T:
    try:
        return adapter.validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise _invalid(error, what) from None


def _invalid(error: ValidationError, what: str) -> InvalidInputError:
    return InvalidInputError(
        what, [Problem(f.path, f.message) for f in structural_findings(error, what)]
    )
