"""The stream on any number of ranks, resumed anywhere, over rounds of every mode: random cases against a plain list of all tokens."""

import json

import numpy as np
import pytest
from winnow_trainer import Ranks, SelectedStream, WinnowError
from world import NOWHERE, STEPS, World


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
