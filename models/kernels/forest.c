/* Which of the compiled variants this processor can run. The caller names one at each call, so that
 * there is no state here and a test can run all of them. */
#include "forest.h"

enum { PORTABLE, AVX2, AVX512 };

#if defined(__GNUC__) && defined(__x86_64__)
#define X86 1
#endif

int64_t forest_best(void) {
#ifdef X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return AVX512;
    if (__builtin_cpu_supports("avx2"))
        return AVX2;
#endif
    return PORTABLE;
}

/* Sizes of what Python lays out by hand: compared on loading. */
int64_t forest_layout(void) {
    const int64_t sizes[] = {sizeof(Scale), sizeof(Forest), sizeof(Node), sizeof(MaskStep)};
    int64_t all = 0;
    for (int i = 0; i < 4; i++)
        all = all * 1000 + sizes[i];
    return all;
}

#ifdef X86
#define CHOOSE(name, ...)                                                                          \
    switch (variant) {                                                                             \
    case AVX512: return name##_avx512(__VA_ARGS__);                                                \
    case AVX2: return name##_avx2(__VA_ARGS__);                                                    \
    default: return name##_portable(__VA_ARGS__);                                                  \
    }
#else
#define CHOOSE(name, ...) (void)variant; return name##_portable(__VA_ARGS__);
#endif

int forest_rows(int64_t variant, const Forest *f, const double *x, int64_t n, int64_t n_features,
                double *out) {
    CHOOSE(forest_rows, f, x, n, n_features, out)
}

int forest_pairs(int64_t variant, const Forest *f, const Pairs *p, int64_t start, int64_t n,
                 double *out) {
    CHOOSE(forest_pairs, f, p, start, n, out)
}

int forest_codes(int64_t variant, const Forest *f, const int32_t *scales, int64_t n_scales,
                 const double *x, int64_t n, int64_t n_columns, uint8_t *codes) {
    CHOOSE(forest_codes, f, scales, n_scales, x, n, n_columns, codes)
}
