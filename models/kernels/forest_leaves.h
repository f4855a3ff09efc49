/* Leaves as numbers that are added up: of float64, which is exact, or narrower. */

#if LEAF == INT32
typedef int32_t Sum;
#else
typedef double Sum;
#endif

static inline Sum as_leaf(const Forest *f, double leaf) {
#if LEAF == INT32
    return (Sum)lrint(leaf * f->leaf_scale);
#elif LEAF == FLOAT32
    (void)f;
    return (float)leaf;
#else
    (void)f;
    return leaf;
#endif
}

static inline double as_score(const Forest *f, Sum sum) {
#if LEAF == INT32
    return (double)sum / f->leaf_scale;
#else
    (void)f;
    return sum;
#endif
}

#if defined(__AVX512BW__)
/* Byte 4 d + y of 64 leaf numbers is looked up in step y, where it is word d. */
#if LEAF == FLOAT64
enum { TABLES = 4, SUMS = 8 };
/* unpacking low and high words takes words d of which bit 1 is set into a second vector */
#define PLACE(p)                                                                                   \
    (((p) & ~63) + ((p) & 3) * 16 + ((p) >> 3 & 1) * 8 + ((p) >> 4 & 3) * 2 + ((p) >> 2 & 1))
#elif LEAF == FLOAT32
enum { TABLES = 2, SUMS = 8 };
#define PLACE(p) (((p) & ~63) + ((p) & 3) * 16 + ((p) >> 2 & 15))
#else
enum { TABLES = 2, SUMS = 4 };
#define PLACE(p) (((p) & ~63) + ((p) & 3) * 16 + ((p) >> 2 & 15))
#endif

static inline void load_table(const Forest *f, int64_t tree, __m512i table[TABLES]) {
#if LEAF == FLOAT64 && LEAF_WORDS
    for (int h = 0; h < 4; h++)
        table[h] = _mm512_loadu_si512(f->leaf_words + 2 * (int64_t)f->leaf_first[tree] + 16 * h);
#elif LEAF == FLOAT64
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const double *leaf = f->leaf + f->leaf_first[tree];
    for (int h = 0; h < 2; h++) {
        const __m512i a = _mm512_loadu_si512(leaf + 16 * h), b = _mm512_loadu_si512(leaf + 16 * h + 8);
        table[h] = _mm512_permutex2var_epi32(a, even, b);
        table[2 + h] = _mm512_permutex2var_epi32(a, odd, b);
    }
#else
    const double *leaf = f->leaf + f->leaf_first[tree];
    for (int h = 0; h < 2; h++) {
        const __m512d a = _mm512_loadu_pd(leaf + 16 * h), b = _mm512_loadu_pd(leaf + 16 * h + 8);
#if LEAF == FLOAT32
        const __m256i low = _mm256_castps_si256(_mm512_cvtpd_ps(a));
        const __m256i high = _mm256_castps_si256(_mm512_cvtpd_ps(b));
#else
        const __m512d scale = _mm512_set1_pd(f->leaf_scale);
        const __m256i low = _mm512_cvtpd_epi32(_mm512_mul_pd(a, scale));
        const __m256i high = _mm512_cvtpd_epi32(_mm512_mul_pd(b, scale));
#endif
        table[h] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
#endif
}

static inline void add_leaves(const __m512i table[TABLES], __m512i at, __m512i total[SUMS / 4]) {
    const __m512i low = _mm512_permutex2var_epi32(table[0], at, table[1]);
#if LEAF == INT32
    total[0] = _mm512_add_epi32(total[0], low);
#else
#if LEAF == FLOAT64
    const __m512i high = _mm512_permutex2var_epi32(table[2], at, table[3]);
    const __m512d a = _mm512_castsi512_pd(_mm512_unpacklo_epi32(low, high));
    const __m512d b = _mm512_castsi512_pd(_mm512_unpackhi_epi32(low, high));
#else
    const __m512d a = _mm512_cvtps_pd(_mm256_castsi256_ps(_mm512_castsi512_si256(low)));
    const __m512d b = _mm512_cvtps_pd(_mm256_castsi256_ps(_mm512_extracti64x4_epi64(low, 1)));
#endif
    total[0] = _mm512_castpd_si512(_mm512_add_pd(_mm512_castsi512_pd(total[0]), a));
    total[1] = _mm512_castpd_si512(_mm512_add_pd(_mm512_castsi512_pd(total[1]), b));
#endif
}
#else
#define PLACE(p) (p)
#endif
