"""What a training has computed, for the ledger of the run (docs/ledger.md), as services/trainer/work-book.ts books it."""

import json
import math
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .fitting import model_folder

# FLOPs per parameter and token.
FORWARD, FORWARD_AND_BACKWARD = 2, 6
# As services/model/cost.ts: tables that are looked up by token or position, and output layers.
TOKEN_TABLE = re.compile(r'(^|\.)(embed_tokens|wte|embed_in|word_embeddings|tok_embeddings)\.')
POSITION_TABLE = re.compile(r'(^|\.)(wpe|embed_positions|position_embeddings)\.')
OUTPUT_LAYER = re.compile(r'(^|\.)(lm_head|embed_out)\.|^output\.')
# Steps are the same work whichever trainer makes them: after a change of trainers those that are made again are booked once.
SUBJECT = 'reference trainer'

Work = dict[str, Any]


@dataclass(frozen=True)
class Evaluated:
    """What held-out losses have cost: the sequences and tokens that the model read, by all ranks together, and seconds."""

    sequences: int
    tokens: int
    seconds: float


def aligned_pieces(first: int, next: int) -> list[tuple[int, int]]:
    """The stretch from `first` to before `next`, cut where powers of two have it: each piece's length is a power of two that divides
    its start (topologies/ledger/pieces.ts)."""
    pieces = []
    at = first
    while at < next:
        length = 1
        while at % (2 * length) == 0 and at + 2 * length <= next:
            length *= 2
        pieces.append((at, at + length))
        at += length
    return pieces


def parameters_of(parameters: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Of model.json: those that multiply, that is matrices without tables that are only looked up, and all."""
    tied = not any(OUTPUT_LAYER.search(one['name']) for one in parameters)

    def multiplies(name: str, shape: Sequence[int]) -> bool:
        return len(shape) > 1 and not POSITION_TABLE.search(name) and (tied or not TOKEN_TABLE.search(name))

    sizes = [(math.prod(one['shape']), multiplies(one['name'], one['shape'])) for one in parameters]
    return sum(size for size, counts in sizes if counts), sum(size for size, _ in sizes)


def work_key(work: Work) -> str:
    return (
        '/'.join(str(work[name]) for name in ('purpose', 'subject', 'stream', 'partition')) + f'/{work["first"]}-{work["next"]}'
    )


class WorkBook:
    """Books steps and evaluations under identities of their own: what is made again after a kill is the same piece. Nothing is booked
    where this machine does not see the model's model.json, which says how large it is."""

    def __init__(
        self,
        run: str,
        model: str,
        tokens_per_step: int,
        processes: int,
        send: Callable[[list[Work]], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`processes`: that work on each step at the same time; seconds are those of all of them. `send`: of records, in order."""
        self._run, self._tokens, self._processes, self._send, self._now = run, tokens_per_step, processes, send, now
        path = model_folder(model) / 'model.json'
        self._model: dict[str, Any] | None = None
        if path.exists():
            described = json.loads(path.read_text())
            multiplying, everything = parameters_of(described['parameters'])
            self._model = {'model': described['name'], 'parameters': multiplying, 'parametersAll': everything}
        self.reset(0)

    def reset(self, steps: int) -> None:
        """Training goes on after `steps` steps, which are booked."""
        self._steps, self._seconds, self._began = steps, 0.0, math.inf

    def began(self) -> None:
        """A step begins: its batch was given."""
        self._began = self._now()

    def ended(self) -> None:
        self._seconds += max(0.0, self._now() - self._began)
        self._began = math.inf

    def trained(self, steps: int) -> None:
        """Books the steps since the last call. Before a checkpoint of them is written: those that it contains are not made again."""
        count, seconds = steps - self._steps, self._seconds
        if count <= 0:
            return
        pieces = aligned_pieces(self._steps, steps)
        self._book('training', 'steps', FORWARD_AND_BACKWARD, [
            # A step is no document.
            {'first': a, 'next': b, 'documents': 0, 'tokens': (b - a) * self._tokens, 'seconds': seconds * (b - a) / count}
            for a, b in pieces
        ])  # fmt: skip
        self._steps, self._seconds = steps, 0.0

    def evaluated(self, step: int, what: Evaluated) -> None:
        """Books the evaluation after a step."""
        piece = {'first': step, 'next': step + 1, 'documents': what.sequences, 'tokens': what.tokens, 'seconds': what.seconds}
        self._book('evaluation', 'evaluations', FORWARD, [piece])

    def _book(self, purpose: str, stream: str, factor: int, pieces: list[Work]) -> None:
        if self._model is None:
            return
        kind: Work = {
            'run': self._run,
            'purpose': purpose,
            'subject': SUBJECT,
            'stream': stream,
            'partition': 0,
            'factor': factor,
        }
        kind |= self._model | {'device': _device()}
        works: list[Work] = [kind | piece | {'flops': factor * self._model['parameters'] * piece['tokens']} for piece in pieces]
        self._send([work | {'seconds': work['seconds'] * self._processes} for work in works])


def _device() -> str:
    torch: Any = sys.modules.get('torch')
    return 'cuda' if torch is not None and torch.cuda.is_initialized() else 'cpu'
