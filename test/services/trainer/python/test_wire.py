"""Records byte for byte, addresses and logins."""

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fastavro
import pytest
from winnow_trainer.selection import offset_of
from winnow_trainer.texts import rows_of
from winnow_wire import records
from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import PUBLISHED, Registry, published_schema

GOLDEN = json.loads((Path(__file__).parents[4] / 'schemas/published/golden.json').read_text())
ADDRESSES = {'WINNOW_BROKERS': 'b:9092', 'WINNOW_REGISTRY_URL': 'http://r:8081', 'WINNOW_CLICKHOUSE_URL': 'http://c:8123'}


def meant(value):
    """A value of golden.json as Avro has it."""
    if isinstance(value, dict) and set(value) == {'$u64'}:
        unsigned = int(value['$u64'])
        return unsigned - 2**64 if unsigned >= 2**63 else unsigned
    if isinstance(value, dict) and set(value) == {'$bytes'}:
        return bytes.fromhex(value['$bytes'])
    if isinstance(value, dict) and set(value) == {'$number'}:
        return float(value['$number'])
    if isinstance(value, dict):
        return {key: meant(one) for key, one in value.items()}
    return [meant(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize('name', ['Run', 'Manifest', 'SelectionChunk', 'Progress'])
def test_reads_and_writes_every_published_version_of_what_trainers_use(name):
    versions = [version for version in GOLDEN if version.startswith(f'{name}.v')]
    assert versions
    for version in versions:
        schema = fastavro.parse_schema(json.loads((PUBLISHED / f'{version}.avsc').read_text()))
        for case in GOLDEN[version]:
            body = bytes.fromhex(case['body'])
            written = io.BytesIO()
            fastavro.schemaless_writer(written, schema, meant(case['value']))
            assert written.getvalue() == body
            read = fastavro.schemaless_reader(io.BytesIO(body), schema, None)
            newest = fastavro.schemaless_reader(io.BytesIO(body), schema, fastavro.parse_schema(published_schema(name)))
            # NaN differs from itself, its name does not.
            assert repr({key: newest[key] for key in read}) == repr(read)


def test_finds_chunks_in_parts_of_a_selection_and_in_those_of_older_manifests():
    parts = [{'chunkFirst': 0, 'offsetFirst': 7}, {'chunkFirst': 5, 'offsetFirst': 13}]
    assert [offset_of({'parts': parts}, chunk) for chunk in (0, 4, 5, 9)] == [7, 11, 13, 17]
    assert offset_of({'parts': [], 'chunkOffsetFirst': 3}, 4) == 7


def test_reads_rows_of_clickhouse():
    texts = {0: '', 2**64 - 1: 'ä' * 100, 5: 'x' * 70_000}
    data = b''
    for doc, text in texts.items():
        length, body = len(text.encode()), text.encode()
        data += doc.to_bytes(8, 'little')
        while length > 127:
            data, length = data + bytes([length % 128 + 128]), length // 128
        data += bytes([length]) + body
    assert rows_of(data) == texts


def test_takes_addresses_and_logins_of_the_environment_and_shows_no_secret(tmp_path):
    (tmp_path / 'password').write_text('geheim\n')
    connection = Connection.from_environment(
        ADDRESSES
        | {
            'WINNOW_CLICKHOUSE_URL': 'https://user:p%40ss@c:8443/?database=corpus',
            'WINNOW_KAFKA_TLS': 'true',
            'WINNOW_KAFKA_SASL': 'scram-sha-256',
            'WINNOW_KAFKA_USERNAME': 'trainer',
            'WINNOW_KAFKA_PASSWORD_FILE': str(tmp_path / 'password'),
            'WINNOW_REGISTRY_USERNAME': 'reader',
            'WINNOW_REGISTRY_PASSWORD': 'geheim',
        }
    )
    assert connection.kafka['security.protocol'] == 'SASL_SSL'
    assert connection.kafka['sasl.password'] == 'geheim'
    assert connection.clickhouse.url == 'https://c:8443/?database=corpus'
    assert connection.clickhouse.authorization == 'Basic dXNlcjpwQHNz'
    assert 'geheim' not in repr(connection) and 'p@ss' not in repr(connection) and 'dXNl' not in repr(connection)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'WINNOW_BROKERS': ''}, 'WINNOW_BROKERS is not set'),
        ({'WINNOW_CLICKHOUSE_URL': 'chdb:/data'}, 'cannot be reached from another process'),
        ({'WINNOW_KAFKA_SASL': 'oauthbearer'}, 'cannot log in by oauthbearer'),
        ({'WINNOW_KAFKA_SASL': 'plain'}, 'WINNOW_KAFKA_USERNAME is not'),
        ({'WINNOW_CLICKHOUSE_USERNAME': 'u', 'WINNOW_CLICKHOUSE_PASSWORD_FILE': '/nowhere'}, 'cannot be read'),
    ],
)
def test_says_what_is_missing(change, words):
    with pytest.raises(WinnowError, match=words) as refused:
        Connection.from_environment(ADDRESSES | change)
    assert refused.value.exit_code == 3


@pytest.fixture
def starting():
    """A registry that gave id 9, and knows no id until it has been asked as often as `after` says; then 4 and 9."""

    class Handler(BaseHTTPRequestHandler):
        asked: list[str] = []
        after = 0

        def answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers['Content-Length']))
            self.answer(200, {'id': 9})

        def do_GET(self):
            self.asked.append(self.path)
            schema_id = int(self.path.rsplit('/', 1)[1])
            if schema_id in (4, 9) and len(self.asked) > self.after:
                self.answer(200, {'schema': json.dumps({'id': schema_id})})
            else:
                self.answer(404, {'error_code': 40403, 'message': 'Schema not found'})

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    registry = Registry(f'http://127.0.0.1:{server.server_port}')
    registry.register(published_schema('Run'))
    yield registry, Handler
    server.shutdown()
    server.server_close()


def test_an_id_that_the_registry_lacks_while_it_reads_its_storage_is_waited_for(starting, monkeypatch):
    registry, handler = starting
    monkeypatch.setattr(records, 'WAITS_SECONDS', [0.0, 0.0])
    assert registry.schema(5) is None
    handler.asked.clear()
    handler.after = 3
    assert registry.schema(4) == {'id': 4}
    assert [path.rsplit('/', 1)[1] for path in handler.asked] == ['4', '9', '9', '9', '4']
    handler.after = 1000
    with pytest.raises(WinnowError) as refused:
        registry.schema(4)
    assert refused.value.code == 'UNREACHABLE'
