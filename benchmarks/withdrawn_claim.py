"""What a search reports when no candidate runs: `python benchmarks/withdrawn_claim.py DIR`.

The public claim of evolved kernels was withdrawn because the "optimised" side had never loaded the
kernel: both sides were the same code, and what was reported was noise. Here the same is done on
purpose. Twenty "candidates" are all the hand-written kernel; each is timed once, on its own,
against a baseline timed once before all of them, and the best is reported. Then the same times are
compared as this project compares them, in pairs; and a candidate that never ran is handed to the
gates.

DIR is a folder of `dispatch evolve`: its scenarios are used.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.kernels.evolve.build import Builder
from models.kernels.evolve.genome import Genome
from models.kernels.evolve.judge import Judge
from models.kernels.evolve.suite import Suite


class NeverLoaded(Builder):
    """Compiles each candidate, and hands out the hand-written kernel."""

    def timed(self, _genome: Genome) -> Path:
        """Return what is timed: the hand-written kernel."""
        return super().timed(Genome())

    def guarded(self, _genome: Genome) -> Path:
        """Return what is checked: the hand-written kernel."""
        return super().guarded(Genome())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--candidates", type=int, default=20)
    args = parser.parse_args()
    suite = Suite(args.folder / "suite")
    judge = Judge(suite, Builder(args.folder / "built"))
    names = [scenario.name for scenario in suite.searched]
    once, paired = [], []
    for _ in range(args.candidates + 1):
        seconds = judge.time(Genome(), suite.searched, budget_s=0.03)["seconds"]
        logs = [np.log(seconds[name]) for name in names]
        once.append([own[0] for own in logs])
        paired.append([np.median(own[:, 0] - own[:, 1]) for own in logs])
    alone = np.array(once)  # runs, scenarios, sides
    baseline = alone[0, :, 0]
    gain = baseline - alone[1:, :, 1]
    best = int(gain.mean(axis=1).argmax())
    # Where the baseline happened to be fast, the "gain" is small.
    alike = np.corrcoef(alone.mean(axis=(0, 2)) - baseline, gain[best])[0, 1]
    pairs = np.array(paired)
    print(f"{args.candidates} candidates, all the hand-written kernel; {len(names)} scenarios\n")
    print("| compared | best candidate, mean | its scenarios | speed of the baseline and gain |")
    print("|---|---|---|---|")
    shown = (
        ("once, baseline before all", gain[best], f"correlation {alike:.2f}"),
        ("in pairs, median", pairs[int(pairs.mean(axis=1).argmax())], ""),
    )
    for how, found, note in shown:
        mean, low, high = (np.expm1(each) for each in (found.mean(), found.min(), found.max()))
        print(f"| {how} | {mean:+.1%} | {low:+.1%} to {high:+.1%} | {note} |")
    fake = replace(Genome(), narrow_rows=64, narrow_up_to=256)
    rejected = Judge(suite, NeverLoaded(args.folder / "built")).check(fake)
    print(f"\nThe gates on a candidate that never ran: {rejected.gate} ({rejected.reason})")


if __name__ == "__main__":
    main()
