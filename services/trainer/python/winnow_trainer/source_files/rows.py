"""Rows of one file by their numbers: lines of JSON, or rows of Parquet."""

import json
import os
import threading
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from winnow_wire.errors import WinnowError

Numbers = npt.NDArray[np.int64]

SCAN_BYTES = 16 * 2**20
# Compressed files begin so (gzip, Zstandard): a row of them cannot be found without all before it.
COMPRESSED = (b'\x1f\x8b', b'\x28\xb5\x2f\xfd')


class Missing(Exception):
    """The file has no such row, or the row has no text."""


class Rows(Protocol):
    """Any number of threads may ask."""

    def texts(self, rows: list[int], field: str) -> list[str]:
        """Of ascending rows, counted from 0, what stands under `field`: a key, or keys of nested objects joined by dots. Raises Missing."""
        ...


def open_rows(path: Path) -> Rows:
    """By the file's first bytes. Raises WinnowError CONFIGURATION, OSError."""
    with path.open('rb') as file:
        begin = file.read(4)
    if begin == b'PAR1':
        from .parquet import ParquetRows

        return ParquetRows(path)
    if begin.startswith(COMPRESSED):
        hint = 'Fill a token store (winnow-trainer tokens), or read texts from ClickHouse.'
        raise WinnowError('CONFIGURATION', f'{path} is compressed: its rows cannot be read one by one', hint)
    return JsonLines(path)


def text_in(row: Any, field: str) -> str:
    """As services/ingest/row.ts takes it: a key that contains dots itself comes before a path through objects. Lone surrogates become
    U+FFFD. Raises Missing."""
    if not isinstance(row, dict):
        raise Missing
    if field in row:
        text = row[field]
        if not isinstance(text, str):
            raise Missing
        return text.encode('utf-16-le', 'surrogatepass').decode('utf-16-le', 'replace')
    key, point, rest = field.partition('.')
    if not point:
        raise Missing
    return text_in(row.get(key), rest)


class JsonLines:
    """Where lines begin is found by one pass over the file, at the first question, and again over what was appended since."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self._begins: Numbers = np.zeros(1, dtype=np.int64)
        self._scanned = 0
        self._lock = threading.Lock()

    def texts(self, rows: list[int], field: str) -> list[str]:
        begins, size = self._scan(rows[-1])
        found = []
        for row in rows:
            if row >= len(begins) or begins[row] >= size:
                raise Missing
            begin, after = int(begins[row]), int(begins[row + 1]) if row + 1 < len(begins) else size
            line = os.pread(self._file, after - begin, begin)
            try:
                found.append(text_in(json.loads(line.removeprefix(b'\xef\xbb\xbf') if row == 0 else line), field))
            except ValueError as error:
                raise Missing from error
        return found

    def _scan(self, row: int) -> tuple[Numbers, int]:
        """Where lines begin, up to that row and the line after it if they are there, and where the last of them ends."""
        with self._lock:
            parts = [self._begins]
            count = len(self._begins)
            while count <= row + 1 and (block := os.pread(self._file, SCAN_BYTES, self._scanned)):
                ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord('\n')) + (self._scanned + 1)
                parts.append(ends.astype(np.int64))
                count, self._scanned = count + len(ends), self._scanned + len(block)
            self._begins = np.concatenate(parts)
            return self._begins, self._scanned

    def __del__(self) -> None:
        if hasattr(self, '_file'):
            os.close(self._file)
