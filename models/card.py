"""The model card: what a model is, what it was made of, how well it does and where it ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from models.acceptance import AcceptanceModel
from models.reliability import ReliabilityRow

LIMITS: Final = (
    "It predicts the answer to an offer as the past policy made offers; couriers it never asked, "
    "or never asked from so far, are extrapolation.",
    "Optimizing over its probabilities picks those that err upwards: use the corrected figure of "
    "the honest evaluation for any claim, not the mean of the chosen probabilities.",
    "No answer counts as a refusal, so it knows nothing of why an offer was not taken.",
    "Intervals speak of what these features can tell, not of what they leave out.",
    "It uses no protected or private trait by name; that no column stands in for one is for the "
    "deployment to check (`refused`).",
)


def model_card(model: AcceptanceModel) -> dict[str, Any]:
    """Return the card as JSON-able data.

    Raises
    ------
    NotFittedError
        If the model is not calibrated.
    """
    total = sum(each.importance for each in model.reference_) or 1.0
    importance = {each.name: each.importance / total for each in model.reference_}
    return {
        "version": model.version,
        "task": "chance that a courier accepts an offered order",
        "data": {
            **asdict(model.training_),
            "first_offer": _moment(model.training_.first_offer_s),
            "last_offer": _moment(model.training_.last_offer_s),
        },
        "params": asdict(model.params),
        "trees": {name: each.n_trees for name, each in model.ensembles().items()},
        "cities": sorted(model.city_ensembles_),
        "calibration": asdict(model.calibration_report_),
        "metrics": {name: asdict(metric) for name, metric in model.metrics_.items()},
        "monotone_cost": cost if (cost := model.monotone_cost_) is None else asdict(cost),
        "reliability": [asdict(row) for row in model.reliability_],
        "slices": [asdict(row) for row in model.slices_],
        "features": [
            {
                "name": spec.name,
                "unit": spec.unit,
                "of": spec.source,
                "direction": spec.monotone if model.params.monotone else 0,
                "importance": importance[spec.name],
                "description": spec.description,
            }
            for spec in sorted(model.schema_.features, key=lambda s: -importance[s.name])
        ],
        "limits": list(LIMITS),
    }


def model_card_markdown(model: AcceptanceModel) -> str:
    """Return the card as Markdown; the reliability plot is expected beside it as reliability.png.

    Raises
    ------
    NotFittedError
        If the model is not calibrated.
    """
    facts = model_card(model)
    data, losses = facts["data"], facts["calibration"]["log_loss"]
    parts = [
        f"# Acceptance model {facts['version']}",
        f"Predicts the {facts['task']}.",
        "## Data",
        f"{data['rows']:,} offers of {data['orders']:,} orders to {data['couriers']:,} couriers, "
        f"{data['first_offer']} to {data['last_offer']}; {data['base_rate']:.1%} accepted. "
        "Calibrated and judged on offers after these, which share no order with them.",
        "## Model",
        f"{facts['trees']['model']} trees over {len(facts['features'])} features (LightGBM, "
        f"monotone directions {'on' if facts['params']['monotone'] else 'off'}), "
        f"{facts['calibration']['chosen']} calibration (held-out log-loss: "
        + ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
        + f"), {facts['params']['n_folds']} fold models, {facts['params']['n_bags']} bags"
        + (f", trees of their own for {', '.join(facts['cities'])}." if facts["cities"] else "."),
        "## On the newest offers, never trained on",
        *_metrics(facts["metrics"]),
        *_directions(facts["monotone_cost"]),
        "## Reliability",
        "![predicted against observed acceptance](reliability.png)",
        *_rows("predicted", model.reliability_),
        "## By slice",
        *_rows("slice", model.slices_),
        "## What counts",
        "Share of the mean absolute contribution (TreeSHAP) on the offers above. Direction: "
        "+ more makes acceptance no less likely, - no more likely.",
        _table(
            ("feature", "unit", "of the", "share", "direction", "meaning"),
            (
                (
                    f["name"],
                    f["unit"],
                    f["of"],
                    f"{f['importance']:.1%}",
                    {1: "+", 0: "", -1: "-"}[f["direction"]],
                    f["description"],
                )
                for f in facts["features"]
            ),
        ),
        "## Limits",
        "\n".join(f"- {limit}" for limit in facts["limits"]),
    ]
    return "\n\n".join(parts) + "\n"


def _metrics(metrics: dict[str, dict[str, float]]) -> list[str]:
    if not metrics:
        return ["Not judged: fitted and calibrated step by step, without `train`."]
    return [
        _table(
            ("metric", "value", "90 % interval"),
            (
                (name.replace("_", " "), f"{m['value']:.4f}", f"{m['low']:.4f} to {m['high']:.4f}")
                for name, m in metrics.items()
            ),
        )
    ]


def _directions(cost: dict[str, float] | None) -> list[str]:
    if cost is None:
        return []
    return [
        f"Monotone directions add {cost['value']:+.4f} ({cost['low']:+.4f} to {cost['high']:+.4f}) "
        "to the log-loss, against as many trees grown without them."
    ]


def _rows(first: str, rows: Sequence[ReliabilityRow]) -> list[str]:
    if not rows:
        return ["Not judged."]
    return [
        _table(
            (first, "offers", "predicted", "observed", "90 % interval"),
            (
                (
                    row.label,
                    f"{row.rows:,}",
                    f"{row.predicted:.1%}",
                    f"{row.observed:.1%}",
                    f"{row.low:.1%} to {row.high:.1%}" + ("" if row.consistent else " (outside)"),
                )
                for row in rows
            ),
        )
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
