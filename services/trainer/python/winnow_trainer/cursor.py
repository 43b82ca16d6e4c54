"""Where training is: small, equal on all ranks, and all that a checkpoint needs to resume the stream to the token."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from winnow_wire.errors import WinnowError

from .packing import START, Place

VERSION = 1
PACKING = 'concat-1'

# What makes a stream another one. Whoever resumes with other values would read something else than what was recorded.
IDENTITY = ('run', 'sequenceLength', 'batchSequences', 'end', 'tokenizer', 'packing')


@dataclass(frozen=True)
class Cursor:
    """After `step` optimizer steps. The next batch begins at token `token` of document `document` of the round's selection."""

    run: str
    # Of the tokenizer.json, SHA-256.
    tokenizer: str
    sequenceLength: int
    batchSequences: int
    end: int
    step: int = 0
    round: int = 0
    # Sequences of the round that all ranks together have received.
    sequence: int = 0
    document: int = 0
    token: int = 0
    # Documents of which a token was received, by any rank: SELECTION.md's m.
    documentsRead: int = 0
    # Of the round; None before the first batch.
    selectionDigest: str | None = None
    packing: str = PACKING
    v: int = VERSION

    @property
    def place(self) -> Place:
        return Place(self.document, self.token)

    @property
    def tokens(self) -> int:
        """Trained on, by all ranks."""
        return self.step * self.batchSequences * self.sequenceLength

    def at_round(self, round: int, selection_digest: str) -> 'Cursor':
        """The same step, at the beginning of a round unless it is within it already. Raises WinnowError POSITION_REFUSED where the
        round selected something else than what was read of it."""
        values = asdict(self)
        if round != self.round or self.selectionDigest is None:
            begin = {'sequence': 0, 'document': START.document, 'token': START.token, 'documentsRead': 0}
            return Cursor(**values | begin | {'round': round, 'selectionDigest': selection_digest})
        if self.selectionDigest != selection_digest:
            raise _refused(f'selectionDigest of round {round}', self.selectionDigest, selection_digest)
        return self

    def after(self, next: Place, documents_read: int) -> 'Cursor':
        """One step later."""
        moved = {'document': next.document, 'token': next.token, 'documentsRead': documents_read}
        step, sequence = self.step + 1, self.sequence + self.batchSequences
        return Cursor(**asdict(self) | moved | {'step': step, 'sequence': sequence})

    def resumed(self, state: Mapping[str, Any]) -> 'Cursor':
        """The cursor in `state`, for the stream that this one is of. Raises WinnowError POSITION_REFUSED, with both values, where it
        is of another, and CONFIGURATION where a newer package wrote it."""
        if state.get('v') != VERSION:
            hint = 'Install the winnow-trainer that wrote it, or a newer one.'
            raise WinnowError('CONFIGURATION', f'the cursor has version {state.get("v")!r}, this package reads {VERSION}', hint)
        names = {field.name for field in fields(self)}
        if names != set(state):
            raise WinnowError('BAD_DATA', f'the cursor lacks or adds fields: {", ".join(sorted(names ^ set(state)))}')
        for name in IDENTITY:
            if state[name] != getattr(self, name):
                raise _refused(name, state[name], getattr(self, name))
        for name in ('step', 'round', 'sequence', 'document', 'token', 'documentsRead'):
            if type(state[name]) is not int or state[name] < 0:
                raise WinnowError('POSITION_REFUSED', f'{name} of the cursor is {state[name]!r}, which is no natural number')
        return Cursor(**state)


def _refused(name: str, theirs: object, ours: object) -> WinnowError:
    hint = 'Resume with the checkpoint of this run and with what it was made with, or start a new run.'
    return WinnowError('POSITION_REFUSED', f'{name} is {theirs!r} in the cursor and {ours!r} here', hint)
