"""What a loop receives: docstring of stream.SelectedStream."""

from typing import Any, Literal

from winnow_wire.errors import WinnowError

from .packing import Packed

Labels = Literal['shifted', 'huggingface']
Tensors = Literal['torch', 'numpy']


def batch_of(packed: Packed, labels: Labels, tensors: Tensors, weight: float | None) -> dict[str, Any]:
    """`weight`: of this part in a mean over ranks; None: all parts are equal."""
    ids, inputs = packed.ids, slice(None, -1 if labels == 'shifted' else None)
    batch = {
        'input_ids': ids[:, inputs],
        'labels': ids[:, 1:] if labels == 'shifted' else ids,
        'documents': packed.documents[:, inputs],
        'positions': packed.positions[:, inputs],
    }
    more: dict[str, Any] = {} if weight is None else {'weight': weight}
    if tensors == 'numpy':
        return batch | more
    try:
        import torch
    except ImportError as error:
        hint = "Install torch, or give tensors='numpy'."
        raise WinnowError('CONFIGURATION', f'there is no torch to make tensors of: {error}', hint) from error
    return {name: torch.from_numpy(values).contiguous() for name, values in batch.items()} | more
