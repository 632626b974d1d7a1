"""Products: tiles of every height and width, matrices as they are in memory, and what is around them."""

from __future__ import annotations

import ctypes
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from llvmlite import binding as llvm
from llvmlite import ir

from deepcore_llvm import _compiler, _product, _tile
from deepcore_llvm._compiler import Library
from deepcore_llvm._lanes import INT64
from deepcore_llvm._tile import Factors, Registers, product_of_tiles, tiling

if TYPE_CHECKING:
    from collections.abc import Callable

    Both = Callable[..., Any]

RNG = np.random.default_rng(0)
SCALARS = {"float32": ir.FloatType(), "float64": ir.DoubleType()}
PROCESSORS = {"avx2": Registers(16, 256), "avx512": Registers(32, 512), "neon": Registers(32, 128)}
GUARD = -7.0
SIZES = [
    *[(1, 1, 1), (2, 1, 2), (1, 5, 9), (9, 5, 1), (3, 2, 3), (5, 3, 4), (6, 7, 7), (7, 4, 8), (13, 9, 10), (8, 33, 17)],
    *[(12, 8, 23), (11, 16, 25), (31, 11, 31), (10, 33, 100), (17, 300, 33), (65, 17, 40), (3, 520, 5), (40, 260, 64)],
]


@pytest.fixture(params=PROCESSORS)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Registers:
    """Tiles for the registers of a processor, which this one need not have to compute with them."""
    found = PROCESSORS[request.param]
    monkeypatch.setattr(_tile, "registers", lambda: found)
    return found


class Matrix:
    """A matrix in the middle of memory that is filled with guards, or not-a-numbers where nobody must read.

    Its rows, or columns where it is transposed, are a few elements apart.
    """

    def __init__(self, rows: int, columns: int, dtype: str, around: float, *, transposed: bool, gap: int) -> None:
        self.long, self.short = (columns, rows) if transposed else (rows, columns)
        self.leading = self.short + gap
        self.memory = np.full((self.long + 4, self.leading), around, dtype)
        inside = self.memory[2:-2, : self.short]
        self.values = inside.T if transposed else inside
        self.address = inside.ctypes.data

    def is_untouched(self) -> bool:
        """Whether the guards around it are as they were."""
        inside = np.zeros_like(self.memory, bool)
        inside[2:-2, : self.short] = True
        return bool((self.memory[~inside] == GUARD).all())


class Case:
    """A product of tiles, and what it should be."""

    def __init__(self, sizes: tuple[int, int, int], dtype: str, a_is_t: bool, b_is_t: bool, gap: int) -> None:
        m, k, n = sizes
        self.dtype = dtype
        self.a = Matrix(m, k, dtype, np.nan, transposed=a_is_t, gap=gap)
        self.b = Matrix(k, n, dtype, np.nan, transposed=b_is_t, gap=gap)
        self.c = Matrix(m, n, dtype, GUARD, transposed=False, gap=gap)
        for x in (self.a, self.b):
            x.values[...] = RNG.normal(size=x.values.shape)
        self.c.values[...] = np.nan
        self.sizes = sizes
        self.how = Factors(self.a.leading, self.b.leading, self.c.leading, a_is_t, b_is_t)
        self.tiles = 0
        self.name = ""

    def write(self, module: Any) -> None:
        """Write it as a function of a, b, c, and which tiles."""
        scalar = SCALARS[self.dtype]
        inner, self.tiles = product_of_tiles(module, scalar, self.sizes, self.how)
        self.name = f"run{len(module.functions)}"
        pointer = scalar.as_pointer()
        form = ir.FunctionType(ir.VoidType(), [pointer] * 3 + [INT64] * 2)
        function = ir.Function(module, form, self.name)
        build = ir.IRBuilder(function.append_basic_block("entry"))
        build.call(inner, function.args)
        build.ret_void()

    def compute(self, library: Library, begin: int, end: int) -> None:
        """Compute some tiles."""
        form = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 2)
        form(library.addresses[self.name])(self.a.address, self.b.address, self.c.address, begin, end)

    def check(self) -> None:
        """See that c is the product, to the last places of a sum, and that what is around it is as it was."""
        a, b = (x.values.astype(np.longdouble) for x in (self.a, self.b))
        bound = (self.sizes[1] + 1) * np.finfo(self.dtype).eps / 2 * (np.abs(a) @ np.abs(b))
        assert (np.abs(self.c.values - a @ b) <= bound).all()
        assert self.c.is_untouched()


