"""Reports where training is, as services/trainer/trainer.ts does, and fences off whoever reported for the run before."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import Registry, Writer

from .run_log import topic_of
from .work import Work, work_key

log = logging.getLogger('winnow.trainer')

OPERATION_SECONDS = 30
TRANSACTION_MS_MAX = 60_000
FENCES = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}

Report = dict[str, Any]


def transactional_id_of(run: str) -> str:
    """One trainer of a run reports; brokers fence the one before. The TypeScript trainer has the same."""
    return f'winnow.{run}.trainer'


class _Aborted(Exception):
    """The transaction has to be aborted and made again."""


class Reporter:
    """Sends in a thread of its own: a report never holds up a step. Of the reports that wait only the newest is sent."""

    def __init__(self, connection: Connection, registry: Registry, run: str) -> None:
        self._run, self._topic = run, topic_of(run, 'progress')
        self._reports, self._adoptions = Writer(registry, 'Progress'), Writer(registry, 'RoundAdopted')
        self._works, self._ledger = Writer(registry, 'Work'), topic_of(run, 'work')
        self._producer = Producer(
            dict(connection.kafka)
            | {
                'transactional.id': transactional_id_of(run),
                'transaction.timeout.ms': TRANSACTION_MS_MAX,
                'enable.idempotence': True,
                'logger': log,
            }
        )
        self._done = threading.Condition()
        self._newest: bytes | None = None
        # All of them are sent, in order: topic, key, value.
        self._kept: list[tuple[str, str, bytes]] = []
        # Of those, how many were given, and how many the brokers have.
        self._given = self._taken = 0
        self._sending = self._closed = False
        self._failure: Exception | None = None
        self._retried(lambda: self._producer.init_transactions(OPERATION_SECONDS))
        self._thread = threading.Thread(target=self._serve, name='winnow-reporter', daemon=True)
        self._thread.start()

    def report(self, value: Report) -> None:
        """Raises WinnowError if one before could not be sent; FENCED where another trainer reports for the run by now."""
        record = self._reports.encode(value)
        with self._done:
            self._raise()
            self._newest = record
            self._done.notify_all()

    def adopt(self, value: Report) -> int:
        """A RoundAdopted: all of them are sent, in order. Returns what `adopted` asks for. Raises as `report`."""
        record = self._adoptions.encode(value)
        with self._done:
            self._raise()
            self._kept.append((self._topic, self._run, record))
            self._given += 1
            self._done.notify_all()
            return self._given

    def book(self, works: list[Work]) -> None:
        """Records of the ledger: all of them are sent. Raises as `report`."""
        records = [(self._ledger, work_key(work), self._works.encode(work)) for work in works]
        with self._done:
            self._raise()
            self._kept += records
            self._given += len(records)
            self._done.notify_all()

    def adopted(self, number: int) -> None:
        """Returns when the brokers have it. Raises as `report`."""
        with self._done:
            self._done.wait_for(lambda: self._failure is not None or self._taken >= number)
            self._raise()

    @property
    def _waiting(self) -> bool:
        return self._newest is not None or bool(self._kept)

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def flush(self) -> None:
        """Returns when the brokers have what was reported, adopted and booked."""
        with self._done:
            self._done.wait_for(lambda: self._failure is not None or not (self._waiting or self._sending))
            self._raise()

    def _serve(self) -> None:
        while True:
            with self._done:
                self._done.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                kept = len(self._kept)
                records = self._kept + ([] if self._newest is None else [(self._topic, self._run, self._newest)])
                self._kept, self._newest, self._sending = [], None, True
            failure = None
            try:
                self._send(records)
            except Exception as error:  # whoever reports next gets it
                failure = error
            with self._done:
                self._sending, self._failure = False, failure
                self._taken += kept
                self._done.notify_all()
                if failure is not None:
                    return

    def _send(self, records: list[tuple[str, str, bytes]]) -> None:
        """Until the brokers have them, together: training goes on meanwhile."""
        while True:
            self._retried(self._producer.begin_transaction)
            for topic, key, record in records:
                self._producer.produce(topic, record, key, partition=0)
            try:
                return self._retried(lambda: self._producer.commit_transaction(OPERATION_SECONDS))
            except _Aborted:
                self._retried(lambda: self._producer.abort_transaction(OPERATION_SECONDS))

    def _retried(self, operation: Callable[[], object]) -> None:
        while True:
            try:
                operation()
                return
            except KafkaException as failure:
                error = failure.args[0]
                if error.code() in FENCES:
                    message = f'another trainer reports for run {self._run} by now: {error.str()}'
                    raise WinnowError('FENCED', message, 'End the older one; each run has one trainer.') from failure
                if error.txn_requires_abort():
                    raise _Aborted from failure
                if error.fatal() or not error.retriable():
                    hint = 'winnow acls prints the permissions of a trainer.'
                    raise WinnowError('CONFIGURATION', f'a report cannot be written: {error.str()}', hint) from failure
                log.warning('a report waits: %s', error.str())
                time.sleep(0.5)

    def close(self) -> None:
        """Sends what waits."""
        with self._done:
            self._closed = True
            self._done.notify_all()
        # Brokers that are away longer have only the last checkpoint's report missing, which the next start repeats.
        self._thread.join(OPERATION_SECONDS)
