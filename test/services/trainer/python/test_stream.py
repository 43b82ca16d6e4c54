"""The stream on any number of ranks, resumed anywhere, over rounds of every mode: random cases against a plain list of all tokens."""

import json
import random
from types import SimpleNamespace

import numpy as np
import pytest
from winnow_trainer import Ranks, SelectedStream, WinnowError, reading, stream
from winnow_trainer.packing import Page
from winnow_wire.connection import ClickHouseAddress, Connection

NOWHERE = Connection({}, 'http://localhost:1', ClickHouseAddress('http://localhost:1'))
END, UPDATE, STEPS = 0, 4, 14


class World:
    """A run whose documents, selections and decisions are lists."""

    def __init__(self, seed):
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
        self.config = {'updateSteps': UPDATE, 'steps': STEPS, 'trainer': {'switch': mode, 'reportSteps': 1}}
        self.manifests = {
            round: {'round': round, 'documents': len(ids), 'selectionDigest': f'{round:064}'}
            for round, ids in enumerate(self.selected)
        }

    def streams(self, monkeypatch, ranks):
        log = SimpleNamespace(
            **{'config': self.config, 'manifests': self.manifests, 'decided': self.decided},
            **{'follow': lambda decisions: None, 'manifest': lambda round, _: self.manifests[round], 'close': lambda: None},
            awaited=lambda get, *_: get(),
        )

        class Selections:
            def __init__(*_): ...
            def close(_): ...

            def ids(_, manifest, index, waiting):
                ids = self.selected[manifest['round']]
                while True:
                    yield np.array(ids[index % len(ids) :][:5], dtype=np.uint64)
                    index += len(ids[index % len(ids) :][:5])

        texts = SimpleNamespace(texts=lambda ids, _: [self.documents[id] for id in ids.tolist()], close=lambda: None)

        def pages(texts):
            for text in texts:
                yield Page(np.array([*text, END], dtype=np.int32), np.array([len(text) + 1]))

        tokenizer = SimpleNamespace(digest='t' * 64, end=END, pages=pages)
        monkeypatch.setattr(stream, 'RunLog', lambda *_: log)
        monkeypatch.setattr(stream, 'Tokenizer', lambda *_: tokenizer)
        monkeypatch.setattr(reading, 'Selections', Selections)
        common = {
            'tokenizer': 'x',
            'sequence_length': self.length,
            'batch_sequences': self.batch,
            'connection': NOWHERE,
            'texts': texts,
        }
        return [
            SelectedStream(
                'r',
                **common,
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


@pytest.mark.parametrize('seed', range(12))
def test_the_cursor_is_small_equal_on_all_ranks_and_says_what_the_loop_has_received(seed, monkeypatch):
    world = World(seed)
    states, step = {}, 0
    for life in range(6):
        if states and (life == 5 or world.any.random() < 0.5):
            # Back to any checkpoint; the last life goes to the end.
            step = world.any.choice(list(states))
        streams = world.streams(monkeypatch, world.any.randrange(1, 5))
        for one in streams:
            if states:
                for _ in range(world.any.randrange(1, 3)):
                    one.load_state_dict(json.loads(json.dumps(states[step])) if step else one.state_dict())
        until = STEPS if life == 5 else min(STEPS, step + world.any.randrange(1, 6))
        while step < until:
            parts = [next(one) for one in streams]
            rows, cursor = world.expected(step)
            inputs, last = (np.concatenate([part[name] for part in parts]) for name in ('input_ids', 'labels'))
            assert np.concatenate([inputs, last[:, -1:]], 1).tolist() == rows
            assert sum(part['weight'] for part in parts) == pytest.approx(len(streams))
            step += 1
            cursors = [one.state_dict() for one in streams]
            assert all(one == cursors[0] for one in cursors)
            assert cursors[0] | cursor == cursors[0]
            assert len(json.dumps(cursors[0]).encode()) < 1024
            states[step] = cursors[0]
        if step == STEPS:
            for one in streams:
                for _ in range(2):
                    with pytest.raises(StopIteration):
                        next(one)
        for one in streams:
            one.close()


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'round': 9}, r'round 9 of the cursor was never selected by run r; selected were \[0, 1, 2, 3\]'),
        (
            {'round': 3, 'selectionDigest': f'{3:064}'},
            'the cursor of step 6 is of round 3, and the run trained that step on round',
        ),
        ({'selectionDigest': 'f' * 64}, "is 'ffff.*' in the cursor and '0000.*' here"),
        ({'sequence': 999}, r'sequence is 999 in the cursor of step 6 and \d+ here'),
        ({'sequenceLength': 77}, r'sequenceLength is 77 in the cursor and \d+ here'),
    ],
)
@pytest.mark.parametrize('seed', [0, 1])
def test_a_place_where_the_run_never_was_is_refused_with_both_values(seed, change, words, monkeypatch):
    world = World(seed)
    (one,) = world.streams(monkeypatch, 1)
    for _ in range(6):
        next(one)
    state = one.state_dict()
    with pytest.raises(WinnowError, match=words) as refused:
        one.load_state_dict(state | change)
    assert refused.value.code == 'POSITION_REFUSED'
    # It goes on where it was.
    rows, _ = world.expected(6)
    assert next(one)['input_ids'].tolist() == [row[:-1] for row in rows]
    one.close()


@pytest.mark.parametrize(('ranks', 'uneven', 'sequences'), [(3, 'refuse', 8), (9, 'weight', 8)])
def test_a_batch_that_ranks_cannot_share_is_refused_with_both_numbers(ranks, uneven, sequences, monkeypatch):
    World(0).streams(monkeypatch, 1)[0].close()
    with pytest.raises(WinnowError, match=f'{ranks} ranks cannot share batches of {sequences} sequences') as refused:
        SelectedStream(
            'r',
            sequence_length=4,
            batch_sequences=sequences,
            ranks=Ranks(0, ranks),
            uneven=uneven,
            tokenizer='x',
            connection=NOWHERE,
        )
    assert refused.value.code == 'USAGE'
