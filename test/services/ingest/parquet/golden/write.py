"""Writes the golden Parquet files beside it with pyarrow 26.0.1, and their rows as JSON lines, by Python's own json.

Run by hand: python test/services/ingest/parquet/golden/write.py
"""

import base64
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent

SCHEMA = pa.schema(
    [
        ('text', pa.string()),
        ('meta', pa.struct([('redpajama_set_name', pa.string()), ('depth', pa.struct([('level', pa.int32())]))])),
        ('tags', pa.list_(pa.string())),
        ('spans', pa.list_(pa.struct([('from', pa.int64()), ('to', pa.int64())]))),
        ('counts', pa.map_(pa.string(), pa.int64())),
        ('id', pa.int64()),
        ('hash', pa.uint64()),
        ('small', pa.int8()),
        ('score', pa.float64()),
        ('good', pa.bool_()),
        ('at', pa.timestamp('us', tz='UTC')),
        ('at_nanoseconds', pa.timestamp('ns', tz='UTC')),
        ('day', pa.date32()),
        ('bytes', pa.binary()),
        ('nothing', pa.null()),
    ]
)


def row(number: int) -> dict[str, Any]:
    """A row of made-up words; every fourth one is null wherever it may be."""
    empty = number % 4 == 3
    words = ['a kettle sang of rain', 'über 20 €, said the miller', 'seven lamps, no oil', '\U0001f980 sideways home\n']
    return {
        'text': f'{number}: {words[number % 4]} ' + 'and so on ' * (number * 7),
        'meta': None if empty else {'redpajama_set_name': 'RedPajamaBook', 'depth': {'level': number}},
        'tags': None if empty else [f'tag {number % 2}', None, ''][: number % 4],
        'spans': None if empty else [{'from': 2**60 + number, 'to': None}] * (number % 3),
        'counts': None if empty else [('words', number), ('2^62', 2**62 + 1)],
        'id': None if empty else -(2**63) + number,
        'hash': None if empty else 2**64 - 1 - number,
        'small': None if empty else -number,
        'score': None if empty else number / 8,
        'good': None if empty else number % 2 == 0,
        'at': None if empty else datetime(1969, 12, 31, 23, 59, 59, 123456 + number, UTC),
        'at_nanoseconds': None if empty else 1_700_000_000_123_456_789 + number,
        'day': None if empty else date(2026, 11, 1 + number),
        'bytes': None if empty else [b'plain', b'\xff\x00\xfe'][number % 2],
        'nothing': None,
    }


def as_json(column: str, value: Any) -> Any:
    """The documented form of a value in JSON."""
    if column == 'at' and value is not None:
        return value.strftime('%Y-%m-%dT%H:%M:%S.%fZ')
    if column == 'at_nanoseconds' and value is not None:
        seconds, nanoseconds = divmod(value, 10**9)
        return datetime.fromtimestamp(seconds, UTC).strftime('%Y-%m-%dT%H:%M:%S') + f'.{nanoseconds:09}Z'
    if column == 'day' and value is not None:
        return value.isoformat()
    if column == 'counts' and value is not None:
        return dict(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {'base64': base64.b64encode(value).decode()}
    return value


def main() -> None:
    rows = [row(number) for number in range(11)]
    rows[4]['text'] = None
    rows[5]['text'] = ' \n'
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    pq.write_table(
        table,
        HERE / 'zstd.parquet',
        compression='zstd',
        row_group_size=4,
        use_dictionary=True,
        write_page_checksum=True,
    )
    codecs = ['snappy', 'gzip', 'brotli', 'lz4', 'none']
    pq.write_table(
        table,
        HERE / 'codecs.parquet',
        row_group_size=6,
        data_page_version='2.0',
        use_dictionary=['meta.redpajama_set_name'],
        column_encoding={'text': 'DELTA_BYTE_ARRAY', 'id': 'DELTA_BINARY_PACKED', 'score': 'BYTE_STREAM_SPLIT'},
        compression={name: codecs[index % 5] for index, name in enumerate(column_paths(table))},
    )
    lines = [json.dumps({name: as_json(name, value) for name, value in one.items()}, ensure_ascii=False) for one in rows]
    (HERE / 'rows.jsonl').write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')


def column_paths(table: pa.Table) -> list[str]:
    """The names of the leaf columns, as Parquet has them."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    schema = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [schema.column(index).path for index in range(len(schema))]


if __name__ == '__main__':
    main()
