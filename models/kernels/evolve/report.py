"""The end of a search: the winner on every scenario, those held out once, A/A runs beside them."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from models.kernels.evolve.genome import Genome
from models.kernels.evolve.judge import Judge
from models.kernels.evolve.search import CANDIDATES, Ledger, failures
from models.kernels.evolve.suite import Scenario
from models.kernels.evolve.timing import speedups, void_because

REPORT: Final = "report.json"
SHIPS_AT: Final = 1.3
"""How much faster than the hand-written kernel a winner has to be on what was held out."""


def machine(judge: Judge) -> dict[str, Any]:
    """Where it was timed, with what, and how busy it was."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "compiler": judge.builder.description,
        "versions": {name: metadata.version(name) for name in ("numpy", "lightgbm")},
        "load": [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else [],
        "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def same_against_itself(judge: Judge, scenarios: Sequence[Scenario], **how: Any) -> dict[str, Any]:
    """Time the baseline against a copy of itself, and say whether that makes a report void."""
    timed = judge.time(judge.baseline, scenarios, **how)
    if "gate" in timed:
        return {"void": f"{timed['gate']}: {timed['reason']}"}
    found = speedups(timed["seconds"])
    return {**asdict(found), "void": void_because(found), "seconds": timed["seconds"]}


def finish(
    folder: Path,
    judge: Judge,
    winner: Genome,
    *,
    budget_s: float = 1.5,
    most_pairs: int = 301,
    progress: Callable[[str], None] = lambda _text: None,
) -> dict[str, Any]:
    """Judge the winner of a search for good and write `report.json`.

    The baseline against itself comes first: where that makes a report void, nothing is judged, so
    that what was held out stays unseen. It is judged once: a folder that has a report keeps it.

    Raises
    ------
    ValueError
        If there is a report already, the machine is not quiet enough, or the winner does not pass
        the gates any more.
    """
    path = folder / REPORT
    if path.exists():
        raise ValueError(f"{path} is there: what was held out is judged once")
    checked = judge.check(winner)
    if not checked.passed:
        raise ValueError(f"the winner was rejected by {checked.gate}: {checked.reason}")
    how: dict[str, Any] = {"budget_s": budget_s, "most_pairs": most_pairs}
    sets = {"searched": judge.suite.searched, "held_out": judge.suite.held_out}
    progress("the hand-written kernel against itself")
    same = {name: same_against_itself(judge, cases, **how) for name, cases in sets.items()}
    if void := "; ".join(each["void"] for each in same.values() if each["void"]):
        raise ValueError(f"not quiet enough to judge: {void}")
    parts: dict[str, Any] = {}
    for name, scenarios in sets.items():
        progress(f"the winner, {len(scenarios)} scenarios")
        timed = judge.time(winner, scenarios, **how)
        if "gate" in timed:
            raise ValueError(f"the winner was rejected by {timed['gate']}: {timed['reason']}")
        found = speedups(timed["seconds"])
        parts[name] = {**asdict(found), "slower": found.slower, "same": same[name], **timed}
    report = {
        "machine": machine(judge),
        "winner": asdict(winner),
        "baseline": asdict(judge.baseline),
        "error_class": checked.error_class,
        "ships": checked.error_class == "exact" and parts["held_out"]["low"] >= SHIPS_AT,
        "failures": failures(Ledger(folder / CANDIDATES)),
        **parts,
    }
    path.write_text(json.dumps(report, indent=1))
    return report


def tables(report: dict[str, Any]) -> str:
    """Write a report as Markdown: every scenario, regressions marked, the A/A run beside them."""
    lines = []
    for name, title in (("searched", "searched on"), ("held_out", "held out")):
        part = report[name]
        lines += [f"| {title} | hand-written / winner | A/A |", "|---|---|---|"]
        for scenario, ratio in part["scenarios"].items():
            mark = " **slower**" if ratio < 1.0 else ""
            same = part["same"].get("scenarios", {}).get(scenario, float("nan"))
            lines.append(f"| {scenario} | {ratio:.2f}{mark} | {same:.3f} |")
        same_mean = part["same"].get("mean", float("nan"))
        mean = f"{part['mean']:.3f} [{part['low']:.3f}, {part['high']:.3f}]"
        lines += [f"| **geometric mean** [95 %] | **{mean}** | {same_mean:.3f} |", ""]
    total = sum(report["failures"].values())
    failed = {gate: n for gate, n in report["failures"].items() if gate}
    named = ", ".join(f"{gate} {n}" for gate, n in failed.items()) or "none"
    lines.append(f"{total} candidates, {sum(failed.values())} rejected ({named}).")
    return "\n".join(lines)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
