"""winnow's stream in Lightning:

trainer = Trainer(max_epochs=1, callbacks=[SelectedCheckpoint(out, module.model)])
trainer.fit(module, datamodule=SelectedData('pretraining-3', labels='huggingface'), ckpt_path=newest(out))
"""

import re
from pathlib import Path
from typing import Any

from winnow_wire.errors import WinnowError

from ..ranks import Ranks
from ..stream import SelectedStream
from .pieces import Pieces, announce, resume

try:
    from lightning.pytorch import LightningDataModule
    from lightning.pytorch.callbacks import Checkpoint
except ImportError as error:
    raise WinnowError('CONFIGURATION', f'there is no Lightning: {error}', "pip install 'winnow-trainer[lightning]'") from error

NAME = 'step-{:08d}.ckpt'


def newest(folder: str | Path) -> Path | None:
    """The checkpoint of the highest step that SelectedCheckpoint wrote into a folder: what `fit` resumes from, if there is one."""
    files = [path for path in Path(folder).glob('step-*.ckpt') if re.fullmatch(r'step-\d{8}\.ckpt', path.name)]
    return max(files, default=None)


class SelectedData(LightningDataModule):
    """The rest of a run as one epoch, on the ranks that the Trainer's strategy says. Every checkpoint of Lightning's has the stream's place
    in it, whoever asked for it.

    `accumulate_grad_batches` of the Trainer are the pieces in which a rank's part of each batch is trained on; they must divide it, since
    Lightning takes the mean of their losses."""

    def __init__(self, run: str, columns: tuple[str, ...] = ('input_ids', 'labels'), **options: Any) -> None:
        """`columns`: what of a batch `training_step` gets; `options`: of SelectedStream."""
        super().__init__()
        self._run, self._columns, self._options = run, columns, options
        self._stream: SelectedStream | None = None
        self._loaded: dict[str, Any] | None = None

    @property
    def stream(self) -> SelectedStream:
        """While the Trainer fits."""
        assert self._stream is not None
        return self._stream

    def setup(self, stage: str) -> None:
        """Raises WinnowError as SelectedStream."""
        if stage == 'fit':
            # Processes that Lightning starts know their ranks from here on. Those of a tensor-parallel group read the same.
            said = self.trainer.distributed_sampler_kwargs or {'rank': 0, 'num_replicas': 1}
            ranks = Ranks(said['rank'], said['num_replicas'], leader=self.trainer.is_global_zero)
            self._stream = SelectedStream(self._run, ranks=ranks, **self._options)

    def train_dataloader(self) -> Pieces:
        """Raises WinnowError USAGE, POSITION_REFUSED."""
        trainer = self.trainer
        resume(self.stream, self._loaded, trainer.global_step, "Lightning's checkpoint")
        return Pieces(self.stream, trainer.accumulate_grad_batches, self._columns, even=True)

    def state_dict(self) -> dict[str, Any]:
        return self.stream.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._loaded = state_dict

    def teardown(self, stage: str) -> None:
        """Sends the last report."""
        if self._stream is not None:
            self._stream.close()
        self._stream = self._loaded = None

    def on_exception(self, exception: BaseException) -> None:
        self.teardown('fit')


class SelectedCheckpoint(Checkpoint):
    """Reports steps; at each step that opens a round it has a checkpoint written into a folder, and announces the model.

    `model`: the part of the module that has the run's parameters under their names; by default all of it. Of Lightning's checkpoints that
    it wrote it keeps the last `keep`."""

    def __init__(self, folder: str | Path, model: Any = None, keep: int = 2) -> None:
        if keep < 1:
            raise WinnowError('USAGE', f'keep={keep}', 'Keep one checkpoint at least.')
        self._folder, self._model, self._keep = Path(folder), model, keep
        # Sums of the steps since the last report, on the device; and how many.
        self._loss: Any = 0.0
        self._steps = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        # The process may have died between writing the checkpoint and reporting it.
        self._announce(trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        stream: SelectedStream = trainer.datamodule.stream
        # Of a piece; Lightning has divided it by their number.
        self._loss = self._loss + outputs['loss']
        if trainer.global_step < stream.step:
            return
        self._steps += 1
        if not stream.report_due:
            stream.step_done()
            return
        stream.step_done(trainer.strategy.reduce(self._loss / self._steps, reduce_op='mean'))
        self._loss, self._steps = 0.0, 0
        if stream.checkpoint_due:
            trainer.save_checkpoint(self._folder / NAME.format(stream.step))
            self._announce(trainer, pl_module)
            self._prune(trainer)

    def _announce(self, trainer: Any, module: Any) -> None:
        announce(trainer.datamodule.stream, module if self._model is None else self._model, trainer.optimizers[0])

    def _prune(self, trainer: Any) -> None:
        if trainer.is_global_zero:
            for path in sorted(self._folder.glob('step-????????.ckpt'))[: -self._keep]:
                trainer.strategy.remove_checkpoint(path)
