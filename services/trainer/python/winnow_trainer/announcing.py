"""Reports and checkpoints of a run, by the one process that speaks for all ranks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from winnow_wire.places import local_path, mapped

from . import checkpoint
from .cursor import Cursor
from .progress import Report, Reporter

Losses = Mapping[str, float | None]


class Announcer:
    """`reporter`: None on ranks that only take part in gathering a checkpoint."""

    def __init__(
        self, config: Mapping[str, Any], reporter: Reporter | None, report_steps: int, map_path: Mapping[str, str] | None = None
    ) -> None:
        self._map_path = map_path or {}
        self._config, self._reporter, self._report_steps = config, reporter, report_steps
        self._losses: list[float] = []
        # The step whose checkpoint was announced last.
        self.announced = 0

    @property
    def speaks(self) -> bool:
        return self._reporter is not None

    def reset(self) -> None:
        """Training goes on elsewhere."""
        self._losses, self.announced = [], 0

    def opens(self, step: int) -> bool:
        """Whether a checkpoint of this step opens a round, or is the last."""
        return step > 0 and (step % self._config['updateSteps'] == 0 or step == self._config['steps'])

    def step_done(self, cursor: Cursor, loss: float | None) -> None:
        if loss is not None:
            self._losses.append(loss)
        if self._reporter is not None and cursor.step % self._report_steps == 0 and not self.opens(cursor.step):
            self._reporter.report(self._report(cursor, {}, None))

    def report(self, cursor: Cursor, losses: Losses) -> None:
        """Returns when the brokers have it."""
        if self._reporter is not None:
            self._reporter.report(self._report(cursor, losses, None))
            self._reporter.flush()

    def announce(self, cursor: Cursor, metadata: Mapping[str, str], what: Any, losses: Losses) -> Path | None:
        """Writes a checkpoint, unless `what` is a path, and reports it. Returns when the brokers have it."""
        path: Path | None = None
        if isinstance(what, str | Path):
            path = checkpoint.announced_file(Path(local_path(str(what))).absolute())
        else:
            tensors = checkpoint.tensors_of(what)
            if self._reporter is not None:
                path = Path(self._config['checkpoints']) / cursor.run / f'step-{cursor.step:08d}.safetensors'
                checkpoint.write(path, tensors, metadata)
        if self._reporter is not None and path is not None:
            moments = self._config.get('influence', {}).get('preconditioner') == 'adam'
            checkpoint.refuse_unfit(path, checkpoint.shapes_of(path), self._config['model'], moments)
            written = {'path': mapped(str(path), self._map_path), 'digest': checkpoint.digest_of(path), 'step': cursor.step}
            self._reporter.report(self._report(cursor, losses, written))
            self._reporter.flush()
        self.announced = cursor.step
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
