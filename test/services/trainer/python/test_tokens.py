"""Tokens: the rule of services/model/tokenizer.ts, whatever a tokenizer.json says of beginnings, ends, lengths and padding."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from winnow_trainer import tokens as module
from winnow_trainer.tokens import Tokenizer
from winnow_wire.errors import WinnowError

SHIPPED = Path(__file__).parents[4] / 'services/model/shipped/llama-64x2'
TEXTS = ['', 'the ship', 'the ship left harbour at dawn\u2028and sailed past cliffs']


def test_gives_ids_without_marks_uncut_and_unpadded(tmp_path):
    plain = Tokenizer(SHIPPED / 'tokenizer.json')
    assert plain.end == 0
    assert plain.digest == hashlib.sha256((SHIPPED / 'tokenizer.json').read_bytes()).hexdigest()
    expected = [ids.tolist() for ids in plain.encode(TEXTS)]
    assert expected[0] == [] and len(expected[2]) > 8
    mark = {'SpecialToken': {'id': '<|endoftext|>', 'type_id': 0}}
    single = [mark, {'Sequence': {'id': 'A', 'type_id': 0}}, mark]
    marks = {'<|endoftext|>': {'id': '<|endoftext|>', 'ids': [0], 'tokens': ['<|endoftext|>']}}
    post = {'type': 'TemplateProcessing', 'single': single, 'pair': single, 'special_tokens': marks}
    truncation = {'direction': 'Right', 'max_length': 4, 'strategy': 'LongestFirst', 'stride': 0}
    file = tmp_path / 'tokenizer.json'
    file.write_text(
        json.dumps(json.loads((SHIPPED / 'tokenizer.json').read_text()) | {'post_processor': post, 'truncation': truncation})
    )
    assert [ids.tolist() for ids in Tokenizer(file, end=0).encode(TEXTS)] == expected


def test_gives_pages_of_documents_that_are_closed_by_their_ends(monkeypatch):
    tokenizer = Tokenizer(SHIPPED / 'tokenizer.json')
    texts = [f'{n} {TEXTS[n % 3] * n}' if n % 7 else '' for n in range(40)]
    expected = [[*ids.tolist(), 0] for ids in tokenizer.encode(texts)]
    for name, most in (('PAGE_DOCUMENTS', 6), ('PAGE_CHARACTERS', 400)):
        monkeypatch.setattr(module, name, most)
        pages = list(tokenizer.pages(texts))
        assert [ids.tolist() for page in pages for ids in np.split(page.tokens, np.cumsum(page.lengths)[:-1])] == expected
        assert max(len(page.lengths) for page in pages) <= 6
    assert len({len(page.lengths) for page in pages}) > 2
    assert list(tokenizer.pages([])) == []


def test_says_what_is_missing(tmp_path):
    with pytest.raises(WinnowError, match='cannot be used') as unusable:
        Tokenizer(tmp_path / 'tokenizer.json')
    assert unusable.value.code == 'MODEL_UNUSABLE'
    (tmp_path / 'tokenizer.json').write_bytes((SHIPPED / 'tokenizer.json').read_bytes())
    with pytest.raises(WinnowError, match='what ends a document') as unsaid:
        Tokenizer(tmp_path / 'tokenizer.json')
    assert unsaid.value.code == 'CONFIGURATION'
    with pytest.raises(WinnowError, match='no token 4096'):
        Tokenizer(tmp_path / 'tokenizer.json', end=4096)
