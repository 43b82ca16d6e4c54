"""Texts of documents from ClickHouse, by id."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from winnow_wire.clickhouse import ClickHouse
from winnow_wire.connection import ClickHouseAddress
from winnow_wire.errors import WinnowError
from winnow_wire.texts import SealedTexts, readable


class ClickHouseTexts:
    """Any number of threads may ask at once. `connections`: kept open for them. `master_keys`: the file of corpus.encryption, if texts are
    encrypted."""

    def __init__(self, address: ClickHouseAddress, connections: int = 4, master_keys: Path | None = None) -> None:
        self._clickhouse = ClickHouse(address, connections)
        self._sealed = None if master_keys is None else SealedTexts(master_keys, self._clickhouse)

    def texts(self, ids: npt.NDArray[np.uint64], waiting: Callable[[], None]) -> list[str]:
        """The texts, in the order of the ids, which may repeat. Raises WinnowError: GUARANTEE_VIOLATED where a document has none,
        UNREACHABLE after two minutes of trying."""
        distinct = np.unique(ids)
        # A document may have been inserted twice, and ClickHouse answers in an order of its own.
        query = f'SELECT doc, text FROM documents WHERE doc IN ({",".join(map(str, distinct.tolist()))}) LIMIT 1 BY doc'
        found = readable(rows_of(self._clickhouse.answer(f'{query} FORMAT RowBinary', waiting)), self._sealed, waiting)
        try:
            return [found[doc] for doc in ids.tolist()]
        except KeyError as error:
            hint = 'Has the label sink stored all documents? winnow status says how far it is.'
            message = f'selected document {error.args[0]} has no text in ClickHouse'
            raise WinnowError('GUARANTEE_VIOLATED', message, hint) from None

    def close(self) -> None:
        self._clickhouse.close()


def rows_of(data: bytes) -> dict[int, str]:
    """Rows of (UInt64, String) in ClickHouse's format RowBinary."""
    rows, at = {}, 0
    while at < len(data):
        doc, at = int.from_bytes(data[at : at + 8], 'little'), at + 8
        length = shift = 0
        while True:
            byte, at = data[at], at + 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        rows[doc] = data[at : at + length].decode(errors='replace')
        at += length
    return rows
