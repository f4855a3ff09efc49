"""Forest kernels: an ensemble turned into planes of bits, in C and in numba."""

from models.kernels.library import variants
from models.kernels.native import CodedEntity, NativeForest
from models.kernels.program import Program

__all__ = ["CodedEntity", "NativeForest", "Program", "variants"]
