/* The kernel for avx2. */
#define ISA avx2
#include "forest_body.h"
