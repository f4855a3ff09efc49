/* A block of ROWS rows on bit planes: included once for each number of rows (see forest_body.h). */
#define OF(name) JOIN(name, ROWS)
#define Word OF(Word)
#define Plane OF(Plane)
#define multiplex OF(multiplex)
#define merge OF(merge)
#define transpose OF(transpose)
#define either OF(either)
#define at_least OF(at_least)
#define column_planes OF(column_planes)
#define split_planes OF(split_planes)
#define run_ops OF(run_ops)
#define run_tree OF(run_tree)
#define bytes_of_bits OF(bytes_of_bits)
#define add_small_trees OF(add_small_trees)
#define add_trees OF(add_trees)
#define score_block OF(score_block)
#define LANE (ROWS / 8) /* bytes of a plane */
#define WIDTH (LANE < WIDEST ? LANE : WIDEST)
#define PARTS (LANE / WIDTH)

#if defined(__AVX512BW__) && ROWS <= BYTES_ROWS
#define IN_BYTES 1 /* bit r of a plane is row r; otherwise bit j of byte p is row LANE j + p */
#else
#define IN_BYTES 0
#endif

#if ROWS == 64
typedef uint64_t Word;
#else
typedef uint64_t Word __attribute__((vector_size(WIDTH)));
#endif
typedef struct {
    Word part[PARTS];
} __attribute__((aligned(WIDTH))) Plane;

#if !defined(__AVX512BW__) || ROWS == 64
#define TERNARY(a, b, c, table, otherwise) (otherwise)
#elif LANE == 16
#define TERNARY(a, b, c, table, otherwise) \
    (Word) _mm_ternarylogic_epi64((__m128i)(a), (__m128i)(b), (__m128i)(c), table)
#elif LANE == 32
#define TERNARY(a, b, c, table, otherwise) \
    (Word) _mm256_ternarylogic_epi64((__m256i)(a), (__m256i)(b), (__m256i)(c), table)
#else
#define TERNARY(a, b, c, table, otherwise) \
    (Word) _mm512_ternarylogic_epi64((__m512i)(a), (__m512i)(b), (__m512i)(c), table)
#endif

/* ---- codes to planes --------------------------------------------------------------------- */

