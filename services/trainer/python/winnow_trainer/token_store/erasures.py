"""Documents of a token store that nobody may read any more: found in ClickHouse, overwritten in the store (docs/erasure.md)."""

import logging
from collections.abc import Callable, Mapping

import numpy as np

from winnow_wire.texts import ASKED_AT_ONCE, SealedTexts

from .filler import Filler
from .layout import Ids

log = logging.getLogger('winnow.trainer')

NONE: Ids = np.empty(0, dtype=np.uint64)
# A replica may have how far the sink is before it has the rows from before that: each so many looks all are asked for.
LOOKS_UNTIL_ALL = 60


class Erasures:
    """Asks for what was recorded since the last look, and again only about those that may still change: of which the key is there yet, or which
    are not in the store yet. Nothing of it outlasts the process: the first look asks for all."""

    def __init__(self, sealed: SealedTexts, filler: Filler) -> None:
        self._sealed, self._filler = sealed, filler
        self._looks = 0
        # By partition: records before these offsets were asked for.
        self._sunk: Mapping[int, int] = {}
        # Documents whose erasure was asked for: those that may still change, and those whose text was never encrypted.
        self._open, self._plain = NONE, NONE

    def overwrite(self, waiting: Callable[[], None] = lambda: None) -> int:
        """Returns how many documents were overwritten now. Raises WinnowError as SealedTexts, and what `waiting` raises: then the next look
        does what this one did not."""
        self._ask(waiting)
        there, count = self._filler.those_in(self._open), 0
        for first in range(0, len(there), ASKED_AT_ONCE):
            gone, plain = (
                np.array(docs, dtype=np.uint64)
                for docs in self._sealed.fates(there[first : first + ASKED_AT_ONCE].tolist(), waiting)
            )
            count += self._filler.erase(gone)
            self._plain = np.union1d(self._plain, plain)
            self._open = np.setdiff1d(self._open, np.concatenate([gone, plain]), assume_unique=True)
        if count > 0:
            log.info('%d documents are erased now, %d by now: their tokens are overwritten', count, self._filler.committed.erased)
        return count

    def _ask(self, waiting: Callable[[], None]) -> None:
        # Before the rows are: those that come in between are asked for again.
        sunk = self._sealed.exclusions_sunk(waiting)
        since = self._sunk if self._looks % LOOKS_UNTIL_ALL else {}
        if since != sunk:
            asked = np.unique(np.array(self._sealed.asked_for(since, waiting), dtype=np.uint64))
            for settled in (self._filler.erased, self._plain):
                asked = np.setdiff1d(asked, settled, assume_unique=True)
            self._open = np.union1d(self._open, asked)
        self._sunk = sunk
        self._looks += 1
