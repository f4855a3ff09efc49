/* Values to codes: how many of the model's own thresholds lie below a value. */

enum { MOST_ROWS = WIDE > NARROW ? WIDE : NARROW };
/* Between columns of floats: a power of two would put them all into the same few places of the cache. */
enum { STEP = MOST_ROWS + 16 };

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

static inline void put_code(const Scale *s, int32_t code, int64_t stride, uint8_t *out) {
    for (int32_t c = 0; c < s->n_columns; c++)
        out[c * stride] = byte_of(code, c);
}

/* Columns of a row-major matrix (m, n) as floats, `STEP` apart. */
static void narrow(const double *x, int64_t m, int64_t n, float *out) {
    int64_t r = 0;
    if (n == 1)
        for (; r < m; r++)
            out[r] = (float)x[r];
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

/* Codes of m values, `stride` apart, into the byte columns of a scale, `apart` bytes apart. `near` holds
 * the values as floats: where no cut lies in the cell, that settles it; elsewhere the values are
 * compared themselves. */
static void code_values(const Forest *f, const Scale *s, const float *near, const double *x,
                        int64_t stride, int64_t m, int64_t apart, uint8_t *out) {
    uint64_t unsure[MOST_ROWS / 64] = {0};
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
            _mm_storeu_si128((__m128i *)(out + c * apart + r), _mm512_cvtusepi32_epi8(held));
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
            _mm_storel_epi64((__m128i *)(out + c * apart + r), _mm_packus_epi16(half, half));
        }
    }
#endif
    for (; r < m; r++) {
        const float v = near[r], size = fabsf(v);
        const int32_t entry = cells[cell_of(s, v)], nan = v != v, zero = size < zero_at;
        int32_t code = zero ? s->zero_code : entry & COUNT;
        code = nan ? s->nan_code : code;
        unsure[r >> 6] |= (uint64_t)(((entry < 0) | (size == zero_at)) & !(zero | nan)) << (r & 63);
        put_code(s, code, apart, out + r);
    }
    const double *cuts = f->cuts + s->first_cut;
    const int at_most_two = s->n_columns == 1 && s->most_in_cell <= 2;
    for (int64_t word = 0; word < MOST_ROWS / 64; word++)
        for (uint64_t left = unsure[word]; left; left &= left - 1) {
            const int64_t at = 64 * word + __builtin_ctzll(left);
            const double own = x[at * stride];
            if (at_most_two) { /* without a branch that guesses */
                int32_t code = out[at];
                code += own > cuts[code];
                code += own > cuts[code];
                out[at] = (uint8_t)(fabs(own) <= ZERO ? s->zero_code : code);
            } else
                put_code(s, code_of(f, s, own), apart, out + at);
        }
}

