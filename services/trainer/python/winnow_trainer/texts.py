"""Texts of documents from ClickHouse, by id."""

import re
import time
from collections.abc import Callable
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import urllib3

from winnow_wire.connection import ClickHouseAddress
from winnow_wire.errors import WinnowError
from winnow_wire.texts import refuse_sealed

RETRY_WAITS_SECONDS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] + [5.0] * 23
PASSING = {408, 429, 500, 502, 503, 504}
# ClickHouse's own codes, in answers of status 500, that trying again does not help: syntax, unknown table or column, rights.
LASTING = re.compile(r'Code: (16|47|60|62|81|192|193|194|497|516)\b')


class ClickHouseTexts:
    """Any number of threads may ask at once. `connections`: kept open for them."""

    def __init__(self, address: ClickHouseAddress, connections: int = 4) -> None:
        self._address = address
        self._http = urllib3.PoolManager(maxsize=connections, timeout=urllib3.Timeout(connect=10, read=60), retries=False)
        self._headers = {'Content-Type': 'text/plain'}
        if address.authorization is not None:
            self._headers['Authorization'] = address.authorization

    def texts(self, ids: npt.NDArray[np.uint64], waiting: Callable[[], None]) -> list[str]:
        """The texts, in the order of the ids, which may repeat. Raises WinnowError: GUARANTEE_VIOLATED where a document has none,
        UNREACHABLE after two minutes of trying."""
        distinct = np.unique(ids)
        # A document may have been inserted twice, and ClickHouse answers in an order of its own.
        query = f'SELECT doc, text FROM documents WHERE doc IN ({",".join(map(str, distinct.tolist()))}) LIMIT 1 BY doc'
        found = rows_of(self._answer(f'{query} FORMAT RowBinary', waiting))
        for doc, text in found.items():
            refuse_sealed(doc, text)
        try:
            return [found[doc] for doc in ids.tolist()]
        except KeyError as error:
            hint = 'Has the label sink stored all documents? winnow status says how far it is.'
            message = f'selected document {error.args[0]} has no text in ClickHouse'
            raise WinnowError('GUARANTEE_VIOLATED', message, hint) from None

    def _answer(self, query: str, waiting: Callable[[], None]) -> bytes:
        url, reason = self._address.url, ''
        if self._address.database is not None:
            url += ('&' if '?' in url else '?') + urlencode({'database': self._address.database})
        for wait in [*RETRY_WAITS_SECONDS, None]:
            try:
                answer = self._http.request('POST', url, body=query.encode(), headers=self._headers)
                if answer.status == 200:
                    return answer.data
                reason = f'{answer.status} {answer.data[:500].decode(errors="replace").strip()}'
                if answer.status not in PASSING or LASTING.search(reason):
                    hint = 'WINNOW_CLICKHOUSE_URL, _DATABASE, _USERNAME and _PASSWORD say which and who.'
                    raise WinnowError('CONFIGURATION', f'ClickHouse answered {reason}', hint)
            except urllib3.exceptions.HTTPError as error:
                reason = str(error)
            if wait is not None:
                waiting()
                time.sleep(wait)
        hint = 'Is it running? WINNOW_CLICKHOUSE_URL names it.'
        raise WinnowError('UNREACHABLE', f'ClickHouse {url} does not answer ({reason})', hint, retriable=True)

    def close(self) -> None:
        self._http.clear()


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
