"""winnow's stream in torchtitan: `selected` makes of a configuration of its Trainer one that trains on a run.

def llama3_8b_selected():
    return selected(llama3_8b(), 'pretraining-3')
"""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from winnow_wire.errors import WinnowError

from ..ranks import Ranks
from ..stream import SelectedStream
from .pieces import Pieces, resume

try:
    from torchtitan.components.dataloader import BaseDataLoader
    from torchtitan.trainer import Trainer
except ImportError as error:
    raise WinnowError('CONFIGURATION', f'there is no torchtitan: {error}', 'Install torchtitan 0.3 or later.') from error


class SelectedLoader(BaseDataLoader):
    """A rank's part of each batch, in pieces of `training.local_batch_size` sequences. Its state is the stream's place, which is the same on
    all ranks: a checkpoint goes on on another number of them."""

    @dataclass(kw_only=True, slots=True)
    class Config(BaseDataLoader.Config):
        """`dataset`: the run."""

        store: str | None = None
        """Folder of a token store, to read tokens in place of texts."""

    def __init__(
        self, config: Config, *, dp_world_size: int, dp_rank: int, seq_len: int, local_batch_size: int, **more: Any
    ) -> None:
        """`more`: what other loaders take; the tokenizer is the run's. Raises WinnowError as SelectedStream, USAGE where the batch of the
        run is not made of pieces of this size."""
        leader = Ranks.found().leads
        self.stream = SelectedStream(
            config.dataset, sequence_length=seq_len, ranks=Ranks(dp_rank, dp_world_size, leader), store=config.store
        )
        batch = self.stream.cursor.batchSequences
        if batch % (dp_world_size * local_batch_size):
            self.stream.close()
            hint = 'Choose another training.local_batch_size.'
            message = f"the run's batch of {batch} sequences is not made of {local_batch_size} on each of {dp_world_size} ranks"
            raise WinnowError('USAGE', message, hint)
        # Of an optimizer step.
        self.pieces = batch // (dp_world_size * local_batch_size)
        self._loaded: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        for piece in Pieces(self.stream, self.pieces, ('input_ids', 'positions', 'labels')):
            yield {'input': piece['input_ids'], 'positions': piece['positions']}, piece['labels']

    def state_dict(self) -> dict[str, Any]:
        # One text: in a checkpoint of torch each value has an entry of its own.
        return {'place': json.dumps(self.stream.state_dict())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._loaded = json.loads(state_dict['place']) if state_dict else None

    def resume(self, step: int) -> None:
        """After a checkpoint of so many steps was loaded, or none. Raises WinnowError."""
        resume(self.stream, self._loaded, step, "torchtitan's checkpoint")


class SelectedTrainer(Trainer):
    """torchtitan's Trainer, which reports steps and announces checkpoints besides. `selected` makes its configuration."""

    @dataclass(kw_only=True, slots=True)
    class Config(Trainer.Config):
        pass

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.watch()

    def watch(self) -> None:
        """Once all parts are built. Raises WinnowError USAGE where they do not fit the run."""
        stream, training, checkpoint = self.dataloader.stream, self.config.training, self.config.checkpoint
        if self.parallel_dims.pp_enabled:
            raise WinnowError('USAGE', 'checkpoints of pipeline stages cannot be announced', 'Use other kinds of parallelism.')
        if stream.config.get('influence', {}).get('preconditioner') == 'adam':
            message = 'second moments of torchtitan are not announced, and influence.preconditioner of the run is adam'
            raise WinnowError('USAGE', message, 'Record the run with another.')
        if self.gradient_accumulation_steps != self.dataloader.pieces:
            message = f'training.global_batch_size is {training.global_batch_size}, the batch of the run is'
            raise WinnowError('USAGE', f'{message} {stream.cursor.batchSequences}', 'Give the one of the run.')
        if training.steps > stream.config['steps']:
            message = f'training.steps is {training.steps}, those of the run are {stream.config["steps"]}'
            raise WinnowError('USAGE', message, 'Give as many, or fewer.')
        if not checkpoint.enable:
            raise WinnowError('USAGE', 'checkpoint.enable is off', 'Rounds open with checkpoints.')
        if stream.config['updateSteps'] % checkpoint.interval:
            message = f'checkpoint.interval is {checkpoint.interval} and rounds open every {stream.config["updateSteps"]} steps'
            raise WinnowError('USAGE', message, 'Give an interval that divides that: a round opens with a checkpoint.')
        self._loss: float | None = None
        self._log, self.metrics_processor.log = self.metrics_processor.log, self._logged
        self._save, self.checkpointer.save = self.checkpointer.save, self._saved

    def _logged(self, step: int, loss: float, *more: Any, **others: Any) -> None:
        # The mean over the global batch.
        self._loss = loss
        self._log(step, loss, *more, **others)

    def _saved(self, step: int, last_step: bool = False) -> bool:
        """After each step: the checkpoint is written first, and then announced."""
        saved: bool = self._save(step, last_step=last_step)
        self._announce()
        return saved

    def _announce(self) -> None:
        stream: SelectedStream = self.dataloader.stream
        if stream.checkpoint_due:
            stream.announce(self._tensors())

    def _tensors(self) -> dict[str, Any]:
        """Parameters under the names of Hugging Face; sharded ones stay so, for `announce` to gather."""
        (model,) = self.model_parts
        named: dict[str, Any] = model.state_dict()
        return named if self.checkpointer.sd_adapter is None else self.checkpointer.sd_adapter.to_hf(named)

    def batch_generator(self, data_iterable: Any) -> Iterator[Any]:
        # Once a checkpoint was loaded, and before the first step.
        if data_iterable is self.dataloader:
            self.dataloader.resume(self.step)
            # The process may have died between writing the checkpoint and reporting it.
            self._announce()
        batches: Iterator[Any] = super().batch_generator(data_iterable)
        return batches

    def train_step(self, data_iterator: Iterator[Any]) -> None:
        super().train_step(data_iterator)
        self.dataloader.stream.step_done(self._loss)
        self._loss = None

    def close(self) -> None:
        super().close()
        self.dataloader.stream.close()


def selected(config: Any, run: str, store: str | None = None) -> SelectedTrainer.Config:
    """A configuration of torchtitan's Trainer, to train on a run of winnow. `store`: a token store."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config) if field.init}
    return SelectedTrainer.Config(**values | {'dataloader': SelectedLoader.Config(dataset=run, store=store)})
