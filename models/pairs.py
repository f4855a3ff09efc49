"""Raw columns of many courier-order pairs, each kept with what it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.columns import RAW_COLUMNS, column_problems, with_unknown
from models.errors import FeatureError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Columns = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class PairColumns:
    """Tables of couriers, orders and the moment, and the pairs between them.

    What belongs to a courier, an order or the moment is stated once and not once a pair, so a
    million pairs take no more than their own travel times.

    Attributes
    ----------
    courier, order
        Raw columns of the couriers (m,) and orders (n,).
    context
        Raw columns of the moment, each (1,).
    pair
        Raw columns that differ from pair to pair, each (k,).
    courier_row, order_row
        Rows of each pair in the tables, (k,).
    """

    courier: Columns
    order: Columns
    context: Columns
    pair: Columns
    courier_row: IntArray
    order_row: IntArray

    def __len__(self) -> int:
        return len(self.courier_row)

    def groups(self) -> tuple[tuple[Columns, IntArray | None], ...]:
        """Return each table with the row of every pair in it; None where it is the same row."""
        return (
            (self.courier, self.courier_row),
            (self.order, self.order_row),
            (self.context, None),
        )

    def take(self, pairs: IntArray) -> PairColumns:
        """Return the pairs named by index, in that order."""
        return replace(
            self,
            pair={name: values[pairs] for name, values in self.pair.items()},
            courier_row=self.courier_row[pairs],
            order_row=self.order_row[pairs],
        )

    def with_unknown(self, names: Iterable[str]) -> PairColumns:
        """Return the tables with those of the raw columns `names` that may lack and do."""
        lacking = set(names).difference(self._given())
        return replace(self, context=with_unknown(self.context, lacking, 1))

    def expand(self) -> dict[str, FloatArray]:
        """Return every column with one value a pair, each (k,)."""
        found = dict(self.pair)
        for columns, row in self.groups():
            at = np.zeros(len(self), dtype=np.int64) if row is None else row
            found |= {name: values[at] for name, values in columns.items()}
        return found

    def check(self, names: tuple[str, ...]) -> None:
        """Refuse tables that are not the raw columns `names`.

        Raises
        ------
        FeatureError
            Naming every missing, doubled, misshapen, out-of-range or forbidden column at once.
        """
        tables, given = self._tables(), self._given()
        problems = [
            f"{name}: given in more than one table; give it once"
            for name in sorted({name for name in given if given.count(name) > 1})
        ]
        missing = [n for n in names if n not in given and not RAW_COLUMNS[n].may_lack]
        if missing:
            problems.append(f"missing columns {', '.join(missing)}: supply one float64 array each")
        k = len(self)
        sizes = (_height(self.courier), _height(self.order), 1, k)
        for table, size in zip(tables, sizes, strict=True):
            own = tuple(name for name in names if name in table)
            problems += column_problems(table, own, range(size))
        rows = (
            ("courier_row", self.courier_row, sizes[0]),
            ("order_row", self.order_row, sizes[1]),
        )
        for name, row, size in rows:
            if row.shape != (k,) or row.dtype != np.int64:
                problems.append(f"{name}: expected int64 of shape ({k},), got {row.dtype}")
            elif k and not 0 <= row.min() <= row.max() < size:
                problems.append(
                    f"{name}: expected rows in [0, {size - 1}]; align it with its table"
                )
        if problems:
            raise FeatureError("pairs refused", problems)

    def _tables(self) -> tuple[Columns, ...]:
        return self.courier, self.order, self.context, self.pair

    def _given(self) -> list[str]:
        return [name for table in self._tables() for name in table]


def _height(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))
