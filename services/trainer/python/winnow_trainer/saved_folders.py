"""Folders that torch.distributed.checkpoint wrote, read whole by one process: .metadata and .distcp files, or safetensors of each
rank's pieces (HuggingFaceStorageWriter, what torchtitan exports before it puts them together)."""

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from winnow_wire.errors import WinnowError

from .checkpoint import is_piece
from .fitting import Exported
from .gathering import plain_name

MOMENT = '.exp_avg_sq'


def is_distributed(folder: Path) -> bool:
    """Whether its tensors have to be put together."""
    return folder.is_dir() and (folder / '.metadata').exists() or any(map(is_piece, _pieces(folder)))


def _pieces(folder: Path) -> Iterable[Path]:
    """A folder that has the whole files too is read as those."""
    if not folder.is_dir() or (folder / 'model.safetensors.index.json').exists():
        return []
    return sorted(folder.glob('*.safetensors')) or sorted(folder.glob('sharded/*.safetensors'))


def read_distributed(folder: Path, model: Exported | None) -> dict[str, Any]:
    """Tensors by the names of the exported model, in main memory: its own, and, where the run needs them, Adam's second moments.
    What else was saved with it stays unread. Raises WinnowError BAD_DATA, CONFIGURATION."""
    if model is None:
        hint = 'Mount the folder of the model where the trainer sees it, or announce whole safetensors files.'
        raise WinnowError('CONFIGURATION', f'which tensors of {folder} are parameters cannot be told without model.json', hint)
    try:
        import torch
        import torch.distributed.checkpoint as dcp
    except ImportError as error:
        raise WinnowError('CONFIGURATION', f'{folder} cannot be read without torch: {error}') from error
    if (folder / '.metadata').exists():
        reader: Any = dcp.FileSystemReader(folder)
    else:
        reader = dcp.HuggingFaceStorageReader(str(next(iter(_pieces(folder))).parent))
    try:
        metadata = reader.read_metadata()
        tensors = {name: one for name, one in metadata.state_dict_metadata.items() if isinstance(one, dcp.TensorStorageMetadata)}
        wanted = _wanted(tensors, metadata.planner_data or {}, model)
        state = {key: torch.empty(tensors[key].size, dtype=tensors[key].properties.dtype) for key in wanted}
        # Alone, whatever groups there are; the reader gives each piece its place.
        dcp.load(state, storage_reader=reader, no_dist=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, dcp.CheckpointException) as error:
        hint = 'Announce it after its save has ended, of asynchronous ones too.'
        raise WinnowError('BAD_DATA', f'{folder} cannot be read as a checkpoint of torch.distributed: {error!r}', hint) from error
    return {name: state[key] for key, name in wanted.items()}


def _wanted(keys: Iterable[str], paths: dict[str, tuple[Any, ...]], model: Exported) -> dict[str, str]:
    """Names of the exported model by key. Of the mappings that were saved within one another that one is the model's which has most
    of its parameters; what it has besides them is refused later."""
    mappings: dict[tuple[Any, ...], dict[str, str]] = {}
    moments = {}
    for key in keys:
        path = paths.get(key, (key,))
        mappings.setdefault(path[:-1], {})[key] = plain_name(str(path[-1]))
        # Of `get_optimizer_state_dict`: state.NAME.exp_avg_sq, in one key or in several within one another.
        name = plain_name('.'.join(map(str, path))).removesuffix(MOMENT).partition('state.')[2]
        if key.endswith(MOMENT) and model.moments and name in model.parameters:
            moments[key] = f'v.{name}'

    def named(mapping: dict[str, str]) -> dict[str, str]:
        own = model.own(mapping.values())
        return {key: own[name] for key, name in mapping.items() if name in own}

    candidates = [named(mapping) for mapping in mappings.values()]
    best = max(candidates, key=lambda one: len(set(one.values()) & set(model.parameters)), default={})
    return best | moments
