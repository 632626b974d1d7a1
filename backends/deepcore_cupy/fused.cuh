// What generated kernels are written in: numbers of 16 bits, functions of one element, and reductions by several threads.
//
// Every operation computes in its own data type and rounds once; numbers of 16 bits are computed in float and rounded
// after each operation, as NumPy does. No header of CUDA is needed, so that NVRTC alone compiles it, and the same text is
// C++ on a host.

#ifndef __CUDACC__
#include <cmath>
#include <cstring>
using namespace std;
#endif

typedef long long place;

__device__ __forceinline__ float as_float(unsigned int bits)
{
    union { unsigned int bits; float value; } both = {bits};
    return both.value;
}

__device__ __forceinline__ double as_double(unsigned long long bits)
{
    union { unsigned long long bits; double value; } both = {bits};
    return both.value;
}

__device__ __forceinline__ unsigned int bits_of(float value)
{
    union { float value; unsigned int bits; } both = {value};
    return both.bits;
}

struct float16 {
    unsigned short bits;

    __device__ __forceinline__ operator float() const
    {
#ifdef __CUDACC__
        float value;
        asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
        return value;
#else
        _Float16 value;
        memcpy(&value, &bits, 2);
        return value;
#endif
    }
    float16() = default;
    __device__ __forceinline__ float16(float value)
    {
#ifdef __CUDACC__
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
        _Float16 narrow = (_Float16)value;
        memcpy(&bits, &narrow, 2);
#endif
    }
};

struct bfloat16 {
    unsigned short bits;

    __device__ __forceinline__ operator float() const { return as_float((unsigned int)bits << 16); }
    bfloat16() = default;
    __device__ __forceinline__ bfloat16(float value)  // to the nearest, and of two that are as near the even one
    {
        const unsigned int word = bits_of(value);
        bits = (unsigned short)(value != value ? (word >> 16 & 0x8000) | 0x7fc0 : (word + 0x7fff + (word >> 16 & 1)) >> 16);
    }
};

template <typename T> struct alignas(4 * sizeof(T)) four { T at[4]; };

__device__ __forceinline__ bool is_aligned(const void* address, int bytes)
{
    return (unsigned long long)address % bytes == 0;
}

// ---------------------------------------------------------------------------------------------- functions of an element

template <typename T> __device__ __forceinline__ T maximum(T a, T b) { return a != a || a > b ? a : b; }
template <typename T> __device__ __forceinline__ T minimum(T a, T b) { return a != a || a < b ? a : b; }
template <typename T> __device__ __forceinline__ T absolute(T x) { return x < 0 ? -x : x; }
template <> __device__ __forceinline__ float absolute(float x) { return fabs(x); }
template <> __device__ __forceinline__ double absolute(double x) { return fabs(x); }
template <> __device__ __forceinline__ bool absolute(bool x) { return x; }
template <typename T> __device__ __forceinline__ T sign_of(T x) { return x != x ? x : (T)((x > 0) - (x < 0)); }
template <typename T> __device__ __forceinline__ bool is_finite(T x) { return x - x == 0; }
template <typename T> __device__ __forceinline__ bool is_infinite(T x) { return x == x && !is_finite(x); }

template <typename T> __device__ __forceinline__ T log_add_exp(T a, T b)
{
    const T high = maximum(a, b), low = minimum(a, b);
    return a == b ? a + (T)0.693147180559945309417 : high + log1p(exp(low - high));
}

template <typename T> __device__ __forceinline__ T floored_remainder(T a, T b)
{
    const T r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r == 0 ? copysign((T)0, b) : r;
}

template <typename T> __device__ __forceinline__ T floored_quotient(T a, T b)
{
    if (b == 0) return a / b;
    const T r = floored_remainder(a, b), q = (a - r) / b;
    return q == 0 ? copysign((T)0, a / b) : rint(q);
}

template <typename T> __device__ __forceinline__ T whole_remainder(T a, T b)
{
    if (b == 0) return 0;
    const T r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

template <typename T> __device__ __forceinline__ T whole_quotient(T a, T b)
{
    return b == 0 ? 0 : (a - whole_remainder(a, b)) / b;
}

template <typename T> __device__ __forceinline__ T whole_power(T base, T exponent)
{
    T result = 1;
    for (; exponent > 0; exponent /= 2, base *= base)
        if (exponent % 2) result *= base;
    return result;
}

// ------------------------------------------------------------------------------------------------------------ reductions

struct Sum { template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return a + b; } };
struct Product { template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return a * b; } };
struct Maximum { template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return maximum(a, b); } };
struct Minimum { template <typename T> __device__ __forceinline__ T operator()(T a, T b) const { return minimum(a, b); } };
struct All { __device__ __forceinline__ bool operator()(bool a, bool b) const { return a && b; } };
struct Any { __device__ __forceinline__ bool operator()(bool a, bool b) const { return a || b; } };

// What all threads of a row have, put together, for each of them; in an order that is always the same.
template <int LANES, typename T, typename F>
__device__ __forceinline__ T together(T mine, F combine)
{
    if constexpr (LANES > 1) {
        for (int step = 16; step > 0; step /= 2) mine = combine(mine, (T)__shfl_xor_sync(0xffffffffu, mine, step));
    }
    if constexpr (LANES > 32) {
        __shared__ T parts[LANES / 32];
        __syncthreads();
        if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = mine;
        __syncthreads();
        mine = parts[0];
        for (int warp = 1; warp < LANES / 32; ++warp) mine = combine(mine, parts[warp]);
    }
    return mine;
}

// What one of the threads of a row has, for each of them.
template <int LANES, typename T>
__device__ __forceinline__ T from_lane(T mine, int lane)
{
    if constexpr (LANES == 32) return (T)__shfl_sync(0xffffffffu, mine, lane);
    if constexpr (LANES > 32) {
        __shared__ T chosen;
        __syncthreads();
        if ((int)threadIdx.x == lane) chosen = mine;
        __syncthreads();
        return chosen;
    }
    return mine;
}
