"""Tokens of documents by id, from the files of a token store. It may be filled while it is read."""

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from winnow_wire.errors import WinnowError

from ..packing import Tokens
from .layout import Committed, Ids, Places, data_file, keys_and_rows, place_said, read_committed, rows_file
from .megatron import Index

log = logging.getLogger('winnow.trainer')

LOOK_SECONDS = 0.5
SAY_SECONDS = 30.0
# Each is a mapped file; a corpus may have many sources.
ROWS_OPEN = 1024


class DataFile:
    """The first `documents` of a .bin, with their index and ids: what is committed is never changed or cut off."""

    def __init__(self, folder: Path, number: int, documents: int) -> None:
        self.documents = documents
        self.ids: Ids = np.memmap(data_file(folder, number, 'ids'), dtype='<u8', mode='r', shape=(documents,))
        self.index = Index(data_file(folder, number, 'idx'))
        if len(self.index) < documents:
            raise WinnowError('BAD_DATA', f'{data_file(folder, number, "idx")} lacks documents', 'Fill another folder.')
        self._file = os.open(data_file(folder, number, 'bin'), os.O_RDONLY)

    def tokens(self, at: int) -> Tokens:
        """Of the document at an index, without its end. A read, not a mapping: it waits for a disk without Python's lock."""
        size = (int(self.index.lengths[at]) - 1) * self.index.dtype.itemsize
        data = os.pread(self._file, size, int(self.index.pointers[at]))
        if len(data) != size:
            raise WinnowError('BAD_DATA', f'a data file of the token store ends within document {self.ids[at]}')
        found: Tokens = np.frombuffer(data, dtype=self.index.dtype)
        return found

    def __del__(self) -> None:
        if hasattr(self, '_file'):
            os.close(self._file)


class TokenStore:
    """Any number of threads may ask at once. `patience`: seconds that a document may be missing while the store is being filled."""

    def __init__(self, folder: str | Path, patience: float = 600.0) -> None:
        self._folder, self._patience = Path(folder), patience
        self._files: dict[int, DataFile] = {}
        self._rows: OrderedDict[int, Places] = OrderedDict()
        self._lock = threading.Lock()
        committed = read_committed(self._folder)
        if committed is None:
            hint = f'Fill it: winnow-trainer tokens {folder} --tokenizer FILE.'
            raise WinnowError('CONFIGURATION', f'{folder} is no token store', hint)
        self.committed: Committed = committed

    def tokens(self, ids: Ids, waiting: Callable[[], None]) -> list[Tokens]:
        """Of each document, without its end, in the order of the ids, which may repeat. Waits for documents that are not in yet. Raises
        WinnowError WAITED_TOO_LONG where one does not come, BAD_DATA where files are damaged."""
        began = said = time.monotonic()
        while True:
            places = self.places(ids)
            if places.all():
                return self._read(places)
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

    def _read(self, places: Places) -> list[Tokens]:
        found: list[Tokens] = []
        for place in (places - np.uint64(1)).tolist():
            found.append(self._file(place >> 32).tokens(place & 0xFFFF_FFFF))
        return found

    def places(self, ids: Ids) -> Places:
        """Of each document that is in: file << 32 | index in it, plus 1; 0 where it is not. Of what was committed when the store was
        opened or refreshed last, or more."""
        places = np.zeros(len(ids), dtype=np.uint64)
        keys, rows = keys_and_rows(ids)
        with self._lock:
            for key in np.unique(keys).tolist():
                of_source = np.flatnonzero(keys == key)
                known = self._rows_of(key)
                there = of_source[rows[of_source] < len(known)]
                places[there] = known[rows[there]]
            files = np.where(places > 0, (places - np.uint64(1)) >> np.uint64(32), np.uint64(2**32))
            for number in np.unique(files).tolist():
                among = np.flatnonzero(files == number)
                if number < len(self.committed.files) and self.committed.files[number][0] > 0:
                    file, at = self._file(number), (places[among] - np.uint64(1)) & np.uint64(0xFFFF_FFFF)
                    inside = at < file.documents
                    of_other = np.ones(len(among), dtype=bool)
                    of_other[inside] = file.ids[at[inside]] != ids[among[inside]]
                    among = among[of_other]
                places[among] = 0
        return places

    def _rows_of(self, key: int) -> Places:
        if key not in self._rows:
            path = rows_file(self._folder, key)
            rows = path.stat().st_size // 8 if path.exists() else 0
            self._rows[key] = np.memmap(path, dtype='<u8', mode='r', shape=(rows,)) if rows > 0 else np.empty(0, np.uint64)
            if len(self._rows) > ROWS_OPEN:
                self._rows.popitem(last=False)
        self._rows.move_to_end(key)
        return self._rows[key]

    def _file(self, number: int) -> DataFile:
        if number not in self._files:
            self._files[number] = DataFile(self._folder, number, self.committed.files[number][0])
        return self._files[number]

    def refresh(self) -> None:
        """Sees what has been committed since."""
        committed = read_committed(self._folder)
        with self._lock:
            if committed is None or committed == self.committed:
                return
            # Only the last file that was known has grown; rows may have anywhere.
            self._files = {number: file for number, file in self._files.items() if number + 1 < len(self.committed.files)}
            self._rows.clear()
            self.committed = committed

    def close(self) -> None:
        """Files are closed when nobody uses them any more."""
        with self._lock:
            self._files, self._rows = {}, OrderedDict()
