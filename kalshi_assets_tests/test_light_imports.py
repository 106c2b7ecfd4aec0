import subprocess
import sys


def test_keys_and_units_import_nothing_but_the_standard_library() -> None:
    script = (
        "import sys, kalshi_assets.keys, kalshi_assets.units;"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-c", script], check=True, capture_output=True, text=True
    )
    heavy = {"numpy", "polars", "dagster", "duckdb", "pandera", "pydantic", "numba"}
    assert not heavy & set(found.stdout.split())
