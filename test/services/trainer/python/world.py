"""A run that is lists, below a real SelectedStream: no brokers, no ClickHouse, and what is reported is kept."""

import random
import time
from types import SimpleNamespace

import numpy as np
from winnow_trainer import Ranks, SelectedStream, reading, stream
from winnow_trainer.packing import Page
from winnow_wire.connection import ClickHouseAddress, Connection

NOWHERE = Connection({}, 'http://localhost:1', ClickHouseAddress('http://localhost:1'))
END, UPDATE, STEPS = 0, 4, 14


class Killed(Exception):
    """As if the process had ended there."""


class World:
    """A run whose documents, selections and decisions are lists. `more`: of its configuration, with a mode, a sequence length and a batch
    that are not chance; then a round is selected only once a checkpoint has opened it."""

    def __init__(self, seed, steps=STEPS, **more):
        any = self.any = random.Random(seed)
        self.documents = [
            [any.randrange(1, 99) for _ in range(any.choice([0, 1, 2, 5, 30]))] for _ in range(any.randrange(1, 40))
        ]
        count = len(self.documents)
        self.selected = [any.sample(range(count), any.randrange(1, count + 1)) for _ in range(4)]
        self.decided = {2 * at: min(at // 2, 3) for at in range(1, STEPS // 2)}
        mode, self.rounds = any.choice(
            [
                ('wait', [step // UPDATE for step in range(STEPS)]),
                ({'lag': 3}, [max(0, (step - 3) // UPDATE) for step in range(STEPS)]),
                ({'ready': 2}, [self.decided.get(step - step % 2, 0) for step in range(STEPS)]),
            ]
        )
        self.length, self.batch = any.randrange(1, 12), any.randrange(4, 9)
        self.steps, self.opens = steps, 'trainer' in more
        places = {'model': '/nowhere', 'checkpoints': '/nowhere'}
        self.config = places | {'updateSteps': UPDATE, 'steps': steps, 'trainer': {'switch': mode, 'reportSteps': 1}} | more
        if self.opens:
            trainer = self.config['trainer'] = {'switch': 'wait', 'reportSteps': 1} | more['trainer']
            self.length, self.batch = trainer['context'], trainer['batch']
            self.rounds = [step // UPDATE for step in range(steps)]
        # All that was reported, and the step whose report ends the process.
        self.reports, self.works, self.kill_at = [], [], None

    @property
    def manifests(self):
        """What is selected by now."""
        opened = len(self.selected)
        if self.opens:
            opened = 1 + max((one['step'] // UPDATE for one in self.reports if one['checkpoint']), default=0)
        return {
            round: {'round': round, 'documents': len(ids), 'selectionDigest': f'{round:064}'}
            for round, ids in enumerate(self.selected[:opened])
        }

    def patched(self, monkeypatch):
        """From now on a SelectedStream of any run reads and reports here."""
        world = self

        class Log:
            config, decided, ended, newest = world.config, world.decided, False, 3
            manifests = property(lambda _: world.manifests)

            def follow(self, decisions): ...
            def close(self): ...

            def manifest(self, round, waiting):
                while round not in world.manifests:
                    waiting()
                    time.sleep(0.001)
                return world.manifests[round]

            def awaited(self, get, *_):
                return get()

        class Selections:
            def __init__(*_): ...
            def close(_): ...

            def ids(_, manifest, index, waiting):
                ids = world.selected[manifest['round']]
                while True:
                    yield np.array(ids[index % len(ids) :][:5], dtype=np.uint64)
                    index += len(ids[index % len(ids) :][:5])

        class Reporter:
            def report(self, value):
                if value['step'] == world.kill_at:
                    world.kill_at = None
                    raise Killed
                world.reports.append(value)

            def adopt(self, value):
                return 0

            def book(self, works):
                world.works += works

            def adopted(self, number): ...
            def flush(self): ...
            def close(self): ...

        def pages(ids):
            for text in (self.documents[id] for id in ids.tolist()):
                yield Page(np.array([*text, END], dtype=np.int32), np.array([len(text) + 1]))

        documents = SimpleNamespace(fetched=lambda ids, _: pages(ids), close=lambda: None)
        monkeypatch.setattr(stream, 'RunLog', lambda *_: Log())
        monkeypatch.setattr(stream, 'Tokenizer', lambda *_: SimpleNamespace(digest='t' * 64, end=END))
        monkeypatch.setattr(stream, 'documents_from', lambda *_, **__: documents)
        monkeypatch.setattr(stream, 'Reporter', lambda *_: Reporter())
        monkeypatch.setattr(Connection, 'from_environment', lambda _: NOWHERE)
        monkeypatch.setattr(reading, 'Selections', Selections)

    def streams(self, monkeypatch, ranks):
        self.patched(monkeypatch)
        return [
            SelectedStream(
                'r',
                **{'tokenizer': 'x', 'sequence_length': self.length, 'batch_sequences': self.batch},
                **{'ranks': Ranks(rank, ranks, leader=False), 'tensors': 'numpy', 'uneven': 'weight'},
                **{'prefetch_batches': self.any.randrange(1, 9), 'window_documents': self.any.choice([1, 7, 64])},
            )
            for rank in range(ranks)
        ]

    def expected(self, step):
        """The rows of the step after `step` steps, and the cursor after it."""
        round = self.rounds[step]
        first = (step - self.rounds.index(round)) * self.batch
        targets = self.batch * self.length
        ids, places, document = [], [], 0
        while len(ids) <= first * self.length + targets:
            tokens = self.documents[self.selected[round][document % len(self.selected[round])]] + [END]
            ids += tokens
            places += [(document, token) for token in range(len(tokens))]
            document += 1
        at = first * self.length
        rows = [ids[at + n * self.length : at + (n + 1) * self.length + 1] for n in range(self.batch)]
        next = places[at + targets]
        cursor = {'step': step + 1, 'round': round, 'sequence': first + self.batch, 'document': next[0], 'token': next[1]}
        return rows, cursor | {'documentsRead': next[0] + 1, 'selectionDigest': f'{round:064}'}
