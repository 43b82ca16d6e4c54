"""Documents of a token store that nobody may read any more: found in ClickHouse, overwritten in the store (docs/erasure.md)."""

import logging

import numpy as np

from winnow_wire.texts import ASKED_AT_ONCE, SealedTexts

from .filler import Filler
from .layout import Ids

log = logging.getLogger('winnow.trainer')

NONE: Ids = np.empty(0, dtype=np.uint64)


class Erasures:
    """Asks again only about those that may still change: of which the key is there yet, or which are not in the store yet."""

    def __init__(self, sealed: SealedTexts, filler: Filler) -> None:
        self._sealed, self._filler = sealed, filler
        self._seen: str | None = None
        # Documents whose erasure was asked for: those that may still change, and those whose text was never encrypted.
        self._open, self._plain = NONE, NONE

    def overwrite(self) -> int:
        """Returns how many documents were overwritten now. Raises WinnowError as SealedTexts."""
        seen = self._sealed.erasures_seen()
        if seen != self._seen:
            asked = np.array(list(self._sealed.asked_for()), dtype=np.uint64)
            self._open = np.setdiff1d(np.setdiff1d(asked, self._filler.erased), self._plain)
            self._seen = seen
        there, count = self._filler.those_in(self._open), 0
        for first in range(0, len(there), ASKED_AT_ONCE):
            gone, plain = self._sealed.fates(there[first : first + ASKED_AT_ONCE].tolist())
            count += self._filler.erase(np.array(gone, dtype=np.uint64))
            self._plain = np.union1d(self._plain, np.array(plain, dtype=np.uint64))
        self._open = np.setdiff1d(np.setdiff1d(self._open, self._filler.erased), self._plain)
        if count > 0:
            log.info('%d documents are erased now, %d by now: their tokens are overwritten', count, self._filler.committed.erased)
        return count
