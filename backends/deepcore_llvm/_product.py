"""Matrix products, one after another for a stack of matrices: tiles for small ones, calls of BLAS for others.

BLAS is told where one of the matrices is a vector: it copies a matrix into an order of its own before it multiplies it
by another, which takes four times as long as to multiply it by a vector.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llvmlite import ir

from ._blas import blas
from ._lanes import INT32, INT64, kind, scalar_type
from ._loops import alloca, loop
from ._memory import along, load, store, whole_lines, widest
from ._pool import MOST
from ._tile import Factors, product_of_tiles, registers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deepcore.graph.program import Value

    from ._lanes import Code
    from ._share import Share

ROW_MAJOR: Final = 101
PLAIN: Final = 111
TRANSPOSED: Final = 112
GRAIN: Final = 4
"""Shares of a product are multiples of so many rows or columns, as the kernels of BLAS are."""
WORTH_TILES: Final = 20_000
"""The multiplications of a product from which tiles are worth the time that it takes to compile them, ..."""
WORTH_BLAS: Final = 5_000_000
"""... and from which BLAS is as fast."""


class Matrix(NamedTuple):
    """How BLAS is told of a matrix: as it is or transposed, and how far apart its rows or columns are."""

    order: int
    leading: int


def matrix(shape: Sequence[int], strides: Sequence[int]) -> Matrix | None:
    """Return how BLAS is told of a matrix, or None where it cannot be."""
    (m, n), (down, right) = shape[-2:], strides[-2:]
    if (right == 1 or n == 1) and (down >= n or m == 1):
        return Matrix(PLAIN, max(down if m > 1 else n, n, 1))
    if (down == 1 or m == 1) and (right >= m or n == 1):
        return Matrix(TRANSPOSED, max(right if n > 1 else m, m, 1))
    return None


class Product(NamedTuple):
    """A product of stacks of matrices.

    Attributes
    ----------
    stack
        The shape of the stack.
    m, k, n
        The sizes of the matrices.
    a, b, c
        The matrices.
    steps
        For a, b and c, how far apart the matrices of the stack are, along each of its axes.
    """

    stack: tuple[int, ...]
    m: int
    k: int
    n: int
    a: Matrix
    b: Matrix
    c: Matrix
    steps: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def product(values: Sequence[Value], strides: Sequence[Sequence[int]]) -> Product | None:
    """Return how BLAS computes c = a b, or None where it cannot.

    Parameters
    ----------
    values
        a, b and c.
    strides
        Theirs in memory, in elements.
    """
    if blas() is None or any(len(x.shape) < 2 or kind(x.dtype) != "f" for x in values):
        return None
    if len({x.dtype for x in values}) > 1 or values[0].dtype.bits not in (32, 64) or not all(x.size for x in values):
        return None
    a, b, c = values
    forms = [found for x, s in zip(values, strides, strict=True) if (found := matrix(x.shape, s)) is not None]
    if len(forms) < len(values) or forms[2].order != PLAIN:
        return None
    stack = c.shape[:-2]
    steps = []
    for x, s in zip(values, strides, strict=True):
        own = [0] * (len(stack) - len(x.shape) + 2)
        own += [0 if length == 1 else step for length, step in zip(x.shape[:-2], s[:-2], strict=True)]
        steps.append(tuple(own))
    (m, k), n = a.shape[-2:], b.shape[-1]
    return _joined(Product(stack, m, k, n, forms[0], forms[1], forms[2], (steps[0], steps[1], steps[2])))


def _joined(p: Product) -> Product:
    """Return a product whose stack is one tall matrix, where the other factor is the same for all of it."""
    if not p.stack or any(p.steps[1]) or p.a.order != PLAIN:
        return p
    for stride_of, rows in ((p.steps[0], p.a.leading), (p.steps[2], p.c.leading)):
        expected = rows * p.m
        for length, step in zip(reversed(p.stack), reversed(stride_of), strict=True):
            if length > 1 and step != expected:
                return p
            expected *= length
    return p._replace(stack=(), m=p.m * math.prod(p.stack), steps=((), (), ()))


def write(build: Any, p: Product, dtype: Any, addresses: Sequence[Code], share: Share | None) -> None:
    """Write the calls.

    Parameters
    ----------
    build
        Where they go.
    p
        The product.
    dtype
        The data type of the elements.
    addresses
        The addresses of a, b and c, as pointers to elements.
    share
        Which part of the product is computed here; None is all of it.
    """
    scalar = scalar_type(dtype)
    count = math.prod(p.stack)
    first, last = INT64(0), INT64(count)
    m: Any = p.m
    n: Any = p.n
    offsets: list[Code] = [INT64(0)] * 3
    tiles: Any = None
    begin: Any = INT64(0)
    end: Any = INT64(0)
    number = 0
    if has_tiles(p.m, p.k, p.n):
        tiles, number = product_of_tiles(build.module, scalar, (p.m, p.k, p.n), _factors(p.a, p.b, p.c))
        end = INT64(number)
    if share is not None and count > 1:
        first, last = share.of(build, count, 1)
    elif share is not None and tiles is not None:
        begin, end = share.of(build, number, 1)
    elif share is not None and p.m >= p.n:
        begin, end = share.of(build, p.m, GRAIN)
        m = build.sub(end, begin)
        offsets = [build.mul(begin, INT64(x)) for x in (_step(p.a, 0), 0, p.c.leading)]
    elif share is not None:
        begin, end = share.of(build, p.n, GRAIN)
        n = build.sub(end, begin)
        offsets = [build.mul(begin, INT64(x)) for x in (0, _step(p.b, 1), 1)]
    with loop(build, first, last, once=count == 1) as i:
        pointers = []
        for address, offset, steps in zip(addresses, offsets, p.steps, strict=True):
            position, rest = offset, i
            for length, step in zip(reversed(p.stack), reversed(steps), strict=True):
                position = build.add(position, build.mul(build.urem(rest, INT64(length)), INT64(step)))
                rest = build.udiv(rest, INT64(length))
            pointers.append(build.gep(address, [position]))
        if tiles is not None:
            build.call(tiles, [*pointers, begin, end])
        else:
            matrices = [
                (pointer, form.leading, form.order == TRANSPOSED)
                for pointer, form in zip(pointers, (p.a, p.b, p.c), strict=True)
            ]
            multiply(build, scalar, matrices, (m, n, p.k), 1.0, 0.0)


def sums_rows(p: Product) -> bool:
    """Whether the shares of a product are rows of b, and what they give is added up: a is a row, and b large.

    Memory takes the time then, and is read faster in its order than a part of each row is.
    """
    return p.m == 1 and not p.stack and p.b.order == PLAIN and p.k >= MOST * GRAIN


def write_rows(build: Any, p: Product, dtype: Any, addresses: Sequence[Code], share: Share, memory: Code) -> None:
    """Write the call for the rows of a share, which gives a part of each sum, in memory of its own."""
    scalar = scalar_type(dtype)
    begin, end = share.of(build, p.k, GRAIN)
    a = build.gep(addresses[0], [build.mul(begin, INT64(_step(p.a, 1)))])
    b = build.gep(addresses[1], [build.mul(begin, INT64(p.b.leading))])
    own = build.inttoptr(build.add(memory, build.mul(share.id, INT64(sum_bytes(p, dtype)))), scalar.as_pointer())
    matrices = (a, p.a.leading, p.a.order == TRANSPOSED), (b, p.b.leading, False), (own, p.n, False)
    multiply(build, scalar, matrices, (1, p.n, build.sub(end, begin)), 1.0, 0.0)


def write_sum(build: Any, p: Product, dtype: Any, result: Code, memory: Code, shares: Code) -> None:
    """Write the addition of what shares have given, in their order."""
    scalar, bits = scalar_type(dtype), dtype.bits
    first = build.inttoptr(memory, scalar.as_pointer())
    for lanes, position in along(build, p.n, widest(bits)):
        total = alloca(build, lanes.wide(scalar))
        build.store(load(lanes, build.gep(first, [position])), total)
        with loop(build, INT64(1), shares) as i:
            start = build.mul(i, INT64(sum_bytes(p, dtype) * 8 // bits))
            x = load(lanes, build.gep(first, [build.add(start, position)]))
            build.store(build.fadd(build.load(total), x), total)
        store(lanes, build.load(total), build.gep(result, [position]))


def sum_bytes(p: Product, dtype: Any) -> int:
    """Return how many bytes of memory a share of rows needs."""
    return whole_lines(p.n * dtype.bits // 8)


def has_tiles(m: int, k: int, n: int) -> bool:
    """Whether a product of m by k and k by n elements is computed in tiles: BLAS is slower and can be done without."""
    return registers() is not None and min(m, n) > 1 and WORTH_TILES <= m * k * n < WORTH_BLAS


def _factors(a: Matrix, b: Matrix, c: Matrix) -> Factors:
    return Factors(a.leading, b.leading, c.leading, a.order == TRANSPOSED, b.order == TRANSPOSED)


def multiply(
    build: Any, scalar: Any, matrices: Sequence[tuple[Code, int, bool]], sizes: Sequence[Any], alpha: Any, beta: Any
) -> None:
    """Write the call of BLAS that computes c = alpha a b + beta c.

    Parameters
    ----------
    build
        Where it goes.
    scalar
        The type of the elements.
    matrices
        a, b and c: an address, how far apart the rows in memory are, and whether these are the columns.
    sizes
        The rows of a and c, the columns of b and c, and the columns of a: numbers, or code that gives them.
    alpha, beta
        The factors: numbers, or code that gives them.
    """
    m, n, k = sizes
    factors = [x if isinstance(x, ir.Value) else ir.Constant(scalar, x) for x in (alpha, beta)]
    a, b, (c, of_c, _) = matrices
    if isinstance(m, int) and m == 1:
        _multiply_vector(build, scalar, _turned(b), _turned(a), (c, 1), (n, k), factors)
    elif isinstance(n, int) and n == 1:
        _multiply_vector(build, scalar, a, b, (c, of_c), (m, k), factors)
    else:
        _multiply_matrices(build, scalar, matrices, sizes, factors)


def _turned(matrix: tuple[Code, int, bool]) -> tuple[Code, int, bool]:
    """Return the transpose of a matrix."""
    address, leading, is_transposed = matrix
    return address, leading, not is_transposed


def _multiply_matrices(
    build: Any, scalar: Any, matrices: Sequence[tuple[Code, int, bool]], sizes: Sequence[Any], factors: Sequence[Code]
) -> None:
    function, whole = _declared(build, scalar, "gemm")
    (a, of_a, _), (b, of_b, _), (c, of_c, _) = matrices
    orders = [INT32(_order(is_transposed)) for *_, is_transposed in matrices[:2]]
    build.call(
        function,
        [
            *(INT32(ROW_MAJOR), *orders, *map(whole, sizes)),
            *(factors[0], a, whole(of_a), b, whole(of_b)),
            *(factors[1], c, whole(of_c)),
        ],
    )


def _multiply_vector(
    build: Any,
    scalar: Any,
    a: tuple[Code, int, bool],
    x: tuple[Code, int, bool],
    y: tuple[Code, int],
    sizes: tuple[Any, Any],
    factors: Sequence[Code],
) -> None:
    """Write the call for a column x, and a column y whose elements are so far apart. Sizes are those of y and x."""
    function, whole = _declared(build, scalar, "gemv")
    (address, of_a, a_is_transposed), (column, of_x, x_is_transposed) = a, x
    rows, columns = reversed(sizes) if a_is_transposed else sizes
    build.call(
        function,
        [
            *(INT32(ROW_MAJOR), INT32(_order(a_is_transposed)), whole(rows), whole(columns)),
            *(factors[0], address, whole(of_a), column, whole(1 if x_is_transposed else of_x)),
            *(factors[1], y[0], whole(y[1])),
        ],
    )


def _order(is_transposed: bool) -> int:
    return TRANSPOSED if is_transposed else PLAIN


def _step(x: Matrix, axis: int) -> int:
    """Return how far apart rows (axis 0) or columns (axis 1) are."""
    return x.leading if (x.order == PLAIN) == (axis == 0) else 1


def _declared(build: Any, scalar: Any, name: str) -> tuple[Any, Callable[[Any], Code]]:
    """Return ``gemm`` or ``gemv``, and what makes one of its whole numbers of a number or of code."""
    name = f"deepcore_{'s' if isinstance(scalar, ir.FloatType) else 'd'}{name}"
    library, module = blas(), build.module
    integer = ir.IntType(64 if library is None else library.bits)
    if name not in module.globals:
        sizes = 3 if name.endswith("gemm") else 2
        array = scalar.as_pointer(), integer
        arguments = [*[INT32] * sizes, *[integer] * sizes, scalar, *array, *array, scalar, *array]
        ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)

    def whole(x: Any) -> Code:
        if isinstance(x, int):
            return integer(x)
        return x if integer is INT64 else build.trunc(x, integer)

    return module.globals[name], whole


def cost(p: Product) -> int:
    """Return the number of multiplications."""
    return math.prod(p.stack) * p.m * p.k * p.n


def symbols() -> dict[str, int]:
    """Return where the functions are that products call."""
    library = blas()
    return {} if library is None else {f"deepcore_{name}": address for name, address in library.products.items()}
