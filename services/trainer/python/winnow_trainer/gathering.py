"""Parameters of torch modules and of mappings: under plain names, and, of those that are sharded, whole."""

import re
import sys
from collections.abc import Mapping
from typing import Any

# What wrappers of PyTorch put into the names of parameters.
WRAPPERS = re.compile(r'(^|\.)(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.')


def plain_name(name: str) -> str:
    """A parameter's name without those of the wrappers around its model."""
    while (plain := WRAPPERS.sub(r'\1', name)) != name:
        name = plain
    return name


def state_of(model: Any) -> dict[str, Any]:
    """Parameters and buffers by plain name, of a mapping or of a torch module. Sharded ones stay so, and have the shape of the whole.
    Of a module on all ranks together."""
    if isinstance(model, Mapping):
        return {plain_name(name): tensor for name, tensor in model.items()}
    distributed: Any = sys.modules['torch'].distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return state_of(model.state_dict())
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    state = get_model_state_dict(model)
    # The first FSDP's shards cannot be gathered one by one.
    if any(type(tensor).__name__ == 'ShardedTensor' for tensor in state.values()):
        state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    return state_of(state)


def whole(state: Mapping[str, Any], keep: bool) -> dict[str, Any]:
    """Tensors whole and in main memory, gathered one by one by all ranks that share them. `keep`: whether this process wants them."""
    kept = {}
    for name, tensor in state.items():
        if hasattr(tensor, 'full_tensor'):
            device = tensor.device_mesh.device_type
            # What was offloaded cannot be sent by NCCL.
            tensor = (tensor if tensor.device.type == device else tensor.to(device)).full_tensor()
        if keep:
            kept[name] = tensor.detach().cpu() if hasattr(tensor, 'detach') else tensor
    return kept
