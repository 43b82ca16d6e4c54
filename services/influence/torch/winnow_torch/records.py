"""Records to bytes and back, in Confluent's framing: a zero byte, the schema's id as 4 bytes big-endian, the Avro body.

The schemas are the published ones of the repository; document ids, unsigned 64-bit, travel as an Avro long of the same bits.
"""

import io
import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import fastavro

from .errors import WorkerError

PUBLISHED = Path(__file__).parents[4] / 'schemas' / 'published'
ATTEMPTS, WAIT_SECONDS = 5, 0.5


class DecodeError(Exception):
    """The bytes are at fault, and will be every time. `reason`: the stable word that dead letters carry."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


def published_schema(name):
    """The newest published version of a record's schema."""
    versions = {int(re.search(r'\.v(\d+)\.avsc$', path.name)[1]): path for path in PUBLISHED.glob(f'{name}.v*.avsc')}
    return json.loads(versions[max(versions)].read_text())


def document_id(value):
    return value % 2**64


def signed(doc_id):
    return doc_id - 2**64 if doc_id >= 2**63 else doc_id


class Registry:
    """A schema registry with Confluent's interface."""

    def __init__(self, url, authorization=None):
        self._url = url.rstrip('/')
        self._headers = {'Content-Type': 'application/vnd.schemaregistry.v1+json'}
        if authorization is not None:
            self._headers['Authorization'] = authorization

    def register(self, schema):
        """Gives the schema's id, the same for the same schema every time."""
        subject = f'{schema["namespace"]}.{schema["name"]}'
        body = json.dumps({'schema': json.dumps(schema), 'schemaType': 'AVRO'}).encode()
        return self._call(f'/subjects/{subject}/versions', body)['id']

    def schema(self, schema_id):
        """The schema, or None where the registry has no such id."""
        found = self._call(f'/schemas/ids/{schema_id}', missing_ok=True)
        return None if found is None else json.loads(found['schema'])

    def _call(self, path, body=None, missing_ok=False):
        request = urllib.request.Request(self._url + path, data=body, headers=self._headers)
        for attempt in range(ATTEMPTS):
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                if error.code == 404 and missing_ok:
                    return None
                if error.code < 500 and error.code not in (408, 429):
                    text = error.read().decode(errors='replace')[:500]
                    raise WorkerError(
                        'CONFIGURATION',
                        f'The registry answered {error.code} to {path}: {text}',
                        'Check its address; 409 means that the topics were written by a newer winnow.',
                    ) from error
                failure = error
            except OSError as error:
                failure = error
            if attempt + 1 < ATTEMPTS:
                time.sleep(WAIT_SECONDS * 2**attempt)
        raise WorkerError(
            'UNREACHABLE',
            f'The schema registry {self._url} does not answer ({failure})',
            'Is it running? WINNOW_REGISTRY_URL or --registry names it.',
            retriable=True,
        )


class Writer:
    """Writes records of one kind."""

    def __init__(self, registry, name):
        schema = published_schema(name)
        self._header = b'\0' + registry.register(schema).to_bytes(4, 'big')
        self._schema = fastavro.parse_schema(schema)

    def bytes(self, value):
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self._schema, value)
        return self._header + body.getvalue()


class Reader:
    """Reads records of one kind, in whatever compatible version they were written."""

    def __init__(self, registry, name):
        self._registry = registry
        self._own = fastavro.parse_schema(published_schema(name))
        self._full_name = f'winnow.{name}'
        self._written = {}

    def value(self, data):
        """Raises DecodeError, and WorkerError where the registry is needed and away."""
        if data is None:
            raise DecodeError('bad-framing', 'The record has no value.')
        if len(data) < 5 or data[0] != 0:
            raise DecodeError('bad-framing', 'The value does not begin with a zero byte and a schema id.')
        name, schema = self._schema(int.from_bytes(data[1:5], 'big'))
        body = io.BytesIO(data[5:])
        try:
            value = fastavro.schemaless_reader(body, schema, self._own if name == self._full_name else None)
        except Exception as error:  # whatever damaged bytes make of it
            raise DecodeError('bad-body', f'The bytes are not a {name}: {error}') from error
        if body.read(1):
            raise DecodeError('bad-body', f'Bytes are left over after a {name}.')
        if name != self._full_name:
            raise DecodeError('wrong-record', f'It is a {name}, which is not expected here.')
        return value

    def _schema(self, schema_id):
        """Full name and schema of one of winnow's records."""
        if schema_id not in self._written:
            schema = self._registry.schema(schema_id)
            if schema is None:
                # Not remembered: it may be on its way from another registry.
                raise DecodeError('unknown-schema', f'Schema {schema_id} cannot be read: the registry has no schema of that id.')
            self._written[schema_id] = schema
        schema = self._written[schema_id]
        name = schema.get('name') if isinstance(schema, dict) else None
        full_name = f'{schema["namespace"]}.{name}' if name and 'namespace' in schema else name
        if name is None or full_name != f'winnow.{name}' or not any(PUBLISHED.glob(f'{name}.v*.avsc')):
            raise DecodeError('wrong-record', f'Schema {schema_id} is of {full_name}, which is not expected here.')
        return full_name, fastavro.parse_schema(schema)
