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
    judge = Judge(suite, Builder(args.folder / "built"), most_pairs=5)
    names = [scenario.name for scenario in suite.searched]
    runs = []
    for _ in range(args.candidates + 1):
        seconds = judge.time(Genome(), suite.searched, budget_s=1e-6)["seconds"]
        runs.append(np.array([seconds[name] for name in names]))  # (scenarios, pairs, 2)
    logs = np.log(np.array(runs))
    alone = np.median(logs, axis=2)
    baseline, candidates = alone[0, :, 0], alone[1:, :, 1]
    gain = baseline - candidates
    best = int(gain.mean(axis=1).argmax())
    paired = np.median(logs[1:, ..., 0] - logs[1:, ..., 1], axis=2).mean(axis=1)
    # Where the baseline happened to be fast, the "gain" is small.
    usual = alone.mean(axis=(0, 2))
    alike = np.corrcoef(usual - baseline, gain[best])[0, 1]
    top, low, high = (np.expm1(each) for each in (gain[best].mean(), gain.min(), gain.max()))
    print(f"{args.candidates} candidates, all the hand-written kernel; {len(names)} scenarios\n")
    print("| baseline | best candidate, mean | single scenarios | speed of the baseline and gain |")
    print("|---|---|---|---|")
    print(
        f"| timed once, before | {top:+.1%} | {low:+.1%} to {high:+.1%} | correlation {alike:.2f} |"
    )
    pairs = np.median(logs[1:, ..., 0] - logs[1:, ..., 1], axis=2)
    top, low, high = (np.expm1(each) for each in (paired.max(), pairs.min(), pairs.max()))
    print(f"| in pairs | {top:+.1%} | {low:+.1%} to {high:+.1%} | |")
    fake = replace(Genome(), narrow_rows=64, narrow_up_to=256)
    rejected = Judge(suite, NeverLoaded(args.folder / "built")).check(fake)
    print(f"\nThe gates on a candidate that never ran: {rejected.gate} ({rejected.reason})")


if __name__ == "__main__":
    main()
