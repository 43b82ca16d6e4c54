"""Runs of a mode that this trainer does not have are refused before anything is read, and before another trainer is fenced off."""

import json
from pathlib import Path

import pytest
from winnow_trainer import SelectedStream, WinnowError, stream
from winnow_wire.connection import ClickHouseAddress, Connection

TOKENIZER = Path(__file__).parents[4] / 'services/model/shipped/llama-64x2/tokenizer.json'
NOWHERE = Connection({}, 'http://localhost:1', ClickHouseAddress('http://localhost:1'))


@pytest.mark.parametrize('mode', ['ready', {'lag': 3}, {'ready': 5}])
def test_a_run_of_another_mode_is_refused_by_name(mode, monkeypatch):
    closed = []

    class Log:
        def __init__(self, *_):
            self.config = json.loads(json.dumps({'trainer': {'context': 8, 'batch': 2, 'switch': mode}}))

        def close(self):
            closed.append(True)

    monkeypatch.setattr(stream, 'RunLog', Log)
    monkeypatch.setattr(stream, 'Reporter', lambda *_: pytest.fail('it would fence off the trainer of the run'))
    with pytest.raises(WinnowError) as refused:
        SelectedStream('r', tokenizer=TOKENIZER, connection=NOWHERE)
    assert refused.value.code == 'CONFIGURATION'
    assert f'run r has the mode {mode!r}' in str(refused.value)
    assert closed == [True]
