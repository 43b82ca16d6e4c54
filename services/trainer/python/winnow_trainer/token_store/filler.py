"""Writes a token store, one commit after the other. A process that ends in between loses what was not committed, nothing else."""

import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from winnow_wire.errors import WinnowError

from ..packing import Tokens
from .layout import (
    Committed,
    Ids,
    Places,
    data_file,
    erased_file,
    fsync_folder,
    keys_and_rows,
    read_committed,
    rows_file,
    write_committed,
)
from .megatron import CODES, Index, Lengths, write_index
from .store import TokenStore

# A data file's index is written anew with each commit, so it must not grow without end.
FILE_DOCUMENTS = 2**20
FILE_BYTES = 2**31


class Filler:
    """One at a time for a folder. `wanted`: what the store is of; its offsets and files are those that the folder has."""

    def __init__(self, folder: Path, wanted: Committed, file_documents: int = FILE_DOCUMENTS) -> None:
        """Raises WinnowError CONFIGURATION where the folder is of something else, or is being filled by another process."""
        self._folder, self._file_documents = folder, file_documents
        (folder / 'rows').mkdir(parents=True, exist_ok=True)
        self._lock = (folder / 'lock').open('w')
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise WinnowError('CONFIGURATION', f'{folder} is being filled by another process', 'One is enough.') from error
        try:
            self._open(wanted)
        except BaseException:
            self._lock.close()
            raise

    def _open(self, wanted: Committed) -> None:
        found = read_committed(self._folder)
        if found is None:
            write_committed(self._folder, wanted)
        else:
            for name in ('tokenizer', 'end', 'topicId'):
                found.check(name, getattr(wanted, name))
        self.committed = found or wanted
        self._dtype = np.dtype(self.committed.dtype)
        if self._dtype not in CODES.values():
            raise WinnowError('BAD_DATA', f'tokens of type {self.committed.dtype} are not written here', 'Fill another folder.')
        self._store = TokenStore(self._folder)
        self._lengths: Lengths = np.empty(0, dtype=np.int32)
        if self.committed.files:
            # What was written after the last commit is written again.
            number, (documents, size) = len(self.committed.files) - 1, self.committed.files[-1]
            self._lengths = np.array(Index(data_file(self._folder, number, 'idx')).lengths[:documents])
            os.truncate(data_file(self._folder, number, 'bin'), size)
            os.truncate(data_file(self._folder, number, 'ids'), documents * 8)
        self._remove_files(len(self.committed.files))
        if (listed := erased_file(self._folder)).exists():
            os.truncate(listed, self.committed.listed * 8)
        self._overwrite()

    def _remove_files(self, number: int) -> None:
        """From this number on: nobody may read what they have, and no erasure would find it."""
        while (tokens := data_file(self._folder, number, 'bin')).exists():
            for kind in ('idx', 'ids'):
                data_file(self._folder, number, kind).unlink(missing_ok=True)
            tokens.unlink()
            number += 1

    @property
    def offsets(self) -> dict[int, int]:
        """By partition: records before it are in."""
        return {int(partition): offset for partition, offset in self.committed.offsets.items()}

    def add(self, documents: Mapping[int, Tokens], offsets: Mapping[int, int]) -> None:
        """Commits documents, by id, without their ends, and up to which records of each partition all are in. Those that are in
        already are left out: copies of a document are equal."""
        ids = np.fromiter(documents, dtype=np.uint64, count=len(documents))
        new = ids[self._store.places(ids) == 0]
        files = list(self.committed.files)
        for first, last in self._pieces(len(new)):
            some = new[first:last]
            if not files or files[-1][0] >= self._file_documents or files[-1][1] >= FILE_BYTES:
                self._lengths = np.empty(0, dtype=np.int32)
                files.append((0, 0))
            files[-1] = self._append(len(files) - 1, files[-1], some.tolist(), [documents[doc] for doc in some.tolist()])
        self._commit(self.committed.with_offsets(self.offsets | dict(offsets), files))

    def _commit(self, committed: Committed) -> None:
        write_committed(self._folder, committed)
        self.committed = committed
        self._store.refresh()

    @property
    def erased(self) -> Ids:
        """Ascending."""
        return self._store.erased

    def those_in(self, ids: Ids) -> Ids:
        """The documents that are in, of these."""
        return ids[self._store.places(ids) > 0]

    def erase(self, ids: Ids) -> int:
        """Overwrites the tokens of these documents by end tokens, so that no byte of them is left, and files stay as long as they are. Those
        that are not in are left out. Returns how many were not erased before."""
        new = np.setdiff1d(self.those_in(ids), self.erased)
        if len(new) > 0:
            # Listed first: a reader takes them for empty before the first of their tokens changes.
            _written(erased_file(self._folder), self.committed.listed * 8, new.astype('<u8').tobytes())
            fsync_folder(self._folder)
            self._commit(replace(self.committed, listed=self.committed.listed + len(new)))
            self._overwrite()
        return len(new)

    def _overwrite(self) -> None:
        """What is listed and was not overwritten yet."""
        listed, erased = self.committed.listed, self.committed.erased
        if listed == erased:
            return
        places = self._store.places(np.fromfile(erased_file(self._folder), dtype='<u8', offset=erased * 8)) - np.uint64(1)
        numbers = places >> np.uint64(32)
        end = np.array([self.committed.end], dtype=self._dtype).tobytes()
        for number in np.unique(numbers).tolist():
            at = places[numbers == number] & np.uint64(0xFFFF_FFFF)
            index = Index(data_file(self._folder, number, 'idx'))
            file = os.open(data_file(self._folder, number, 'bin'), os.O_WRONLY)
            try:
                for begin, length in zip(index.pointers[at].tolist(), index.lengths[at].tolist(), strict=True):
                    _overwritten(file, begin, end * length)
                os.fsync(file)
            finally:
                os.close(file)
        self._commit(replace(self.committed, erased=listed))

    def _pieces(self, count: int) -> list[tuple[int, int]]:
        """So that each goes into one file."""
        space = self._file_documents - len(self._lengths) if self.committed.files else self._file_documents
        first = min(count, max(space, 0))
        bounds = [0, *range(first, count, self._file_documents), count]
        return [(a, b) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]

    def _append(self, number: int, before: tuple[int, int], ids: Sequence[int], tokens: Sequence[Tokens]) -> tuple[int, int]:
        """Documents and bytes of the file afterwards."""
        documents, size = before
        end = np.array([self.committed.end], dtype=self._dtype)
        body = np.concatenate([part for some in tokens for part in (some.astype(self._dtype), end)]).tobytes()
        lengths = np.array([len(some) + 1 for some in tokens], dtype=np.int32)
        _written(data_file(self._folder, number, 'bin'), size, body)
        _written(data_file(self._folder, number, 'ids'), documents * 8, np.array(ids, dtype='<u8').tobytes())
        self._lengths = np.concatenate([self._lengths, lengths])
        write_index(data_file(self._folder, number, 'idx'), self._dtype, self._lengths)
        fsync_folder(self._folder)
        at = np.arange(documents, documents + len(ids), dtype=np.uint64)
        self._point(np.array(ids, dtype=np.uint64), (np.uint64(number) << np.uint64(32) | at) + np.uint64(1))
        return documents + len(ids), size + len(body)

    def _point(self, ids: Places, places: Places) -> None:
        keys, rows = keys_and_rows(ids)
        for key in np.unique(keys).tolist():
            of_source = np.flatnonzero(keys == key)
            of_source = of_source[np.argsort(rows[of_source])]
            # Runs of neighbouring rows are written at once.
            cuts = np.flatnonzero(np.diff(rows[of_source].astype(np.int64)) != 1) + 1
            file = os.open(rows_file(self._folder, key), os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                for run in np.split(of_source, cuts):
                    os.pwrite(file, places[run].astype('<u8').tobytes(), int(rows[run[0]]) * 8)
                os.fdatasync(file)
            finally:
                os.close(file)
        fsync_folder(self._folder / 'rows')

    def close(self) -> None:
        self._lock.close()


def _written(path: Path, at: int, data: bytes) -> None:
    with path.open('r+b' if path.exists() else 'wb') as file:
        file.seek(at)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _overwritten(file: int, at: int, data: bytes) -> None:
    while data:
        count = os.pwrite(file, data, at)
        at, data = at + count, data[count:]
