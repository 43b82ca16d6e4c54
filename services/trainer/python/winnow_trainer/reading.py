"""Batches from a cursor on: the selections of the rounds, their texts, their tokens."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from winnow_wire.connection import Connection
from winnow_wire.records import Registry

from .cursor import Cursor
from .feeder import mapped_ahead
from .packing import Packed, Shape, Tokens, pack
from .run_log import Manifest, RunLog
from .selection import Ids, Selections
from .texts import ClickHouseTexts
from .tokens import Tokenizer

# The first windows of a round are small, so that its first batch comes soon.
WINDOW_FIRST = 64
WINDOWS_AT_ONCE = 4

Step = tuple[Packed, Cursor]


@dataclass(frozen=True)
class Source:
    """`part`: the sequences of each global batch that are wanted. `window`: documents whose texts are asked for at once."""

    connection: Connection
    registry: Registry
    log: RunLog
    config: dict[str, Any]
    tokenizer: Tokenizer
    shape: Shape
    part: tuple[int, int]
    window: int

    def batches(self, cursor: Cursor, checked: Callable[[], None]) -> Iterator[Step]:
        """A part of every global batch, and the cursor after it, to the last step of the run. In one thread, which alone uses the
        log meanwhile. Calls `checked` now and then, which may raise."""
        steps, per_round = self.config['steps'], self.config['updateSteps']
        texts = ClickHouseTexts(self.connection.clickhouse, WINDOWS_AT_ONCE)
        selections = Selections(self.connection, self.registry, cursor.run)
        try:
            while cursor.step < steps:
                # Algorithm 2: every U steps a stage begins, with the selection of its round.
                round = cursor.step // per_round
                manifest = self.log.manifest(round, checked)
                cursor = cursor.at_round(round, manifest['selectionDigest'])
                left = min((round + 1) * per_round, steps) - cursor.step
                with closing(self._documents(selections, texts, manifest, cursor.document, checked)) as documents:
                    for packed in islice(pack(documents, self.shape, cursor.place, self.part), left):
                        cursor = cursor.after(packed.next, packed.documents_read)
                        yield packed, cursor
        finally:
            selections.close()
            texts.close()

    def _documents(
        self, selections: Selections, texts: ClickHouseTexts, manifest: Manifest, index: int, checked: Callable[[], None]
    ) -> Generator[Tokens]:
        """Tokens of the documents of a selection from a global index on, without end."""

        def windows() -> Iterator[Ids]:
            size = min(WINDOW_FIRST, self.window)
            for ids in selections.ids(manifest, index, checked):
                while len(ids) > 0:
                    yield ids[:size]
                    ids, size = ids[size:], min(2 * size, self.window)

        def tokenized(ids: Ids) -> list[Tokens]:
            return self.tokenizer.encode(texts.texts(ids, checked))

        with closing(mapped_ahead(tokenized, windows(), WINDOWS_AT_ONCE)) as pages:
            for page in pages:
                yield from page
