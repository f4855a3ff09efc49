/* What a search may choose (models/kernels/evolve/genome.py says what each means and may be); whatever
 * is not defined before is what is shipped. */
#ifndef FOREST_PARAMS_H
#define FOREST_PARAMS_H

#define BY_WALK 1 /* FEW */
#define BY_MASKS 2
#define FLOAT64 0 /* LEAF */
#define FLOAT32 1
#define INT32 2

#ifndef WIDE
#define WIDE 512 /* rows of a block */
#endif
#ifndef NARROW
#define NARROW 0 /* rows of a narrow block; 0: there are none */
#endif
#ifndef NARROW_ROWS
#define NARROW_ROWS 0 /* so many rows left are done in narrow blocks */
#endif
#ifndef FEW
#define FEW BY_WALK
#endif
#ifndef FEW_ROWS
#define FEW_ROWS 10 /* so many rows left are done one by one */
#endif
#ifndef FEW_PAIRS
#define FEW_PAIRS 0 /* pairs too; 0: always in blocks */
#endif
#ifndef MASK_ROWS
#define MASK_ROWS 1 /* rows that masks are applied to at once */
#endif
#ifndef BYTES_ROWS
#define BYTES_ROWS 0 /* blocks of so many rows compare codes as bytes, larger ones as slices of bits */
#endif
#ifndef TREES_AT_ONCE
#define TREES_AT_ONCE 8
#endif
#ifndef UNROLL
#define UNROLL 4
#endif
#ifndef PREFETCH
#define PREFETCH 1
#endif
#ifndef LEAF
#define LEAF FLOAT64
#endif
#ifndef LEAF_WORDS
#define LEAF_WORDS 0 /* leaf tables with low and high words apart, as registers take them */
#endif
#ifndef GRID
#define GRID 1 /* values coded by vectors of floats; 0: one by one */
#endif
#ifndef RUNS
#define RUNS 0 /* pairs that share a courier or order one after the other take its codes together */
#endif
#ifndef CLEARED
#define CLEARED 1 /* memory is cleared before use, though all of it is written before it is read */
#endif

/* For the search's harness: the candidate says how many rows it has scored, and a wrong variant of it
 * spoils each score. */
#ifndef RAN
#define RAN(rows) ((void)0)
#endif
#ifndef SCORE
#define SCORE(score) (score)
#endif

#endif
