/* The kernel itself, compiled once for each instruction set (see forest_avx512.c and its siblings).
 *
 * Vectors are the compiler's own extension, as wide as the processor's (wider ones are broken up
 * through memory); intrinsics stand only where that was measured to lose: comparing bytes into bits,
 * looking up leaves, finding codes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forest.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAMED(name) JOIN(name, ISA)

#if defined(__AVX512BW__)
enum { WIDTH = 64 };
#elif defined(__AVX2__)
enum { WIDTH = 32 };
#else
enum { WIDTH = 16 };
#endif
enum { PARTS = 64 / WIDTH };

typedef uint64_t Word __attribute__((vector_size(WIDTH)));
typedef struct {
    Word part[PARTS];
} __attribute__((aligned(64))) Plane;

enum { TREES_AT_ONCE = 8, ROWS_CODED_AT_ONCE = 64, FIRST_PLANE = 2 };

static const double ZERO = (double)1e-35f; /* LightGBM takes |x| up to this float as zero */

/* ---- values to codes --------------------------------------------------------------------- */

static inline int32_t code_of(const Forest *f, const Scale *s, double x) {
    if (x != x)
        return s->nan_code;
    if (fabs(x) <= ZERO)
        return s->zero_code;
    double cell = (x - s->low) * s->per_unit;
    cell = cell > 0.0 ? cell : 0.0;
    cell = cell < s->last_cell ? cell : s->last_cell;
    int32_t code = f->cells[s->first_cell + (int32_t)cell];
    const double *cuts = f->cuts + s->first_cut;
    while (x > cuts[code])
        code++;
    return code;
}

static inline uint8_t byte_of(int32_t code, int32_t column) {
    const int32_t above = code - column * CUTS_PER_COLUMN;
    return (uint8_t)(above < 0 ? 0 : above > 255 ? 255 : above);
}

/* Codes of m values, `stride` apart, into the byte columns of a scale, `BLOCK` apart. */
static void code_values(const Forest *f, const Scale *s, const double *x, int64_t stride, int64_t m,
                        uint8_t *out) {
    int64_t r = 0;
#if defined(__AVX512BW__)
    const __m512d low = _mm512_set1_pd(s->low), per_unit = _mm512_set1_pd(s->per_unit);
    const __m512d last = _mm512_set1_pd(s->last_cell);
    const __m512i step = _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7),
                                            _mm512_set1_epi64(stride));
    const int32_t *cells = f->cells + s->first_cell;
    const double *cuts = f->cuts + s->first_cut;
    const __m256i one = _mm256_set1_epi32(1);
    for (; r + 8 <= m; r += 8) {
        const __m512d v = stride == 1 ? _mm512_loadu_pd(x + r)
                                      : _mm512_i64gather_pd(step, x + r * stride, 8);
        const __mmask8 nan = _mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q);
        const __mmask8 zero = _mm512_cmp_pd_mask(_mm512_abs_pd(v), _mm512_set1_pd(ZERO), _CMP_LE_OQ);
        /* max takes its second operand where the first is NaN, so the cell is always inside */
        __m512d cell = _mm512_mul_pd(_mm512_sub_pd(v, low), per_unit);
        cell = _mm512_min_pd(_mm512_max_pd(cell, _mm512_setzero_pd()), last);
        __m256i code = _mm256_i32gather_epi32(cells, _mm512_cvttpd_epi32(cell), 4);
        for (int32_t left = s->most_in_cell; left > 0; left--) {
            const __mmask8 more =
                _mm512_cmp_pd_mask(v, _mm512_i32gather_pd(code, cuts, 8), _CMP_GT_OQ);
            if (!more)
                break;
            code = _mm256_mask_add_epi32(code, more, code, one);
        }
        code = _mm256_mask_mov_epi32(code, zero, _mm256_set1_epi32(s->zero_code));
        code = _mm256_mask_mov_epi32(code, nan, _mm256_set1_epi32(s->nan_code));
        for (int32_t c = 0; c < s->n_columns; c++) {
            const __m256i above = _mm256_sub_epi32(code, _mm256_set1_epi32(c * CUTS_PER_COLUMN));
            const __m256i held = _mm256_max_epi32(above, _mm256_setzero_si256());
            _mm_storel_epi64((__m128i *)(out + c * BLOCK + r), _mm256_cvtusepi32_epi8(held));
        }
    }
