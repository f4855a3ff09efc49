/* The kernel for avx2: hand-written but for few pairs (docs/evolved-kernels.md). */
#define FEW_PAIRS 1
#define ISA avx2
#include "forest_body.h"
