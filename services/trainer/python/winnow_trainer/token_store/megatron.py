"""Megatron's data files, NAME.bin and NAME.idx, as megatron/core/datasets/indexed_dataset.py reads them (version 1, without modes).

The index: 9 bytes of magic; version (uint64), code of the tokens' type (uint8), number of sequences and of document indices (uint64 each); then
lengths of sequences in tokens (int32), where they begin in NAME.bin in bytes (int64), and the sequence that each document begins with, closed
by the number of sequences (int64). Little-endian, nothing is aligned. Here every document is one sequence, and ends with its end token.
"""

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from winnow_wire.errors import WinnowError

MAGIC = b'MMIDIDX\x00\x00'
HEADER = struct.Struct('<9sQBQQ')
# Of those that Megatron knows, the ones that tokens are written in.
CODES: dict[int, np.dtype[Any]] = {4: np.dtype('<i4'), 8: np.dtype('<u2')}

Lengths = npt.NDArray[np.int32]


def dtype_for(vocabulary: int) -> np.dtype[Any]:
    """What Megatron would take for tokens below this number (`DType.optimal_dtype`)."""
    return CODES[8] if vocabulary < 65_500 else CODES[4]


def write_index(path: Path, dtype: np.dtype[Any], lengths: Lengths) -> None:
    """Whole or not at all. `lengths` of the documents in NAME.bin, in tokens, with their ends."""
    code = next(code for code, known in CODES.items() if known == dtype)
    ends = np.cumsum(lengths, dtype=np.int64) * dtype.itemsize
    partial = path.with_suffix('.idx.partial')
    with partial.open('wb') as file:
        file.write(HEADER.pack(MAGIC, 1, code, len(lengths), len(lengths) + 1))
        file.write(lengths.astype('<i4').tobytes())
        file.write(np.concatenate([np.zeros(1, dtype='<i8'), ends])[: len(lengths)].astype('<i8').tobytes())
        file.write(np.arange(len(lengths) + 1, dtype='<i8').tobytes())
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


class Index:
    """Of documents of one sequence each: `lengths` in tokens, `pointers` in bytes."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, and WinnowError BAD_DATA where it is no such index."""
        data = np.memmap(path, dtype=np.uint8, mode='r')
        magic, version, code, sequences, documents = (
            HEADER.unpack(data[: HEADER.size].tobytes()) if len(data) >= HEADER.size else (b'', 0, 0, 0, 0)
        )
        size = HEADER.size + 12 * sequences + 8 * documents
        if magic != MAGIC or version != 1 or code not in CODES or documents != sequences + 1 or len(data) != size:
            raise WinnowError('BAD_DATA', f'{path} is no index of tokens, or not a whole one', 'Fill another folder.')
        self.dtype = CODES[code]
        first = HEADER.size + 4 * sequences
        self.lengths: Lengths = data[HEADER.size : first].view('<i4')
        self.pointers: npt.NDArray[np.int64] = data[first : first + 8 * sequences].view('<i8')

    def __len__(self) -> int:
        return len(self.lengths)
