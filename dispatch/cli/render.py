"""Plans and frontiers as tables for a terminal."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from dispatch.domain import StopKind
from dispatch.explain import WORDS, change_in_words
from dispatch.result import Considered, Objectives, Plan, Route
from dispatch.tradeoff import FrontierPoint, FrontierReport

_MOST_ROWS = 25  # of a frontier
_SIGN = {StopKind.PICKUP: "↑", StopKind.DROPOFF: "↓"}


def render_plan(console: Console, plan: Plan, timezone: str, *, timings: bool) -> None:
    """Print offers, unassigned and held orders, objectives, proof and timings."""
    zone = ZoneInfo(timezone)
    console.print(_offers(plan, zone))
    if plan.unassigned:
        console.print(_unassigned(plan))
    if plan.held:
        console.print(_held(plan))
    if plan.locked:
        names = ", ".join(entry.order_id for entry in plan.locked)
        console.print(f"Locked by pending offers: {names}", highlight=False)
    console.print(_objectives(plan))
    solver = plan.solver
    console.print(
        f"[bold]{solver.status}[/bold] by {solver.engine}, stopped: {solver.stop_reason}; "
        f"weighted sum {solver.objective:.4f}, bound {solver.bound:.4f}, gap {solver.gap:.2%} "
        f"{solver.bound_scope} ({solver.pairs} pairs, {solver.mode})",
        highlight=False,
    )
    if solver.message:
        console.print(f"Note: {solver.message}", highlight=False)
    if timings:
        stages = "  ".join(f"{name} {1000 * s:.1f}" for name, s in plan.timings_s.items())
        console.print(f"Milliseconds by stage: {stages}", highlight=False)


def _offers(plan: Plan, zone: ZoneInfo) -> Table:
    routes = {route.courier_id: route for route in plan.routes}
    table = Table(
        title=f"Plan {plan.decision_id[:12]} for {_clock(plan.decided_for, zone)}",
        caption="↑ pickup, ↓ dropoff, · already on board",
    )
    table.add_column("order")
    table.add_column("courier")
    for name in ("accepts", "pickup", "door", "in"):
        table.add_column(name, justify="right")
    table.add_column("stops", overflow="fold")
    for offer in plan.offers:
        route = routes[offer.courier_id]
        at = {(s.kind, s.order_id): s.at for s in route.stops}
        for order_id in offer.order_ids:
            table.add_row(
                order_id,
                offer.courier_id,
                f"{offer.probability:.0%}",
                _clock(at[StopKind.PICKUP, order_id], zone),
                _clock(at[StopKind.DROPOFF, order_id], zone),
                f"{offer.door_in_s / 60:.0f} min",
                _stops(route),
            )
    return table


def _stops(route: Route) -> str:
    return " ".join(
        f"{'·' if stop.accepted else ''}{_SIGN[stop.kind]}{stop.order_id}" for stop in route.stops
    )


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M:%S}"


def _unassigned(plan: Plan) -> Table:
    table = Table(title="Unassigned")
    table.add_column("order")
    table.add_column("reason")
    table.add_column("couriers", overflow="fold")
    changes = any(left.changes for left in plan.unassigned)
    if changes:
        table.add_column("cheapest change", overflow="fold")
    for left in plan.unassigned:
        row = [left.order_id, left.reason.replace("_", " "), _counts(left.considered)]
        if changes:
            row.append(change_in_words(left.changes[0]) if left.changes else "")
        table.add_row(*row)
    return table


def _held(plan: Plan) -> Table:
    table = Table(title="Held for the next epoch")
    table.add_column("order")
    table.add_column("why", overflow="fold")
    for held in plan.held:
        table.add_row(held.order_id, held.reason)
    return table


def _counts(considered: Considered) -> str:
    parts = [f"{count} {WORDS[name]}" for name, count in considered.ruled_out.items()]
    if considered.feasible:
        parts.append(f"{considered.feasible} could take it")
    return ", ".join(parts) or "none online"


def _objectives(plan: Plan) -> Table:
    o = plan.objectives
    table = Table(title="Objectives")
    for name in ("objective", "value", "which is"):
        table.add_column(name, justify="right" if name == "value" else "left")
    table.add_row(
        "acceptance",
        f"{o.expected_acceptances:.2f} orders",
        f"{o.acceptance_rate:.1%} of the orders waiting{_interval(o)}; {o.acceptance_basis}",
    )
    table.add_row(
        "naive claim",
        f"{o.naive_acceptances:.2f} orders",
        "sum of the probabilities that the offers were chosen by",
    )
    table.add_row(
        "delivery time",
        f"{o.delivery_time_min:.1f} min",
        f"{o.mean_delivery_time_min:.1f} min an order; {o.lateness_min:.1f} min late in all",
    )
    table.add_row(
        "fairness",
        f"{o.fairness_spread:.2f} {o.fairness_unit}",
        f"{o.fairness_notion}; sd {o.fairness.get('spread_sd', 0):.2f}, "
        f"Gini {o.fairness.get('gini', 0):.3f}",
    )
    return table


def _interval(o: Objectives) -> str:
    if o.acceptance_low is None or o.acceptance_high is None:
        return ""
    return f", {o.acceptance_low:.1f} to {o.acceptance_high:.1f} orders"


def render_frontier(console: Console, frontier: FrontierReport) -> None:
    """Print the frontier from the most efficient plan to the fairest, and what it is worth."""
    weights = ", ".join(f"{k} {v:g}" for k, v in frontier.efficiency_weights.items())
    swept = frontier.method == "sweep"
    found = "weight: of fairness, per unit of efficiency" if swept else "sum: some weights find it"
    table = Table(
        title=f"Frontier, most efficient to fairest (efficiency: {weights})",
        caption=f"accepted: {frontier.acceptance_basis}; spread: fairness, "
        f"{frontier.fairness_unit}; lost, removed: of the first row's; {found}",
    )
    shown = _shown(frontier)
    open_gaps = any(point.gap for point in shown)
    for name in ("accepted", "naive", "minutes", "late", "spread", "lost", "removed"):
        table.add_column(name, justify="right")
    table.add_column("weight" if swept else "sum", justify="right")
    for name in ("gap", "") if open_gaps else ("",):
        table.add_column(name, justify="right")
    for point in shown:
        table.add_row(
            f"{point.expected_acceptances:.2f}",
            f"{point.naive_acceptances:.2f}",
            f"{point.delivery_time_min:.0f}",
            f"{point.lateness_min:.0f}",
            f"{point.fairness_spread:.2f}",
            f"{point.acceptance_lost:.1%}",
            f"{point.spread_removed:.1%}",
            _found_by(point, frontier.efficiency_weights),
            *([f"{point.gap:.2%}"] if open_gaps else []),
            "knee" if point.knee else "",
        )
    console.print(table)
    if len(shown) < len(frontier.points):
        console.print(
            f"{len(shown)} of {len(frontier.points)} points are shown; --out writes them all.",
            highlight=False,
        )
    console.print(
        f"1 % less acceptance buys {frontier.spread_removed_for(0.01):.1%} less spread. "
        f"Hypervolume {frontier.hypervolume:.4f} of the rectangle from ideal to nadir"
        + (
            "."
            if not frontier.hypervolume_gap
            else f", at most {frontier.hypervolume_gap:.4f} more by points not found."
        ),
        highlight=False,
    )
    if frontier.note:
        console.print(f"Note: {frontier.note}", highlight=False)
    if not frontier.complete:
        console.print("The deadline or a limit cut the search short: points may be missing.")


def _shown(frontier: FrontierReport) -> list[FrontierPoint]:
    """Pick the ends, the knee and evenly spaced points in between, for a screen."""
    last = len(frontier.points) - 1
    step = max(1.0, last / (_MOST_ROWS - 1))
    places = {round(k * step) for k in range(_MOST_ROWS)} | {last}
    places |= {k for k, point in enumerate(frontier.points) if point.knee}
    return [frontier.points[k] for k in sorted(places) if k <= last]


def _found_by(point: FrontierPoint, efficiency: Mapping[str, float]) -> str:
    if point.supported is not None:
        return "yes" if point.supported else "no"
    name = max(efficiency, key=lambda key: efficiency[key])
    return f"{point.weights['fairness'] * efficiency[name] / point.weights[name]:.4g}"