#elif defined(__AVX2__)
    const __m256d low = _mm256_set1_pd(s->low), per_unit = _mm256_set1_pd(s->per_unit);
    const __m256d last = _mm256_set1_pd(s->last_cell), no_sign = _mm256_set1_pd(-0.0);
    const int32_t *cells = f->cells + s->first_cell;
    const double *cuts = f->cuts + s->first_cut;
    /* the even words of four masks of 64 bits are masks of 32 */
    const __m256i evens = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
#define NARROW(mask)                                                                               \
    _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(_mm256_castpd_si256(mask), evens))
    for (; r + 4 <= m; r += 4) {
        const double *at = x + r * stride;
        const __m256d v = _mm256_setr_pd(at[0], at[stride], at[2 * stride], at[3 * stride]);
        const __m256d nan = _mm256_cmp_pd(v, v, _CMP_UNORD_Q);
        const __m256d zero = _mm256_cmp_pd(_mm256_andnot_pd(no_sign, v), _mm256_set1_pd(ZERO), _CMP_LE_OQ);
        /* max takes its second operand where the first is NaN, so the cell is always inside */
        __m256d cell = _mm256_mul_pd(_mm256_sub_pd(v, low), per_unit);
        cell = _mm256_min_pd(_mm256_max_pd(cell, _mm256_setzero_pd()), last);
        __m128i code = _mm_i32gather_epi32(cells, _mm256_cvttpd_epi32(cell), 4);
        for (int32_t left = s->most_in_cell; left > 0; left--) {
            const __m256d more = _mm256_cmp_pd(v, _mm256_i32gather_pd(cuts, code, 8), _CMP_GT_OQ);
            if (!_mm256_movemask_pd(more))
                break;
            code = _mm_sub_epi32(code, NARROW(more));
        }
        code = _mm_blendv_epi8(code, _mm_set1_epi32(s->zero_code), NARROW(zero));
        code = _mm_blendv_epi8(code, _mm_set1_epi32(s->nan_code), NARROW(nan));
        for (int32_t c = 0; c < s->n_columns; c++) {
            __m128i held = _mm_sub_epi32(code, _mm_set1_epi32(c * CUTS_PER_COLUMN));
            held = _mm_min_epi32(_mm_max_epi32(held, _mm_setzero_si128()), _mm_set1_epi32(255));
            held = _mm_packus_epi16(_mm_packus_epi32(held, held), held);
            const int32_t four = _mm_cvtsi128_si32(held);
            memcpy(out + c * BLOCK + r, &four, 4);
        }
    }
#undef NARROW
#endif
    for (; r < m; r++) {
        const int32_t code = code_of(f, s, x[r * stride]);
        for (int32_t c = 0; c < s->n_columns; c++)
            out[c * BLOCK + r] = byte_of(code, c);
    }
}

/* ---- codes to planes --------------------------------------------------------------------- */

/* Planes "code >= k" for k = 1 to n_steps of one byte column. */
static void column_planes(const uint8_t *codes, int32_t n_steps, Plane *plane) {
#if defined(__AVX512BW__)
    __m512i v[8];
    for (int g = 0; g < 8; g++)
        v[g] = _mm512_load_si512(codes + 64 * g);
    for (int32_t k = 1; k <= n_steps; k++) {
        const __m512i step = _mm512_set1_epi8((char)k);
        uint64_t *bits = (uint64_t *)(plane + k - 1);
        for (int g = 0; g < 8; g++)
            bits[g] = _cvtmask64_u64(_mm512_cmpge_epu8_mask(v[g], step));
    }
#else
    /* Each row sets one bit, at its own code; from above, every plane takes in the one after it. */
    uint64_t below[BLOCK / 64] = {0};
    memset(plane, 0, (size_t)n_steps * sizeof *plane);
    for (int r = 0; r < BLOCK; r++) {
        uint64_t *bits = codes[r] ? (uint64_t *)(plane + codes[r] - 1) : below;
        bits[r >> 6] |= (uint64_t)1 << (r & 63);
    }
    for (int32_t k = n_steps - 2; k >= 0; k--)
        for (int h = 0; h < PARTS; h++)
            plane[k].part[h] |= plane[k + 1].part[h];
#endif
}

