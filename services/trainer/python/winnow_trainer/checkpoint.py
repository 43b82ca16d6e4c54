"""Checkpoints as influence workers read them: safetensors under Hugging Face's parameter names, with a digest (docs/trainer.md)."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from winnow_wire.errors import WinnowError

from .fitting import MOMENTS, Kind
from .fitting import model_folder as model_folder
from .gathering import plain_name as plain_name
from .gathering import state_of, whole

Dtype = Literal['float32', 'bfloat16']
INDEX = '.safetensors.index.json'
# Of what PyTorch writes one piece a rank (HuggingFaceStorageWriter, torchtitan's exports), until it is put together.
PIECES = 'DCP_SHARDING_INFO'


def file_digest(path: Path) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def announced_file(path: Path) -> Path:
    """The safetensors file or index of shards that a path names: itself, or in a folder that `save_pretrained` or an export wrote."""
    if not path.is_dir():
        return path
    index, files = path / 'model.safetensors.index.json', sorted(path.glob('*.safetensors'))
    if index.exists():
        return index
    if len(files) == 1:
        return files[0]
    found = ', '.join(file.name for file in files[:3]) or 'no .safetensors file'
    hint = 'Save it with safe_serialization, or announce the file itself.'
    raise WinnowError('BAD_DATA', f'{path} holds neither model.safetensors nor its index, but {found}', hint)


def files_of(path: Path) -> list[str]:
    """Names of the files of a checkpoint, in their folder: itself, or the index and then its shards in the order of their names."""
    shards = sorted(set(json.loads(path.read_text())['weight_map'].values())) if path.name.endswith(INDEX) else []
    return [path.name, *shards]


def digest_of(path: Path) -> str:
    """SHA-256 of a file; of an index that of what `sha256sum INDEX SHARD...` prints in their folder (docs/influence.md)."""
    if not path.name.endswith(INDEX):
        return file_digest(path)
    lines = ''.join(f'{file_digest(path.parent / name)}  {name}\n' for name in files_of(path))
    return hashlib.sha256(lines.encode()).hexdigest()


def tensors_of(model: Any) -> dict[str, Any]:
    """Parameters by plain name, whole: those of a mapping, or of a torch module. Sharded ones are gathered, by all ranks together."""
    return whole(state_of(model), True)


def moments_of(model: Any, optimizer: Any) -> dict[str, Any]:
    """Parameters of a torch module, and as v.NAME the second moment that Adam keeps of each; sharded ones stay so, for `announce` to
    gather. On all ranks together."""
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

    # What accelerate puts around optimizers.
    state: Any = get_optimizer_state_dict(model, getattr(optimizer, 'optimizer', optimizer)).get('state', {})
    return state_of(model) | {f'v.{plain_name(name)}': one['exp_avg_sq'] for name, one in state.items() if 'exp_avg_sq' in one}


def write(path: Path, tensors: Mapping[str, Any], metadata: Mapping[str, str], dtype: Dtype | None = None) -> None:
    """Whole or not at all: nobody sees half of it, also after a power cut. `dtype`: of parameters; by default each one's own, of
    float64, which no worker reads, float32. Moments of Adam are never bfloat16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
    # Those of numpy and those of torch have each a module of their own in safetensors.
    if all(type(tensor).__module__ == 'numpy' for tensor in tensors.values()):
        from safetensors.numpy import save_file

        if dtype == 'bfloat16':
            raise WinnowError('USAGE', 'numpy has no bfloat16', 'Announce tensors of torch, or numpy arrays as they are.')
        wide = {name: dtype or ('float32' if tensor.dtype == 'float64' else tensor.dtype) for name, tensor in tensors.items()}
        save_file({name: tensor.astype(wide[name], copy=False) for name, tensor in tensors.items()}, partial, dict(metadata))
    else:
        from safetensors.torch import save_file as save_torch

        save_torch(_apart({name: _stored(name, tensor, dtype) for name, tensor in tensors.items()}), partial, dict(metadata))
    with open(partial, 'rb') as file:
        os.fsync(file.fileno())
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def stored_dtype(name: str, dtype: str, wanted: Dtype | None) -> str:
    """As which data type `write` stores a tensor: names of safetensors."""
    moment = name.startswith(MOMENTS)
    if wanted is not None and dtype in ('F64', 'F32', 'F16', 'BF16'):
        return 'F32' if moment or wanted == 'float32' else 'BF16'
    return 'F32' if dtype == 'F64' else dtype


def _stored(name: str, tensor: Any, wanted: Dtype | None) -> Any:
    import torch

    types = {'F32': torch.float32, 'BF16': torch.bfloat16}
    tensor = tensor.detach().cpu().contiguous()
    kept = {torch.float64: 'F64', torch.float32: 'F32', torch.float16: 'F16', torch.bfloat16: 'BF16'}.get(tensor.dtype)
    return tensor if kept is None else tensor.to(types.get(stored_dtype(name, kept, wanted), tensor.dtype))


def _apart(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of those that share memory, as tied parameters do: the format does not have that."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        shared = storage.data_ptr() in seen or storage.nbytes() != tensor.nbytes
        seen.add(storage.data_ptr())
        apart[name] = tensor.clone() if shared else tensor
    return apart


def kinds_of(path: Path) -> dict[str, Kind]:
    """Data type and shape of every tensor of a safetensors file, or of an index and its shards. Raises WinnowError BAD_DATA."""
    if path.name.endswith(INDEX):
        try:
            shards = set(json.loads(path.read_text())['weight_map'].values())
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise WinnowError('BAD_DATA', f'{path} is no index of safetensors files: {error!r}') from error
        return {key: kind for name in sorted(shards) for key, kind in kinds_of(path.parent / name).items()}
    header = header_of(path)
    return {name: Kind(one['dtype'], one['shape']) for name, one in header.items() if name != '__metadata__'}


def header_of(path: Path) -> dict[str, Any]:
    """Of a safetensors file. Raises WinnowError BAD_DATA."""
    try:
        with open(path, 'rb') as file:
            length = int.from_bytes(file.read(8), 'little')
            header: dict[str, Any] = json.loads(file.read(length))
        [(one['dtype'], one['shape']) for name, one in header.items() if name != '__metadata__']
        return header
    except (OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError, OverflowError) as error:
        raise WinnowError('BAD_DATA', f'{path} is no safetensors file: {error}') from error


def is_piece(path: Path) -> bool:
    """Whether a safetensors file has only one rank's pieces of tensors."""
    return PIECES in header_of(path).get('__metadata__', {})
