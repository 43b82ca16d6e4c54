"""Documents to sequences of one length: services/trainer/packer.ts, cut to one rank's part."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.integer]
Numbers = npt.NDArray[np.int64]


class Place(NamedTuple):
    """Token `token` of the document at `document`, an index into the selection that counts on past its end. A document's last
    token is its end."""

    document: int
    token: int


START = Place(0, 0)


class Page(NamedTuple):
    """Documents end to end: `tokens` of all of them, each closed by its end; `lengths` of each, with its end."""

    tokens: Tokens
    lengths: Numbers


@dataclass(frozen=True)
class Shape:
    """`sequences`: in a global batch. `length`: targets in a sequence. `end`: the token that ends each document."""

    sequences: int
    length: int
    end: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A part of a global batch, n sequences of C targets, and where the next global batch begins. Arrays have n * C + 1 elements: sequence
    i is those from i * C to (i + 1) * C, both included, so that the last token of one is the first of the next."""

    ids: Numbers
    # The document that a token is of, as an index into the selection, and its place within that document.
    documents: Numbers
    positions: Numbers
    next: Place
    # Documents of which a token was in this or an earlier batch of the round, on whichever rank: SELECTION.md's m.
    documents_read: int

    def rows(self, values: Numbers, length: int) -> Numbers:
        """[n, C + 1] of one of the arrays."""
        return np.lib.stride_tricks.sliding_window_view(values, length + 1)[::length].copy()


class _Held:
    """Documents that are not packed yet, the first of them at `document` of the selection."""

    def __init__(self, document: int) -> None:
        self.document = document
        self._pages: list[Page] = []
        self.count = 0

    def add(self, page: Page) -> None:
        self._pages.append(page)
        self.count += len(page.tokens)
        self._joined: tuple[Tokens, Numbers, Numbers] | None = None

    def joined(self) -> tuple[Tokens, Numbers, Numbers]:
        """All tokens, and where each document begins in them and ends."""
        if self._joined is None:
            tokens, lengths = (parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in zip(*self._pages, strict=True))
            self._pages = [Page(tokens, lengths)]
            ends = np.cumsum(lengths)
            self._joined = tokens, ends - lengths, ends
        return self._joined

    def drop(self, documents: int) -> int:
        """Forgets so many documents. Returns how many tokens they had."""
        tokens, _, ends = self.joined()
        taken = int(ends[documents - 1]) if documents > 0 else 0
        self.document += documents
        self._pages = [Page(tokens[taken:], self._pages[0].lengths[documents:])]
        self.count -= taken
        self._joined = None
        return taken


def pack(pages: Iterable[Page], shape: Shape, start: Place, part: tuple[int, int]) -> Iterator[Packed]:
    """Packs documents, the first of them that at `start`, end to end: batch k holds the tokens k * B * C to (k + 1) * B * C of the
    stream, both included. `part`: the sequences of every batch that are wanted, first and after the last. What does not fill a batch is
    dropped."""
    targets = shape.sequences * shape.length
    held, at = _Held(start.document), start.token
    for page in pages:
        held.add(page)
        if held.count - at <= targets:
            continue
        tokens, begins, ends = held.joined()
        while held.count - at > targets:
            # The last target of this batch is the first input of the next.
            last = at + targets
            among = int(np.searchsorted(ends, last, side='right'))
            next = Place(held.document + among, last - int(begins[among]))
            first, after = at + part[0] * shape.length, at + part[1] * shape.length + 1
            yield _cut(tokens, begins, ends, held.document, first, after, next)
            at = last
        at -= held.drop(int(np.searchsorted(ends, at, side='right')))


def _cut(tokens: Tokens, begins: Numbers, ends: Numbers, document: int, first: int, after: int, next: Place) -> Packed:
    """The tokens from `first` to before `after`, of documents the first of which is `document`."""
    low, high = (int(i) for i in np.searchsorted(ends, (first, after - 1), side='right'))
    begins, ends = begins[low : high + 1], ends[low : high + 1]
    counts = np.minimum(ends, after) - np.maximum(begins, first)
    documents = np.repeat(np.arange(document + low, document + high + 1), counts)
    positions = np.arange(first, after) - np.repeat(begins, counts)
    return Packed(tokens[first:after].astype(np.int64), documents, positions, next, next.document + 1)
