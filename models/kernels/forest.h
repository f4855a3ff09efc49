/* Scoring of a tree ensemble: what the Python side hands over.
 *
 * A feature is first turned into a code: how many of the model's own thresholds (its cuts) lie below
 * the value. Every split then asks "is the code at least k", which is the same for all values that
 * share a code, so nothing is rounded. Codes are bytes; a feature with more than 255 cuts takes
 * several byte columns, the j-th holding the code less 255 j, held within 0 to 255.
 *
 * Slots are planes, one bit a row of a block. Slot 0 is all zeros, slot 1 all ones; then one plane
 * for each cut of each feature (set where the row goes right), one for each set of categories, and
 * behind them the results of the multiplexers of the tree at hand.
 *
 * All indices were checked by the caller; nothing here reads the arrays before that.
 */
#ifndef FOREST_H
#define FOREST_H

#include <stdint.h>

enum { CUTS_PER_COLUMN = 255, PLANES_PER_TREE = 8, MIN_TABLE = 32, FIRST_PLANE = 2 };
enum { MASK_TREES = 32, MASK_SCALES = 64 };
/* A multiplexer is three slots in a word, each counted in bytes of the narrowest block. */
enum { SLOT_BITS = 21, SLOT_MASK = (1 << SLOT_BITS) - 1, SLOT_UNIT = 8 };
enum { COUNT = 0x7FFFFFFF }; /* the part of an entry of `cells` that counts */

typedef struct {
    float low;          /* the grid cell of x is (x - low) * per_unit, held within the grid */
    float per_unit;
    int32_t feature;    /* column of the feature matrix */
    int32_t n_cuts;
    int32_t first_cut;  /* into cuts; infinity follows the last cut of a scale */
    int32_t first_cell; /* into cells, which end with the number of all cuts */
    int32_t last_cell;
    int32_t nan_code;
    int32_t zero_code;
    int32_t first_column;
    int32_t n_columns;
    int32_t most_in_cell; /* most cuts in one cell */
} Scale;

typedef struct {
    int32_t scale;
    int32_t answer;   /* into answers: 1 at `answer + code` where a code goes right */
    int32_t child[2]; /* nodes; both the node itself where it is a leaf */
} Node;

/* A split of each of 32 trees: where code - low < span, unsigned, only the leaves `kept` remain. */
typedef struct {
    uint8_t scale[MASK_TREES];
    uint16_t low[MASK_TREES];
    uint16_t span[MASK_TREES];
    uint32_t kept[MASK_TREES];
} MaskStep;

typedef struct {
    const Scale *scales;
    const double *cuts;
    const int32_t *cells; /* number of cuts before the cell; the sign is set where it holds cuts */
    const int32_t *set_first; /* of each set of categories, into set_plane */
    const int32_t *set_plane; /* planes of cuts at which membership changes */
    const uint64_t *ops;      /* (selector, where 0, where 1) of each multiplexer */
    const int32_t *op_first;  /* of each tree, into ops */
    const uint16_t *out;      /* slots of the bits of the leaf number, lowest first, 8 a tree */
    const int32_t *leaf_first;
    const int32_t *leaf_count;
    const double *leaf;       /* at least 32 entries a tree */
    const int32_t *root;      /* node of each tree, filled up to a multiple of 16 trees */
    const int32_t *n_steps;   /* of the deepest of each 16 trees */
    const Node *nodes;        /* all splits, then a node for each place in leaf */
    const uint8_t *answers;
    const uint32_t *leaf_words; /* the first 32 of each tree's leaves: low words, then high words */
    const MaskStep *mask_steps;
    const int32_t *mask_first;  /* of each 32 trees, into mask_steps */
    const double *mask_leaf;    /* 32 a tree, from left to right */
    const uint8_t *told;        /* of each scale: 1 where no multiplexer looks at it; or NULL */
    double leaf_scale;          /* a power of two; sums of leaves times it fit 31 bits */
    int64_t n_scales;
    int64_t n_columns;
    int64_t n_cut_planes;
    int64_t n_sets;
    int64_t n_slots;
    int64_t n_trees;
    int64_t n_splits;
    int64_t n_mask_groups; /* 0 where masks cannot hold the forest */
    int64_t walk_only;     /* more slots or leaves than the planes can number */
} Forest;

/* Rows of one kind of thing (couriers, orders, the moment), coded once and shared by many pairs. */
typedef struct {
    const uint8_t *codes;   /* n_columns bytes a row, and unused ones up to a multiple of eight */
    const int64_t *row;     /* of each pair; NULL where all pairs share row 0 */
    const int32_t *columns; /* byte columns of the forest */
    int64_t n_columns;
} Entity;

typedef struct {
    const Entity *entities;
    int64_t n_entities;
    const int32_t *scales;        /* scales that differ from pair to pair */
    const double *const *values;  /* and their feature, one value a pair */
    int64_t n_scales;
} Pairs;

/* Every function returns 0, or 1 where memory could not be had. */
#define DECLARE(isa)                                                                               \
    int forest_rows_##isa(const Forest *, const double *x, int64_t n, int64_t n_features,          \
                          double *out);                                                            \
    int forest_pairs_##isa(const Forest *, const Pairs *, int64_t start, int64_t n, double *out);  \
    int forest_codes_##isa(const Forest *, const int32_t *scales, int64_t n_scales,                \
                           const double *x, int64_t n, int64_t n_columns, uint8_t *codes);

int forest_told(const Forest *, const uint8_t *codes, const int32_t *columns, int64_t n_columns,
                uint64_t *ops, int32_t *op_first, uint16_t *out, uint8_t *told);

DECLARE(portable)
DECLARE(avx2)
DECLARE(avx512)

#endif
