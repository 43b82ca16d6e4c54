"""Rows of Parquet files, by pyarrow. A row costs its row group: what was unpacked is kept for the next question."""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from winnow_wire.errors import WinnowError

from .rows import Missing, text_in

# Of unpacked row groups, of one file.
KEPT_BYTES = 2**28


class ParquetRows:
    def __init__(self, path: Path) -> None:
        """Raises WinnowError CONFIGURATION without pyarrow, BAD_DATA."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            hint = "pip install 'winnow-trainer[parquet]', or read texts from ClickHouse."
            raise WinnowError('CONFIGURATION', f'{path} is Parquet, and there is no pyarrow: {error}', hint) from error
        try:
            self._file: Any = pyarrow.parquet.ParquetFile(path, memory_map=True)
        except pyarrow.ArrowInvalid as error:
            raise WinnowError('BAD_DATA', f'{path} cannot be read: {error}') from error
        metadata = self._file.metadata
        counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._ends = np.cumsum(counts, dtype=np.int64)
        self._groups: OrderedDict[tuple[int, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def texts(self, rows: list[int], field: str) -> list[str]:
        groups = np.searchsorted(self._ends, rows, side='right')
        if len(self._ends) == 0 or groups[-1] == len(self._ends):
            raise Missing
        found: list[str] = []
        for group in np.unique(groups).tolist():
            among = np.asarray(rows)[groups == group]
            first = int(self._ends[group - 1]) if group > 0 else 0
            found += [_text(row, field) for row in self._group(group, field).take(among - first).to_pylist()]
        return found

    def _group(self, group: int, field: str) -> Any:
        names = self._file.schema_arrow.names
        column = field if field in names else field.partition('.')[0]
        if column not in names:
            raise Missing
        with self._lock:
            key = (group, column)
            if key not in self._groups:
                self._groups[key] = self._file.read_row_group(group, columns=[column], use_threads=False)
                while len(self._groups) > 1 and sum(table.nbytes for table in self._groups.values()) > KEPT_BYTES:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(key)
            return self._groups[key]


def _text(row: dict[str, Any], field: str) -> str:
    return text_in({name: _decoded(value) for name, value in row.items()}, field)


def _decoded(value: Any) -> Any:
    """Bytes that no type calls text are one where they are UTF-8, as for ingest."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return {name: _decoded(one) for name, one in value.items()} if isinstance(value, dict) else value
