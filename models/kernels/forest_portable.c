/* The kernel for portable: hand-written but for few pairs (docs/evolved-kernels.md). */
#define FEW_PAIRS 1
#define ISA portable
#include "forest_body.h"
