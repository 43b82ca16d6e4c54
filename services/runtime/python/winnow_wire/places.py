"""Where checkpoints are: a path, a URI with the scheme `file`, or an address in an object store (services/model/checkpoints/place.ts)."""

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from .errors import WinnowError
from .stores import is_stored


def local_path(place: str) -> str:
    """The path on this machine. Raises WinnowError BAD_DATA for other schemes, and for files of another host."""
    scheme = re.match(r'([a-zA-Z][a-zA-Z0-9+.-]+)://', place)
    if scheme is None:
        return place
    parts = urlsplit(place)
    if scheme[1].lower() != 'file':
        raise _refused(place, f'workers read files, and its scheme is {scheme[1]}')
    if parts.hostname not in (None, 'localhost'):
        raise _refused(place, f'its host is {parts.hostname}')
    return unquote(parts.path)


def mapped(place: str, prefixes: Mapping[str, str]) -> str:
    """`place` as somebody else sees it: with the first of these beginnings that it has replaced."""
    for start, there in prefixes.items():
        if place.startswith(start):
            return there + place[len(start) :]
    return place


def place_of(place: str) -> str:
    """The path on this machine, or the address in an object store as it is. Raises as `local_path`."""
    return place if is_stored(place) else local_path(place)


def _refused(place: str, reason: str) -> WinnowError:
    hint = 'Mount it, and let the trainer report where: map_path of winnow-trainer, or --map-path of the PyTorch worker.'
    return WinnowError('BAD_DATA', f'The checkpoint {place} is no file of this machine: {reason}', hint)
