"""The trainer to copy, docs/examples/trainer.py, where texts are encrypted."""

import io
import json
import sys
from pathlib import Path

import pytest
from sealed_world import SEALED

pytest.importorskip('authlib', reason='confluent-kafka[avro,schemaregistry] is what the example is on')
sys.path.append(str(Path(__file__).parents[4] / 'docs' / 'examples'))


def test_it_refuses_an_encrypted_text_by_name_and_gives_others_in_order(monkeypatch):
    import trainer

    rows = {1: 'one', 2: 'two', 5: SEALED[5]}

    def answered(query):
        wanted = query.partition(' IN (')[2].partition(')')[0].split(',')
        # In another order.
        return io.BytesIO('\n'.join(json.dumps({'doc': doc, 'text': rows[int(doc)]}) for doc in reversed(wanted)).encode())

    run = object.__new__(trainer.Run)
    run._ask = lambda data: data.decode()
    monkeypatch.setattr(trainer.urllib.request, 'urlopen', answered)
    assert run.texts([2, 1]) == ['two', 'one']
    with pytest.raises(RuntimeError, match='the text of document 5 is encrypted'):
        run.texts([2, 5])
