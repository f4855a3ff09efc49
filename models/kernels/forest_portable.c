/* The kernel for portable. */
#define ISA portable
#include "forest_body.h"
