"""Say what is missing, if the Array API standard's test suite is not where ARRAY_API_TESTS_DIR points."""

import os
import sys
from pathlib import Path

HELP = """
    git clone --recurse-submodules https://github.com/data-apis/array-api-tests
    ARRAY_API_TESTS_DIR=$PWD/array-api-tests tox -e conformance

DEEPCORE_DEVICE chooses the device that is tested."""

folder = os.environ.get("ARRAY_API_TESTS_DIR")
if not folder:
    sys.exit(f"ARRAY_API_TESTS_DIR is not set. It names a clone of the test suite of the standard:{HELP}")
if not Path(folder, "array_api_tests").is_dir():
    sys.exit(f"ARRAY_API_TESTS_DIR={folder} has no folder array_api_tests. A clone has one:{HELP}")
if not Path(folder, "array-api", "src").is_dir():
    sys.exit(f"{folder} lacks its submodule; run: git -C {folder} submodule update --init")
