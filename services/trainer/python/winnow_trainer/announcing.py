"""Reports and checkpoints of a run, by the one process that speaks for all ranks."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from winnow_wire.places import local_path, mapped
from winnow_wire.stores import beside, is_stored, prepare, upload

from . import checkpoint, gathering
from .cursor import Cursor
from .fitting import Exported, Kind, exported_model, kind_of
from .hf_folder import describe
from .progress import Report, Reporter
from .saved_folders import is_distributed, read_distributed
from .work import Evaluated, WorkBook

Losses = Mapping[str, float | None]


class Announcer:
    """`reporter`: None on ranks that only take part in gathering a checkpoint. `book`: takes what was computed; without, nothing does."""

    def __init__(
        self,
        config: Mapping[str, Any],
        reporter: Reporter | None,
        report_steps: int,
        map_path: Mapping[str, str] | None = None,
        book: WorkBook | None = None,
    ) -> None:
        self._map_path, self._book = dict(map_path or {}), book
        self._folder, self._scratch = Path(config['checkpoints']), None
        if is_stored(config['checkpoints']):
            # Written here, stored there; the last one stays until the next.
            self._scratch = tempfile.TemporaryDirectory(prefix='winnow-checkpoints-')
            self._folder = Path(self._scratch.name)
            self._map_path[f'{self._folder}/'] = f'{config["checkpoints"].rstrip("/")}/'
        for place in self._map_path.values():
            prepare(place)
        self._config, self._reporter, self._report_steps = config, reporter, report_steps
        self._losses: list[float] = []
        # The step whose checkpoint was announced last.
        self.announced = 0

    @property
    def speaks(self) -> bool:
        return self._reporter is not None

    def reset(self, step: int) -> None:
        """Training goes on elsewhere."""
        self._losses, self.announced = [], 0
        if self._book is not None:
            self._book.reset(step)

    def opens(self, step: int) -> bool:
        """Whether a checkpoint of this step opens a round, or is the last."""
        return step > 0 and (step % self._config['updateSteps'] == 0 or step == self._config['steps'])

    def step_done(self, cursor: Cursor, loss: float | None) -> None:
        if loss is not None:
            self._losses.append(loss)
        if self._book is not None:
            self._book.ended()
        if self._reporter is not None and cursor.step % self._report_steps == 0 and not self.opens(cursor.step):
            self._worked(cursor, None)
            self._reporter.report(self._report(cursor, {}, None))

    def batch_given(self) -> None:
        if self._book is not None:
            self._book.began()

    def _worked(self, cursor: Cursor, evaluated: Evaluated | None) -> None:
        if self._book is not None:
            self._book.trained(cursor.step)
            if evaluated is not None:
                self._book.evaluated(cursor.step, evaluated)

    def report(self, cursor: Cursor, losses: Losses, evaluated: Evaluated | None = None) -> None:
        """Returns when the brokers have it."""
        if self._reporter is not None:
            self._worked(cursor, evaluated)
            self._reporter.report(self._report(cursor, losses, None))
            self._reporter.flush()

    def announce(
        self,
        cursor: Cursor,
        metadata: Mapping[str, str],
        what: Any,
        losses: Losses,
        *,
        evaluated: Evaluated | None = None,
        dtype: checkpoint.Dtype | None = None,
        folder: bool = False,
    ) -> Path | None:
        """Writes a checkpoint, unless `what` is the path of one, and reports it. Returns when the brokers have it."""
        moments = self._config.get('influence', {}).get('preconditioner') == 'adam'
        model = exported_model(self._config['model'], moments)
        named = Path(local_path(str(what))).absolute() if isinstance(what, str | Path) else None
        if self._reporter is not None:
            self._worked(cursor, evaluated)
            # Steps that a checkpoint contains are not made again: they are booked before it is there.
            self._reporter.flush()
        path: Path | None
        if named is not None and not is_distributed(named):
            path = checkpoint.announced_file(named)
            if self.speaks and model is not None:
                model.refuse_unfit(str(path), checkpoint.kinds_of(path))
        else:
            path = self._written(cursor, metadata, what if named is None else named, model, dtype, folder)
        if self._reporter is not None and path is not None:
            place = mapped(str(path), self._map_path)
            if is_stored(place):
                # Shards first: an index that is there names what is there.
                for name in reversed(checkpoint.files_of(path)):
                    upload(str(path.parent / name), beside(place, name))
            written = {'path': place, 'digest': checkpoint.digest_of(path), 'step': cursor.step}
            self._reporter.report(self._report(cursor, losses, written))
            self._reporter.flush()
        self.announced = cursor.step
        return path

    def _written(
        self,
        cursor: Cursor,
        metadata: Mapping[str, str],
        what: Any,
        model: Exported | None,
        dtype: checkpoint.Dtype | None,
        folder: bool,
    ) -> Path | None:
        """Its path, on the rank that reports. What does not fit is refused on all ranks, before anything is gathered or written."""
        step = self._folder / cursor.run / f'step-{cursor.step:08d}'
        path = step / 'model.safetensors' if folder else step.with_suffix('.safetensors')
        if isinstance(what, Path):
            if not self.speaks:
                return None
            state = read_distributed(what, model)
        else:
            state = gathering.state_of(what)
            if model is not None:
                own = model.own(state)
                state = {own[name]: tensor for name, tensor in state.items() if name in own}
        kinds = {name: kind_of(tensor) for name, tensor in state.items()}
        kinds = {name: Kind(checkpoint.stored_dtype(name, one.dtype, dtype), one.shape) for name, one in kinds.items()}
        # Whoever has gathered them on one rank has nothing on the others.
        if model is not None and (state or self.speaks):
            model.refuse_unfit(str(what) if isinstance(what, Path) else f'step {cursor.step}', kinds)
        tensors = gathering.whole(state, self.speaks)
        if not self.speaks:
            return None
        if self._scratch is not None:
            shutil.rmtree(self._folder / cursor.run, ignore_errors=True)
        if folder:
            describe(step, self._config['model'], kinds.values())
        checkpoint.write(path, tensors, metadata, dtype)
        return path

    def _report(self, cursor: Cursor, losses: Losses, written: Mapping[str, Any] | None) -> Report:
        mean = sum(self._losses) / len(self._losses) if self._losses else None
        self._losses = []
        return {
            'run': cursor.run,
            'step': cursor.step,
            'tokens': cursor.tokens,
            'round': cursor.round,
            'position': cursor.documentsRead,
            'trainLoss': mean,
            'referenceLoss': losses.get('referenceLoss'),
            'corpusLoss': losses.get('corpusLoss'),
            'checkpoint': written,
        }

    def close(self) -> None:
        if self._reporter is not None:
            self._reporter.close()
        if self._scratch is not None:
            self._scratch.cleanup()
