"""Records to bytes and back, in Confluent's framing: a zero byte, the schema's id as 4 bytes big-endian, the Avro body.

The schemas are the published ones (schemas/published); document ids, unsigned 64-bit, travel as an Avro long of the same bits.
"""

import io
import json
import logging
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import fastavro

from .errors import WinnowError

log = logging.getLogger('winnow.registry')

# Beside this file where the package was installed, else those of the checkout.
BUNDLED = Path(__file__).parent / 'schemas'
PUBLISHED = BUNDLED if BUNDLED.is_dir() else Path(__file__).parents[4] / 'schemas' / 'published'
# A registry that is started again is back within two minutes.
WAITS_SECONDS = [0.5, 1.0, 2.0, 4.0] + [5.0] * 23


class DecodeError(Exception):
    """The bytes are at fault, and will be every time. `reason`: the stable word that dead letters carry."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def published_schema(name: str) -> dict[str, Any]:
    """The newest published version of a record's schema."""
    newest = max(PUBLISHED.glob(f'{name}.v*.avsc'), key=lambda path: int(re.sub(r'\D', '', path.name.removeprefix(name))))
    schema: dict[str, Any] = json.loads(newest.read_text())
    return schema


def document_id(value: int) -> int:
    return value % 2**64


def signed(doc_id: int) -> int:
    return doc_id - 2**64 if doc_id >= 2**63 else doc_id


class Registry:
    """A schema registry with Confluent's interface."""

    def __init__(self, url: str, authorization: str | None = None) -> None:
        self._url = url.rstrip('/')
        self._headers = {'Content-Type': 'application/vnd.schemaregistry.v1+json'}
        if authorization is not None:
            self._headers['Authorization'] = authorization
        # The newest id that it gave.
        self._newest: int | None = None

    def register(self, schema: dict[str, Any]) -> int:
        """Gives the schema's id, the same for the same schema every time."""
        subject = f'{schema["namespace"]}.{schema["name"]}'
        body = json.dumps({'schema': json.dumps(schema), 'schemaType': 'AVRO'}).encode()
        answer: int = self._answered(f'/subjects/{subject}/versions', body)['id']
        self._newest = answer if self._newest is None else max(self._newest, answer)
        return answer

    def schema(self, schema_id: int) -> Any:
        """The schema, or None where the registry has no such id.

        Karapace answers "not found" to every id while it reads its topic after a start, so that is believed only once it knows the newest id
        that it gave: ids are given in the order of the topic.
        """
        path = f'/schemas/ids/{schema_id}'
        found = self._answered(path, missing='none')
        if found is None and self._newest is not None:
            self._answered(f'/schemas/ids/{self._newest}', missing='wait')
            found = self._answered(path, missing='none')
        return None if found is None else json.loads(found['schema'])

    def _answered(self, path: str, body: bytes | None = None, missing: str = 'fail') -> Any:
        request = urllib.request.Request(self._url + path, data=body, headers=self._headers)
        failure: Exception | None = None
        for wait in [*WAITS_SECONDS, None]:
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                if error.code == 404 and missing == 'none':
                    return None
                if error.code < 500 and error.code not in (408, 429) and not (error.code == 404 and missing == 'wait'):
                    text = error.read().decode(errors='replace')[:500]
                    raise WinnowError(
                        'CONFIGURATION',
                        f'The registry answered {error.code} to {path}: {text}',
                        'Check its address; 409 means that the topics were written by a newer winnow.',
                    ) from error
                failure = error
            except OSError as error:
                failure = error
            if wait is not None:
                log.warning('the registry does not answer, trying again: %s', failure)
                time.sleep(wait)
        raise WinnowError(
            'UNREACHABLE',
            f'The schema registry {self._url} does not answer ({failure})',
            'Is it running? WINNOW_REGISTRY_URL or --registry names it.',
            retriable=True,
        )


class Writer:
    """Writes records of one kind."""

    def __init__(self, registry: Registry, name: str) -> None:
        schema = published_schema(name)
        self._header = b'\0' + registry.register(schema).to_bytes(4, 'big')
        self._schema = fastavro.parse_schema(schema)

    def encode(self, value: dict[str, Any]) -> bytes:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self._schema, value)
        return self._header + body.getvalue()


class Reader:
    """Reads records of one kind, in whatever compatible version they were written."""

    def __init__(self, registry: Registry, name: str) -> None:
        self._registry = registry
        self._own = fastavro.parse_schema(published_schema(name))
        self._full_name = f'winnow.{name}'
        self._written: dict[int, Any] = {}

    def value(self, data: bytes | None) -> dict[str, Any]:
        """Raises DecodeError, and WinnowError where the registry is needed and away."""
        if data is None:
            raise DecodeError('bad-framing', 'The record has no value.')
        if len(data) < 5 or data[0] != 0:
            raise DecodeError('bad-framing', 'The value does not begin with a zero byte and a schema id.')
        name, schema = self._schema(int.from_bytes(data[1:5], 'big'))
        body = io.BytesIO(data[5:])
        try:
            value: Any = fastavro.schemaless_reader(body, schema, self._own if name == self._full_name else None)
        except Exception as error:  # whatever damaged bytes make of it
            raise DecodeError('bad-body', f'The bytes are not a {name}: {error}') from error
        if body.read(1):
            raise DecodeError('bad-body', f'Bytes are left over after a {name}.')
        if name != self._full_name:
            raise DecodeError('wrong-record', f'It is a {name}, which is not expected here.')
        read: dict[str, Any] = value
        return read

    def _schema(self, schema_id: int) -> tuple[str, Any]:
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
