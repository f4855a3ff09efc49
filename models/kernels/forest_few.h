/* One row at a time. A row is the codes of all scales. */

/* ---- by walking -----------------------------------------------------------------------------
 * Sixteen trees are walked side by side, all for as many steps as the deepest takes: a leaf leads to
 * itself, so that nothing has to be guessed. Each step looks its answer up by the code of the row. */

enum { WALKED = 16 };

static double walk_row(const Forest *f, const int32_t *code) {
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

/* ---- by masks -------------------------------------------------------------------------------
 * Leaves left of a split that goes right are taken away; the lowest that stays is the one reached
 * (Lucchese et al. 2015, QuickScorer). Thirty-two trees side by side, a split of each at a time. */

#if defined(__AVX512BW__)
static inline __attribute__((always_inline)) void mask_rows(const Forest *f, const int32_t *code,
                                                            int n_rows, double *out) {
    __m512i own[MASK_ROWS][2];
    double total[MASK_ROWS] = {0};
    for (int r = 0; r < n_rows; r++) {
        uint16_t narrow[MASK_SCALES] __attribute__((aligned(64))) = {0};
        for (int64_t i = 0; i < f->n_scales; i++)
            narrow[i] = (uint16_t)code[r * f->n_scales + i];
        own[r][0] = _mm512_load_si512(narrow);
        own[r][1] = _mm512_load_si512(narrow + 32);
    }
    for (int64_t group = 0, tree = 0; group < f->n_mask_groups; group++, tree += MASK_TREES) {
        __m512i left[MASK_ROWS][2];
        for (int r = 0; r < n_rows; r++)
            left[r][0] = left[r][1] = _mm512_set1_epi32(-1);
        for (int64_t i = f->mask_first[group]; i < f->mask_first[group + 1]; i++) {
            const MaskStep *step = f->mask_steps + i;
            const __m512i scale = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)step->scale));
            const __m512i low = _mm512_loadu_si512(step->low), span = _mm512_loadu_si512(step->span);
            const __m512i kept[2] = {_mm512_loadu_si512(step->kept), _mm512_loadu_si512(step->kept + 16)};
            for (int r = 0; r < n_rows; r++) {
                const __m512i own_code = _mm512_permutex2var_epi16(own[r][0], scale, own[r][1]);
                const __mmask32 right = _mm512_cmplt_epu16_mask(_mm512_sub_epi16(own_code, low), span);
                left[r][0] = _mm512_mask_and_epi32(left[r][0], (__mmask16)right, left[r][0], kept[0]);
                left[r][1] = _mm512_mask_and_epi32(left[r][1], (__mmask16)(right >> 16), left[r][1], kept[1]);
            }
        }
        double leaf[MASK_ROWS][MASK_TREES] __attribute__((aligned(64)));
        const __m512i table = _mm512_slli_epi32(
            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), 5);
        for (int r = 0; r < n_rows; r++)
            for (int h = 0; h < 2; h++) {
                /* the exponent of a power of two is its place, also of the highest, which is -2^31 */
                const __m512i lowest =
                    _mm512_and_si512(left[r][h], _mm512_sub_epi32(_mm512_setzero_si512(), left[r][h]));
                const __m512i bits = _mm512_srli_epi32(_mm512_castps_si512(_mm512_cvtepi32_ps(lowest)), 23);
                const __m512i at = _mm512_add_epi32(
                    table, _mm512_sub_epi32(_mm512_and_si512(bits, _mm512_set1_epi32(255)),
                                            _mm512_set1_epi32(127)));
                const double *first = f->mask_leaf + 32 * (tree + 16 * h);
                _mm512_store_pd(leaf[r] + 16 * h,
                                _mm512_i32gather_pd(_mm512_castsi512_si256(at), first, 8));
                _mm512_store_pd(leaf[r] + 16 * h + 8,
                                _mm512_i32gather_pd(_mm512_extracti64x4_epi64(at, 1), first, 8));
            }
        const int64_t n = f->n_trees - tree < MASK_TREES ? f->n_trees - tree : MASK_TREES;
        for (int64_t k = 0; k < n; k++)
            for (int r = 0; r < n_rows; r++)
                total[r] += leaf[r][k];
    }
    for (int r = 0; r < n_rows; r++)
        out[r] = total[r];
}
#endif

/* At most FEW_AT_ONCE rows. */
static void score_few(const Forest *f, const int32_t *code, int64_t m, double *out) {
    RAN(m);
    int64_t r = 0;
#if defined(__AVX512BW__)
    if (FEW == BY_MASKS && f->n_mask_groups) {
        for (; r + MASK_ROWS <= m; r += MASK_ROWS)
            mask_rows(f, code + r * f->n_scales, MASK_ROWS, out + r);
        for (; r < m; r++)
            mask_rows(f, code + r * f->n_scales, 1, out + r);
    }
#endif
    for (; r < m; r++)
        out[r] = walk_row(f, code + r * f->n_scales);
    for (r = 0; r < m; r++)
        out[r] = SCORE(out[r]);
}
