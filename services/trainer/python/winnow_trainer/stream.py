"""The selected-index stream as batches of tokens, for any number of ranks."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import Registry

from .adoptions import Adoptions
from .announcing import Announcer
from .batch import Batch, Labels, Tensors, batch_of
from .checkpoint import Dtype, model_folder
from .cursor import Cursor
from .documents import Texts
from .feeder import Feeder
from .opening import documents_from
from .packing import Shape
from .progress import Reporter
from .ranks import Ranks
from .reading import Source
from .run_log import RunLog
from .selection import Selections
from .switching import Ready, switching_of
from .tokens import Tokenizer
from .work import Evaluated, WorkBook

log = logging.getLogger('winnow.trainer')

POLL_SECONDS = 0.5
SAY_SECONDS = 30.0


class SelectedStream:
    """Iterates over one rank's part of every global batch of a run; docs/trainer.md tells how it is used.

    A batch has `input_ids`, `labels`, `documents` and `positions`, each [n, C] int64 with n sequences of C = `sequence_length`
    tokens: `labels` are the tokens that follow those of `input_ids`; `documents` says of which document of the round's selection
    each input token is (its global index), `positions` its place within that document. With `labels='huggingface'` the first two
    are the same [n, C + 1] ids, which models of transformers shift themselves. With `uneven='weight'` a batch has `weight` too,
    n * ranks / B: the mean over ranks of weight times the loss of a rank is the mean over all sequences.

    (round, sequence) to tokens is a pure function, the same for any `ranks`. Every rank reads all texts of a global batch, since
    where a sequence begins depends on the lengths of all before it, and keeps its own; there are no collectives and no processes.
    """

    def __init__(
        self,
        run: str,
        *,
        tokenizer: str | Path | None = None,
        end: int | None = None,
        sequence_length: int | None = None,
        batch_sequences: int | None = None,
        ranks: Ranks | None = None,
        connection: Connection | None = None,
        tensors: Tensors = 'torch',
        labels: Labels = 'shifted',
        uneven: Literal['refuse', 'weight'] = 'refuse',
        store: str | Path | None = None,
        files: str | Path | None = None,
        piece_bytes: int | None = None,
        texts: Texts | None = None,
        prefetch_batches: int = 8,
        window_documents: int = 1024,
        report_steps: int | None = None,
        map_path: Mapping[str, str] | None = None,
        wait_timeout: float | None = None,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        """`tokenizer`: a tokenizer.json, by default that of the run's model folder; `end`: the id that ends a document, by default what
        model.json beside it says.
        `sequence_length` and `batch_sequences` (B, of all ranks together), `report_steps`: by default those of the run's trainer.
        Texts are read from ClickHouse, or, by one of these: `store`, the folder of a token store (winnow-trainer tokens), which has tokens;
        `files`, the folder of the files that were ingested, JSON lines or Parquet, with `piece_bytes`, the corpus.pieceBytes of a corpus whose
        long texts were split; `texts`, whatever else gives them.
        `map_path`: beginnings of checkpoints' paths here, and as influence workers see them, as paths or file URIs.
        `wait_timeout`: seconds after which waiting for a selection fails; `on_wait` is called twice a second with those waited.
        Raises WinnowError CONFIGURATION, UNREACHABLE, USAGE."""
        connection = connection or Connection.from_environment(os.environ)
        self.ranks = ranks or Ranks.found()
        registry = Registry(connection.registry_url, connection.registry_authorization)
        run_log = RunLog(connection, registry, run)
        self._config = config = run_log.config
        tokens = Tokenizer(tokenizer or model_folder(config['model']) / 'tokenizer.json', end)
        length, sequences = sequence_length or config['trainer']['context'], batch_sequences or config['trainer']['batch']
        if sequences < self.ranks.ranks or (uneven == 'refuse' and sequences % self.ranks.ranks):
            hint = "Choose a multiple, or uneven='weight', which needs at least one for each."
            raise WinnowError('USAGE', f'{self.ranks.ranks} ranks cannot share batches of {sequences} sequences', hint)
        documents = documents_from(
            connection, registry, run, tokens, store=store, files=files, piece_bytes=piece_bytes, texts=texts
        )
        shape, part = Shape(sequences, length, tokens.end), self.ranks.part(sequences)
        switching = switching_of(config, run_log.decided)
        self._source = Source(connection, registry, run_log, config, switching, documents, shape, part, window_documents)
        weight = (part[1] - part[0]) * self.ranks.ranks / sequences if uneven == 'weight' else None
        self._batch_of = partial(batch_of, length=length, labels=labels, tensors=tensors, weight=weight)
        self.labels: Labels = labels
        self._ahead, self._wait_timeout, self._on_wait = prefetch_batches, wait_timeout, on_wait
        self._cursor = self._beginning = Cursor(run, tokens.digest, length, sequences, tokens.end)
        self._feeder: Feeder[tuple[Batch, Cursor]] | None = None
        # It fences whoever reported for this run before, and only then is read what they decided.
        reporter = Reporter(connection, registry, run) if self.ranks.leads else None
        run_log.follow(decisions=isinstance(switching, Ready))
        self._report_steps = report_steps or config['trainer']['reportSteps']
        book = None
        if reporter is not None:
            book = WorkBook(run, config['model'], sequences * length, self.ranks.processes, reporter.book)
        self._announcer = Announcer(config, reporter, self._report_steps, map_path, book)
        self._adoptions = Adoptions(switching, run_log, config['steps'], reporter) if reporter is not None else None
        self.waited_seconds = 0.0

    @property
    def config(self) -> dict[str, Any]:
        """The run's run.yaml, as it was recorded."""
        return self._config

    @property
    def cursor(self) -> Cursor:
        """Where the loop is: after the batch that it has received last, whatever was prefetched."""
        return self._cursor

    @property
    def step(self) -> int:
        return self._cursor.step

    @property
    def round(self) -> int:
        return self._cursor.round

    @property
    def checkpoint_due(self) -> bool:
        """Whether a checkpoint of this step opens a round, or is the last, and was not announced."""
        return self._announcer.opens(self.step) and self._announcer.announced != self.step

    @property
    def report_due(self) -> bool:
        """Whether this step is reported, with the mean of the losses since the last report."""
        return self.step % self._report_steps == 0 or self._announcer.opens(self.step)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint: less than 1 KB of JSON, equal on all ranks."""
        return asdict(self._cursor)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from there, as often as it is called; another number of ranks is fine. Raises WinnowError POSITION_REFUSED where
        what was recorded is not what would be read."""
        cursor = self._beginning.resumed(state)
        self._stop()
        if cursor.step > 0:
            self._source.admit(cursor)
        self._cursor = cursor
        self._announcer.reset(cursor.step)

    def seek(self, step: int) -> None:
        """Goes on after `step` steps that this run has made, without what `state_dict` said then: reads their round from its beginning, in
        time that grows with it. Raises WinnowError POSITION_REFUSED, USAGE."""
        if not 0 <= step <= self._config['steps']:
            raise WinnowError('USAGE', f'there is no step {step} of {self._config["steps"]}')
        self._stop()
        self._cursor = self._source.sought(self._beginning, step)
        self._announcer.reset(step)

    def metadata(self) -> dict[str, str]:
        """The cursor as text, for a safetensors file: what the TypeScript trainer writes, and all of it under `winnow`."""
        state = self.state_dict()
        texts = {name: str(state[name]) for name in ('run', 'round', 'document', 'token', 'documentsRead')}
        return texts | {'steps': str(self.step), 'winnow': json.dumps(state)}

    def load_metadata(self, metadata: Mapping[str, str]) -> None:
        """Goes on where a checkpoint of this package, or of the TypeScript trainer, was written."""
        if 'winnow' in metadata:
            return self.load_state_dict(json.loads(metadata['winnow']))
        try:
            numbers = {name: int(metadata[name]) for name in ('round', 'document', 'token', 'documentsRead')}
            step, run = int(metadata['steps']), metadata['run']
        except (KeyError, ValueError) as error:
            raise WinnowError('BAD_DATA', f'the checkpoint does not say where its training was: {error!r}') from error
        sequence = (step - self._source.switching.begun(numbers['round'])) * self._cursor.batchSequences
        digest = self._source.log.manifests.get(numbers['round'], {}).get('selectionDigest')
        self.load_state_dict(
            asdict(self._beginning) | numbers | {'step': step, 'run': run, 'sequence': sequence, 'selectionDigest': digest}
        )

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        """This rank's part of the next global batch. Waits for the selection of its round. After the last step of the run:
        StopIteration. Raises WinnowError USAGE where the checkpoint that opens the round was not announced."""
        if self._announcer.speaks and self.checkpoint_due and self.step < self._config['steps']:
            if self._due not in self._source.log.manifests:
                hint = 'Call announce after every step at which checkpoint_due is true, and after loading such a checkpoint.'
                raise WinnowError(
                    'USAGE', f'step {self.step} opens round {self._due}, and no checkpoint of it was announced', hint
                )
        if self._feeder is None:
            self._feeder = Feeder(partial(self._batches, self._cursor), self._ahead)
        if self._adoptions is not None:
            self._adoptions.decide(self._cursor)
        batch, after = self._awaited(self._feeder)
        if self._adoptions is not None:
            self._adoptions.begun(self._cursor)
        self._cursor = after
        self._announcer.batch_given()
        return batch

    def _batches(self, cursor: Cursor, checked: Callable[[], None]) -> Iterator[tuple[Batch, Cursor]]:
        """In the feeder's thread."""
        for packed, after in self._source.batches(cursor, checked):
            if self._adoptions is not None:
                self._adoptions.begin(cursor, after)
            cursor = after
            yield self._batch_of(packed), after

    def _awaited(self, feeder: Feeder[tuple[Batch, Cursor]]) -> tuple[Batch, Cursor]:
        began = said = time.monotonic()
        while (value := feeder.get(POLL_SECONDS)) is None:
            now = time.monotonic()
            self.waited_seconds += POLL_SECONDS
            if self._on_wait is not None:
                self._on_wait(now - began)
            if now - said >= SAY_SECONDS:
                said = now
                round = self._source.switching.round(self.step, self.round)
                missing = 'a decision of the rank that leads' if round is None else f'texts or selection of round {round}'
                log.info('run %s waits after step %d for %s', self._cursor.run, self.step, missing)
            if self._wait_timeout is not None and now - began > self._wait_timeout:
                hint = 'winnow status says what the run waits for.'
                message = f'no batch after step {self.step} of run {self._cursor.run} came in {self._wait_timeout} s'
                raise WinnowError('WAITED_TOO_LONG', message, hint, retriable=True)
        return value

    @property
    def _due(self) -> int:
        return int(self._cursor.step // self._config['updateSteps'])

    def step_done(self, loss: Any = None) -> None:
        """After each optimizer step: `loss` is the mean over the global batch, in nats per token. It is reported now and then, and the
        step is booked in the ledger with the time since its batch was given."""
        self._announcer.step_done(self._cursor, None if loss is None else float(loss))

    def report(
        self,
        *,
        reference_loss: float | None = None,
        corpus_loss: float | None = None,
        evaluated: Evaluated | None = None,
    ) -> None:
        """Losses on held-out text at this step, without a checkpoint, as before the first step; `evaluated`: what they cost, for the
        ledger. Returns when the brokers have them."""
        self._announcer.report(self._cursor, {'referenceLoss': reference_loss, 'corpusLoss': corpus_loss}, evaluated)

    def announce(
        self,
        what: Any,
        *,
        reference_loss: float | None = None,
        corpus_loss: float | None = None,
        evaluated: Evaluated | None = None,
        dtype: Dtype | None = None,
        folder: bool = False,
    ) -> Path | None:
        """Reports a checkpoint of this step, which opens the round that is due. On all ranks together.

        `what`: a torch module or a mapping of names to tensors (sharded ones are gathered), or the path of a folder that
        torch.distributed.checkpoint wrote: these become a safetensors file in the run's folder of checkpoints, or an object under its
        address in a store. Or the path of a
        safetensors file, of an index of shards or of a folder that `save_pretrained` or torchtitan's export wrote: it stays where
        it is. `dtype`: 'float32' or 'bfloat16' for parameters in what is written; by default as they are, float64 as float32.
        `folder`: write a folder that `from_pretrained` opens instead of a file. `evaluated`: what the losses cost, for the ledger.
        Influence workers read it until its round is closed. Returns its path where it was written or read. Raises WinnowError
        BAD_DATA, on all ranks, where names, shapes or data types do not fit the run's model; FENCED where another trainer reports for
        the run by now."""
        losses = {'referenceLoss': reference_loss, 'corpusLoss': corpus_loss}
        options: dict[str, Any] = {'evaluated': evaluated, 'dtype': dtype, 'folder': folder}
        return self._announcer.announce(self._cursor, self.metadata(), what, losses, **options)

    def verify(self, round: int) -> None:
        """Reads a whole selection that is there. Raises WinnowError GUARANTEE_VIOLATED if it is not the one that was recorded."""
        selections = Selections(self._source.connection, self._source.registry, self._cursor.run)
        try:
            selections.verify(self._source.log.manifests[round], lambda: None)
        finally:
            selections.close()

    def _stop(self) -> None:
        if self._feeder is not None:
            self._feeder.close()
            self._feeder = None

    def close(self) -> None:
        """Sends the last report and ends all threads."""
        self._stop()
        self._source.documents.close()
        self._source.log.close()
        self._announcer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
