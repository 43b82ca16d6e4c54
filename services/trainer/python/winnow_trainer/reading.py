"""Batches from a cursor on: the selections of the rounds, their texts, their tokens."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import Registry

from .cursor import Cursor
from .documents import Documents
from .feeder import mapped_ahead
from .packing import Packed, Page, Shape, pack
from .run_log import Manifest, RunLog
from .selection import Ids, Selections
from .switching import Switching

# The first windows of a round are small, so that its first batch comes soon.
WINDOW_FIRST = 16
WINDOWS_AT_ONCE = 4
# So many tokens a window has at most, by those before it: 16 MB of text.
WINDOW_TOKENS = 4 * 2**20

Step = tuple[Packed, Cursor]


@dataclass(frozen=True)
class Source:
    """`part`: the sequences of each global batch that are wanted. `window`: documents that are asked for at once."""

    connection: Connection
    registry: Registry
    log: RunLog
    config: dict[str, Any]
    switching: Switching
    documents: Documents
    shape: Shape
    part: tuple[int, int]
    window: int

    def admit(self, cursor: Cursor) -> None:
        """Raises WinnowError POSITION_REFUSED, with both values, for a place after step 0 where this run never was."""
        manifest, hint = self.log.manifests.get(cursor.round), 'Resume with a checkpoint of this run.'
        if manifest is None:
            message = f'round {cursor.round} of the cursor was never selected by run {cursor.run}; selected were'
            raise WinnowError('POSITION_REFUSED', f'{message} {sorted(self.log.manifests)}', hint)
        cursor.at_round(cursor.round, manifest['selectionDigest'])
        if cursor.round != (round := self.switching.before(cursor.step)):
            message = (
                f'the cursor of step {cursor.step} is of round {cursor.round}, and the run trained that step on round {round}'
            )
            raise WinnowError('POSITION_REFUSED', message, hint)
        sequence = (cursor.step - self.switching.begun(round)) * cursor.batchSequences
        if cursor.sequence != sequence:
            message = f'sequence is {cursor.sequence} in the cursor of step {cursor.step} and {sequence} here'
            raise WinnowError('POSITION_REFUSED', message, hint)

    def sought(self, beginning: Cursor, step: int) -> Cursor:
        """The cursor after `step` steps, of which nothing is known but that this run has made them: their round is read from its beginning on.
        Raises WinnowError POSITION_REFUSED where it was never selected."""
        if step == 0:
            return beginning
        round = self.switching.before(step)
        if round not in self.log.manifests:
            message = f'step {step} would be of round {round}, and run {beginning.run} has selected {sorted(self.log.manifests)}'
            raise WinnowError('POSITION_REFUSED', message, 'Resume with a checkpoint of this run.')
        cursor = replace(beginning, step=self.switching.begun(round), round=round)
        with closing(self.batches(cursor, lambda: None)) as steps:
            return next(after for _, after in steps if after.step == step)

    def batches(self, cursor: Cursor, checked: Callable[[], None]) -> Generator[Step]:
        """A part of every global batch, and the cursor after it, to the last step of the run. Calls `checked` now and then, which may raise."""
        selections = Selections(self.connection, self.registry, cursor.run)
        try:
            while cursor.step < self.config['steps']:
                manifest = self.log.manifest(self._round(cursor, checked), checked)
                cursor = cursor.at_round(manifest['round'], manifest['selectionDigest'])
                with closing(self._pages(selections, manifest, cursor.document, checked)) as pages:
                    for packed in pack(pages, self.shape, cursor.place, self.part):
                        cursor = cursor.after(packed.next, packed.documents_read)
                        yield packed, cursor
                        if cursor.step == self.config['steps'] or self._round(cursor, checked) != cursor.round:
                            break
        finally:
            selections.close()

    def _round(self, cursor: Cursor, checked: Callable[[], None]) -> int:
        """Of the next step. Waits for a decision that is not in the log yet."""
        missing = f'nothing was decided for step {cursor.step}'
        return self.log.awaited(lambda: self.switching.round(cursor.step, cursor.round), missing, checked)

    def _pages(self, selections: Selections, manifest: Manifest, index: int, checked: Callable[[], None]) -> Generator[Page]:
        """The documents of a selection from a global index on, without end."""

        seen = [0, 0]

        def windows() -> Iterator[Ids]:
            size = WINDOW_FIRST
            for ids in selections.ids(manifest, index, checked):
                while len(ids) > 0:
                    documents, tokens = seen
                    most = min(self.window, max(1, WINDOW_TOKENS * documents // tokens) if tokens > 0 else self.window)
                    yield ids[: min(size, most)]
                    ids, size = ids[min(size, most) :], min(2 * size, self.window)

        def fetched(ids: Ids) -> Iterable[Page]:
            return self.documents.fetched(ids, checked)

        with closing(mapped_ahead(fetched, windows(), WINDOWS_AT_ONCE)) as all:
            for pages in all:
                for page in pages:
                    seen[:] = seen[0] + len(page.lengths), seen[1] + len(page.tokens)
                    yield page
