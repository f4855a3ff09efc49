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
#include "forest_params.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAMED(name) JOIN(name, ISA)
#define PRAGMA(text) _Pragma(#text)
#define UNROLLED(n) PRAGMA(GCC unroll n)

#if defined(__AVX512BW__)
#define WIDEST 64 /* bytes of a vector */
#elif defined(__AVX2__)
#define WIDEST 32
#else
#define WIDEST 16
#endif

#include "forest_codes.h"
#include "forest_few.h"
#include "forest_leaves.h"

#define ROWS WIDE
#include "forest_planes.h"
#if NARROW && NARROW != WIDE
#undef ROWS
#define ROWS NARROW
#include "forest_planes.h"
#endif

/* ---- which rows are done how ----------------------------------------------------------------- */

enum { ALONE = 0, FEW_AT_ONCE = 16 };

static inline int64_t at_most(int64_t n, int64_t most) { return n < most ? n : most; }

/* Rows that the next block takes of those left; ALONE where they are done one by one. */
static inline int64_t block_of(const Forest *f, int64_t left, int few) {
    /* a forest that masks cannot hold is walked, which takes longer a row */
    const int64_t most = FEW == BY_MASKS && !f->n_mask_groups ? at_most(FEW_ROWS, 10) : FEW_ROWS;
    if (f->walk_only || (FEW && few && left <= most))
        return ALONE;
    return NARROW && left <= NARROW_ROWS ? NARROW : WIDE;
}

static void score_rows(const Forest *f, int64_t block, const uint8_t *codes, void *slots, int64_t m,
                       double *out, const double *ahead, int64_t n_ahead) {
#if NARROW && NARROW != WIDE
    if (block == NARROW) {
        JOIN(score_block, NARROW)(f, codes, slots, m, out, ahead, n_ahead);
        return;
    }
#endif
    (void)block;
    JOIN(score_block, WIDE)(f, codes, slots, m, out, ahead, n_ahead);
}

/* Memory for blocks of up to the size of the first: slots, behind them codes, and n_near columns of
 * values as floats. */
typedef struct {
    void *slots;
    uint8_t *codes;
    float *near;
} Memory;

static void *reserved(size_t bytes) {
    void *found = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (CLEARED && found)
        memset(found, 0, bytes);
    return found;
}

static int reserve(const Forest *f, int64_t block, int64_t n_near, Memory *memory) {
    const size_t planes = ((size_t)f->n_slots * (size_t)block / 8 + 63) / 64 * 64;
    const size_t bytes = (size_t)f->n_columns * (size_t)block;
    memory->slots = reserved(planes + bytes + (size_t)n_near * STEP * sizeof(float));
    if (!memory->slots)
        return 1;
    memory->codes = (uint8_t *)memory->slots + planes;
    memory->near = (float *)(memory->codes + bytes);
    if (!CLEARED) /* rows beyond the last are scored with it, whatever they hold */
        memset(memory->codes, 0, bytes);
    return 0;
}

/* ---- entry points -------------------------------------------------------------------------- */

static void code_block(const Forest *f, const double *x, int64_t m, int64_t n_features, int64_t block,
                       Memory memory) {
    if (GRID)
        narrow(x, m, n_features, memory.near);
    for (int64_t i = 0; i < f->n_scales; i++) {
        const Scale *s = f->scales + i;
        uint8_t *codes = memory.codes + s->first_column * block;
        if (GRID)
            code_values(f, s, memory.near + s->feature * STEP, x + s->feature, n_features, m, block, codes);
        else
            for (int64_t r = 0; r < m; r++)
                put_code(s, code_of(f, s, x[r * n_features + s->feature]), block, codes + r);
    }
}

int NAMED(forest_rows)(const Forest *f, const double *x, int64_t n, int64_t n_features, double *out) {
    const int64_t first = block_of(f, n, 1);
    Memory memory = {0};
    if (first && reserve(f, first, n_features, &memory))
        return 1;
    int32_t *alone = malloc((size_t)(f->n_scales + 1) * FEW_AT_ONCE * sizeof *alone);
    if (!alone) {
        free(memory.slots);
        return 1;
    }
    for (int64_t r = 0, m; r < n; r += m) {
        const double *own = x + r * n_features;
        const int64_t block = block_of(f, n - r, 1);
        m = at_most(n - r, block ? block : FEW_AT_ONCE);
        if (block) {
            const double *ahead = own + m * n_features;
            code_block(f, own, m, n_features, block, memory);
            score_rows(f, block, memory.codes, memory.slots, m, out + r, ahead,
                       at_most(n - r - m, block) * n_features);
            continue;
        }
        for (int64_t i = 0; i < m; i++)
            for (int64_t s = 0; s < f->n_scales; s++)
                alone[i * f->n_scales + s] =
                    code_of(f, f->scales + s, own[i * n_features + f->scales[s].feature]);
        score_few(f, alone, m, out + r);
    }
    free(alone);
    free(memory.slots);
    return 0;
}

