"""Compiled programs of NumPy's arrays as machine code, by LLVM: the extra ``fast``."""

from ._plan import NativeExecutor as NativeExecutor
