"""`dispatch assign`."""

import json
import sys
from pathlib import Path

import typer
from rich.console import Console

from dispatch.cli.outcome import note
from dispatch.cli.reading import load_dispatcher, read_intake
from dispatch.cli.render import render_frontier, render_plan
from dispatch.config import FairnessRules, FrontierMethod
from dispatch.operating import AtKnee, ByBound, ByWeights
from dispatch.result import Plan
from optimization import Deadline


def run(
    snapshot: str,
    model: Path,
    *,
    config: Path | None,
    out: Path | None,
    geojson: Path | None,
    point: ByWeights | ByBound | AtKnee,
    frontier: bool,
    method: FrontierMethod | None,
    fairness: FairnessRules | None,
    deadline_ms: int | None,
    lenient: bool,
    as_json: bool,
    timings: bool,
) -> None:
    """Dispatch, then write and print the plan."""
    dispatcher = load_dispatcher(model, config)
    deadline = Deadline.after(None if deadline_ms is None else deadline_ms / 1000)
    intake = read_intake(snapshot, lenient=lenient)
    for problem in intake.problems:
        note(f"set aside: {problem}")
    plan = dispatcher.assign(
        intake,
        deadline=deadline,
        operating_point=point,
        include_frontier=frontier,
        fairness=fairness,
        method=method,
    )
    text = plan.to_json(indent=1, timings=timings) + "\n"
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
        note(f"plan written to {out}")
    if geojson is not None:
        geojson.write_text(json.dumps(plan.to_geojson(intake.snapshot)) + "\n")
        note(f"routes written to {geojson}")
    if as_json:
        typer.echo(text, nl=False)
        return
    console = Console(file=sys.stdout)
    render_plan(console, plan, intake.snapshot.timezone, timings=timings)
    if plan.frontier is not None:
        render_frontier(console, plan.frontier)
    plan_file = out or "PLAN.json (write it with --out)"
    console.print(
        f"\nServe it:  dispatch serve --model {model}\n"
        f"Ask why:   dispatch why {plan_file} {_example(plan)}",
        highlight=False,
        soft_wrap=True,
    )


def _example(plan: Plan) -> str:
    return plan.offers[0].order_ids[0] if plan.offers else "ORDER"
