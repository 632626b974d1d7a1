// Adding rows of x to rows of y, several of them perhaps to the same one, in an order that is always the same.
//
// An atomic addition would take the rows in the order in which threads happen to arrive, and floating-point sums would
// differ from run to run. Here the rows of x come sorted by the row of y that they are for, and one thread adds all
// that is for one element, in the order of x: the order of numpy.add.at, and its bits.

typedef long long place;

// y[target[k], :] += x[order[k], :] for k = 0 ... rows - 1, where `target` ascends.
template <typename Number>
__device__ __forceinline__ void add_rows(
    Number* __restrict__ y, const Number* __restrict__ x, const place* __restrict__ target,
    const place* __restrict__ order, place rows, place columns)
{
    const place stride = gridDim.x * (place)blockDim.x;
    for (place i = blockIdx.x * (place)blockDim.x + threadIdx.x; i < rows * columns; i += stride) {
        const place first = i / columns, column = i - first * columns, row = target[first];
        if (first > 0 && target[first - 1] == row) continue;  // the thread of the first of them adds this one too
        Number sum = y[row * columns + column];
        for (place k = first; k < rows && target[k] == row; ++k) sum += x[order[k] * columns + column];
        y[row * columns + column] = sum;
    }
}

#define ADD_ROWS(name, Number)                                                                                   \
    extern "C" __global__ void add_rows_##name(                                                                  \
        Number* y, const Number* x, const place* target, const place* order, place rows, place columns)          \
    {                                                                                                            \
        add_rows<Number>(y, x, target, order, rows, columns);                                                    \
    }

ADD_ROWS(float32, float)
ADD_ROWS(float64, double)
ADD_ROWS(int64, long long)
