"""Accuracies of checkpoints on tasks of lm-evaluation-harness (docs/evaluation-tasks.md)."""

import json
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from winnow_wire.errors import WinnowError

from .checkpoint import announced_file, digest_of
from .hf_folder import open_checkpoint

log = logging.getLogger('winnow.trainer')

# The ten tasks of the paper's Tables 11 to 13, in their order, by the harness's names; all by plain accuracy.
PAPER = (
    *('arc_easy', 'arc_challenge', 'mathqa', 'mmlu'),
    *('openbookqa', 'social_iqa', 'winogrande', 'commonsense_qa', 'boolq', 'race'),
)
SHOTS = (0, 3, 5)


@dataclass(frozen=True)
class Accuracy:
    """`digest`: of the checkpoint; `limit`: of the first items of each task, None: of all; `error`: standard error, None: not known."""

    task: str
    shots: int
    accuracy: float
    error: float | None
    digest: str
    limit: int | None


class Harness:
    """lm_eval with one model and the tasks that it knows, and those of `tasks_folder`, which come first. Raises WinnowError
    CONFIGURATION without lm_eval."""

    def __init__(self, folder: Path, tasks: Sequence[str], tasks_folder: Path | None, batch: str, device: str | None) -> None:
        try:
            import lm_eval
            from lm_eval.models.huggingface import HFLM
            from lm_eval.tasks import TaskManager
        except ImportError as error:
            hint = "pip install 'winnow-trainer[evaluation]'"
            raise WinnowError('CONFIGURATION', f'tasks cannot be evaluated without lm_eval: {error}', hint) from error
        include = None if tasks_folder is None else str(tasks_folder)
        self._tasks: Any = TaskManager(include_path=include, include_defaults=False)
        # Reading the harness's own takes half a minute.
        if not set(tasks) <= set(self._tasks.all_tasks):
            self._tasks = TaskManager(include_path=include)
        unknown = [task for task in tasks if task not in self._tasks.all_tasks]
        if unknown:
            hint = 'lm_eval ls tasks lists those of the harness; --tasks-folder names a folder of your own.'
            raise WinnowError('USAGE', f'there is no task {unknown[0]}', hint)
        self._library: Any = lm_eval
        given = {} if device is None else {'device': device}
        self._model: Any = HFLM(pretrained=str(folder), batch_size=batch, **given)

    def accuracy(self, task: str, shots: int, limit: int | None) -> tuple[float, float | None]:
        """And its standard error. Raises WinnowError CONFIGURATION where the task's data is not there, USAGE where it has no accuracy."""
        options: dict[str, Any] = {'task_manager': self._tasks, 'limit': limit, 'log_samples': False}
        try:
            results = self._library.simple_evaluate(self._model, tasks=[task], num_fewshot=shots, **options)
        except (OSError, ImportError) as error:
            hint = (
                'Its data is read from the cache of Hugging Face (HF_HOME): fetch it once where the hub can be reached, '
                'with the same command and --limit 1; HF_HUB_OFFLINE=1 then reads the cache alone.'
            )
            raise WinnowError('CONFIGURATION', f'the data of {task} cannot be read: {error}', hint) from error
        # A task may fix its number of shots.
        used = set(results['n-shot'].values())
        if used != {shots}:
            hint = 'Leave num_fewshot out of its configuration.'
            raise WinnowError('USAGE', f'{task} was to have {shots} shots and has {sorted(used)}', hint)
        metrics = results['results'][task]
        if 'acc,none' not in metrics:
            raise WinnowError('USAGE', f'{task} has {", ".join(sorted(map(str, metrics)))} and no acc', 'Choose one by accuracy.')
        spread = metrics.get('acc_stderr,none')
        return float(metrics['acc,none']), float(spread) if isinstance(spread, int | float) else None


def evaluated(
    checkpoint: Path,
    model: str | None,
    tasks: Sequence[str],
    shots: Sequence[int],
    *,
    tasks_folder: Path | None = None,
    batch: str = '8',
    device: str | None = None,
    limit: int | None = None,
    known: Iterable[Accuracy] = (),
) -> Iterator[Accuracy]:
    """One after the other, those that are `known` of this checkpoint as they are. `checkpoint`: a folder that `from_pretrained`
    opens, or, with the run's `model`, any that was announced. `batch`: sequences at once, or 'auto'. Raises WinnowError."""
    digest = digest_of(announced_file(checkpoint))
    done = {(one.task, one.shots): one for one in known if one.digest == digest and one.limit == limit}
    with ExitStack() as stack:
        harness: Harness | None = None
        for count in shots:
            for task in tasks:
                if (task, count) not in done:
                    harness = harness or Harness(_folder(checkpoint, model, stack), tasks, tasks_folder, batch, device)
                    log.info('%s with %d shots', task, count)
                    done[task, count] = Accuracy(task, count, *harness.accuracy(task, count, limit), digest, limit)
                yield done[task, count]


def _folder(checkpoint: Path, model: str | None, stack: ExitStack) -> Path:
    if (checkpoint / 'config.json').exists():
        return checkpoint
    if model is None:
        hint = 'Name the model of its run: --model FOLDER, or shipped:NAME.'
        raise WinnowError('USAGE', f'{checkpoint} is no folder with a config.json', hint)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='winnow-evaluation-')))
    open_checkpoint(checkpoint, folder, model)
    return folder


def read_known(path: Path) -> list[Accuracy]:
    """Lines of JSON that `line` wrote; without a file none. A last line that was cut off is made again."""
    if not path.exists():
        return []
    known = []
    for text in path.read_text().splitlines():
        try:
            known.append(Accuracy(**json.loads(text)))
        except (ValueError, TypeError):
            log.warning('%s: not a line of results, ignored: %s', path, text[:80])
    return known


def line(one: Accuracy) -> str:
    return json.dumps(asdict(one)) + '\n'


def table(results: Sequence[Accuracy]) -> str:
    """In percent, a row for each task and a column for each number of shots, and the means of the tasks."""
    tasks, shots = list(dict.fromkeys(one.task for one in results)), sorted({one.shots for one in results})
    by = {(one.task, one.shots): 100 * one.accuracy for one in results}
    rows = [[task, *(f'{by[task, count]:.1f}' for count in shots)] for task in tasks]
    rows.append(['average', *(f'{sum(by[task, count] for task in tasks) / len(tasks):.1f}' for count in shots)])
    rows.insert(0, ['task', *(f'{count}-shot' for count in shots)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return '\n'.join(
        '  '.join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )
