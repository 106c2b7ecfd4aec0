"""Texts that take long to make from installed packages, kept beside the package's compiled modules.

Here: one such text per version. Not here: compiled kernels (`kernel_cache`).
"""

import tempfile
from collections.abc import Callable
from pathlib import Path


def cached_text(name: str, make: Callable[[], str]) -> str:
    """A text that is made once per machine; each time in a read-only installation.

    Parameters
    ----------
    name
        Of its file, with the version of what it is made from.
    make
        Makes the text.
    """
    file = Path(__file__).parent / "__pycache__" / name
    if file.is_file():
        return file.read_text("utf-8")
    text = make()
    try:
        file.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as f:
            f.write(text)
        Path(f.name).replace(file)
    except OSError:
        pass
    return text
