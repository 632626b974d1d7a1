"""What the functions of the installed CuPy accept, as JSON: `python tests/backends/signatures.py`.

The stand-in for CuPy takes its functions from the file that this writes, and a test holds that file to the installed
CuPy. Only functions that NumPy has too are listed.
"""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "stand_in" / "cupy" / "signatures.json"


def signatures() -> dict[str, dict[str, str]]:
    """Return the signature of every function, the types of every ufunc's first operand, and what is NumPy's own."""
    functions: dict[str, str] = {}
    ufuncs: dict[str, str] = {}
    for prefix in ("", "linalg.", "fft."):
        module, model = (import_module(f"{top}.{prefix}".rstrip(".")) for top in ("cupy", "numpy"))
        for name in sorted(set(dir(module)) & set(dir(model))):
            found: Any = getattr(module, name)
            if name.startswith("_") or not callable(found) or isinstance(found, type):
                continue
            if type(found).__name__ == "ufunc":
                # 'E' is bfloat16, which NumPy has no letter for.
                ufuncs[prefix + name] = "".join(dict.fromkeys(t[0] for t in _types(found) if "E" not in t))
            elif type(found).__name__ != "builtin_function_or_method":  # those cannot be asked
                functions[prefix + name] = _text(found)
    cupy, numpy = import_module("cupy"), import_module("numpy")
    names = [name for name in sorted(set(dir(cupy)) & set(dir(numpy))) if not name.startswith("_")]
    shared = {name: "numpy" for name in names if getattr(cupy, name) is getattr(numpy, name)}
    return {"functions": functions, "ufuncs": ufuncs, "shared": shared}


def _types(ufunc: Any) -> list[str]:
    return list(ufunc.types)


def _text(function: Any) -> str:
    signature = inspect.signature(function)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=plain, return_annotation=signature.empty))
    return re.sub(r"<class '(\w+)'>", r"\1", text)


if __name__ == "__main__":
    FILE.write_text(json.dumps(signatures(), indent=1) + "\n", encoding="utf-8")
