"""winnow's stream in the Trainer of transformers, and in Trainers made from it:

stream = SelectedStream('pretraining-3', labels='huggingface')
trainer = SelectedTrainer(stream, model=model, args=TrainingArguments('out'))
trainer.train(resume_from_checkpoint=get_last_checkpoint('out'))
"""

from typing import Any

from winnow_wire.errors import WinnowError

from ..stream import SelectedStream
from .pieces import Pieces, announce, refuse_labels, resume

try:
    from transformers import Trainer, TrainerCallback
    from transformers.trainer_callback import ExportableState
except ImportError as error:
    raise WinnowError('CONFIGURATION', f'there is no Trainer: {error}', "pip install 'winnow-trainer[hf]'") from error


class SelectedCallback(TrainerCallback, ExportableState):
    """Keeps the stream's place in each checkpoint's trainer_state.json, has one written at each step that opens a round, and reports."""

    def __init__(self) -> None:
        self._stream: SelectedStream | None = None
        # Whether a step is done, and said so once its loss was logged.
        self._owed = False

    def state(self) -> dict[str, Any]:
        return {'args': {}, 'attributes': {'place': None if self._stream is None else self._stream.state_dict()}}

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        # Of the loader, since the Trainer may have made this callback again from what its state says.
        self._stream = stream = more['train_dataloader'].stream
        kept = state.stateful_callbacks.get(type(self).__name__, {})
        resume(stream, kept.get('attributes', {}).get('place'), state.global_step, 'trainer_state.json')
        # The process may have died between writing the checkpoint and reporting it.
        announce(stream, more['model'], more['optimizer'])

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        stream = self._stream
        assert stream is not None
        control.should_save = control.should_save or stream.checkpoint_due
        # The mean loss over ranks and steps is there once it was logged: after this, and before a checkpoint is written.
        control.should_log = self._owed = control.should_log or stream.report_due
        if not self._owed:
            stream.step_done()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        if self._owed and self._stream is not None and logs is not None and 'loss' in logs:
            self._owed = False
            self._stream.step_done(logs['loss'])

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self._stream is not None:
            announce(self._stream, more['model'], more['optimizer'])


class Selected:
    """Mixin of a Trainer, before it in the bases: class Mine(Selected, SFTTrainer)."""

    def __init__(self, stream: SelectedStream, *, args: Any, **more: Any) -> None:
        """`args`: TrainingArguments; `more`: of the Trainer, without train_dataset.

        In `args` the steps are the run's unless there are fewer, `gradient_accumulation_steps` are the pieces in which each rank's part of
        the run's batch is trained on, and the batch size of a device is what follows from that. A checkpoint is written, besides those that
        `args` ask for, at each step that opens a round, and announced. Raises WinnowError USAGE."""
        refuse_labels(stream, 'huggingface')
        first, last = stream.ranks.part(stream.cursor.batchSequences)
        args.max_steps = min(args.max_steps, stream.config['steps']) if args.max_steps > 0 else stream.config['steps']
        args.per_device_train_batch_size = max(1, -(-(last - first) // args.gradient_accumulation_steps))
        # Nothing to skip: the stream begins where it was.
        args.ignore_data_skip = True
        self.selected = stream
        super().__init__(args=args, **more)  # type: ignore[call-arg]
        self.add_callback(SelectedCallback())  # type: ignore[attr-defined]

    def get_train_dataloader(self) -> Pieces:
        """Not prepared by accelerate, which would give each rank a part of its part."""
        return Pieces(self.selected, self.args.gradient_accumulation_steps)  # type: ignore[attr-defined]


class SelectedTrainer(Selected, Trainer):
    """A Trainer that trains on a stream. Raises WinnowError USAGE."""
