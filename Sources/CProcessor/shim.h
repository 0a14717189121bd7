#ifndef S3GW_CPROCESSOR_SHIM_H
#define S3GW_CPROCESSOR_SHIM_H

#include <stddef.h>
#include <stdint.h>

/* Carry-less multiplication, which Swift has no word for: PCLMULQDQ (Intel 64 Architectures Software Developer's Manual, volume 2). */

#if defined(__x86_64__)

#include <cpuid.h>
#include <emmintrin.h>
#include <wmmintrin.h>

/* Whether this processor has it. */
static inline int s3gw_has_carryless(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL);
}

/* Multiplies the 16 bytes of `lane`: its first eight by the low half of `keys`, its last eight by the high half. */
__attribute__((target("pclmul"))) static inline __m128i s3gw_fold_lane(__m128i lane, __m128i keys) {
    return _mm_xor_si128(_mm_clmulepi64_si128(lane, keys, 0x00), _mm_clmulepi64_si128(lane, keys, 0x11));
}

/* Folds `blocks` blocks of 64 bytes at `data` into `state`, which is one block; neither needs to be aligned. */
__attribute__((target("pclmul"))) static inline void s3gw_fold(
    void *state, const void *data, size_t blocks, uint64_t first_key, uint64_t last_key) {
    const __m128i keys = _mm_set_epi64x((long long)last_key, (long long)first_key);
    const __m128i *next = (const __m128i *)data;
    __m128i *lanes = (__m128i *)state;
    __m128i a = _mm_loadu_si128(lanes), b = _mm_loadu_si128(lanes + 1);
    __m128i c = _mm_loadu_si128(lanes + 2), d = _mm_loadu_si128(lanes + 3);
    for (; blocks > 0; blocks--, next += 4) {
        a = _mm_xor_si128(s3gw_fold_lane(a, keys), _mm_loadu_si128(next));
        b = _mm_xor_si128(s3gw_fold_lane(b, keys), _mm_loadu_si128(next + 1));
        c = _mm_xor_si128(s3gw_fold_lane(c, keys), _mm_loadu_si128(next + 2));
        d = _mm_xor_si128(s3gw_fold_lane(d, keys), _mm_loadu_si128(next + 3));
    }
    _mm_storeu_si128(lanes, a);
    _mm_storeu_si128(lanes + 1, b);
    _mm_storeu_si128(lanes + 2, c);
    _mm_storeu_si128(lanes + 3, d);
}

#else

static inline int s3gw_has_carryless(void) { return 0; }
static inline void s3gw_fold(
    void *state, const void *data, size_t blocks, uint64_t first_key, uint64_t last_key) {}

#endif

#endif
