"""Checkpoints as influence workers read them: safetensors under Hugging Face's parameter names, with a digest (docs/trainer.md)."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from winnow_wire.errors import WinnowError

# What wrappers of PyTorch put into the names of parameters.
WRAPPERS = re.compile(r'(^|\.)(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.')
# As services/model/checkpoints/names.ts: what some versions of transformers store besides parameters, and heads that repeat the embedding.
TABLES = re.compile(r'\.(rotary_emb\.inv_freq|(attn|attention)\.(bias|masked_bias))$')
HEADS = re.compile(r'^(lm_head|embed_out)\.weight$')
SHIPPED = Path(__file__).parents[3] / 'model' / 'shipped'


def file_digest(path: Path) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def announced_file(path: Path) -> Path:
    """The safetensors file or index of shards that a path names: itself, or in a folder that `save_pretrained` wrote."""
    if not path.is_dir():
        return path
    for name in ('model.safetensors.index.json', 'model.safetensors'):
        if (path / name).exists():
            return path / name
    hint = 'Save it with safe_serialization, or announce the file itself.'
    raise WinnowError('BAD_DATA', f'{path} holds neither model.safetensors nor its index', hint)


def digest_of(path: Path) -> str:
    """SHA-256 of a file; of an index that of what `sha256sum INDEX SHARD...` prints in their folder (docs/influence.md)."""
    if not path.name.endswith('.safetensors.index.json'):
        return file_digest(path)
    shards = sorted(set(json.loads(path.read_text())['weight_map'].values()))
    lines = ''.join(f'{file_digest(path.parent / name)}  {name}\n' for name in [path.name, *shards])
    return hashlib.sha256(lines.encode()).hexdigest()


def plain_name(name: str) -> str:
    """A parameter's name without those of the wrappers around its model."""
    while (plain := WRAPPERS.sub(r'\1', name)) != name:
        name = plain
    return name


def tensors_of(model: Any) -> dict[str, Any]:
    """Parameters by plain name, whole: those of a mapping, or of a torch module. Sharded ones are gathered, by all ranks together."""
    if isinstance(model, Mapping):
        return {plain_name(name): tensor for name, tensor in model.items()}
    distributed: Any = sys.modules['torch'].distributed
    if distributed.is_available() and distributed.is_initialized():
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return tensors_of(get_model_state_dict(model, options=options))
    return tensors_of(model.state_dict())


def moments_of(model: Any, optimizer: Any) -> dict[str, Any]:
    """Parameters as of `tensors_of`, and as v.NAME the second moment that Adam keeps of each."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    distributed: Any = sys.modules['torch'].distributed
    together = distributed.is_available() and distributed.is_initialized()
    # What accelerate puts around optimizers.
    inner = getattr(optimizer, 'optimizer', optimizer)
    options = StateDictOptions(full_state_dict=together, cpu_offload=together)
    state: Any = get_optimizer_state_dict(model, inner, options=options).get('state', {})
    return tensors_of(model) | {f'v.{plain_name(name)}': one['exp_avg_sq'] for name, one in state.items() if 'exp_avg_sq' in one}


def write(path: Path, tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Whole or not at all: nobody sees half of it, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
    # Those of numpy and those of torch have each a module of their own in safetensors.
    if all(type(tensor).__module__ == 'numpy' for tensor in tensors.values()):
        from safetensors.numpy import save_file

        save_file(dict(tensors), partial, dict(metadata))
    else:
        from safetensors.torch import save_file as save_torch

        # Tied parameters share memory, which the format does not have.
        save_torch(
            {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, partial, dict(metadata)
        )
    with open(partial, 'rb') as file:
        os.fsync(file.fileno())
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def shapes_of(path: Path) -> dict[str, list[int]]:
    """Name and shape of every tensor of a safetensors file, or of an index and its shards."""
    if path.name.endswith('.safetensors.index.json'):
        names = set(json.loads(path.read_text())['weight_map'].values())
        return {key: shape for name in sorted(names) for key, shape in shapes_of(path.parent / name).items()}
    try:
        with open(path, 'rb') as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
        return {name: entry['shape'] for name, entry in header.items() if name != '__metadata__'}
    except (OSError, ValueError, KeyError, MemoryError, OverflowError) as error:
        raise WinnowError('BAD_DATA', f'{path} is no safetensors file: {error}') from error


def model_folder(model: str) -> Path:
    """Where `model` of a run is. `shipped:NAME` comes with a checkout of winnow."""
    return SHIPPED / model.removeprefix('shipped:') if model.startswith('shipped:') else Path(model)


def refuse_unfit(path: Path, shapes: Mapping[str, list[int]], model: str, moments: bool) -> None:
    """Refuses here what the influence workers would refuse minutes later. A model folder that this machine does not see is not
    looked at. `moments`: whether v.NAME is needed. Raises WinnowError BAD_DATA."""
    description = model_folder(model) / 'model.json'
    if not description.exists():
        return
    described = json.loads(description.read_text())
    expected = {one['name']: list(one['shape']) for one in described['parameters']}
    tied = described['config'].get('tie_word_embeddings') is not False
    for name in shapes:
        known = name in expected or (name[:2] in ('m.', 'v.') and name[2:] in expected)
        if not known and not TABLES.search(name) and not (tied and HEADS.search(name)):
            raise _unfit(path, f'the exported model has no parameter {name}')
    for name, shape in list(expected.items()) + [(f'v.{name}', shape) for name, shape in expected.items() if moments]:
        if list(shapes.get(name, [])) != shape or name not in shapes:
            raise _unfit(path, f'{name} is {shapes.get(name, "missing")}, expected {shape}')


def _unfit(path: Path, reason: str) -> WinnowError:
    hint = 'Announce a checkpoint of the model that the run was recorded with, under the names of its Hugging Face model.'
    return WinnowError('BAD_DATA', f'{path} does not fit the model: {reason}', hint)
