"""Documents to sequences of one length: services/trainer/packer.ts, cut to one rank's part."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.integer]
Rows = npt.NDArray[np.int64]


class Place(NamedTuple):
    """Token `token` of the document at `document`, an index into the selection that counts on past its end. A document's last
    token is its end."""

    document: int
    token: int


START = Place(0, 0)


@dataclass(frozen=True)
class Shape:
    """`sequences`: in a global batch. `length`: targets in a sequence. `end`: the token that ends each document."""

    sequences: int
    length: int
    end: int


@dataclass(frozen=True)
class Packed:
    """A part of a global batch, n sequences of C targets, and where the next global batch begins."""

    # [n, C + 1]: the last token of a row is the first of the next.
    ids: Rows
    # [n, C + 1]: the document that a token is of, as an index into the selection.
    documents: Rows
    # [n, C + 1]: its place within that document.
    positions: Rows
    next: Place
    # Documents of which a token was in this or an earlier batch of the round, on whichever rank: SELECTION.md's m.
    documents_read: int


class _Window:
    """Takes what falls between two places of a batch's tokens."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self.ids, self.documents, self.positions = (np.empty(last - first, dtype=np.int64) for _ in range(3))

    def put(self, at: int, tokens: Tokens, end: int, place: Place, count: int) -> None:
        """`count` tokens of a document from its place on stand at `at` in the batch."""
        first, last = max(at, self._first), min(at + count, self._last)
        if first >= last:
            return
        begin = place.token + first - at
        here, there = slice(first - self._first, last - self._first), slice(begin, begin + last - first)
        body = tokens[there]
        self.ids[here] = end
        self.ids[here][: len(body)] = body
        self.documents[here] = place.document
        self.positions[here] = np.arange(there.start, there.stop)

    def rows(self, values: Rows, length: int) -> Rows:
        # A copy: the next batch is written over the values.
        return np.lib.stride_tricks.sliding_window_view(values, length + 1)[::length].copy()


def pack(documents: Iterable[Tokens], shape: Shape, start: Place, part: tuple[int, int]) -> Iterator[Packed]:
    """Packs documents, the first of them that at `start`, end to end and each followed by `shape.end`: batch k holds the tokens
    k * B * C to (k + 1) * B * C of the stream, both included. `part`: the sequences of every batch that are wanted, first and
    after the last. What does not fill a batch is dropped."""
    total = shape.sequences * shape.length + 1
    window = _Window(part[0] * shape.length, part[1] * shape.length + 1)
    filled = 0
    document, token = start
    for tokens in documents:
        length = len(tokens) + 1
        while token < length:
            taken = min(length - token, total - filled)
            window.put(filled, tokens, shape.end, Place(document, token), taken)
            filled, token = filled + taken, token + taken
            if filled < total:
                continue
            # The last target of this batch is the first input of the next.
            token, filled = token - 1, 0
            ids, indices, positions = (
                window.rows(values, shape.length) for values in (window.ids, window.documents, window.positions)
            )
            yield Packed(ids, indices, positions, Place(document, token), document + 1)
        document, token = document + 1, 0