static inline Word multiplex(Word select, Word zero, Word one) {
    return TERNARY(select, one, zero, 0xCA, zero ^ (select & (zero ^ one)));
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
    return TERNARY(more, equal, behind, 0xF8, more | (equal & behind));
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

/* Planes "code >= k" for k = 1 to n_steps of one byte column. */
static void column_planes(const uint8_t *codes, int32_t n_steps, Plane *plane) {
#if IN_BYTES
    __m512i own[ROWS / 64];
    for (int q = 0; q < ROWS / 64; q++)
        own[q] = _mm512_loadu_si512(codes + 64 * q);
    uint64_t *word = (uint64_t *)plane;
    for (int32_t k = 1; k <= n_steps; k++)
        for (int q = 0; q < ROWS / 64; q++)
            *word++ = _mm512_cmpge_epu8_mask(own[q], _mm512_set1_epi8((char)k));
#else
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
#endif
}

static void split_planes(const Forest *f, const uint8_t *codes, Plane *slot) {
    memset(slot, 0, sizeof *slot);
    memset(slot + 1, 255, sizeof *slot);
    Plane *plane = slot + FIRST_PLANE;
    for (int64_t i = 0; i < f->n_scales; i++) {
        const Scale *s = f->scales + i;
        if (f->told && f->told[i]) {
            plane += s->n_cuts;
            continue;
        }
        for (int32_t c = 0, left = s->n_cuts; left > 0; c++, left -= CUTS_PER_COLUMN) {
            const int32_t steps = left < CUTS_PER_COLUMN ? left : CUTS_PER_COLUMN;
            column_planes(codes + (s->first_column + c) * ROWS, steps, plane);
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

/* Byte r of `number` from bit r of each plane. */
static inline void bytes_of_bits(const Plane *const bit[8], uint8_t *number) {
#if IN_BYTES
    for (int q = 0; q < ROWS / 64; q++) {
        __m512i found = _mm512_setzero_si512();
        for (int b = 0; b < PLANES_PER_TREE; b++) {
            const __mmask64 set = ((const uint64_t *)bit[b])[q];
            found = _mm512_or_si512(found, _mm512_maskz_set1_epi8(set, (char)(1 << b)));
        }
        _mm512_store_si512(number + 64 * q, found);
    }
#else
    transpose(bit, (Plane *)number);
#endif
}

#define AT(i) ((const Plane *)(slot + ROWS / 64 * (op[0] >> SLOT_BITS * (i) & SLOT_MASK)))
/* Run the multiplexers of a tree: op i reads three slots and writes result[i]. */
static inline void run_ops(const uint8_t *slot, const uint64_t *op, int32_t n, Plane *result) {
    /* free block: begins */
    UNROLLED(UNROLL)
    for (int32_t i = 0; i < n; i++, op++)
        for (int h = 0; h < PARTS; h++)
            result[i].part[h] = multiplex(AT(0)->part[h], AT(1)->part[h], AT(2)->part[h]);
    /* free block: ends */
}
#undef AT

static void run_tree(const Forest *f, int64_t tree, Plane *slot, uint8_t *number) {
    const int32_t first = f->op_first[tree], n = f->op_first[tree + 1] - first;
    run_ops((const uint8_t *)slot, f->ops + first, n, slot + FIRST_PLANE + f->n_cut_planes + f->n_sets);
    const uint16_t *out = f->out + PLANES_PER_TREE * tree;
    const Plane *bit[PLANES_PER_TREE];
    for (int b = 0; b < PLANES_PER_TREE; b++)
        bit[b] = slot + out[b];
    bytes_of_bits(bit, number);
}

/* ---- leaf numbers to sums -------------------------------------------------------------------
 * sum[PLACE(r)] belongs to row r. Trees are added one after the other; leaves of float64 as LightGBM
 * adds them, so the sums are the same to the last bit. */

#if defined(__AVX512BW__)
/* Trees of at most 32 leaves, from a table held in registers; both words of a leaf on their own. */
static void add_small_trees(const Forest *f, int64_t tree, int n_trees, uint8_t number[][ROWS],
                            Sum *sum) {
    __m512i table[TREES_AT_ONCE][TABLES];
    for (int k = 0; k < n_trees; k++)
        load_table(f, tree + k, table[k]);
    for (int j = 0; j < ROWS / 64; j++) {
        __m512i total[SUMS];
        for (int i = 0; i < SUMS; i++)
            total[i] = _mm512_load_si512(sum + 64 * j + 64 / SUMS * i);
        for (int k = 0; k < n_trees; k++) {
            __m512i at = _mm512_load_si512(number[k] + 64 * j);
            for (int y = 0; y < 4; y++) {
                /* only the lowest five bits of each word are looked at */
                add_leaves(table[k], at, total + SUMS / 4 * y);
                at = _mm512_srli_epi32(at, 8);
            }
        }
        for (int i = 0; i < SUMS; i++)
            _mm512_store_si512(sum + 64 * j + 64 / SUMS * i, total[i]);
    }
}
#endif

static void add_trees(const Forest *f, int64_t tree, int n_trees, uint8_t number[][ROWS], Sum *sum) {
#if defined(__AVX2__) && !defined(__AVX512BW__) && LEAF == FLOAT64
    for (int p = 0; p < ROWS; p += 16) {
        __m256d total[4];
        for (int i = 0; i < 4; i++)
            total[i] = _mm256_load_pd(sum + p + 4 * i);
        for (int k = 0; k < n_trees; k++) {
            const double *leaf = f->leaf + f->leaf_first[tree + k];
            const uint8_t *at = number[k] + p;
            for (int i = 0; i < 4; i++)
                total[i] = _mm256_add_pd(total[i], _mm256_setr_pd(leaf[at[4 * i]], leaf[at[4 * i + 1]],
                                                                  leaf[at[4 * i + 2]], leaf[at[4 * i + 3]]));
        }
        for (int i = 0; i < 4; i++)
            _mm256_store_pd(sum + p + 4 * i, total[i]);
    }
#else
    for (int p = 0; p < ROWS; p++) {
        Sum total = sum[PLACE(p)];
        for (int k = 0; k < n_trees; k++)
            total += as_leaf(f, f->leaf[f->leaf_first[tree + k] + number[k][p]]);
        sum[PLACE(p)] = total;
    }
#endif
}

/* Meanwhile the `n_ahead` values of the next block are fetched: processors do not look that far. */
static void score_block(const Forest *f, const uint8_t *codes, void *slots, int64_t m, double *out,
                        const double *ahead, int64_t n_ahead) {
    Plane *slot = slots;
    Sum sum[ROWS] __attribute__((aligned(64))) = {0};
    uint8_t number[TREES_AT_ONCE][ROWS] __attribute__((aligned(64)));
    split_planes(f, codes, slot);
    int64_t fetched = 0;
    for (int64_t tree = 0; tree < f->n_trees;) {
        int n = 0, small = 1;
        for (; n < TREES_AT_ONCE && tree + n < f->n_trees; n++) {
            small &= f->leaf_count[tree + n] <= MIN_TABLE;
            run_tree(f, tree + n, slot, number[n]);
            for (; PREFETCH && fetched * f->n_trees < n_ahead * (tree + n); fetched += 64 / sizeof *ahead)
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
    RAN(m);
    for (int64_t r = 0; r < m; r++)
        out[r] = SCORE(as_score(f, sum[PLACE(r)]));
}

#undef OF
#undef Word
#undef Plane
#undef multiplex
#undef merge
#undef transpose
#undef either
#undef at_least
#undef column_planes
#undef split_planes
#undef run_ops
#undef run_tree
#undef bytes_of_bits
#undef add_small_trees
#undef add_trees
#undef score_block
#undef LANE
#undef WIDTH
#undef PARTS
#undef IN_BYTES
#undef TERNARY
