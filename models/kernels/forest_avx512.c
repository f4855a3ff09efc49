/* The kernel for avx512, with what the search found (docs/evolved-kernels.md): `SHIPPED` of
 * models/kernels/evolve/genome.py. */
#define NARROW 64
#define NARROW_ROWS 256
#define FEW BY_MASKS
#define FEW_ROWS 16
#define FEW_PAIRS 1
#define MASK_ROWS 2
#define BYTES_ROWS 64
#define CLEARED 0
#define ISA avx512
#include "forest_body.h"