static void split_planes(const Forest *f, const uint8_t *codes, Plane *slot) {
    Plane *plane = slot + FIRST_PLANE;
    for (int64_t i = 0; i < f->n_scales; i++) {
        const Scale *s = f->scales + i;
        for (int32_t c = 0, left = s->n_cuts; left > 0; c++, left -= CUTS_PER_COLUMN) {
            const int32_t steps = left < CUTS_PER_COLUMN ? left : CUTS_PER_COLUMN;
            column_planes(codes + (s->first_column + c) * BLOCK, steps, plane);
            plane += steps;
        }
    }
    /* Below all categories a row goes right; each boundary of the set turns that round. */
    for (int64_t i = 0; i < f->n_sets; i++, plane++) {
        Plane right = slot[1];
        for (int32_t j = f->set_first[i]; j < f->set_first[i + 1]; j++)
            for (int h = 0; h < PARTS; h++)
                right.part[h] ^= slot[FIRST_PLANE + f->set_plane[j]].part[h];
        *plane = right;
    }
}

/* ---- planes to leaf numbers ---------------------------------------------------------------- */

static inline Word multiplex(Word select, Word zero, Word one) {
#if defined(__AVX512BW__)
    return (Word)_mm512_ternarylogic_epi64((__m512i)select, (__m512i)one, (__m512i)zero, 0xCA);
#else
    return zero ^ (select & (zero ^ one));
#endif
}

static inline Word merge(uint64_t mask, Word a, Word b) { return multiplex((Word){0} + mask, b, a); }

/* Eight planes to a byte a row: byte p of number[j] is the leaf of row 8 p + j. Bits are exchanged
 * between planes in pairs, fours and eights, as in transposing a matrix of bits (Warren 2012,
 * Hacker's Delight, section 7-3). */
static void leaf_numbers(const Plane *slot, const uint16_t *out, Plane number[8]) {
    for (int part = 0; part < PARTS; part++) {
        Word even[4], odd[4], quad[2][4];
        for (int i = 0; i < 4; i++) {
            const Word a = slot[out[2 * i]].part[part], b = slot[out[2 * i + 1]].part[part];
            even[i] = merge(0x5555555555555555u, a, b << 1);
            odd[i] = merge(0x5555555555555555u, a >> 1, b);
        }
        for (int h = 0; h < 2; h++) {
            quad[h][0] = merge(0x3333333333333333u, even[2 * h], even[2 * h + 1] << 2);
            quad[h][1] = merge(0x3333333333333333u, odd[2 * h], odd[2 * h + 1] << 2);
            quad[h][2] = merge(0x3333333333333333u, even[2 * h] >> 2, even[2 * h + 1]);
            quad[h][3] = merge(0x3333333333333333u, odd[2 * h] >> 2, odd[2 * h + 1]);
        }
        for (int q = 0; q < 4; q++) {
            number[q].part[part] = merge(0x0F0F0F0F0F0F0F0Fu, quad[0][q], quad[1][q] << 4);
            number[q + 4].part[part] = merge(0x0F0F0F0F0F0F0F0Fu, quad[0][q] >> 4, quad[1][q]);
        }
    }
}

static void run_tree(const Forest *f, int64_t tree, Plane *slot, Plane number[8]) {
    const int32_t first = f->op_first[tree], n = f->op_first[tree + 1] - first;
    const uint16_t *op = f->ops + 3 * (int64_t)first;
    Plane *result = slot + FIRST_PLANE + f->n_cut_planes + f->n_sets;
    for (int32_t i = 0; i < n; i++, op += 3)
        for (int h = 0; h < PARTS; h++)
            result[i].part[h] =
                multiplex(slot[op[0]].part[h], slot[op[1]].part[h], slot[op[2]].part[h]);
    leaf_numbers(slot, f->out + PLANES_PER_TREE * tree, number);
}

/* ---- leaf numbers to sums -------------------------------------------------------------------
 * sum[64 j + PLACE(p)] belongs to row 8 p + j. Trees are added one after the other in float64, as
 * LightGBM does: the sums are the same to the last bit. */

#if defined(__AVX512BW__)
/* where unpacking low and high words leaves byte p = 4 d + y of a vector */
#define PLACE(p) (((p) & 3) * 16 + ((p) >> 3 & 1) * 8 + ((p) >> 4) * 2 + ((p) >> 2 & 1))

