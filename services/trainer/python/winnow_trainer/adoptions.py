"""Records which round training goes on with, and from which step: RoundAdopted of docs/trainer.md. For the process that leads."""

from .cursor import Cursor
from .progress import Report, Reporter
from .run_log import RunLog
from .switching import Switching


class Adoptions:
    def __init__(self, switching: Switching, log: RunLog, steps: int, reporter: Reporter) -> None:
        self._switching, self._log, self._steps, self._reporter = switching, log, steps, reporter
        # What this process has decided, a moment before it is in the log.
        self._own: dict[int, int] = {}
        # By the step before it, what the reporter says of the beginning of a round that is being sent.
        self._begins: dict[int, int] = {}

    def decide(self, cursor: Cursor) -> None:
        """Before the step after that of the cursor is asked for. Waits for nothing: whoever reads that far ahead follows the log. Of a run
        that has ended nothing is decided any more, so that all ranks stop before the same step."""
        if self._log.ended:
            return
        for at in self._switching.undecided(cursor.step, self._steps):
            if at in self._own:
                continue
            now = self._log.decided.get(cursor.step, self._own.get(cursor.step, cursor.round))
            later = now if at == cursor.step else max(now, self._log.newest)
            self._own[at] = later
            self._reporter.adopt(_adopted(cursor, at, later) | {'previousRound': now, 'previousRead': None})

    def begin(self, before: Cursor, after: Cursor) -> None:
        """As soon as the first batch of a round was read, which may be steps before it is trained on: nobody has to wait then. `before` and
        `after` that batch. Any thread may call it."""
        if before.step > 0 and before.round == after.round:
            return
        left = (before.round, before.documentsRead) if before.step > 0 else (None, None)
        adopted = _adopted(before, before.step, after.round)
        self._begins[before.step] = self._reporter.adopt(adopted | {'previousRound': left[0], 'previousRead': left[1]})

    def begun(self, before: Cursor) -> None:
        """Before a batch is trained on: where it is the first of a round, returns when the brokers have its beginning."""
        number = self._begins.pop(before.step, None)
        if number is not None:
            self._reporter.adopted(number)


def _adopted(cursor: Cursor, step: int, round: int) -> Report:
    return {'run': cursor.run, 'round': round, 'step': step, 'sequenceFirst': step * cursor.batchSequences}
