"""Tokens of documents by id, from the files of a token store. It may be filled while it is read, and documents may be erased."""

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from winnow_wire.errors import WinnowError

from ..packing import Numbers, Page, Tokens
from .layout import (
    Committed,
    Ids,
    Places,
    Said,
    data_file,
    erased_file,
    keys_and_rows,
    place_said,
    read_said,
    rows_file,
    stamp_of,
    store_file,
)
from .megatron import Index

log = logging.getLogger('winnow.trainer')

LOOK_SECONDS = 0.5
SAY_SECONDS = 30.0
# Each is a mapped file; a corpus may have many sources.
ROWS_OPEN = 1024
PAGE_BYTES = 4096
# In the place of a file's number: an end token alone.
ERASED = 2**32


class DataFile:
    """The first `documents` of a .bin, with their index and ids: what is committed is never cut off, and changed only to erase documents."""

    def __init__(self, folder: Path, number: int, documents: int, size: int) -> None:
        """`size`: of the .bin, in bytes."""
        self.documents = documents
        path = data_file(folder, number, 'bin')
        self.ids: Ids = _mapped(data_file(folder, number, 'ids'), np.dtype('<u8'), documents)
        index = Index(data_file(folder, number, 'idx'))
        if len(index) < documents:
            raise WinnowError('BAD_DATA', f'{data_file(folder, number, "idx")} lacks documents', 'Fill another folder.')
        self._lengths, self._pointers, self._size = index.lengths, index.pointers, index.dtype.itemsize
        self.tokens: Tokens = _mapped(path, index.dtype, size // self._size)

    def extents(self, at: Places) -> tuple[Numbers, Numbers]:
        """Where documents begin in `tokens`, and how many each has, with its end. Waits for the disk, without Python's lock."""
        first, lengths = self._pointers[at] // self._size, self._lengths[at].astype(np.int64)
        pages = (lengths * self._size + PAGE_BYTES - 1) // PAGE_BYTES + 1
        steps = np.arange(int(pages.sum())) - np.repeat(np.cumsum(pages) - pages, pages)
        last = np.repeat(first + lengths - 1, pages)
        # The value does not matter: a page of the file that was touched is in memory.
        self.tokens.take(np.minimum(np.repeat(first, pages) + steps * (PAGE_BYTES // self._size), last))
        return first, lengths


def _mapped(path: Path, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
    """Without np.memmap's own class, which makes slices slow."""
    if count == 0:
        return np.empty(0, dtype)
    if path.stat().st_size < count * dtype.itemsize:
        raise WinnowError('BAD_DATA', f'{path} ends too soon', 'Fill another folder.')
    return np.memmap(path, dtype, 'r', shape=(count,)).view(np.ndarray)


class Found(NamedTuple):
    """Where tokens of documents are: of each the file, its first token there and how many it has, with its end."""

    numbers: Places
    first: Numbers
    lengths: Numbers
    tokens: dict[int, Tokens]
    # Those that were erased when this was found.
    erased: Ids

    def page(self) -> Page:
        extents = zip(self.numbers.tolist(), self.first.tolist(), (self.first + self.lengths).tolist(), strict=True)
        return Page(np.concatenate([self.tokens[number][begin:end] for number, begin, end in extents]), self.lengths)


class TokenStore:
    """Any number of threads may ask at once. `patience`: seconds that a document may be missing while the store is being filled."""

    def __init__(self, folder: str | Path, patience: float = 600.0) -> None:
        self._folder, self._patience = Path(folder), patience
        self._path = store_file(self._folder)
        self._files: dict[int, DataFile] = {}
        self._rows: OrderedDict[int, Places] = OrderedDict()
        self._lock = threading.Lock()
        # Ascending; another array once more are.
        self.erased: Ids = np.empty(0, dtype=np.uint64)
        said = read_said(self._folder)
        if said is None:
            hint = f'Fill it: winnow-trainer tokens {folder} --tokenizer FILE.'
            raise WinnowError('CONFIGURATION', f'{folder} is no token store', hint)
        self._take(said)

    def _take(self, said: Said) -> None:
        self.committed: Committed = said.committed
        if said.committed.listed != len(self.erased):
            self._end = np.array([said.committed.end], dtype=said.committed.dtype)
            self.erased = np.sort(_mapped(erased_file(self._folder), np.dtype('<u8'), said.committed.listed))
        # At last: who sees it does without the lock.
        self._said = said

    def fetched(self, ids: Ids, waiting: Callable[[], None]) -> Iterable[Page]:
        """As of Documents. Waits for documents that are not in yet. Raises WinnowError WAITED_TOO_LONG where one does not come, BAD_DATA
        where files are damaged."""
        began = said = time.monotonic()
        while True:
            places = self.places(ids)
            if places.all():
                return self._read(ids, places - np.uint64(1))
            now, missing = time.monotonic(), int(ids[np.flatnonzero(places == 0)[0]])
            message = f'{place_said(missing)} is not in the token store {self._folder}'
            if now - began > self._patience:
                raise WinnowError(
                    'WAITED_TOO_LONG',
                    f'{message}, which has read {self.committed.topic} up to {dict(self.committed.offsets)}',
                    f'Is it being filled? winnow-trainer tokens {self._folder} follows the corpus. Without store= texts are read.',
                    retriable=True,
                )
            if now - said >= SAY_SECONDS:
                said = now
                log.info('%s yet; %d documents are', message, self.committed.documents)
            waiting()
            time.sleep(min(LOOK_SECONDS, self._patience))
            self.refresh()

    def _read(self, ids: Ids, places: Places) -> Iterable[Page]:
        found = self._found(ids, places)

        def gathered() -> Iterable[Page]:
            if len(ids) == 0:
                return
            now, page = found, found.page()
            # Documents are overwritten after they are listed: what was gathered before the list grew is whole.
            while self._look() is not now.erased:
                now = self._found(ids, places)
                page = now.page()
            yield page

        return gathered()

    def _found(self, ids: Ids, places: Places) -> Found:
        erased = self.erased
        numbers, at = places >> np.uint64(32), places & np.uint64(0xFFFF_FFFF)
        if len(erased) > 0:
            numbers[erased[np.minimum(np.searchsorted(erased, ids), len(erased) - 1)] == ids] = ERASED
        first, lengths = (np.empty(len(places), dtype=np.int64) for _ in range(2))
        tokens: dict[int, Tokens] = {}
        for number in np.unique(numbers).tolist():
            among = np.flatnonzero(numbers == number)
            if number == ERASED:
                tokens[number], first[among], lengths[among] = self._end, 0, 1
                continue
            with self._lock:
                file = self._file(number)
            tokens[number] = file.tokens
            first[among], lengths[among] = file.extents(at[among])
        return Found(numbers, first, lengths, tokens, erased)

    def places(self, ids: Ids) -> Places:
        """Of each document that is in: file << 32 | index in it, plus 1; 0 where it is not. Of what was committed when the store was
        opened or refreshed last, or more."""
        places = np.zeros(len(ids), dtype=np.uint64)
        keys, rows = keys_and_rows(ids)
        for key in np.unique(keys).tolist():
            of_source = np.flatnonzero(keys == key)
            with self._lock:
                known = self._rows_of(key)
            there = of_source[rows[of_source] < len(known)]
            places[there] = known[rows[there]]
        files = np.where(places > 0, (places - np.uint64(1)) >> np.uint64(32), np.uint64(2**32))
        for number in np.unique(files).tolist():
            among = np.flatnonzero(files == number)
            with self._lock:
                known_file = self._file(number) if number < len(self.committed.files) else None
            if known_file is not None:
                at = (places[among] - np.uint64(1)) & np.uint64(0xFFFF_FFFF)
                inside = at < known_file.documents
                of_other = np.ones(len(among), dtype=bool)
                of_other[inside] = known_file.ids[at[inside]] != ids[among[inside]]
                among = among[of_other]
            places[among] = 0
        return places

    def _rows_of(self, key: int) -> Places:
        if key not in self._rows:
            path = rows_file(self._folder, key)
            rows = path.stat().st_size // 8 if path.exists() else 0
            self._rows[key] = _mapped(path, np.dtype('<u8'), rows)
            if len(self._rows) > ROWS_OPEN:
                self._rows.popitem(last=False)
        self._rows.move_to_end(key)
        return self._rows[key]

    def _file(self, number: int) -> DataFile:
        if number not in self._files:
            self._files[number] = DataFile(self._folder, number, *self.committed.files[number])
        return self._files[number]

    def _look(self) -> Ids:
        """The documents that are erased. Reads what was committed since, if anything was, which the file system is asked for each time."""
        try:
            stamp = stamp_of(os.stat(self._path))
        except FileNotFoundError:
            return self.erased
        if stamp != self._said.stamp:
            self.refresh()
        return self.erased

    def refresh(self) -> None:
        """Sees what has been committed since."""
        with self._lock:
            before, said = self.committed, read_said(self._folder)
            if said is None:
                return
            self._take(said)
            if said.committed == before:
                return
            # Only the last file that was known has grown; rows may have anywhere.
            self._files = {number: file for number, file in self._files.items() if number + 1 < len(before.files)}
            self._rows.clear()

    def close(self) -> None:
        """Files are closed when nobody uses them any more."""
        with self._lock:
            self._files, self._rows = {}, OrderedDict()
