// Philox4x64-10: the words of numpy.random.Philox(key=(seed, draw)), bit for bit.
//
// Source: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011,
// section 3.3 and table 2. A block of four words is a function of a counter and the key, so each thread makes the blocks
// that its elements lie in and nothing is carried from one to the next. NumPy counts before it draws: its first block is
// that of the counter 1.

typedef unsigned long long word;

struct Block {
    word words[4];
};

__device__ __forceinline__ Block philox(word counter, word seed, word draw)
{
    const word multiplier_0 = 0xD2E7470EE14C6C93ULL, multiplier_1 = 0xCA5A826395121157ULL;
    const word weyl_0 = 0x9E3779B97F4A7C15ULL, weyl_1 = 0xBB67AE8584CAA73BULL;  // golden ratio, sqrt(3) - 1
    word c0 = counter, c1 = 0, c2 = 0, c3 = 0;
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const word high_0 = __umul64hi(multiplier_0, c0), low_0 = multiplier_0 * c0;
        const word high_1 = __umul64hi(multiplier_1, c2), low_1 = multiplier_1 * c2;
        c0 = high_1 ^ c1 ^ seed;
        c1 = low_1;
        c2 = high_0 ^ c3 ^ draw;
        c3 = low_0;
        seed += weyl_0;
        draw += weyl_1;
    }
    return {{c0, c1, c2, c3}};
}

// 24 random bits as a multiple of 2^-24, as numpy.random.Generator.random(dtype=float32) has them: half a word each, the
// lower half first.
__device__ __forceinline__ float uniform_float(const Block& block, int i)
{
    const unsigned int half = (unsigned int)(block.words[i / 2] >> (i % 2 * 32));
    return (float)(half >> 8) * 0x1p-24f;
}

#define FIRST (blockIdx.x * (word)blockDim.x + threadIdx.x)
#define STRIDE (gridDim.x * (word)blockDim.x)

// What one block of words becomes. The alignment lets a thread write it in stores of 16 bytes.
template <typename V, int N>
struct alignas(sizeof(V) * N < 16 ? sizeof(V) * N : 16) Pack {
    V values[N];
};

template <typename V, int N>
__device__ __forceinline__ void store(V* out, word size, word first, const Pack<V, N>& pack)
{
    if (first + N <= size) {
        *(Pack<V, N>*)(out + first) = pack;
    } else {
        for (int j = 0; j < N; ++j)
            if (first + j < size) out[first + j] = pack.values[j];
    }
}

extern "C" __global__ void words(word* out, word size, word seed, word draw)
{
    for (word i = FIRST; i * 4 < size; i += STRIDE) {
        const Block block = philox(i + 1, seed, draw);
        Pack<word, 4> pack;
#pragma unroll
        for (int j = 0; j < 4; ++j) pack.values[j] = block.words[j];
        store(out, size, i * 4, pack);
    }
}

// 53 random bits as a multiple of 2^-53.
extern "C" __global__ void uniform_float64(double* out, word size, word seed, word draw)
{
    for (word i = FIRST; i * 4 < size; i += STRIDE) {
        const Block block = philox(i + 1, seed, draw);
        Pack<double, 4> pack;
#pragma unroll
        for (int j = 0; j < 4; ++j) pack.values[j] = (double)(block.words[j] >> 11) * 0x1p-53;
        store(out, size, i * 4, pack);
    }
}

extern "C" __global__ void uniform_float32(float* out, word size, word seed, word draw)
{
    for (word i = FIRST; i * 8 < size; i += STRIDE) {
        const Block block = philox(i + 1, seed, draw);
        Pack<float, 8> pack;
#pragma unroll
        for (int j = 0; j < 8; ++j) pack.values[j] = uniform_float(block, j);
        store(out, size, i * 8, pack);
    }
}
