/* The kernel for avx512. */
#define ISA avx512
#include "forest_body.h"
