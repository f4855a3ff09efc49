"""Forest kernels in C, in numba and on a device: what they read, and what runs them."""

from models.kernels.library import variants
from models.kernels.native import CodedEntity, NativeForest
from models.kernels.program import Program

__all__ = ["CodedEntity", "NativeForest", "Program", "variants"]