/* Trees of at most 32 leaves: both words of a leaf from a table held in four registers. */
static void add_small_trees(const Forest *f, int64_t tree, int n_trees, Plane number[][8],
                            double *sum) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    __m512i table[TREES_AT_ONCE][4];
    for (int k = 0; k < n_trees; k++) {
        const double *leaf = f->leaf + f->leaf_first[tree + k];
        for (int h = 0; h < 2; h++) {
            const __m512i a = _mm512_loadu_si512(leaf + 16 * h), b = _mm512_loadu_si512(leaf + 16 * h + 8);
            table[k][h] = _mm512_permutex2var_epi32(a, even, b);
            table[k][2 + h] = _mm512_permutex2var_epi32(a, odd, b);
        }
    }
    for (int j = 0; j < 8; j++) {
        __m512d total[8];
        for (int i = 0; i < 8; i++)
            total[i] = _mm512_load_pd(sum + 64 * j + 8 * i);
        for (int k = 0; k < n_trees; k++) {
            __m512i at = (__m512i)number[k][j].part[0];
            const __m512i l0 = table[k][0], l1 = table[k][1], h0 = table[k][2], h1 = table[k][3];
            for (int y = 0; y < 4; y++) {
                /* only the lowest five bits of each word are looked at */
                const __m512i low = _mm512_permutex2var_epi32(l0, at, l1);
                const __m512i high = _mm512_permutex2var_epi32(h0, at, h1);
                const __m512i a = _mm512_unpacklo_epi32(low, high), b = _mm512_unpackhi_epi32(low, high);
                total[2 * y] = _mm512_add_pd(total[2 * y], _mm512_castsi512_pd(a));
                total[2 * y + 1] = _mm512_add_pd(total[2 * y + 1], _mm512_castsi512_pd(b));
                at = _mm512_srli_epi32(at, 8);
            }
        }
        for (int i = 0; i < 8; i++)
            _mm512_store_pd(sum + 64 * j + 8 * i, total[i]);
    }
}
#else
#define PLACE(p) (p)
#endif

static void add_trees(const Forest *f, int64_t tree, int n_trees, Plane number[][8], double *sum) {
#if defined(__AVX2__) && !defined(__AVX512BW__)
    for (int j = 0; j < 8; j++)
        for (int p = 0; p < 64; p += 16) {
            __m256d total[4];
            for (int i = 0; i < 4; i++)
                total[i] = _mm256_load_pd(sum + 64 * j + p + 4 * i);
            for (int k = 0; k < n_trees; k++) {
                const double *leaf = f->leaf + f->leaf_first[tree + k];
                const uint8_t *at = (const uint8_t *)(number[k] + j) + p;
                for (int i = 0; i < 4; i++)
                    total[i] = _mm256_add_pd(total[i], _mm256_setr_pd(leaf[at[4 * i]], leaf[at[4 * i + 1]],
                                                                      leaf[at[4 * i + 2]], leaf[at[4 * i + 3]]));
            }
            for (int i = 0; i < 4; i++)
                _mm256_store_pd(sum + 64 * j + p + 4 * i, total[i]);
        }
#else
    for (int j = 0; j < 8; j++)
        for (int p = 0; p < 64; p++) {
            double total = sum[64 * j + PLACE(p)];
            for (int k = 0; k < n_trees; k++)
                total += f->leaf[f->leaf_first[tree + k] + ((const uint8_t *)(number[k] + j))[p]];
            sum[64 * j + PLACE(p)] = total;
        }
#endif
}

static void score_block(const Forest *f, const uint8_t *codes, Plane *slot, int64_t m, double *out) {
    double sum[BLOCK] __attribute__((aligned(64))) = {0};
    Plane number[TREES_AT_ONCE][8];
    split_planes(f, codes, slot);
    for (int64_t tree = 0; tree < f->n_trees;) {
        int n = 0, small = 1;
        for (; n < TREES_AT_ONCE && tree + n < f->n_trees; n++) {
            small &= f->leaf_count[tree + n] <= MIN_TABLE;
            run_tree(f, tree + n, slot, number[n]);
        }
#if defined(__AVX512BW__)
        if (small)
            add_small_trees(f, tree, n, number, sum);
        else
#endif
            add_trees(f, tree, n, number, sum);
        tree += n;
    }
    for (int64_t r = 0; r < m; r++)
        out[r] = sum[64 * (r & 7) + PLACE(r >> 3)];
}

/* ---- one row at a time ----------------------------------------------------------------------
 * Eight trees are walked side by side, all for as many steps as the deepest takes: a leaf leads to
 * itself, so that nothing has to be guessed. Each step looks its answer up by the code of the row. */

