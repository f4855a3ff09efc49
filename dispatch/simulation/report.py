"""One HTML page of a run or a comparison: no assets, no scripts, to be sent as it is."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from string import Template
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dispatch.plotting.day import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    busiest_s,
    plot_click_to_door,
    plot_ledger,
    plot_moment,
    plot_timeline,
)
from dispatch.simulation.compare import BETTER_LOW, LEVEL, Comparison, PairedDifference
from dispatch.simulation.environment import DayLog
from dispatch.simulation.measures import HEADLINES, couriers_table, orders_table, summarise
from dispatch.simulation.runs import flat
from dispatch.simulation.spec import RunSpec

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.sub { color: #666; margin-top: .2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #e5e5e5; text-align: right; }
td:first-child, th:first-child { text-align: left; } th { font-weight: 600; }
.better { color: #1b6e3c; } .worse { color: #a33c00; }
.grid { margin-top: 1.5rem; align-items: start; display: grid;
  grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 1rem; }
img { width: 100%; height: auto; } pre { background: #f6f6f6; padding: .8rem; overflow-x: auto; }
</style></head><body>
<h1>$title</h1><p class="sub">$subtitle</p>
$body
</body></html>
""")

_COLOURS = (GREY, BLUE, ORANGE, GREEN, "#7a4f9e", "#8c6d31")


def run_report(log: DayLog, spec: RunSpec) -> str:
    """Write a run as one HTML page."""
    metrics = dict(flat(summarise(log)))
    rows = [(label, _shown(metrics[name], form)) for label, name, form in HEADLINES]
    orders, couriers = orders_table(log), couriers_table(log)
    pictures = [
        _picture(lambda ax: plot_click_to_door(orders, ax)),
        _picture(lambda ax: plot_timeline(log, ax)),
        _picture(lambda ax: plot_ledger(couriers, ax)),
        _picture(lambda ax: plot_moment(log, busiest_s(log), ax), (6.4, 5.6)),
    ]
    body = [
        _table(("", "value"), rows),
        f'<div class="grid">{"".join(pictures)}</div>',
        f"<details><summary>What was run</summary><pre>{escape(spec.to_json())}</pre></details>",
    ]
    count = f"{len(log.day.orders):,} orders, {len(log.day.shifts):,} couriers"
    return _PAGE.substitute(
        title=escape(f"{log.day.name}: policy {spec.policy.name}"),
        subtitle=escape(f"{count}, seed {spec.seed}, couriers: {spec.couriers.kind}"),
        body="\n".join(body),
    )


def comparison_report(
    comparison: Comparison,
    differences: Sequence[PairedDifference],
    excess: Mapping[str, "pd.Series[float]"],
) -> str:
    """Write a comparison as one HTML page; `excess` holds every delivered order's, by policy."""
    base, *others = comparison.values
    # counts are whole on one day, and not on average
    forms = {
        name: (label, form.replace(".0f", ".1f"))
        for label, name, form in HEADLINES
        if name in BETTER_LOW
    }
    body = [
        _table(
            ("mean over pairs", *comparison.values),
            [
                (label, *(_shown(_mean(v[name]), form) for v in comparison.values.values()))
                for name, (label, form) in forms.items()
            ],
        )
    ]
    labels = {name: (label, form.replace(":", ":+")) for name, (label, form) in forms.items()}
    for policy in others:
        body.append(f"<h2>{escape(policy)} less {escape(base)}</h2>")
        head = ("", "difference", f"{LEVEL:.0%} interval", "wins", "losses", "ties")
        mine = [d for d in differences if d.policy == policy and d.metric in labels]
        body.append(_table(head, [_row(d, *labels[d.metric]) for d in mine]))
    body.append('<div class="grid">')
    body.append(_picture(lambda ax: _plot_excess(excess, ax)))
    body.append(_picture(lambda ax: _plot_trade(comparison, ax)))
    body.append("</div>")
    body.append(f"<h2>Pairs</h2><p>{escape('; '.join(comparison.pairs))}</p>")
    return _PAGE.substitute(
        title=escape(f"Policies compared: {', '.join(comparison.values)}"),
        subtitle=f"{len(comparison.pairs)} pairs of the same day, couriers and seed; differences "
        "are means over pairs, with percentile bootstrap intervals",
        body="\n".join(body),
    )


def _plot_excess(excess: Mapping[str, "pd.Series[float]"], ax: Axes) -> Axes:
    for (name, values), colour in zip(excess.items(), _colours(len(excess)), strict=True):
        ordered = np.sort(values.dropna().to_numpy())
        share = np.arange(1, len(ordered) + 1) / max(len(ordered), 1)
        ax.step(ordered, share, where="post", label=name, color=colour, linewidth=1.4)
    top = max(
        (float(v.dropna().quantile(0.99)) for v in excess.values() if v.notna().any()), default=1.0
    )
    ax.set_xlim(0, max(top, 1.0))
    ax.set_ylim(0, 1)
    ax.set_xlabel("excess over the unavoidable click to door, minutes")
    ax.set_ylabel("share of delivered orders")
    ax.set_title("Excess, cumulative, to its 99th percentile", fontsize=10)
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    return ax


def _plot_trade(comparison: Comparison, ax: Axes) -> Axes:
    x, y = "orders.penalised_excess_min", "fairness.orders_per_online_h.gini"
    for (name, values), colour in zip(
        comparison.values.items(), _colours(len(comparison.values)), strict=True
    ):
        ax.scatter(values[x], values[y], s=14, alpha=0.5, color=colour)
        ax.scatter([_mean(values[x])], [_mean(values[y])], s=70, color=colour, label=name)
    ax.set_xlabel("penalised excess, minutes (less is better)")
    ax.set_ylabel("Gini of orders per hour online")
    ax.set_title("Speed and evenness: pairs (small) and means", fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    return ax


def _colours(count: int) -> list[str]:
    return [_COLOURS[k % len(_COLOURS)] for k in range(count)]


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None or np.isnan(value) else form.format(value)


def _row(d: PairedDifference, label: str, form: str) -> tuple[str, ...]:
    interval = f"{_shown(d.low, form)} to {_shown(d.high, form)}"
    return label, _judged(d, form), interval, str(d.wins), str(d.losses), str(d.ties)


def _judged(d: PairedDifference, form: str) -> str:
    text = _shown(d.difference, form)
    if not (d.low > 0 or d.high < 0):
        return text
    better = (d.difference < 0) == BETTER_LOW[d.metric]
    return f'<span class="{"better" if better else "worse"}">{text}</span>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _picture(draw: Callable[[Axes], Axes], size: tuple[float, float] = (6.4, 4.2)) -> str:
    figure = Figure(figsize=size, layout="constrained")
    said = escape(draw(figure.subplots()).get_title())
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=130)
    source = base64.b64encode(data.getvalue()).decode()
    return f'<img alt="{said}" src="data:image/png;base64,{source}">'
