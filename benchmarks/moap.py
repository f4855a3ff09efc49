"""Published multi-objective assignment problems and their non-dominated sets, read from files.

The data are not part of the project: `COURIER_DATA_DIR` names the folder that holds `moap/`
(default `../shared/data`). Sources: Tuyttens and others 2000 and Pedersen and others 2008 (two
objectives, from the MCDM library of multi-objective instances), Kirlik and Sayin 2014 (three).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from optimization import AssignmentProblem, Term, non_dominated

NOT_HERE = "data not present: get the moap sets and set COURIER_DATA_DIR to the folder above them"
PUBLISHED_FAULTS = (
    "tuyttens00 n = 30 publishes (12, 255), which (12, 227) dominates",
    "tuyttens00 n = 40 publishes (15, 355), which (15, 296) dominates",
    "tuyttens00 n = 45 publishes (10, 376), which (10, 374) dominates",
)


@dataclass(frozen=True)
class Instance:
    """An n x n assignment problem with k cost matrices (k, n, n) and its published set (p, k)."""

    name: str
    costs: NDArray[np.int64]
    published: NDArray[np.int64]

    def problem(self) -> AssignmentProblem:
        """Rows as orders, columns as couriers with room for one; terms z1, z2, ..."""
        k, n, _ = self.costs.shape
        ones = np.ones(n, np.int64)
        order, courier = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
        return AssignmentProblem.from_pairs(
            order,
            courier,
            order_size=ones,
            max_orders=ones,
            max_size=ones,
            leave=1000 * ones,
            terms=[
                Term.linear(f"z{i + 1}", "cost", 1, self.costs[i].ravel(), ones) for i in range(k)
            ],
        )


def folder() -> Path | None:
    """Where the sets are, None where they are not."""
    root = Path(os.environ.get("COURIER_DATA_DIR", "../shared/data")) / "moap"
    return root if root.is_dir() else None


def tuyttens(n: int) -> Instance:
    """Read Tuyttens00_AP_n{n}, its published end point corrected where it is known to be wrong."""
    root = _root() / "tuyttens00"
    name = f"Tuyttens00_AP_n{n:02d}"
    numbers = np.array((root / f"{name}.raw").read_text("utf-8").split(), np.int64)
    published = _json_points(root / "results" / f"{name}_result.json")
    corrections = json.loads((root / "endpoint_corrections.json").read_text("utf-8"))
    if fault := corrections.get(str(n)):
        wrong = (published == fault["published"]).all(axis=1)
        if wrong.sum() != 1:
            raise ValueError(f"{name}: expected the faulty point {fault['published']} once")
        published[wrong] = fault["correct"]
    return Instance(name, numbers[1 : 1 + 2 * n * n].reshape(2, n, n), published)


def pedersen_names() -> list[str]:
    """Names of the Pedersen instances."""
    return sorted(path.stem for path in (_root() / "pedersen08" / "xml").glob("*.xml"))


def pedersen(name: str) -> Instance:
    """Read one Pedersen instance by its name."""
    root = _root() / "pedersen08"
    # The files are ours to trust: local fixtures that declare no entities.
    tree = ElementTree.parse(root / "xml" / f"{name}.xml").getroot()  # noqa: S314
    n = int(tree.attrib["dimension"])
    costs = np.zeros((2, n, n), np.int64)
    for cell in tree.iter("cell"):
        entries = cell.findall("entry")
        if len(entries) != 1:
            raise ValueError(f"{name}: expected one entry a cell, got {len(entries)}")
        at = int(cell.attrib["row"]), int(cell.attrib["column"])
        costs[:, at[0], at[1]] = int(entries[0].attrib["c1"]), int(entries[0].attrib["c2"])
    return Instance(name, costs, _json_points(root / "results" / f"{name}_result.json"))


def kirlik(n: int, number: int) -> Instance:
    """Read Kirlik's three-objective instance of that size and number."""
    root = _root() / "kirlik14"
    name = f"AP_p-3_n-{n}_ins-{number}"
    text = (root / "instances" / f"{name}.dat").read_text("utf-8")
    numbers = np.array(re.findall(r"-?\d+", text), np.int64)
    k = int(numbers[0])
    published = np.loadtxt(root / "nd" / f"EffSet_{name}.txt", dtype=np.int64, ndmin=2)
    return Instance(name, numbers[2 : 2 + k * n * n].reshape(k, n, n), published)


def contradictions() -> list[str]:
    """Say where a published file of two objectives contradicts itself, or one of three is no set.

    Repeated or dominated points, counts that differ from the header's, and points called extreme,
    supported or unsupported (se, sne, us) that are not. A point that an unpublished plan dominates
    shows only when the set is computed: these are `PUBLISHED_FAULTS`.
    """
    told = []
    for path in sorted(_root().glob("*/results/*.json")):
        text = json.loads(path.read_text("utf-8"))
        rows = _json_points(path)
        kinds = [point["type"] for point in text["points"]]
        told += [f"{path.stem}: {fault}" for fault in _set_faults(rows)]
        counted = {"card": len(rows), "suppCard": len(kinds) - kinds.count("us")}
        counted["extCard"] = kinds.count("se")
        told += [f"{path.stem}: {k} is {n}" for k, n in counted.items() if text[k] != n]
        if kinds != _kinds(rows):
            told.append(f"{path.stem}: points are called what they are not")
    for path in sorted((_root() / "kirlik14" / "nd").glob("*.txt")):
        rows = np.loadtxt(path, dtype=np.int64, ndmin=2)
        told += [f"{path.stem}: {fault}" for fault in _set_faults(rows)]
    return told


def _set_faults(rows: NDArray[np.int64]) -> list[str]:
    faults = []
    if len(np.unique(rows, axis=0)) < len(rows):
        faults.append("points repeat")
    if not non_dominated(rows).all():
        faults.append("points are dominated")
    return faults


def _kinds(rows: NDArray[np.int64]) -> list[str]:
    """Call points (p, 2) in order extreme (se), supported between them (sne) or unsupported."""
    hull: list[int] = []
    for i, (e, f) in enumerate(rows.tolist()):
        while len(hull) > 1:
            (e_a, f_a), (e_b, f_b) = rows[hull[-2]].tolist(), rows[hull[-1]].tolist()
            if (e_b - e_a) * (f - f_a) > (e - e_a) * (f_b - f_a):
                break
            hull.pop()
        hull.append(i)
    kinds = []
    for i, (e, f) in enumerate(rows.tolist()):
        after = next(k for k in hull if k >= i)
        if after == i:
            kinds.append("se")
            continue
        (e_a, f_a), (e_b, f_b) = rows[max(k for k in hull if k < i)], rows[after]
        on_line = (e_b - e_a) * (f - f_a) == (e - e_a) * (f_b - f_a)
        kinds.append("sne" if on_line else "us")
    return kinds


def _root() -> Path:
    root = folder()
    if root is None:
        raise FileNotFoundError(NOT_HERE)
    return root


def _json_points(path: Path) -> NDArray[np.int64]:
    points = json.loads(path.read_text("utf-8"))["points"]
    return np.array([(p["z1"], p["z2"]) for p in points], np.int64)
