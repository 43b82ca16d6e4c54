"""Weights of checkpoints: a safetensors file, or an index (*.safetensors.index.json) with its shards, all or nothing."""

import hashlib
import json
import mmap
import tempfile
from collections import OrderedDict
from pathlib import Path

import torch

from winnow_wire.errors import WinnowError
from winnow_wire.stores import beside, download, is_stored, name_of, prepare, shown

INDEX_SUFFIX = '.safetensors.index.json'
SECOND_MOMENT = 'v.'
DTYPES = dict(F64=torch.float64, F32=torch.float32, F16=torch.float16, BF16=torch.bfloat16)


def incomplete(path, reason):
    return WinnowError(
        'CHECKPOINT_INCOMPLETE',
        f'The checkpoint {path} is not whole: {reason}',
        'It is read again for a while, in case it is still being written; keep checkpoints until their round is closed.',
        retriable=True,
    )


class _File:
    """A memory-mapped file: the bytes hashed are the bytes read, even if the path is replaced in between. One in an object store is
    downloaded into a file without a name, which is gone when it is not mapped any more."""

    def __init__(self, path, checkpoint):
        stored = is_stored(path)
        self.path, self.name = shown(path), name_of(path) if stored else Path(path).name
        try:
            with tempfile.TemporaryFile() if stored else open(path, 'rb') as file:
                if stored:
                    download(path, file)
                self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError, WinnowError) as error:
            raise incomplete(checkpoint, f'{self.path} cannot be opened ({error})') from error
        self.digest = hashlib.sha256(self.data).hexdigest()

    def tensors(self, wanted):
        """(key, tensor) for each wanted key; the tensors are views of the mapped file."""
        try:
            size = int.from_bytes(self.data[:8], 'little')
            header = json.loads(self.data[8 : 8 + size])
            for key, entry in header.items():
                if key not in wanted:
                    continue
                first, last = entry['data_offsets']
                dtype = DTYPES[entry['dtype']]
                count = (last - first) // dtype.itemsize
                tensor = torch.frombuffer(self.data, dtype=dtype, count=count, offset=8 + size + first)
                yield key, tensor.reshape(entry['shape'])
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            hint = 'Use another checkpoint, or let the trainer write this one again.'
            raise WinnowError('BAD_DATA', f'{self.path} is not a usable safetensors file: {error}', hint) from error


def _files(path, digest):
    path = str(path)
    # A library that is missing does not come while reading is retried.
    prepare(path)
    first = _File(path, shown(path))
    if not first.name.endswith(INDEX_SUFFIX):
        found, parts = first.digest, [first]
    else:
        try:
            names = sorted(set(json.loads(first.data[:])['weight_map'].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise incomplete(shown(path), f'it is not an index of shards ({error})') from error
        if any('/' in name or '\\' in name for name in names):
            raise WinnowError(
                'BAD_DATA', f'{shown(path)} names files outside its folder', 'Use the index that was saved with its shards.'
            )
        places = [beside(path, name) if is_stored(path) else str(Path(path).parent / name) for name in names]
        parts = [_File(place, shown(path)) for place in places]
        # What `sha256sum` prints for the index and its shards when run in their folder.
        lines = ''.join(f'{file.digest}  {file.name}\n' for file in [first, *parts])
        found = hashlib.sha256(lines.encode()).hexdigest()
    if found != digest:
        raise incomplete(shown(path), f'it has digest {found}, the request names {digest}')
    return parts


def read_weights(path, digest, shapes, device, dtype):
    """The tensors named in `shapes` (key -> shape), on the device; others are ignored. Adam's second moments, v.KEY, are kept in
    float32 at least, since smaller types lack the range."""
    weights = {}
    wide = torch.promote_types(dtype, torch.float32)
    for file in _files(path, digest):
        for key, tensor in file.tensors(shapes):
            weights[key] = tensor.to(device=device, dtype=wide if key.startswith(SECOND_MOMENT) else dtype, copy=True)
    for key, shape in shapes.items():
        found = f'{list(weights[key].shape)}' if key in weights else 'missing'
        if found != f'{list(shape)}':
            hint = 'Use a checkpoint of this model, or the graphs it was trained with.'
            if found == 'missing' and key.startswith(SECOND_MOMENT):
                hint = 'The checkpoint holds no moments of Adam; choose influence.preconditioner: none.'
            reason = f'{key} is {found}, expected {list(shape)}'
            raise WinnowError('BAD_DATA', f'{shown(str(path))} does not fit the model: {reason}', hint)
    return weights


class Checkpoints:
    """The most recently used checkpoints within `bytes_max`; the one in use is always kept."""

    def __init__(self, shapes, device, dtype, bytes_max):
        self._arguments = (shapes, device, dtype)
        self._kept = OrderedDict()
        sizes = [torch.Size(shape).numel() for shape in shapes.values()]
        self._count_max = max(1, bytes_max // max(1, dtype.itemsize * sum(sizes)))

    def weights(self, path, digest):
        if digest not in self._kept:
            # Evicted before the new one is loaded, so that both never take memory at once.
            while len(self._kept) >= self._count_max:
                self._kept.popitem(last=False)
            self._kept[digest] = read_weights(path, digest, *self._arguments)
        self._kept.move_to_end(digest)
        return self._kept[digest]
