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
enum { LANE = BLOCK / 8, PARTS = LANE / WIDTH }; /* bytes and vectors of a plane */

typedef uint64_t Word __attribute__((vector_size(WIDTH)));
typedef struct {
    Word part[PARTS];
} __attribute__((aligned(64))) Plane;

enum { TREES_AT_ONCE = 8, WALKED = 16, FIRST_PLANE = 2 };
/* Between columns of floats: a power of two would put them all into the same few places of the cache. */
enum { STEP = BLOCK + 16 };

static const double ZERO = (double)1e-35f; /* LightGBM takes |x| up to this float as zero */

/* ---- values to codes --------------------------------------------------------------------- */

/* Cell of a value that is a number. Narrowing, taking away, multiplying and holding never turn the
 * order of two values round, whatever they round, so cuts in lower cells lie below the value and
 * those in higher cells do not. `Scales` computes the same on the cuts. */
static inline int32_t cell_of(const Scale *s, float x) {
    float cell = (x - s->low) * s->per_unit;
    cell = cell > 0.0f ? cell : 0.0f;
    return (int32_t)(cell < s->last_cell ? cell : s->last_cell);
}

static inline int32_t code_of(const Forest *f, const Scale *s, double x) {
    if (x != x)
        return s->nan_code;
    if (fabs(x) <= ZERO)
        return s->zero_code;
    const int32_t *cell = f->cells + s->first_cell + cell_of(s, (float)x);
    int32_t low = cell[0] & COUNT, high = cell[1] & COUNT;
    while (low < high) {
        const int32_t middle = (low + high) / 2;
        if (x > f->cuts[s->first_cut + middle])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline uint8_t byte_of(int32_t code, int32_t column) {
    const int32_t above = code - column * CUTS_PER_COLUMN;
    return (uint8_t)(above < 0 ? 0 : above > 255 ? 255 : above);
}

static inline void put_code(const Scale *s, int32_t code, uint8_t *out) {
    for (int32_t c = 0; c < s->n_columns; c++)
        out[c * BLOCK] = byte_of(code, c);
}

/* Columns of a row-major matrix (m, n) as floats, `STEP` apart. */
static void narrow(const double *x, int64_t m, int64_t n, float *out) {
    int64_t r = 0;
#if defined(__AVX2__)
    for (; n >= 8 && r + 8 <= m; r += 8)
        for (int64_t c = 0; c < n; c = c + 8 < n && c + 16 > n ? n - 8 : c + 8) {
            __m256 a[8], b[8];
            for (int i = 0; i < 8; i++) {
                const double *row = x + (r + i) * n + c;
#if defined(__AVX512BW__)
                a[i] = _mm512_cvtpd_ps(_mm512_loadu_pd(row));
#else
                a[i] = _mm256_set_m128(_mm256_cvtpd_ps(_mm256_loadu_pd(row + 4)),
                                       _mm256_cvtpd_ps(_mm256_loadu_pd(row)));
#endif
            }
            for (int i = 0; i < 8; i += 2) {
                b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
                b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
            }
            for (int i = 0; i < 8; i += 4)
                for (int h = 0; h < 2; h++) {
                    a[i + 2 * h] = _mm256_shuffle_ps(b[i + h], b[i + h + 2], 0x44);
                    a[i + 2 * h + 1] = _mm256_shuffle_ps(b[i + h], b[i + h + 2], 0xEE);
                }
            for (int i = 0; i < 4; i++) {
                _mm256_storeu_ps(out + (c + i) * STEP + r, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
                _mm256_storeu_ps(out + (c + i + 4) * STEP + r, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
            }
        }
#endif
    for (; r < m; r++)
        for (int64_t c = 0; c < n; c++)
            out[c * STEP + r] = (float)x[r * n + c];
}

/* Codes of m values, `stride` apart, into the byte columns of a scale, `BLOCK` apart. `near` holds
 * the values as floats: where no cut lies in the cell, that settles it; elsewhere the values are
 * compared themselves. */
static void code_values(const Forest *f, const Scale *s, const float *near, const double *x,
                        int64_t stride, int64_t m, uint8_t *out) {
    uint64_t unsure[BLOCK / 64] = {0};
    const int32_t *cells = f->cells + s->first_cell;
    const float zero_at = (float)ZERO;
    int64_t r = 0;
#if defined(__AVX512BW__)
    const __m512 low = _mm512_set1_ps(s->low), per_unit = _mm512_set1_ps(s->per_unit);
    const __m512 last = _mm512_set1_ps(s->last_cell), limit = _mm512_set1_ps(zero_at);
    for (; r + 16 <= m; r += 16) {
        const __m512 v = _mm512_loadu_ps(near + r), size = _mm512_abs_ps(v);
        /* max takes its second operand where the first is NaN, so the cell is always inside */
        __m512 cell = _mm512_mul_ps(_mm512_sub_ps(v, low), per_unit);
        cell = _mm512_min_ps(_mm512_max_ps(cell, _mm512_setzero_ps()), last);
        const __m512i entry = _mm512_i32gather_epi32(_mm512_cvttps_epi32(cell), cells, 4);
        const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        const __mmask16 zero = _mm512_cmp_ps_mask(size, limit, _CMP_LT_OQ);
        const __mmask16 edge = _mm512_cmp_ps_mask(size, limit, _CMP_EQ_OQ);
        const __mmask16 cut = _mm512_movepi32_mask(entry);
        __m512i code = _mm512_and_si512(entry, _mm512_set1_epi32(COUNT));
        code = _mm512_mask_mov_epi32(code, zero, _mm512_set1_epi32(s->zero_code));
        code = _mm512_mask_mov_epi32(code, nan, _mm512_set1_epi32(s->nan_code));
        unsure[r >> 6] |= (uint64_t)((cut | edge) & ~(zero | nan) & 0xFFFF) << (r & 63);
        for (int32_t c = 0; c < s->n_columns; c++) {
            const __m512i above = _mm512_sub_epi32(code, _mm512_set1_epi32(c * CUTS_PER_COLUMN));
            const __m512i held = _mm512_max_epi32(above, _mm512_setzero_si512());
            _mm_storeu_si128((__m128i *)(out + c * BLOCK + r), _mm512_cvtusepi32_epi8(held));
        }
    }
#elif defined(__AVX2__)
    const __m256 low = _mm256_set1_ps(s->low), per_unit = _mm256_set1_ps(s->per_unit);
    const __m256 last = _mm256_set1_ps(s->last_cell), limit = _mm256_set1_ps(zero_at);
    for (; r + 8 <= m; r += 8) {
        const __m256 v = _mm256_loadu_ps(near + r);
        const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
        /* max takes its second operand where the first is NaN, so the cell is always inside */
        __m256 cell = _mm256_mul_ps(_mm256_sub_ps(v, low), per_unit);
        cell = _mm256_min_ps(_mm256_max_ps(cell, _mm256_setzero_ps()), last);
        const __m256i entry = _mm256_i32gather_epi32(cells, _mm256_cvttps_epi32(cell), 4);
        const __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
        const __m256 zero = _mm256_cmp_ps(size, limit, _CMP_LT_OQ);
        const __m256 edge = _mm256_cmp_ps(size, limit, _CMP_EQ_OQ);
        __m256i code = _mm256_and_si256(entry, _mm256_set1_epi32(COUNT));
        code = _mm256_blendv_epi8(code, _mm256_set1_epi32(s->zero_code), _mm256_castps_si256(zero));
        code = _mm256_blendv_epi8(code, _mm256_set1_epi32(s->nan_code), _mm256_castps_si256(nan));
        const __m256 open = _mm256_or_ps(_mm256_castsi256_ps(entry), edge);
        const __m256 asked = _mm256_andnot_ps(_mm256_or_ps(zero, nan), open);
        unsure[r >> 6] |= (uint64_t)_mm256_movemask_ps(asked) << (r & 63);
        for (int32_t c = 0; c < s->n_columns; c++) {
            __m256i held = _mm256_sub_epi32(code, _mm256_set1_epi32(c * CUTS_PER_COLUMN));
            held = _mm256_min_epi32(_mm256_max_epi32(held, _mm256_setzero_si256()), _mm256_set1_epi32(255));
            const __m128i half = _mm_packus_epi32(_mm256_castsi256_si128(held), _mm256_extracti128_si256(held, 1));
            _mm_storel_epi64((__m128i *)(out + c * BLOCK + r), _mm_packus_epi16(half, half));
        }
    }
#endif
    for (; r < m; r++) {
        const float v = near[r], size = fabsf(v);
        const int32_t entry = cells[cell_of(s, v)], nan = v != v, zero = size < zero_at;
        int32_t code = zero ? s->zero_code : entry & COUNT;
        code = nan ? s->nan_code : code;
        unsure[r >> 6] |= (uint64_t)(((entry < 0) | (size == zero_at)) & !(zero | nan)) << (r & 63);
        put_code(s, code, out + r);
    }
    const double *cuts = f->cuts + s->first_cut;
    const int at_most_two = s->n_columns == 1 && s->most_in_cell <= 2;
    for (int64_t word = 0; word < BLOCK / 64; word++)
        for (uint64_t left = unsure[word]; left; left &= left - 1) {
            const int64_t at = 64 * word + __builtin_ctzll(left);
            const double own = x[at * stride];
            if (at_most_two) { /* without a branch that guesses */
                int32_t code = out[at];
                code += own > cuts[code];
                code += own > cuts[code];
                out[at] = (uint8_t)(fabs(own) <= ZERO ? s->zero_code : code);
            } else
                put_code(s, code_of(f, s, own), out + at);
        }
}

/* ---- codes to planes --------------------------------------------------------------------- */

static inline Word multiplex(Word select, Word zero, Word one) {
#if defined(__AVX512BW__)
    return (Word)_mm512_ternarylogic_epi64((__m512i)select, (__m512i)one, (__m512i)zero, 0xCA);
#else
    return zero ^ (select & (zero ^ one));
#endif
}

static inline Word merge(uint64_t mask, Word a, Word b) { return multiplex((Word){0} + mask, b, a); }

/* Bytes of 8 vectors to 8 planes, and back: bit b of byte p of in[j] becomes bit j of byte p of
 * out[b]. Bits are exchanged between vectors in pairs, fours and eights, as in transposing a matrix
 * of bits (Warren 2012, Hacker's Delight, section 7-3). */
static inline void transpose(const Plane *const in[8], Plane out[8]) {
    for (int part = 0; part < PARTS; part++) {
        Word even[4], odd[4], quad[2][4];
        for (int i = 0; i < 4; i++) {
            const Word a = in[2 * i]->part[part], b = in[2 * i + 1]->part[part];
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
            out[q].part[part] = merge(0x0F0F0F0F0F0F0F0Fu, quad[0][q], quad[1][q] << 4);
            out[q + 4].part[part] = merge(0x0F0F0F0F0F0F0F0Fu, quad[0][q] >> 4, quad[1][q]);
        }
    }
}

/* Planes "at least n * high + low" from planes of "high" and of "low", low < n: more in front, or as
 * much in front and enough behind. */
static inline Word either(Word more, Word equal, Word behind) {
#if defined(__AVX512BW__)
    return (Word)_mm512_ternarylogic_epi64((__m512i)more, (__m512i)equal, (__m512i)behind, 0xF8);
#else
    return more | (equal & behind);
#endif
}

/* Planes "at least k" of a number of four bits, for k = 0 to 16. */
static inline void at_least(const Plane bit[4], Plane out[17]) {
    for (int part = 0; part < PARTS; part++) {
        const Word none = {0}, a = bit[0].part[part], b = bit[1].part[part];
        const Word c = bit[2].part[part], d = bit[3].part[part];
        const Word low[4] = {~none, a | b, b, a & b}, high[5] = {~none, c | d, d, c & d, none};
        for (int k = 0; k < 16; k++)
            out[k].part[part] = either(high[k / 4 + 1], high[k / 4], low[k % 4]);
        out[16].part[part] = none;
    }
}

/* Planes "code >= k" for k = 1 to n_steps of one byte column. Row LANE j + p is bit j of byte p. */
static void column_planes(const uint8_t *codes, int32_t n_steps, Plane *plane) {
    Plane bit[8], low[17], high[17];
    const Plane *bytes[8];
    for (int j = 0; j < 8; j++)
        bytes[j] = (const Plane *)(codes + LANE * j);
    transpose(bytes, bit);
    at_least(bit, low);
    at_least(bit + 4, high);
    for (int32_t k = 1; k <= n_steps; k++)
        for (int h = 0; h < PARTS; h++)
            plane[k - 1].part[h] =
                either(high[k / 16 + 1].part[h], high[k / 16].part[h], low[k % 16].part[h]);
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

static void run_tree(const Forest *f, int64_t tree, Plane *slot, Plane number[8]) {
    const int32_t first = f->op_first[tree], n = f->op_first[tree + 1] - first;
    const uint32_t *op = f->ops + 3 * (int64_t)first;
    Plane *result = slot + FIRST_PLANE + f->n_cut_planes + f->n_sets;
#define AT(i) ((const Plane *)((const uint8_t *)slot + op[i]))
#pragma GCC unroll 4
    for (int32_t i = 0; i < n; i++, op += 3)
        for (int h = 0; h < PARTS; h++)
            result[i].part[h] = multiplex(AT(0)->part[h], AT(1)->part[h], AT(2)->part[h]);
    const uint16_t *out = f->out + PLANES_PER_TREE * tree;
    const Plane *bit[PLANES_PER_TREE];
    for (int b = 0; b < PLANES_PER_TREE; b++)
        bit[b] = slot + out[b];
    transpose(bit, number);
}

/* ---- leaf numbers to sums -------------------------------------------------------------------
 * sum[LANE j + PLACE(p)] belongs to row LANE j + p. Trees are added one after the other in float64, as
 * LightGBM does: the sums are the same to the last bit. */

#if defined(__AVX512BW__)
/* where unpacking low and high words leaves byte p = 4 d + y of a vector */
#define PLACE(p) (((p) & ~63) + ((p) & 3) * 16 + ((p) >> 3 & 1) * 8 + ((p) >> 4 & 3) * 2 + ((p) >> 2 & 1))

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
    for (int j = 0; j < 8 * PARTS; j++) {
        __m512d total[8];
        for (int i = 0; i < 8; i++)
            total[i] = _mm512_load_pd(sum + 64 * j + 8 * i);
        for (int k = 0; k < n_trees; k++) {
            __m512i at = (__m512i)number[k][j / PARTS].part[j % PARTS];
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
        for (int p = 0; p < LANE; p += 16) {
            __m256d total[4];
            for (int i = 0; i < 4; i++)
                total[i] = _mm256_load_pd(sum + LANE * j + p + 4 * i);
            for (int k = 0; k < n_trees; k++) {
                const double *leaf = f->leaf + f->leaf_first[tree + k];
                const uint8_t *at = (const uint8_t *)(number[k] + j) + p;
                for (int i = 0; i < 4; i++)
                    total[i] = _mm256_add_pd(total[i], _mm256_setr_pd(leaf[at[4 * i]], leaf[at[4 * i + 1]],
                                                                      leaf[at[4 * i + 2]], leaf[at[4 * i + 3]]));
            }
            for (int i = 0; i < 4; i++)
                _mm256_store_pd(sum + LANE * j + p + 4 * i, total[i]);
        }
#else
    for (int j = 0; j < 8; j++)
        for (int p = 0; p < LANE; p++) {
            double total = sum[LANE * j + PLACE(p)];
            for (int k = 0; k < n_trees; k++)
                total += f->leaf[f->leaf_first[tree + k] + ((const uint8_t *)(number[k] + j))[p]];
            sum[LANE * j + PLACE(p)] = total;
        }
#endif
}

/* Meanwhile the `n_ahead` values of the next block are fetched: processors do not look that far. */
static void score_block(const Forest *f, const uint8_t *codes, Plane *slot, int64_t m, double *out,
                        const double *ahead, int64_t n_ahead) {
    double sum[BLOCK] __attribute__((aligned(64))) = {0};
    Plane number[TREES_AT_ONCE][8];
    split_planes(f, codes, slot);
    int64_t fetched = 0;
    for (int64_t tree = 0; tree < f->n_trees;) {
        int n = 0, small = 1;
        for (; n < TREES_AT_ONCE && tree + n < f->n_trees; n++) {
            small &= f->leaf_count[tree + n] <= MIN_TABLE;
            run_tree(f, tree + n, slot, number[n]);
            for (; fetched * f->n_trees < n_ahead * (tree + n); fetched += 64 / sizeof *ahead)
                __builtin_prefetch(ahead + fetched, 0, 2);
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
        out[r] = sum[PLACE(r)];
}

/* ---- one row at a time ----------------------------------------------------------------------
 * Sixteen trees are walked side by side, all for as many steps as the deepest takes: a leaf leads to
 * itself, so that nothing has to be guessed. Each step looks its answer up by the code of the row. */

static double walk_row(const Forest *f, const double *x, int32_t *code) {
    for (int64_t i = 0; i < f->n_scales; i++)
        code[i] = code_of(f, f->scales + i, x[f->scales[i].feature]);
    double total = 0.0;
    for (int64_t tree = 0; tree < f->n_trees; tree += WALKED) {
        int32_t at[WALKED];
        for (int k = 0; k < WALKED; k++)
            at[k] = f->root[tree + k];
        for (int32_t step = f->n_steps[tree / WALKED]; step > 0; step--)
            for (int k = 0; k < WALKED; k++) {
                const Node *here = f->nodes + at[k];
                at[k] = here->child[f->answers[here->answer + code[here->scale]]];
            }
        const int64_t n = f->n_trees - tree < WALKED ? f->n_trees - tree : WALKED;
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

/* Slots with the two constants set, and behind them the codes of a block and n_near columns of its
 * values as floats. */
static Plane *new_slots(const Forest *f, int64_t n_near, uint8_t **codes, float **near) {
    const size_t planes = (size_t)f->n_slots * sizeof(Plane), bytes = (size_t)f->n_columns * BLOCK;
    Plane *slot = scratch(planes + bytes + (size_t)n_near * STEP * sizeof **near);
    if (slot) {
        memset(slot + 1, 255, sizeof(Plane));
        *codes = (uint8_t *)slot + planes;
        *near = (float *)(*codes + bytes);
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
    float *near;
    Plane *slot = new_slots(f, n_features, &codes, &near);
    if (!slot)
        return 1;
    for (int64_t r = 0; r < n; r += BLOCK) {
        const int64_t m = n - r < BLOCK ? n - r : BLOCK;
        narrow(x + r * n_features, m, n_features, near);
        for (int64_t i = 0; i < f->n_scales; i++) {
            const Scale *s = f->scales + i;
            code_values(f, s, near + s->feature * STEP, x + r * n_features + s->feature, n_features,
                        m, codes + s->first_column * BLOCK);
        }
        const int64_t after = n - r - m < BLOCK ? n - r - m : BLOCK;
        score_block(f, codes, slot, m, out + r, x + (r + m) * n_features, after * n_features);
    }
    free(slot);
    return 0;
}

int NAMED(forest_pairs)(const Forest *f, const Pairs *p, int64_t start, int64_t n, double *out) {
    uint8_t *codes;
    float *near;
    Plane *slot = new_slots(f, 1, &codes, &near);
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
            narrow(p->values[i] + r, m, 1, near);
            code_values(f, s, near, p->values[i] + r, 1, m, codes + s->first_column * BLOCK);
        }
        score_block(f, codes, slot, m, out + r, NULL, 0);
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
