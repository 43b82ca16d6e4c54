"""The example with Grain: batches by process, and its iterator's own state."""

import json

import pytest

pytest.importorskip('grain')

import numpy as np  # noqa: E402
from adapters_world import example  # noqa: E402
from test_megatron import expected_of, opened  # noqa: E402
from world import STEPS, World  # noqa: E402

program = example('with_grain')


def test_grain_goes_on_at_the_token_by_its_iterators_own_state(monkeypatch):
    world = World(4)
    world.batch = 8
    expected = np.array(expected_of(world))[:, :-1].reshape(STEPS, 8, -1)
    for process in range(2):
        iterator = program.batches(opened(world, monkeypatch), process, 2, 2)
        states, given = [iterator.get_state()], []
        for batch in iterator:
            given.append(batch['tokens'])
            states.append(iterator.get_state())
        # Two batches of two of this process a step.
        mine = expected[:, 4 * process : 4 * process + 4]
        assert np.array_equal(np.concatenate(given), mine.reshape(4 * STEPS, -1))
        for at in (1, 6, 13, 2 * STEPS):
            state = json.loads(json.dumps(states[at]))
            again = [batch['tokens'] for batch in program.batches(opened(world, monkeypatch), process, 2, 2, state)]
            assert len(again) == 2 * STEPS - at and all(map(np.array_equal, again, given[at:]))
