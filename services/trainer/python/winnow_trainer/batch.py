"""What a loop receives: docstring of stream.SelectedStream."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Literal

from winnow_wire.errors import WinnowError

from .packing import Packed

Batch = dict[str, Any]
Labels = Literal['shifted', 'huggingface']
Tensors = Literal['torch', 'numpy']


def batch_of(packed: Packed, length: int, labels: Labels, tensors: Tensors, weight: float | None) -> Batch:
    """`length`: C. `weight`: of this part in a mean over ranks; None: all parts are equal."""
    if labels == 'shifted':
        inputs = {'input_ids': packed.ids, 'documents': packed.documents, 'positions': packed.positions}
        batch = {name: values[:-1].reshape(-1, length) for name, values in inputs.items()}
        # A copy: whoever masks labels must not change inputs.
        batch['labels'] = packed.ids[1:].reshape(-1, length).copy()
    else:
        inputs = {'input_ids': packed.ids, 'labels': packed.ids, 'documents': packed.documents, 'positions': packed.positions}
        batch = {name: packed.rows(values, length) for name, values in inputs.items()}
    more: dict[str, Any] = {} if weight is None else {'weight': weight}
    if tensors == 'numpy':
        return batch | more
    try:
        import torch
    except ImportError as error:
        hint = "Install torch, or give tensors='numpy'."
        raise WinnowError('CONFIGURATION', f'there is no torch to make tensors of: {error}', hint) from error
    return {name: torch.from_numpy(values) for name, values in batch.items()} | more


def micro_batches(batch: Mapping[str, Any], pieces: int) -> Iterator[Batch]:
    """A rank's part in so many consecutive pieces, for the accumulation of gradients, each with its `weight`: the sum of weight times the
    mean loss of a piece is the loss of the part, and its mean over all ranks that of the global batch, also where sizes differ by one.

    A number of pieces, not a size: collectives of DDP and FSDP need as many on every rank. Raises WinnowError USAGE where a piece would be
    empty."""
    count, weight = len(batch['input_ids']), batch.get('weight', 1.0)
    if not 1 <= pieces <= count:
        hint = 'Each piece has at least one sequence, on every rank.'
        raise WinnowError('USAGE', f'{count} sequences cannot be cut into {pieces} micro-batches', hint)
    bounds = [piece * count // pieces for piece in range(pieces + 1)]
    for first, last in pairwise(bounds):
        piece = {name: values[first:last] for name, values in batch.items() if name != 'weight'}
        yield piece | {'weight': weight * (last - first) / count}
