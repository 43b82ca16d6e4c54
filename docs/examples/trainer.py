"""A trainer of your own in Python: reads a run's selections in their order, and reports where it is, which is what opens the next rounds.

    pip install 'confluent-kafka[avro,schemaregistry]==2.16.1'

Bring a model: `step(texts)` makes an optimizer step and gives the mean loss and the tokens of the global batch; `save(place)` writes weights and
place into a checkpoint and gives its path and SHA-256. docs/trainer.md is the contract.
"""

import base64
import functools
import json
import urllib.request
from dataclasses import asdict, dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

# What texts begin with that corpus.encryption has encrypted.
SEALED = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwidHlwIjoid2lubm93LXRleHQt'


@dataclass(frozen=True)
class Place:
    """Belongs in every checkpoint: with it, training resumes at the very document."""

    step: int = 0
    tokens: int = 0
    round: int = 0
    position: int = 0  # documents of the round's selection that were read, by all ranks together


class Run:
    """`kafka`: settings of librdkafka. `clickhouse`: address, with `?database=...`. `login`: `user:password` of ClickHouse."""

    def __init__(self, name, kafka, registry, clickhouse, login='default:'):
        basic = base64.b64encode(login.encode()).decode()
        headers = {'Authorization': f'Basic {basic}', 'Content-Type': 'text/plain'}
        self.name, self._ask = name, functools.partial(urllib.request.Request, clickhouse, headers=headers)
        self._kafka = {**kafka, 'isolation.level': 'read_committed'}
        client = SchemaRegistryClient({'url': registry})
        self._decode = AvroDeserializer(client)
        schema = client.get_latest_version('winnow.Progress').schema.schema_str
        by_record = {'auto.register.schemas': False, 'subject.name.strategy': record_subject_name_strategy}
        self._encode = AvroSerializer(client, schema, conf=by_record)
        self._producer = Producer({**kafka, 'enable.idempotence': True})
        self._manifests, self._decisions = {}, self.records(self.topic('console-state'))

    def topic(self, kind):
        return f'winnow.run.{self.name}.{kind}'

    def records(self, topic, offset=OFFSET_BEGINNING, to_end=False):
        """(offset, key, value) from an offset on; at the end it waits for more, or stops. Offsets have gaps: markers of transactions."""
        own = {'group.id': f'winnow.{self.name}.trainer-python', 'enable.auto.commit': False, 'enable.partition.eof': True}
        consumer = Consumer({**self._kafka, **own})
        consumer.assign([TopicPartition(topic, 0, offset)])
        try:
            while True:
                message = consumer.poll(1.0)
                if message is None:
                    continue
                if message.error() is None:
                    value = self._decode(message.value(), SerializationContext(topic, MessageField.VALUE))
                    yield message.offset(), message.key().decode(), value
                elif message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                elif to_end:
                    return
        finally:
            consumer.close()

    def config(self):
        """The run as it was recorded: steps, updateSteps, trainer, checkpoints and the rest of docs/run-yaml.md."""
        recorded = {key: value for _, key, value in self.records('winnow.runs', to_end=True)}
        if recorded.get(self.name) is None:
            raise LookupError(f'no run {self.name} is recorded')
        return json.loads(recorded[self.name]['config'])

    def manifest(self, round):
        """What a round selected; waits for it."""
        while round not in self._manifests:
            _, key, value = next(self._decisions)
            if key.startswith('selected/'):
                self._manifests[value['round']] = value
        return self._manifests[round]

    def documents(self, round, position):
        """Ids from a global index on, without end: after the last document comes the first again."""
        manifest = self.manifest(round)
        size, chunks, end = manifest['chunkDocuments'], None, None
        while True:
            chunk, skip = divmod(position % manifest['documents'], size)
            offset = offset_of(manifest, chunk)
            if offset != end:
                chunks = self.records(self.topic('selections'), offset)
            found, _, value = next(chunks)
            if (found, value['round'], value['indexFirst']) != (offset, round, chunk * size):
                raise RuntimeError(f'offset {found} does not hold chunk {chunk} of round {round}')
            end = offset + 1
            for signed in value['docIds'][skip:]:
                yield signed % 2**64  # an unsigned id, as an Avro long
                position += 1

    def texts(self, ids):
        """In the order of the ids; ClickHouse answers in its own. A document may have been inserted twice."""
        query = f'SELECT doc, text FROM documents WHERE doc IN ({",".join(map(str, ids))}) LIMIT 1 BY doc FORMAT JSONEachRow'
        with urllib.request.urlopen(self._ask(data=query.encode())) as answer:
            rows = map(json.loads, answer)
            found = {int(row['doc']): row['text'] for row in rows}
        for id, text in found.items():
            if text.startswith(SEALED):
                raise RuntimeError(f'the text of document {id} is encrypted: winnow_trainer.SelectedStream reads it (docs/erasure.md)')
        return [found[id] for id in ids]

    def report(self, place, train_loss=None, checkpoint=None):
        """Returns when the brokers have it. `checkpoint`: path, digest and step; with it, a report opens the round that is due."""
        losses = {'trainLoss': train_loss, 'referenceLoss': None, 'corpusLoss': None}
        topic, failures = self.topic('progress'), []
        value = {'run': self.name, **asdict(place), **losses, 'checkpoint': checkpoint}
        data = self._encode(value, SerializationContext(topic, MessageField.VALUE))
        self._producer.produce(topic, data, self.name, partition=0, on_delivery=lambda error, _: error and failures.append(error))
        self._producer.flush()
        if failures:
            raise KafkaException(failures[0])


def offset_of(manifest, chunk):
    """Where a chunk of a selection stands in the topic of selections."""
    parts = manifest.get('parts') or [{'chunkFirst': 0, 'offsetFirst': manifest['chunkOffsetFirst']}]
    part = [part for part in parts if part['chunkFirst'] <= chunk][-1]
    return part['offsetFirst'] + chunk - part['chunkFirst']


def train(run, model, place=Place(), rank=0, ranks=1):
    """Trains from a place, the beginning or that of the last checkpoint, to the end of the run. Rank 0 saves and reports."""
    config = run.config()
    batch, per_round = config['trainer']['batch'], config['updateSteps']

    def save():
        if rank == 0:
            path, digest = model.save(place)
            run.report(place, loss, {'path': path, 'digest': digest, 'step': place.step})

    loss = None
    if place.step > 0:
        save()  # again: the last process may have ended between saving and reporting; what was reported opens nothing a second time
    while place.step < config['steps']:
        # Algorithm 2: every U steps a stage begins, with the selection of its round. `documents` waits for it.
        round = place.step // per_round
        position = place.position if round == place.round else 0
        ids = run.documents(round, position)
        while True:
            all_ids = [next(ids) for _ in range(batch)]
            own = all_ids[rank * batch // ranks : (rank + 1) * batch // ranks]
            loss, tokens = model.step(run.texts(own))
            position += batch
            place = Place(place.step + 1, place.tokens + tokens, round, position)
            if place.step % per_round == 0 or place.step == config['steps']:
                break
        save()
