"""Texts from the files that were ingested: lines of JSON and rows of Parquet by number, files that are others, pieces as ingest cuts."""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from winnow_trainer.source_files import SourceFiles
from winnow_trainer.source_files.pieces import pieces_of
from winnow_trainer.source_files.rows import JsonLines, Missing, open_rows
from winnow_wire.errors import WinnowError


def fingerprint(data):
    """services/ingest/fingerprint.ts: of the first and the last 64 KiB, which do not overlap."""
    tail = data[max(65536, len(data) - 65536) :]
    return f'{len(data)}:{hashlib.sha256(data[:65536] + tail).hexdigest()}'


class Recorded:
    """In place of the topic of sources."""

    def __init__(self, folder, fields):
        self.records = {
            number: {
                'source': number,
                'name': name,
                'textField': field,
                'fingerprint': fingerprint((folder / name.lstrip('/')).read_bytes()),
            }
            for number, (name, field) in fields.items()
        }

    def of(self, number, waiting):
        return self.records[number]


def doc(source, row, piece=0):
    return source << 40 | piece << 32 | row


def texts_of(opened, *ids):
    return opened.texts(np.array(ids, dtype=np.uint64), lambda: None)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'a').mkdir()
    rows = [json.dumps({'text': f'row {n}', 'meta': {'n': n}}) for n in range(5)]
    lines = ['\ufeff' + rows[0], rows[1] + '\r', '', '  ', json.dumps({'text': 'ship \u2028 \ud800!'}), rows[4]]
    (tmp_path / 'a/lines.jsonl').write_bytes('\n'.join(lines).encode())
    nested = pyarrow.table(
        {
            'data': [{'body': f'body {n}', 'more': n} for n in range(50)],
            'x.y': [f'dotted {n}' for n in range(50)],
            'raw': [f'raw {n}é'.encode() if n % 2 else b'\xff' for n in range(50)],
        }
    )
    pyarrow.parquet.write_table(nested, tmp_path / 'part.parquet', row_group_size=7)
    return tmp_path


FIELDS = {
    1: ('a/lines.jsonl', 'text'),
    2: ('part.parquet', 'data.body'),
    3: ('/part.parquet', 'x.y'),
    2**24 - 1: ('part.parquet', 'raw'),
}


def test_gives_texts_by_source_and_row_in_the_order_of_the_ids_which_may_repeat(folder):
    opened = SourceFiles(folder, Recorded(folder, FIELDS))
    ids = [doc(2, 49), doc(1, 5), doc(3, 8), doc(1, 0), doc(2, 0), doc(1, 4), doc(1, 1), doc(2, 49), doc(2**24 - 1, 31)]
    expected = ['body 49', 'row 4', 'dotted 8', 'row 0', 'body 0', 'ship \u2028 \ufffd!', 'row 1', 'body 49', 'raw 31é']
    assert texts_of(opened, *ids) == expected
    everything = [doc(2, row) for row in range(50)]
    random.Random(1).shuffle(everything)
    assert texts_of(opened, *everything) == [f'body {id & 0xFFFF}' for id in everything]
    opened.close()


@pytest.mark.parametrize(
    ('id', 'row'),
    [(doc(1, 2), 2), (doc(1, 6), 6), (doc(2, 50), 50), (doc(2**24 - 1, 30), 30)],
)
def test_a_row_without_a_text_is_told_by_its_number(folder, id, row):
    opened = SourceFiles(folder, Recorded(folder, FIELDS))
    name, field = FIELDS[id >> 40]
    with pytest.raises(WinnowError, match=f"row {row} of {name} is not there, or has no text under '{field}'") as lost:
        texts_of(opened, id - 1, id)
    assert lost.value.code == 'GUARANTEE_VIOLATED'


def test_a_file_that_is_gone_another_or_compressed_is_refused_saying_what_to_do(folder):
    sources = Recorded(folder, FIELDS)
    path = folder / 'a/lines.jsonl'
    whole = path.read_bytes()
    # What was appended since is no other file.
    path.write_bytes(whole + b'\n{"text": "later"}')
    assert texts_of(SourceFiles(folder, sources), doc(1, 6), doc(1, 5)) == ['later', 'row 4']
    path.write_bytes(whole.replace(b'row 1', b'row 9'))
    with pytest.raises(WinnowError, match='is not the file that was ingested as a/lines.jsonl') as other:
        texts_of(SourceFiles(folder, sources), doc(1, 0))
    assert other.value.code == 'CONFIGURATION' and sources.records[1]['fingerprint'].split(':')[1] in str(other.value)
    path.unlink()
    with pytest.raises(WinnowError, match='the source a/lines.jsonl cannot be read') as gone:
        texts_of(SourceFiles(folder, sources), doc(1, 0))
    assert gone.value.code == 'CONFIGURATION' and 'winnow tail sources' in gone.value.line()
    for begin in (b'\x1f\x8b\x08\x00', b'\x28\xb5\x2f\xfd'):
        path.write_bytes(begin + b'...')
        with pytest.raises(WinnowError, match='is compressed') as packed:
            open_rows(path)
        assert 'winnow-trainer tokens' in packed.value.line()


def test_finds_lines_in_whatever_pieces_a_file_is_scanned_and_in_what_was_appended(tmp_path, monkeypatch):
    from winnow_trainer.source_files import rows as module

    monkeypatch.setattr(module, 'SCAN_BYTES', 11)
    path = tmp_path / 'x'
    path.write_text(''.join(f'{{"text": "{"é" * (n % 30)} {n}"}}\n' for n in range(100)))
    lines = JsonLines(path)
    for row in (3, 0, 99, 57):
        assert lines.texts([row], 'text') == [f'{"é" * (row % 30)} {row}']
    with pytest.raises(Missing):
        lines.texts([100], 'text')
    with path.open('a') as file:
        file.write('{"text": "a"}\n{"text": "b"}')
    assert lines.texts([99, 100, 101], 'text')[1:] == ['a', 'b']


def test_pieces_are_those_of_ingest_and_need_its_limit(tmp_path):
    cases = [json.loads(line) for line in (Path(__file__).parent / 'pieces.jsonl').read_text().splitlines()]
    assert len(cases) == 80
    for case in cases:
        assert pieces_of(case['text'], case['bytesMax']) == case['pieces']
    case = max(cases, key=lambda one: len(one['pieces']))
    (tmp_path / 'x.jsonl').write_text(json.dumps({'text': case['text']}))
    sources = Recorded(tmp_path, {1: ('x.jsonl', 'text')})
    opened = SourceFiles(tmp_path, sources, case['bytesMax'])
    count = len(case['pieces'])
    assert texts_of(opened, *(doc(1, 0, piece) for piece in range(count))) == case['pieces']
    with pytest.raises(WinnowError, match=f'has {count} pieces of {case["bytesMax"]} bytes, and piece {count} was selected'):
        texts_of(opened, doc(1, 0, count))
    with pytest.raises(WinnowError, match='row 0 of x.jsonl was split') as unsaid:
        texts_of(SourceFiles(tmp_path, sources), doc(1, 0, 1))
    assert 'corpus.pieceBytes' in unsaid.value.line()