static double walk_row(const Forest *f, const double *x, int32_t *code) {
    for (int64_t i = 0; i < f->n_scales; i++)
        code[i] = code_of(f, f->scales + i, x[f->scales[i].feature]);
    double total = 0.0;
    for (int64_t tree = 0; tree < f->n_trees; tree += TREES_AT_ONCE) {
        int32_t at[TREES_AT_ONCE];
        for (int k = 0; k < TREES_AT_ONCE; k++)
            at[k] = f->root[tree + k];
        for (int32_t step = f->n_steps[tree / TREES_AT_ONCE]; step > 0; step--)
            for (int k = 0; k < TREES_AT_ONCE; k++) {
                const Node *here = f->nodes + at[k];
                at[k] = here->child[f->answers[here->answer + code[here->scale]]];
            }
        const int64_t n = f->n_trees - tree < TREES_AT_ONCE ? f->n_trees - tree : TREES_AT_ONCE;
        for (int64_t k = 0; k < n; k++)
            total += f->leaf[at[k] - f->n_splits];
    }
    return total;
}

/* ---- entry points -------------------------------------------------------------------------- */

static void *scratch(size_t bytes) {
    void *found = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (found)
        memset(found, 0, bytes);
    return found;
}

/* Slots with the two constants set, and behind them the codes of a block. */
static Plane *new_slots(const Forest *f, uint8_t **codes) {
    const size_t planes = (size_t)f->n_slots * sizeof(Plane);
    Plane *slot = scratch(planes + (size_t)f->n_columns * BLOCK);
    if (slot) {
        memset(slot + 1, 255, sizeof(Plane));
        *codes = (uint8_t *)slot + planes;
    }
    return slot;
}

int NAMED(forest_rows)(const Forest *f, const double *x, int64_t n, int64_t n_features,
                       int64_t by_walk, double *out) {
    if (by_walk || f->walk_only) {
        int32_t *code = scratch((size_t)(f->n_scales + 1) * sizeof *code);
        if (!code)
            return 1;
        for (int64_t r = 0; r < n; r++)
            out[r] = walk_row(f, x + r * n_features, code);
        free(code);
        return 0;
    }
    uint8_t *codes;
    Plane *slot = new_slots(f, &codes);
    if (!slot)
        return 1;
    for (int64_t r = 0; r < n; r += BLOCK) {
        const int64_t m = n - r < BLOCK ? n - r : BLOCK;
        for (int64_t g = 0; g < m; g += ROWS_CODED_AT_ONCE) {
            const int64_t rows = m - g < ROWS_CODED_AT_ONCE ? m - g : ROWS_CODED_AT_ONCE;
            for (int64_t i = 0; i < f->n_scales; i++) {
                const Scale *s = f->scales + i;
                code_values(f, s, x + (r + g) * n_features + s->feature, n_features, rows,
                            codes + s->first_column * BLOCK + g);
            }
        }
        score_block(f, codes, slot, m, out + r);
    }
    free(slot);
    return 0;
}

int NAMED(forest_pairs)(const Forest *f, const Pairs *p, int64_t start, int64_t n, double *out) {
    uint8_t *codes;
    Plane *slot = new_slots(f, &codes);
    if (!slot)
        return 1;
    for (int64_t r = 0; r < n; r += BLOCK) {
        const int64_t m = n - r < BLOCK ? n - r : BLOCK;
        for (int64_t e = 0; e < p->n_entities; e++) {
            const Entity *entity = p->entities + e;
            for (int64_t i = 0; i < m; i++) {
                const int64_t row = entity->row ? entity->row[start + r + i] : 0;
                const uint8_t *own = entity->codes + row * entity->n_columns;
                for (int64_t c = 0; c < entity->n_columns; c++)
                    codes[entity->columns[c] * BLOCK + i] = own[c];
            }
        }
        for (int64_t i = 0; i < p->n_scales; i++) {
            const Scale *s = f->scales + p->scales[i];
            code_values(f, s, p->values[i] + r, 1, m, codes + s->first_column * BLOCK);
        }
        score_block(f, codes, slot, m, out + r);
    }
    free(slot);
    return 0;
}

int NAMED(forest_codes)(const Forest *f, const int32_t *scales, int64_t n_scales, const double *x,
                        int64_t n, int64_t n_columns, uint8_t *codes) {
    for (int64_t r = 0; r < n; r++) {
        uint8_t *own = codes + r * n_columns;
        for (int64_t i = 0; i < n_scales; i++) {
            const Scale *s = f->scales + scales[i];
            const int32_t code = code_of(f, s, x[r * n_scales + i]);
            for (int32_t c = 0; c < s->n_columns; c++)
                *own++ = byte_of(code, c);
        }
    }
    return 0;
}
