/* A forest for pairs that all share a row: what is known of every pair is worked out once. */
#include <stdlib.h>

#include "forest.h"

static inline uint32_t slot_of(uint64_t op, int operand) {
    return (uint32_t)(op >> SLOT_BITS * operand & SLOT_MASK) / SLOT_UNIT;
}

static inline uint64_t op_of(const uint32_t slot[3]) {
    return ((uint64_t)slot[0] | (uint64_t)slot[1] << SLOT_BITS | (uint64_t)slot[2] << 2 * SLOT_BITS) *
           SLOT_UNIT;
}

/* Slots of planes as they are numbered, but 0 or 1 where the byte column's code is known. */
static void known_planes(const Forest *f, const int16_t *code, uint32_t *slot, uint8_t *told) {
    uint32_t at = FIRST_PLANE;
    slot[0] = 0;
    slot[1] = 1;
    for (int64_t i = 0; i < f->n_scales; i++) {
        const Scale *s = f->scales + i;
        told[i] = code[s->first_column] >= 0;
        for (int32_t cut = 0; cut < s->n_cuts; cut++, at++) {
            const int16_t own = code[s->first_column + cut / CUTS_PER_COLUMN];
            slot[at] = own < 0 ? at : own > cut % CUTS_PER_COLUMN;
        }
    }
    /* the planes of a set are of one feature: all are known or none is */
    for (int64_t i = 0; i < f->n_sets; i++, at++) {
        uint32_t right = 1, known = 1;
        for (int32_t j = f->set_first[i]; j < f->set_first[i + 1]; j++) {
            const uint32_t own = slot[FIRST_PLANE + f->set_plane[j]];
            known &= own < FIRST_PLANE;
            right ^= own;
        }
        slot[at] = known ? right & 1 : at;
    }
}

/* Leave out of n multiplexers those that no bit of the leaf's number needs; returns how many stay.
 * `moved` has a place for each. */
static int32_t keep_needed(uint64_t *ops, int32_t n, uint32_t first, uint16_t *out, uint32_t *moved) {
    uint32_t next = first;
    int32_t kept = 0;
    for (int32_t i = 0; i < n; i++)
        moved[i] = 0;
    for (int b = 0; b < PLANES_PER_TREE; b++)
        if (out[b] >= first)
            moved[out[b] - first] = 1;
    for (int32_t i = n; i-- > 0;)
        for (int k = 0; moved[i] && k < 3; k++)
            if (slot_of(ops[i], k) >= first)
                moved[slot_of(ops[i], k) - first] = 1;
    for (int32_t i = 0; i < n; i++) {
        if (!moved[i])
            continue;
        moved[i] = next++;
        uint32_t of[3];
        for (int k = 0; k < 3; k++) {
            of[k] = slot_of(ops[i], k);
            of[k] = of[k] < first ? of[k] : moved[of[k] - first];
        }
        ops[kept++] = op_of(of);
    }
    for (int b = 0; b < PLANES_PER_TREE; b++)
        if (out[b] >= first)
            out[b] = (uint16_t)moved[out[b] - first];
    return kept;
}

/* The multiplexers without those whose answer is known, is one of their own operands or is not asked
 * for any more (partial evaluation: Jones, Gomard and Sestoft 1993, ch. 1). `codes` are those of the
 * byte `columns` that all pairs share. Written are `ops`, `op_first` and `out` as in the forest, and
 * for each scale whether nothing looks at its planes. Returns 1 where memory could not be had. */
int forest_told(const Forest *f, const uint8_t *codes, const int32_t *columns, int64_t n_columns,
                uint64_t *ops, int32_t *op_first, uint16_t *out, uint8_t *told) {
    uint32_t *slot = malloc(2 * (size_t)f->n_slots * sizeof *slot), *moved = slot + f->n_slots;
    int16_t *code = malloc((size_t)(f->n_columns + 1) * sizeof *code);
    if (!slot || !code) {
        free(slot);
        free(code);
        return 1;
    }
    for (int64_t c = 0; c <= f->n_columns; c++) /* one more, for a scale of no column */
        code[c] = -1;
    for (int64_t c = 0; c < n_columns; c++)
        code[columns[c]] = codes[c];
    known_planes(f, code, slot, told);
    const uint32_t first = (uint32_t)(FIRST_PLANE + f->n_cut_planes + f->n_sets);
    op_first[0] = 0;
    for (int64_t tree = 0; tree < f->n_trees; tree++, out += PLANES_PER_TREE) {
        uint64_t *own = ops + op_first[tree];
        uint32_t *result = slot + first;
        int32_t n = 0;
        for (int32_t i = f->op_first[tree]; i < f->op_first[tree + 1]; i++, result++) {
            uint32_t of[3];
            for (int k = 0; k < 3; k++)
                of[k] = slot[slot_of(f->ops[i], k)];
            if (of[0] < FIRST_PLANE)
                *result = of[1 + of[0]];
            else if (of[1] == of[2])
                *result = of[1];
            else if (of[1] == 0 && of[2] == 1)
                *result = of[0];
            else {
                *result = first + (uint32_t)n;
                own[n++] = op_of(of);
            }
        }
        for (int b = 0; b < PLANES_PER_TREE; b++)
            out[b] = (uint16_t)slot[f->out[PLANES_PER_TREE * tree + b]];
        op_first[tree + 1] = op_first[tree] + keep_needed(own, n, first, out, moved);
    }
    free(slot);
    free(code);
    return 0;
}
