"""Texts of documents by their ids, from the files of their sources."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from winnow_wire.errors import WinnowError

from ..selection import Ids
from .pieces import pieces_of
from .records import Sources
from .rows import Missing, Rows, open_rows

FILES_OPEN = 256
END_BYTES = 64 * 1024


class SourceFiles:
    """`folder`: where names of sources begin, as they were given to ingest. `piece_bytes`: corpus.pieceBytes of a corpus whose long texts were
    split, else None."""

    def __init__(self, folder: str | Path, sources: Sources, piece_bytes: int | None = None) -> None:
        self._folder, self._sources, self._piece_bytes = Path(folder), sources, piece_bytes
        self._open: OrderedDict[int, Rows] = OrderedDict()
        self._lock = threading.Lock()

    def texts(self, ids: Ids, waiting: Callable[[], None]) -> list[str]:
        """The texts, in the order of the ids, which may repeat. Raises WinnowError: CONFIGURATION where a file is not there or another than was
        ingested; GUARANTEE_VIOLATED where a document has no text."""
        found: dict[int, str] = {}
        distinct = np.unique(ids)
        for number in np.unique(distinct >> np.uint64(40)).tolist():
            waiting()
            source = self._sources.of(number, waiting)
            self._of_source(source, distinct[distinct >> np.uint64(40) == number].tolist(), found)
        return [found[doc] for doc in ids.tolist()]

    def _of_source(self, source: Mapping[str, Any], docs: list[int], found: dict[int, str]) -> None:
        rows = self._rows(source)
        wanted = sorted({doc & 0xFFFF_FFFF for doc in docs})
        field = source['textField']
        try:
            whole = dict(zip(wanted, rows.texts(wanted, field), strict=True))
        except Missing as error:
            message = (
                f'row {_first_missing(rows, wanted, field)} of {source["name"]} is not there, or has no text under {field!r}'
            )
            raise WinnowError('GUARANTEE_VIOLATED', message, 'Is it the file that was ingested?') from error
        for doc in docs:
            found[doc] = self._piece(doc, whole[doc & 0xFFFF_FFFF], source)

    def _piece(self, doc: int, text: str, source: Mapping[str, Any]) -> str:
        piece = doc >> 32 & 255
        if self._piece_bytes is None:
            if piece == 0:
                return text
            hint = 'Give piece_bytes=, the corpus.pieceBytes that it was ingested with.'
            raise WinnowError('CONFIGURATION', f'row {doc & 0xFFFF_FFFF} of {source["name"]} was split', hint)
        pieces = pieces_of(text, self._piece_bytes)
        if piece >= len(pieces):
            message = f'row {doc & 0xFFFF_FFFF} of {source["name"]} has {len(pieces)} pieces of {self._piece_bytes} bytes'
            raise WinnowError('CONFIGURATION', f'{message}, and piece {piece} was selected', 'Is piece_bytes corpus.pieceBytes?')
        return pieces[piece]

    def _rows(self, source: Mapping[str, Any]) -> Rows:
        number = source['source']
        with self._lock:
            if number not in self._open:
                path = self._folder / source['name'].lstrip('/')
                try:
                    _check(path, source)
                    self._open[number] = open_rows(path)
                except OSError as error:
                    hint = (
                        'Name the folder under which the sources stand that were ingested: winnow tail sources has their names.'
                    )
                    raise WinnowError('CONFIGURATION', f'the source {source["name"]} cannot be read: {error}', hint) from error
                if len(self._open) > FILES_OPEN:
                    # Closed with its last reader.
                    self._open.popitem(last=False)
            self._open.move_to_end(number)
            return self._open[number]

    def close(self) -> None:
        with self._lock:
            self._open.clear()


def _first_missing(rows: Rows, wanted: list[int], field: str) -> int:
    for row in wanted[:-1]:
        try:
            rows.texts([row], field)
        except Missing:
            return row
    return wanted[-1]


def _check(path: Path, source: Mapping[str, Any]) -> None:
    """services/ingest/fingerprint.ts. Raises WinnowError CONFIGURATION, with both values, where the file is another; OSError."""
    length, expected = source['fingerprint'].split(':')[:2]
    length = int(length)
    with path.open('rb') as file:
        digest = hashlib.sha256(file.read(min(END_BYTES, length)))
        tail = max(END_BYTES, length - END_BYTES)
        file.seek(tail)
        digest.update(file.read(max(0, length - tail)))
    if digest.hexdigest() != expected:
        message = f'{path} is not the file that was ingested as {source["name"]}: its fingerprint is {digest.hexdigest()}'
        raise WinnowError(
            'CONFIGURATION', f'{message}, and {expected} was recorded', 'Name the folder of the files as they were.'
        )