def written(cases: list[Case]) -> Library:
    """Return the code of some products."""
    module = ir.Module("tests")
    for case in cases:
        case.write(module)
    return Library(str(module), [case.name for case in cases])


@pytest.mark.parametrize("dtype", SCALARS)
def test_every_layout_at_awkward_sizes(processor: Registers, dtype: str) -> None:
    layouts = itertools.cycle(
        [(False, False, 0), (True, False, 3), (False, True, 1), (True, True, 0), (False, False, 5)]
    )
    cases = [Case(sizes, dtype, *layout) for sizes, layout in zip(SIZES, layouts, strict=False)]
    library = written(cases)
    for case in cases:
        case.compute(library, 0, case.tiles)
        case.check()


@pytest.mark.parametrize("dtype", SCALARS)
def test_shares_of_any_size_give_the_same_bits(dtype: str) -> None:
    cases = [
        Case(sizes, dtype, a_is_t, b_is_t, 2)
        for sizes in ((50, 300, 100), (13, 20, 37))
        for a_is_t, b_is_t in itertools.product((False, True), repeat=2)
    ]
    library = written(cases)
    for case in cases:
        case.compute(library, 0, case.tiles)
        whole = case.c.values.copy()
        for threads in (2, 3, 7, case.tiles + 1):
            case.c.values[...] = np.nan
            edges = [i * case.tiles // threads for i in range(threads + 1)]
            for begin, end in reversed(list(itertools.pairwise(edges))):
                case.compute(library, begin, end)
            np.testing.assert_array_equal(case.c.values, whole)


def test_what_is_not_a_number_stays_in_its_row_and_column() -> None:
    case = Case((13, 9, 21), "float32", a_is_t=False, b_is_t=True, gap=1)
    case.a.values[4, 2], case.b.values[3, 20] = np.nan, np.inf
    case.compute(written([case]), 0, case.tiles)
    wrong = ~np.isfinite(case.c.values)
    expected = np.zeros_like(wrong)
    expected[4], expected[:, 20] = True, True
    np.testing.assert_array_equal(wrong, expected)
    assert np.isnan(case.c.values[4]).all()


@pytest.mark.parametrize("found", PROCESSORS.values(), ids=PROCESSORS)
@pytest.mark.parametrize("bits", [32, 64])
def test_every_element_is_in_a_tile_that_fits_into_the_registers(found: Registers, bits: int) -> None:
    for m, n in itertools.product((1, 2, 5, 6, 7, 13, 50, 100, 784), (1, 2, 3, 8, 9, 10, 50, 65, 100, 512)):
        lanes, panels = tiling(m, 50, n, bits, found)
        columns = sum(x.width * x.number for x in panels)
        assert (columns - 1) * lanes < n <= columns * lanes
        assert n % lanes == 0 or columns == 1 or panels[-1].width > 1
        assert lanes <= n
        for x in panels:
            highest = x.height + (x.taller > 0)
            assert x.tiles * x.height + x.taller == m
            assert (highest + 1) * x.width < found.number


@pytest.mark.parametrize(
    ("triple", "cpu", "registers", "name"),
    [
        ("x86_64-unknown-linux-gnu", "haswell", PROCESSORS["avx2"], "ymm"),
        ("x86_64-unknown-linux-gnu", "skylake-avx512", PROCESSORS["avx512"], "zmm"),
        ("aarch64-unknown-linux-gnu", "neoverse-n1", PROCESSORS["neon"], "fmla\tv"),
    ],
)
def test_tiles_stay_in_the_registers_of_each_processor(
    triple: str, cpu: str, registers: Registers, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    monkeypatch.setattr(_tile, "registers", lambda: registers)
    module = ir.Module("tiles")
    module.triple = triple
    product_of_tiles(module, SCALARS["float32"], (50, 784, 100), Factors(784, 100, 100, False, False))
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    text = machine.emit_assembly(_compiler.optimized(str(module).replace("define internal", "define"), machine))
    assert name in text
    spilled = [line for line in text.splitlines() if name[:3] in line and "Spill" in line]
    assert not spilled


@pytest.mark.parametrize("dtype", SCALARS)
def test_products_of_programs(
    threads: int, both: Both, rewritten: Callable[[], None], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = (RNG.normal(size=shape).astype(dtype) for shape in ((50, 784), (784, 100)))
    s, t = (RNG.normal(size=shape).astype(dtype) for shape in ((3, 2, 40, 60), (2, 60, 30)))

    def f(a: Any, b: Any, s: Any, t: Any) -> Any:
        y = a @ b
        return y, a.mT @ y, y @ b.mT, s @ t, s.mT @ s, a[3:17, 5:50] @ b[5:50, 1:32], s @ t[0, :, 3:20]

    ours, theirs = both(f, a, b, s, t)
    rewritten()
    monkeypatch.setattr(_product, "WORTH_BLAS", 0)
    for x, y, z in zip(ours, theirs, both(f, a, b, s, t)[0], strict=True):
        scale = float(np.abs(y).max())
        for found in (x, z):
            np.testing.assert_allclose(found, y, rtol=0, atol=20 * float(np.finfo(dtype).eps) * scale)


@pytest.mark.parametrize("dtype", SCALARS)
@pytest.mark.parametrize("k", [1, 7, 500])
def test_products_with_vectors(threads: int, both: Both, dtype: str, k: int) -> None:
    """A row times a matrix, and a matrix times a column, each as it is in memory or transposed, and with gaps."""
    matrix, wide = (RNG.normal(size=(k, n)).astype(dtype) for n in (300, 600))
    row, column = RNG.normal(size=(1, k)).astype(dtype), RNG.normal(size=(300, 1)).astype(dtype)
    rows, stack = RNG.normal(size=(4, 1, k)).astype(dtype), RNG.normal(size=(4, k, 30)).astype(dtype)

    def f(matrix: Any, wide: Any, row: Any, column: Any, rows: Any, stack: Any) -> Any:
        return (
            *(row @ matrix, matrix @ column, column.mT @ matrix.mT, matrix.mT @ row.mT),
            *(wide[:, 7:8].mT @ matrix, matrix.mT @ wide[:, 7:8], row @ wide[:, 200:], wide[:, 200:500] @ column),
            *(rows @ stack, stack.mT @ rows.mT, rows[2] @ stack, column @ row, row @ row.mT),
        )

    for x, y in zip(*both(f, matrix, wide, row, column, rows, stack), strict=True):
        np.testing.assert_allclose(
            x, y, rtol=0, atol=50 * float(np.finfo(dtype).eps) * max(1.0, float(np.abs(y).max()))
        )


def test_blas_is_told_of_vectors(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_product, "_multiply_matrices", lambda *_: pytest.fail("one of them is a vector"))
    matrix, row = RNG.normal(size=(30, 40)), RNG.normal(size=(1, 30))
    both(lambda row, matrix: (row @ matrix, matrix @ (row @ matrix).mT), row, matrix)


def test_without_known_registers_blas_computes(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_product, "registers", lambda: None)
    monkeypatch.setattr(_product, "product_of_tiles", lambda *_: pytest.fail("there are no tiles"))
    a = RNG.normal(size=(20, 30)).astype("float32")
    ours, theirs = both(lambda a: a @ a.mT, a)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5, atol=1e-5)