#if defined(__SSE2__)
/* Bytes of 8 rows as 8 columns. */
static inline void turn(const uint8_t *const row[8], uint8_t *const column[8]) {
    __m128i a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = _mm_loadl_epi64((const __m128i *)row[i]);
    for (int i = 0; i < 4; i++)
        b[i] = _mm_unpacklo_epi8(a[2 * i], a[2 * i + 1]);
    for (int h = 0; h < 2; h++) {
        a[2 * h] = _mm_unpacklo_epi16(b[2 * h], b[2 * h + 1]);
        a[2 * h + 1] = _mm_unpackhi_epi16(b[2 * h], b[2 * h + 1]);
    }
    for (int h = 0; h < 2; h++) {
        b[2 * h] = _mm_unpacklo_epi32(a[h], a[h + 2]);
        b[2 * h + 1] = _mm_unpackhi_epi32(a[h], a[h + 2]);
    }
    for (int i = 0; i < 4; i++) {
        _mm_storel_epi64((__m128i *)column[2 * i], b[i]);
        _mm_storel_epi64((__m128i *)column[2 * i + 1], _mm_unpackhi_epi64(b[i], b[i]));
    }
}
#endif

/* Codes of an entity's rows for m pairs from `start` on. */
static void spread(const Entity *entity, int64_t start, int64_t m, int64_t block, uint8_t *codes) {
    const int64_t width = (entity->n_columns + 7) / 8 * 8;
    if (!entity->row) {
        for (int64_t c = 0; c < entity->n_columns; c++)
            memset(codes + entity->columns[c] * block, entity->codes[c], (size_t)m);
        return;
    }
    const int64_t *row = entity->row + start;
    int64_t done = 0;
#if defined(__SSE2__)
    uint8_t unused[MOST_ROWS];
    done = RUNS ? 0 : m / 8 * 8;
    for (int64_t c = 0; c < width; c += 8) {
        uint8_t *first[8];
        for (int k = 0; k < 8; k++)
            first[k] = c + k < entity->n_columns ? codes + entity->columns[c + k] * block : unused;
        for (int64_t i = 0; i < done; i += 8) {
            const uint8_t *own[8];
            uint8_t *to[8];
            for (int k = 0; k < 8; k++) {
                own[k] = entity->codes + row[i + k] * width + c;
                to[k] = first[k] + i;
            }
            turn(own, to);
        }
    }
#endif
    for (int64_t i = done, end; i < m; i = end) {
        const uint8_t *own = entity->codes + row[i] * width;
        for (end = i + 1; RUNS && end < m && row[end] == row[i];)
            end++;
        for (int64_t c = 0; c < entity->n_columns; c++) {
            uint8_t *to = codes + entity->columns[c] * block + i;
            if (end - i < 16)
                for (int64_t k = 0; k < end - i; k++)
                    to[k] = own[c];
            else
                memset(to, own[c], (size_t)(end - i));
        }
    }
}

int NAMED(forest_pairs)(const Forest *f, const Pairs *p, int64_t start, int64_t n, double *out) {
    Memory memory = {0};
    const int64_t first = block_of(f, n, FEW_PAIRS);
    if (reserve(f, first ? first : FEW_AT_ONCE, 1, &memory))
        return 1;
    int32_t *alone = malloc((size_t)(f->n_scales + 1) * FEW_AT_ONCE * sizeof *alone);
    if (!alone) {
        free(memory.slots);
        return 1;
    }
    for (int64_t r = 0, m; r < n; r += m) {
        const int64_t block = block_of(f, n - r, FEW_PAIRS), apart = block ? block : FEW_AT_ONCE;
        m = at_most(n - r, apart);
        for (int64_t e = 0; e < p->n_entities; e++)
            spread(p->entities + e, start + r, m, apart, memory.codes);
        for (int64_t i = 0; i < p->n_scales; i++) {
            const Scale *s = f->scales + p->scales[i];
            uint8_t *codes = memory.codes + s->first_column * apart;
            if (GRID && block) {
                narrow(p->values[i] + r, m, 1, memory.near);
                code_values(f, s, memory.near, p->values[i] + r, 1, m, apart, codes);
            } else
                for (int64_t k = 0; k < m; k++)
                    put_code(s, code_of(f, s, p->values[i][r + k]), apart, codes + k);
        }
        if (block) {
            score_rows(f, block, memory.codes, memory.slots, m, out + r, NULL, 0);
            continue;
        }
        for (int64_t i = 0; i < m; i++)
            for (int64_t s = 0; s < f->n_scales; s++) {
                int32_t *code = alone + i * f->n_scales + s;
                *code = 0;
                for (int32_t c = 0; c < f->scales[s].n_columns; c++)
                    *code += memory.codes[(f->scales[s].first_column + c) * apart + i];
            }
        score_few(f, alone, m, out + r);
    }
    free(alone);
    free(memory.slots);
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
