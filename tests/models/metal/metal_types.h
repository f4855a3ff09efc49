// What MLX's kernels use of Metal's standard library, in C++ for the CPU.
// Sizes, widths and limits are those of the Metal Shading Language Specification (version 3.2).
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

using uint = uint32_t;
using ushort = uint16_t;
using uchar = uint8_t;
using ulong = uint64_t;
using half = _Float16;
using float16_t = half;

// bfloat16 is kept in 16 bits; every operation is done in float and rounded to the nearest even.
struct bfloat16_t {
  uint16_t bits = 0;
  bfloat16_t() = default;
  template <class T>
    requires(std::is_arithmetic_v<T> || std::is_same_v<T, half>)
  bfloat16_t(T value) {
    const uint32_t wide = std::bit_cast<uint32_t>(static_cast<float>(value));
    const bool nan = (wide & 0x7FFFFFFFu) > 0x7F800000u;
    bits = nan ? 0x7FC0 : static_cast<uint16_t>((wide + 0x7FFF + ((wide >> 16) & 1)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
};
#define METAL_BFLOAT(op)                                                                      \
  inline bfloat16_t operator op(bfloat16_t a, bfloat16_t b) { return float(a) op float(b); }  \
  inline bfloat16_t& operator op##=(bfloat16_t& a, bfloat16_t b) { return a = a op b; }
METAL_BFLOAT(+) METAL_BFLOAT(-) METAL_BFLOAT(*) METAL_BFLOAT(/)
using bfloat = bfloat16_t;

namespace metal {

// Vectors of three take the room of four. There are none of eight, of whatever type.
template <class T, int N> struct Lanes;
template <class T> struct Lanes<T, 2> { T x{}, y{}; };
template <class T> struct Lanes<T, 3> { T x{}, y{}, z{}; T spare{}; };
template <class T> struct Lanes<T, 4> { T x{}, y{}, z{}, w{}; };

template <class T, int N> struct alignas(sizeof(T) * (N == 3 ? 4 : N)) vec : Lanes<T, N> {
  static_assert(N >= 2 && N <= 4, "Metal has vectors of 2, 3 and 4 only");
  vec() = default;
  vec(T all) { for (int i = 0; i < N; ++i) (*this)[i] = all; }
  template <class... U> requires(sizeof...(U) == N) vec(U... each) {
    int i = 0;
    (((*this)[i++] = T(each)), ...);
  }
  template <class U> explicit vec(const vec<U, N>& o) { for (int i = 0; i < N; ++i) (*this)[i] = T(o[i]); }
  T& operator[](int i) { return reinterpret_cast<T*>(this)[i]; }
  const T& operator[](int i) const { return reinterpret_cast<const T*>(this)[i]; }
};
#define METAL_LANEWISE(op)                                                                    \
  template <class T, int N> vec<T, N> operator op(const vec<T, N>& a, const vec<T, N>& b) {   \
    vec<T, N> r; for (int i = 0; i < N; ++i) r[i] = T(a[i] op b[i]); return r; }               \
  template <class T, int N> vec<T, N> operator op(const vec<T, N>& a, std::type_identity_t<T> b) { return a op vec<T, N>(b); } \
  template <class T, int N> vec<T, N> operator op(std::type_identity_t<T> a, const vec<T, N>& b) { return vec<T, N>(a) op b; } \
  template <class T, int N> vec<T, N>& operator op##=(vec<T, N>& a, const vec<T, N>& b) { return a = a op b; } \
  template <class T, int N> vec<T, N>& operator op##=(vec<T, N>& a, std::type_identity_t<T> b) { return a = a op b; }
METAL_LANEWISE(+) METAL_LANEWISE(-) METAL_LANEWISE(*) METAL_LANEWISE(/)
template <class T, int N> T dot(const vec<T, N>& a, const vec<T, N>& b) {
  T sum = a[0] * b[0];
  for (int i = 1; i < N; ++i) sum += a[i] * b[i];
  return sum;
}

#define METAL_MATH(name) template <class T> T name(T x) { return T(std::name(float(x))); }
METAL_MATH(exp) METAL_MATH(exp2) METAL_MATH(log) METAL_MATH(log2) METAL_MATH(sqrt) METAL_MATH(floor)
METAL_MATH(ceil) METAL_MATH(tanh) METAL_MATH(sin) METAL_MATH(cos)
template <class T> T rsqrt(T x) { return T(1.0f / std::sqrt(float(x))); }
template <class T> T fma(T a, T b, T c) { return T(std::fma(float(a), float(b), float(c))); }
template <class T> T abs(T x) { return x < T(0) ? T(-x) : x; }
template <class T> T max(T a, std::type_identity_t<T> b) { return b > a ? b : a; }
template <class T> T min(T a, std::type_identity_t<T> b) { return b < a ? b : a; }
template <class T> T clamp(T x, T low, T high) { return min(max(x, low), high); }
template <class T> T select(T a, T b, bool second) { return second ? b : a; }
template <class To, class From> To as_type(const From& value) { return std::bit_cast<To>(value); }
// Unlike the C builtins, defined for zero.
template <class T> T ctz(T x) { return T(std::countr_zero(std::make_unsigned_t<T>(x))); }
template <class T> T clz(T x) { return T(std::countl_zero(std::make_unsigned_t<T>(x))); }
template <class T> T popcount(T x) { return T(std::popcount(std::make_unsigned_t<T>(x))); }
namespace fast { using metal::exp; using metal::exp2; using metal::max; using metal::min; }
namespace precise { using metal::exp; using metal::exp2; using metal::log; }
template <class T> struct numeric_limits : std::numeric_limits<T> {};

}  // namespace metal

#define METAL_VECTORS(T)        \
  using T##2 = metal::vec<T, 2>; \
  using T##3 = metal::vec<T, 3>; \
  using T##4 = metal::vec<T, 4>;
METAL_VECTORS(float) METAL_VECTORS(half) METAL_VECTORS(int) METAL_VECTORS(uint)
METAL_VECTORS(ushort) METAL_VECTORS(uchar) METAL_VECTORS(bfloat)
