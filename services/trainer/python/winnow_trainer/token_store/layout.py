"""Files of a token store, and what its store.json says.

    store.json              what is committed: `Committed`
    lock                    held by whoever fills it
    tokens-00000.bin/.idx   Megatron's data files, in the order in which documents came; the last one grows
    tokens-00000.ids        document ids of the same documents (uint64)
    erased.ids              ids of documents that were erased (uint64): of these only an end token is given, and the .bin has nothing else
    rows/SSSSSSSS-PPP       of source S and piece P of its rows, by row (uint64): file << 32 | index in it, plus 1; 0: none

A place in `rows` counts only if the document that stands there has the id that was asked for: places that were written and not committed
may point to what came later.
"""

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from winnow_wire.errors import WinnowError

# 2: documents were erased. Without any it is 1, which older packages read too.
FORMATS = (1, 2)
Ids = npt.NDArray[np.uint64]
Places = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Committed:
    # Of the tokenizer.json, SHA-256, and the id that ends each document.
    tokenizer: str
    end: int
    dtype: str
    # Kafka's id of the topic of documents: in another one the same ids are other documents.
    topicId: str
    topic: str
    # By partition: records before it are in.
    offsets: Mapping[str, int] = field(default_factory=dict)
    # Documents and bytes of each data file.
    files: list[tuple[int, int]] = field(default_factory=list)
    # Of erased.ids: so many count, and the tokens of so many, the first, are overwritten.
    listed: int = 0
    erased: int = 0

    @property
    def documents(self) -> int:
        return sum(documents for documents, _ in self.files)

    def with_offsets(self, offsets: Mapping[int, int], files: list[tuple[int, int]]) -> Self:
        return replace(self, offsets={str(partition): offset for partition, offset in sorted(offsets.items())}, files=files)

    def check(self, name: str, ours: Any) -> None:
        """Raises WinnowError CONFIGURATION, with both values, where it is of another tokenizer or corpus."""
        if (theirs := getattr(self, name)) != ours:
            hint = 'Fill a folder of its own: winnow-trainer tokens FOLDER.'
            raise WinnowError('CONFIGURATION', f'{name} of the token store is {theirs!r}, and {ours!r} here', hint)


class Said(NamedTuple):
    """A store.json as it was at some time. `stamp` tells it from later ones, as long as `mapped` is kept: until then no other file gets its
    number."""

    committed: Committed
    stamp: tuple[int, int, int]
    mapped: mmap.mmap


def read_said(folder: Path) -> Said | None:
    """None where nothing was filled yet. Raises WinnowError BAD_DATA, CONFIGURATION."""
    path = store_file(folder)
    try:
        with path.open('rb') as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            values, stamp = json.loads(mapped[:]), stamp_of(os.fstat(file.fileno()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WinnowError('BAD_DATA', f'{path} cannot be read: {error}', 'Fill another folder.') from error
    found = values.pop('format', None) if isinstance(values, dict) else values
    if found not in FORMATS:
        hint = 'Use the winnow-trainer that filled it, or fill another folder.'
        raise WinnowError('CONFIGURATION', f'{path} has format {found!r}, this package reads {FORMATS}', hint)
    try:
        files = [(int(documents), int(size)) for documents, size in values['files']]
        return Said(Committed(**values | {'files': files}), stamp, mapped)
    except (KeyError, TypeError, ValueError) as error:
        raise WinnowError('BAD_DATA', f'{path} lacks something: {error!r}', 'Fill another folder.') from error


def stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns


def read_committed(folder: Path) -> Committed | None:
    """As read_said."""
    said = read_said(folder)
    return None if said is None else said.committed


def write_committed(folder: Path, committed: Committed) -> None:
    values = asdict(committed) | {'format': 2}
    if committed.listed == 0:
        values = {name: value for name, value in values.items() if name not in ('listed', 'erased')} | {'format': 1}
    partial = folder / 'store.json.partial'
    with partial.open('w') as file:
        json.dump(values, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, store_file(folder))
    fsync_folder(folder)


def fsync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def store_file(folder: Path) -> Path:
    return folder / 'store.json'


def erased_file(folder: Path) -> Path:
    return folder / 'erased.ids'


def data_file(folder: Path, number: int, kind: str) -> Path:
    return folder / f'tokens-{number:05d}.{kind}'


def rows_file(folder: Path, key: int) -> Path:
    """`key`: what `keys_and_rows` gives."""
    return folder / 'rows' / f'{key >> 8:08d}-{key & 255:03d}'


def keys_and_rows(ids: Ids) -> tuple[Ids, Ids]:
    """Of each id the upper half, source << 8 | piece, and the row (services/ingest/document-id.ts)."""
    return ids >> np.uint64(32), ids & np.uint64(0xFFFF_FFFF)


def place_said(doc: int) -> str:
    piece = f', piece {doc >> 32 & 255}' if doc >> 32 & 255 else ''
    return f'document {doc} (row {doc & 0xFFFF_FFFF} of source {doc >> 40}{piece})'
