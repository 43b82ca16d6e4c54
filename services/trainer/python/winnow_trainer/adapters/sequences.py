"""A run as a map from numbers to sequences, for loops that count samples: Megatron's, whose checkpoints have `consumed_train_samples`, and
Grain's, whose iterators keep the next index."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from winnow_wire.errors import WinnowError

from ..batch import Batch
from ..ranks import Ranks
from ..stream import SelectedStream

# Batches that are kept, so that ranks and threads may ask for the sequences of one in any order.
BATCHES_KEPT = 2


class SelectedSequences:
    """Number g is sequence g % B of the global batch that follows g // B optimizer steps: the same on every rank and on any number of them.

    Each process reads whole batches. It must ask for one step after the other, in any order within a step, and from any number of threads;
    loaders that read ahead cannot, since whose selection a step is trained on may be decided by the steps before. Anywhere else it is
    sought, from the beginning of the round on: so is a training that resumes, knowing its number alone."""

    def __init__(
        self,
        run: str,
        *,
        leader: bool | None = None,
        on_due: Callable[[SelectedStream], None] | None = None,
        **options: Any,
    ) -> None:
        """`leader`: whether this process reports and announces, by `stream`; default: that of rank 0 of torch.distributed. `on_due` is called,
        on all ranks, before a step is read that follows one whose checkpoint opens a round and was not announced: for loops that have no
        place where to announce it, which save before they read on. `options`: of SelectedStream but ranks, tensors and labels. Raises
        WinnowError as it."""
        leads = Ranks.found().leads if leader is None else leader
        self.stream = SelectedStream(run, ranks=Ranks(0, 1, leads), tensors='numpy', **options)
        self._on_due = on_due
        self._batch: int = self.stream.cursor.batchSequences
        self._kept: dict[int, Batch] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self.stream.config['steps']) * self._batch

    def __getitem__(self, number: int) -> dict[str, Any]:
        """`tokens`, `labels` (the tokens after them), `position_ids` within documents, each [C] int64, and `loss_mask`, [C] float32 of ones:
        as Megatron's GPTDataset. Waits for the selection of the round. Raises IndexError past the end, WinnowError as SelectedStream."""
        import numpy as np

        if not 0 <= number < len(self):
            raise IndexError(f'sequence {number} of {len(self)}')
        step, row = divmod(int(number), self._batch)
        with self._lock:
            batch = self._of(step)
        tokens, labels, positions = (batch[name][row] for name in ('input_ids', 'labels', 'positions'))
        return {'tokens': tokens, 'labels': labels, 'position_ids': positions, 'loss_mask': np.ones(len(tokens), np.float32)}

    def _of(self, step: int) -> Batch:
        """The batch after `step` steps."""
        if step in self._kept:
            return self._kept[step]
        if step != self.stream.step:
            self.stream.seek(step)
        if self._on_due is not None and self.stream.checkpoint_due:
            self._on_due(self.stream)
        try:
            batch = next(self.stream)
        except StopIteration:
            raise IndexError(f'the run has no step after {step}') from None
        self._kept = {at: kept for at, kept in self._kept.items() if step - BATCHES_KEPT < at < step} | {step: batch}
        return batch

    def of_rank(self, rank: int, ranks: int) -> 'RankSequences':
        """The sequences of one of `ranks` data-parallel coordinates alone, in the order of training: its part of every global batch. Raises
        WinnowError USAGE where they do not divide the batch."""
        return RankSequences(self, Ranks(rank, ranks))

    def close(self) -> None:
        self.stream.close()


class RankSequences:
    """A rank's part as a map; any number of threads may ask. Of SelectedSequences.of_rank."""

    def __init__(self, whole: SelectedSequences, ranks: Ranks) -> None:
        self._whole, batch = whole, whole.stream.cursor.batchSequences
        if batch % ranks.ranks:
            message = f'{ranks.ranks} ranks cannot share batches of {batch} sequences evenly'
            raise WinnowError('USAGE', message, 'Choose a number that divides it.')
        self._batch, (self._first, last) = batch, ranks.part(batch)
        self._part = last - self._first

    def __len__(self) -> int:
        return len(self._whole) // self._batch * self._part

    def __getitem__(self, number: int) -> dict[str, Any]:
        """As of SelectedSequences."""
        if not 0 <= number < len(self):
            raise IndexError(f'sequence {number} of {len(self)}')
        step, row = divmod(int(number), self._part)
        return self._whole[step * self._batch + self._first + row]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[number] for number in range(len(self)))
