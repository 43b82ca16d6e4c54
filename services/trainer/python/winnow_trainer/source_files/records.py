"""`winnow.sources`: which file a source number stands for."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import DecodeError, Reader, Registry
from winnow_wire.topic_reader import BEGINNING, TopicReader

SOURCES = 'winnow.sources'


class Sources:
    """Read to its end when a number is asked for that is not known yet. Any number of threads may ask."""

    def __init__(self, connection: Connection, registry: Registry, group: str) -> None:
        """`group`: a name that the permissions of this reader cover; offsets are not committed."""
        self._kafka, self._group, self._records = connection.kafka, group, Reader(registry, 'Source')
        self._known: dict[int, Mapping[str, Any]] = {}
        self._next = BEGINNING
        self._lock = threading.Lock()

    def of(self, number: int, waiting: Callable[[], None]) -> Mapping[str, Any]:
        """A `Source`. Raises WinnowError GUARANTEE_VIOLATED where there is none."""
        with self._lock:
            if number not in self._known:
                self._read(waiting)
            if number not in self._known:
                raise WinnowError('GUARANTEE_VIOLATED', f'{SOURCES} has no source {number}', 'Was the topic deleted?')
            return self._known[number]

    def _read(self, waiting: Callable[[], None]) -> None:
        reader = TopicReader(self._kafka, {SOURCES: self._next}, self._group, brief=True)
        try:
            while not reader.at_end[SOURCES]:
                message = reader.poll(0.2)
                if message is None:
                    waiting()
                elif message.value() is not None:
                    try:
                        value = self._records.value(message.value())
                    except DecodeError:
                        # Ingest refuses to go on with such a topic.
                        continue
                    self._known[value['source']] = value
            self._next = reader.positions[SOURCES]
        finally:
            reader.close()
