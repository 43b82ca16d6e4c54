"""ClickHouse over HTTP: statements in, bytes out, tried again while it is away."""

import re
import time
from collections.abc import Callable
from urllib.parse import urlencode

import urllib3

from .connection import ClickHouseAddress
from .errors import WinnowError

RETRY_WAITS_SECONDS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] + [5.0] * 23
PASSING = {408, 429, 500, 502, 503, 504}
# ClickHouse's own codes, in answers of status 500, that trying again does not help: syntax, unknown table or column, rights.
LASTING = re.compile(r'Code: (16|47|60|62|81|192|193|194|497|516)\b')


class ClickHouse:
    """Any number of threads may ask at once. `connections`: kept open for them."""

    def __init__(self, address: ClickHouseAddress, connections: int = 4) -> None:
        self._address = address
        self._http = urllib3.PoolManager(maxsize=connections, timeout=urllib3.Timeout(connect=10, read=60), retries=False)
        self._headers = {'Content-Type': 'text/plain'}
        if address.authorization is not None:
            self._headers['Authorization'] = address.authorization

    def answer(self, query: str, waiting: Callable[[], None]) -> bytes:
        """Calls `waiting` before each wait; that may raise. Raises WinnowError: CONFIGURATION where it refuses, UNREACHABLE after two
        minutes of trying."""
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
