"""What a framework's loop is given in place of its loader: one step's batch in as many pieces as it accumulates gradients over."""

from collections.abc import Iterator, Mapping
from typing import Any

from winnow_wire.errors import WinnowError

from ..batch import Batch, Labels, micro_batches
from ..checkpoint import moments_of
from ..stream import SelectedStream


class Pieces:
    """`pieces`: micro-batches of an optimizer step; `even`: refuse a part that they do not divide, for loops that take the mean of their
    losses, of every rank alike. `columns`: what of a batch the model takes.

    One iteration is the rest of the run, and never ahead of the loop: the stream's cursor is that of the step whose pieces are being given, or
    were given last. Frameworks must not shard it again: it is one rank's part already."""

    def __init__(
        self,
        stream: SelectedStream,
        pieces: int,
        columns: tuple[str, ...] = ('input_ids', 'labels'),
        even: bool = False,
    ) -> None:
        """Raises WinnowError USAGE."""
        self.stream, self._pieces, self._columns = stream, pieces, columns
        sequences, ranks = stream.cursor.batchSequences, stream.ranks.ranks
        if even and sequences % (ranks * pieces):
            hint = 'Choose numbers that divide it: this framework takes the mean of their losses.'
            message = f'batches of {sequences} sequences are not divided by {ranks} ranks in {pieces} pieces'
            raise WinnowError('USAGE', message, hint)

    def __len__(self) -> int:
        """Of the whole run, from its beginning: loops that know it do not read ahead to see whether there is more."""
        return int(self.stream.config['steps']) * self._pieces

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.stream:
            for piece in micro_batches(batch, self._pieces):
                yield {name: piece[name] for name in self._columns}


def refuse_labels(stream: SelectedStream, wanted: Labels) -> None:
    """Raises WinnowError USAGE where the framework's models expect other labels."""
    if stream.labels != wanted:
        hint = f"Give SelectedStream labels='{wanted}'."
        raise WinnowError('USAGE', f'the stream has labels {stream.labels!r}, and these models take {wanted!r}', hint)


def resume(stream: SelectedStream, state: Mapping[str, Any] | None, step: int, checkpoint: str) -> None:
    """Goes on where a framework's checkpoint was written. `step`: optimizer steps that it has; 0 is a fresh start. Raises WinnowError."""
    if step == 0:
        if stream.step > 0:
            hint = 'Open another SelectedStream, or resume from a checkpoint.'
            raise WinnowError('USAGE', f'training begins and the stream is at step {stream.step} already', hint)
        return
    if state is None:
        hint = 'Resume from a checkpoint that this adapter was part of.'
        raise WinnowError('BAD_DATA', f'{checkpoint} of step {step} does not say where its stream was', hint)
    stream.load_state_dict(state)
    if stream.step != step:
        message = f'{checkpoint} is of step {step} and its stream was at step {stream.step}'
        raise WinnowError('POSITION_REFUSED', message, 'Was the checkpoint put together from two?')


def announce(stream: SelectedStream, model: Any, optimizer: Any) -> None:
    """Writes and reports the checkpoint that is due, if one is; with second moments where the run's influence needs them. On all ranks."""
    if not stream.checkpoint_due:
        return
    moments = stream.config.get('influence', {}).get('preconditioner') == 'adam'
    stream.announce(moments_of(model, optimizer) if moments else model)
