"""Numbers for the leaves of a tree, chosen so that few multiplexers compute them.

Below a split only those bits cost a multiplexer in which its leaves differ. So the leaves of every
part of a tree are given numbers from a subcube (a pattern such as 01**1) of as few free bits as
will hold them, as a buddy allocator hands out memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import Final

MOST_BITS: Final = 5
"""Beyond, leaves are numbered from left to right: there are 3 ** bits subcubes to look through."""


def number_leaves(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Distinct numbers below 2 ** b of the n leaves of a tree, 2 ** b >= n as small as can be.

    Children are splits k > 0 or ~leaf; splits come after the split above them.
    """
    bits = len(left).bit_length()
    if bits > MOST_BITS:
        return number_in_order(left, right)
    return _in_subcubes(left, right, _sizes(left, right), bits)


def number_in_order(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Numbers of the leaves from left to right; children as `number_leaves` takes them."""
    size = _sizes(left, right)
    start, number = [0] * len(left), [0] * (len(left) + 1)
    for k, children in enumerate(zip(left, right, strict=True)):
        at = start[k]
        for child in children:
            if child >= 0:
                start[child] = at
                at += size[child]
            else:
                number[~child] = at
                at += 1
    return number


def _sizes(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Leaves below each split."""
    size = [0] * len(left)
    for k in reversed(range(len(left))):
        size[k] = sum(size[c] if c >= 0 else 1 for c in (left[k], right[k]))
    return size


def _in_subcubes(
    left: Sequence[int], right: Sequence[int], size: Sequence[int], bits: int
) -> list[int]:
    """Choose from sets of numbers, each an int with a bit for every member."""
    number = [0] * (len(left) + 1)

    def count(part: int) -> int:
        return size[part] if part >= 0 else 1

    def take(part: int, free: int, low: bool) -> int:
        """Give the leaves of a part numbers from `free`; return what is left of it."""
        if part < 0:
            number[~part] = _lowest(free) if low else free.bit_length() - 1
            return free ^ 1 << number[~part]
        own = _tightest(free, count(part), bits, low)
        # 0 on the left and 1 on the right is the split itself, at no cost.
        small, large = (left[part], True), (right[part], False)
        if count(large[0]) < count(small[0]):
            small, large = large, small
        # Whoever needs fewer free bits than there are chooses first; a leaf takes what is left.
        if _bits(count(large[0])) < _bits(own.bit_count()) or small[0] < 0:
            return free ^ own ^ take(small[0], take(large[0], own, large[1]), small[1])
        chosen = _tightest(own, count(small[0]), bits, small[1])
        rest = take(small[0], chosen, small[1])
        return free ^ own ^ take(large[0], own ^ chosen ^ rest, large[1])

    take(0 if left else ~0, (1 << (1 << bits)) - 1, low=True)
    return number


def _bits(n: int) -> int:
    return (n - 1).bit_length()


def _lowest(members: int) -> int:
    return (members & -members).bit_length() - 1


def _tightest(free: int, n: int, bits: int, low: bool) -> int:
    """Find what is free in the smallest and then fullest subcube that has n numbers free."""
    for size in range(_bits(n), bits):
        found = [free & cube for cube in _subcubes(bits, size) if (free & cube).bit_count() >= n]
        if found:
            return min(found if low else found[::-1], key=int.bit_count)
    return free


@cache
def _subcubes(bits: int, size: int) -> tuple[int, ...]:
    """All subcubes of `size` free bits, each as the set of its members."""
    cubes = []
    for free in combinations(range(bits), size):
        span = sum(1 << bit for bit in free)
        for base in range(1 << bits):
            if not base & span:
                cubes.append(sum(1 << n for n in range(1 << bits) if n & ~span == base))
    return tuple(sorted(cubes))
