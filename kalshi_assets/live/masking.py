"""Secrets in what is logged: masked by name and by look, and a check that none is left.

Here: masking of nested values. Not here: what is logged (telemetry).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_SECRET_NAME = re.compile(
    r"signature|access[-_]?key|private|secret|token|password|authorization|webhook|api[-_]?key",
    re.IGNORECASE,
)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=]{40,}")
_SHORT = 12
_SHOWN = 4
_STARS = "***"

Mask = Callable[[Any], Any]


class UnsafePayloadError(ValueError):
    """A secret would have been written."""


def masking(key_id: str | None = None) -> Mask:
    """A function that returns a copy of nested values without secrets.

    Values under names such as ``signature`` or ``api_key`` become ``***`` and their last four
    characters (all stars, if they are shorter than twelve). In every text, PEM blocks, the key's
    ID and runs of 40 or more base64 or hex characters become ``***``.

    Parameters
    ----------
    key_id
        ID of the key in use.
    """

    def mask(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                _masked_text(str(name), key_id): _starred(each) if _is_secret(name) else mask(each)
                for name, each in value.items()
            }
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, bytes | bytearray):
            return _masked_text(bytes(value).decode("utf-8", "replace"), key_id)
        if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
            return [mask(each) for each in value]
        return _masked_text(str(value), key_id)

    return mask


def ensure_safe_payload(payload: Any, key_id: str | None = None) -> None:
    """Check that nested values hold no secret.

    Parameters
    ----------
    payload
        The values.
    key_id
        ID of the key in use.

    Raises
    ------
    UnsafePayloadError
        A secret is left; the message names the field and does not contain it.
    """
    for path, text, is_secret in _texts(payload, "", is_secret=False):
        masked = text.startswith(_STARS) and len(text) <= len(_STARS) + _SHOWN
        if (is_secret and not masked and text.strip("*")) or _masked_text(text, key_id) != text:
            where = _masked_text(path, key_id) or "the payload"
            raise UnsafePayloadError(f"a secret is left in {where}")


def _texts(value: Any, path: str, *, is_secret: bool) -> Iterator[tuple[str, str, bool]]:
    """Every text of nested values: where it is, the text, whether its name is that of a secret."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield f"a name in {path}", str(name), False
            yield from _texts(each, f"{path}.{name}".lstrip("."), is_secret=_is_secret(name))
    elif isinstance(value, bytes | bytearray):
        yield path, bytes(value).decode("utf-8", "replace"), is_secret
    elif isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        for each in value:
            yield from _texts(each, path, is_secret=is_secret)
    elif value is not None:
        yield path, str(value), is_secret


def _is_secret(name: object) -> bool:
    return _SECRET_NAME.search(str(name)) is not None


def _masked_text(text: str, key_id: str | None) -> str:
    if key_id:
        text = text.replace(key_id, _STARS)
    return _LONG_RUN.sub(_STARS, _PEM.sub(_STARS, text))


def _starred(value: Any) -> str:
    text = str(value)
    return "*" * len(text) if len(text) < _SHORT else _STARS + text[-_SHOWN:]
