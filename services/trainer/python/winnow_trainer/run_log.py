"""What a run has decided so far: its configuration, whether a person has ended it, what each round selected, and when each begins."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import Message

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import DecodeError, Reader, Registry
from winnow_wire.topic_reader import BEGINNING, TopicReader

log = logging.getLogger('winnow.trainer')

RUNS = 'winnow.runs'
Manifest = Mapping[str, Any]
T = TypeVar('T')


def topic_of(run: str, kind: str) -> str:
    return f'winnow.run.{run}.{kind}'


def group_of(run: str) -> str:
    """No offsets are committed to it; permissions cover its name."""
    return f'winnow.{run}.trainer.python'


class RunLog:
    """Follows `winnow.runs` and the run's decisions from their beginnings, in a thread of its own once `follow` was called. Any number
    of threads may ask."""

    def __init__(self, connection: Connection, registry: Registry, run: str) -> None:
        self._run, self._selected, self._progress = run, topic_of(run, 'console-state'), topic_of(run, 'progress')
        names = {RUNS: 'Run', self._selected: 'Manifest', self._progress: 'RoundAdopted'}
        self._records = {topic: Reader(registry, name) for topic, name in names.items()}
        self._recorded: Mapping[str, Any] | None = None
        self._changed, self._closed = threading.Condition(), threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.manifests: dict[int, Manifest] = {}
        # By the step that it begins with, the round that was decided first (docs/trainer.md, "Modes").
        self.decided: dict[int, int] = {}
        self._kafka = connection.kafka
        self._reader = TopicReader(self._kafka, {RUNS: BEGINNING}, group_of(run), brief=True)
        self._read_to_end()
        if self._recorded is None:
            self.close()
            raise WinnowError('CONFIGURATION', f'there is no run {run}', 'winnow run list names them.')

    def follow(self, decisions: bool) -> None:
        """Returns when all was read that there is. `decisions`: those of trainers too, which mode `ready` needs."""
        topics = [RUNS, self._selected, *([self._progress] if decisions else [])]
        self._reader.assign(dict.fromkeys(topics, BEGINNING))
        self._read_to_end()
        brief, self._reader = self._reader, TopicReader(self._kafka, self._reader.positions, group_of(self._run))
        brief.close()
        self._thread = threading.Thread(target=self._serve, name='winnow-run-log', daemon=True)
        self._thread.start()

    @property
    def config(self) -> dict[str, Any]:
        """run.yaml, as it was recorded."""
        assert self._recorded is not None
        config: dict[str, Any] = json.loads(self._recorded['config'])
        return config

    @property
    def ended(self) -> bool:
        """Whether a person has ended the run, or deleted it."""
        return self._recorded is None or self._recorded.get('life', 'active') in ('ended', 'archived')

    @property
    def newest(self) -> int:
        """The newest round that has selected documents; -1: none has."""
        with self._changed:
            return max((round for round, manifest in self.manifests.items() if manifest['documents'] > 0), default=-1)

    def _read_to_end(self) -> None:
        while not all(self._reader.at_end.values()):
            self._poll(1.0)

    def _serve(self) -> None:
        try:
            while not self._closed.is_set():
                self._poll(0.2)
        except BaseException as error:  # whoever waits gets it
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _poll(self, seconds: float) -> None:
        message = self._reader.poll(seconds)
        if message is not None:
            self._take(message)

    def _take(self, message: Message) -> None:
        key, topic = (message.key() or b'').decode(errors='replace'), str(message.topic())
        if not (key.startswith('selected/') if topic == self._selected else key == self._run):
            return
        value: Mapping[str, Any] | None = None
        try:
            if message.value() is not None:
                value = self._records[topic].value(message.value())
        except DecodeError as error:
            # Reports stand there too. All else is kept as a dead letter by the stations that read these topics.
            if topic != self._progress or error.reason != 'wrong-record':
                log.warning('%s@%s is left out: %s', topic, message.offset(), error)
            return
        with self._changed:
            if topic == RUNS:
                self._recorded = value
            elif value is not None and topic == self._selected:
                self.manifests[value['round']] = value
            elif value is not None and value['run'] == self._run and value['previousRead'] is None:
                self.decided.setdefault(value['step'], value['round'])
            self._changed.notify_all()

    def awaited(self, get: Callable[[], T | None], what: str, waiting: Callable[[], None]) -> T:
        """What `get` gives, as soon as it is something. Until then calls `waiting` several times a second, which may raise. `what`: how
        a person calls what is missing. Raises WinnowError INTERRUPTED where the run has ended."""
        while True:
            with self._changed:
                value = get()
                if value is not None:
                    return value
                if self._failure is not None:
                    raise self._failure
                if self.ended and all(self._reader.at_end.values()):
                    raise WinnowError('INTERRUPTED', f'run {self._run} has ended, and {what}')
                self._changed.wait(0.2)
            waiting()

    def manifest(self, round: int, waiting: Callable[[], None]) -> Manifest:
        """What a round selected, as soon as it is there. Raises WinnowError POSITION_REFUSED for a round that will never be selected,
        or selected nothing; INTERRUPTED where the run has ended."""

        def there() -> Manifest | None:
            newest = max(self.manifests, default=-1)
            if round < newest and round not in self.manifests:
                # Rounds are selected in order.
                hint = 'Resume with a checkpoint of this run, or start the run again.'
                message = f'round {round} of run {self._run} was never selected, round {newest} was'
                raise WinnowError('POSITION_REFUSED', message, hint)
            return self.manifests.get(round)

        manifest = self.awaited(there, f'round {round} was not selected', waiting)
        if manifest['documents'] == 0:
            hint = 'winnow status says what the corpus holds.'
            raise WinnowError('POSITION_REFUSED', f'the selection of round {round} of run {self._run} is empty', hint)
        return manifest

    def close(self) -> None:
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        self._reader.close()
