"""The selected-index stream: (round, global index) to document id, read by chunk offset (services/selections/selection-reader.ts)."""

import hashlib
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from confluent_kafka import Message

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import DecodeError, Reader, Registry
from winnow_wire.topic_reader import TopicReader

from .run_log import Manifest, group_of, topic_of

Ids = npt.NDArray[np.uint64]

# A transaction is committed partition by partition: a manifest may be readable a moment before its chunks are.
VISIBLE_SECONDS = 5.0


def offset_of(manifest: Manifest, chunk: int) -> int:
    """Where a chunk of a selection stands in the topic of selections. Manifests older than parts have one."""
    parts = manifest.get('parts') or [{'chunkFirst': 0, 'offsetFirst': manifest['chunkOffsetFirst']}]
    part = [part for part in parts if part['chunkFirst'] <= chunk][-1]
    offset: int = part['offsetFirst'] + chunk - part['chunkFirst']
    return offset


class Selections:
    """Reads the selections of a run. For one thread."""

    def __init__(self, connection: Connection, registry: Registry, run: str) -> None:
        self._run, self._topic = run, topic_of(run, 'selections')
        self._kafka, self._records = connection.kafka, Reader(registry, 'SelectionChunk')
        self._reader: TopicReader | None = None
        self._next = -1

    def ids(self, manifest: Manifest, index: int, waiting: Callable[[], None]) -> Iterator[Ids]:
        """The ids from a global index on, in pieces, without end: after the last document comes the first again. Calls `waiting`
        several times a second while brokers let it wait. Raises WinnowError GUARANTEE_VIOLATED where others stand in their place."""
        while True:
            at = index % manifest['documents']
            chunk, skip = divmod(at, manifest['chunkDocuments'])
            ids = self._chunk(manifest, chunk, waiting)[skip:]
            yield ids
            index += len(ids)

    def verify(self, manifest: Manifest, waiting: Callable[[], None]) -> None:
        """Reads a whole selection. Raises WinnowError GUARANTEE_VIOLATED if its ids are not those that the manifest was made of."""
        digest, read = hashlib.sha256(), 0
        while read < manifest['documents']:
            ids = self._chunk(manifest, read // manifest['chunkDocuments'], waiting)
            digest.update(ids.astype('<u8').tobytes())
            read += len(ids)
        if digest.hexdigest() != manifest['selectionDigest']:
            message = f'round {manifest["round"]} of run {self._run} has digest {digest.hexdigest()}'
            raise WinnowError('GUARANTEE_VIOLATED', f'{message}, its manifest says {manifest["selectionDigest"]}')

    def _chunk(self, manifest: Manifest, chunk: int, waiting: Callable[[], None]) -> Ids:
        offset = offset_of(manifest, chunk)
        message = self._record(manifest, offset, waiting)
        first = chunk * manifest['chunkDocuments']
        expected = min(manifest['chunkDocuments'], manifest['documents'] - first)
        try:
            value = self._records.value(message.value())
        except DecodeError as error:
            raise self._violated(manifest, offset, chunk, str(error)) from error
        if (message.offset(), value['round'], value['indexFirst']) != (offset, manifest['round'], first):
            found = f'offset {message.offset()} holds index {value["indexFirst"]} of round {value["round"]}'
            raise self._violated(manifest, offset, chunk, found)
        if len(value['docIds']) != expected:
            raise self._violated(manifest, offset, chunk, f'it has {len(value["docIds"])} ids, expected {expected}')
        # An unsigned id, as an Avro long of the same 64 bits.
        return np.array(value['docIds'], dtype=np.int64).view(np.uint64)

    def _record(self, manifest: Manifest, offset: int, waiting: Callable[[], None]) -> Message:
        if self._reader is None:
            self._reader = TopicReader(self._kafka, {self._topic: offset}, group_of(self._run))
        elif offset != self._next:
            self._reader.assign({self._topic: offset})
        ended: float | None = None
        while True:
            message = self._reader.poll(0.2)
            if message is not None:
                self._next = offset + 1
                return message
            waiting()
            if self._reader.at_end[self._topic]:
                ended = ended or time.monotonic()
                if time.monotonic() - ended > VISIBLE_SECONDS:
                    raise self._violated(manifest, offset, offset, 'the topic ends before it')

    def _violated(self, manifest: Manifest, offset: int, chunk: int, reason: str) -> WinnowError:
        place = f'chunk {chunk} of round {manifest["round"]} is expected at offset {offset} of {self._topic}'
        return WinnowError('GUARANTEE_VIOLATED', f'{place}: {reason}')

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
