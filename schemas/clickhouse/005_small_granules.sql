-- Texts are read by id, and a read unpacks whole granules: with ClickHouse's own size of them, 8,192 rows, eleven times as much processor time
-- (docs/BENCHMARKS.md). The size is of a table, so there is a new one, of the same data files until merges write them anew. A cluster keeps its tables.
-- unless: SELECT 1 FROM system.tables WHERE database = currentDatabase() AND (name = 'documents_coarse' OR (name = 'documents' AND engine = 'Distributed'))
CREATE TABLE IF NOT EXISTS documents_fine (
  doc UInt64,
  text String CODEC(ZSTD(3)),
  meta String CODEC(ZSTD(3)),
  tokens UInt64
) ENGINE = ReplacingMergeTree ORDER BY doc SETTINGS index_granularity = 64, min_compress_block_size = 16384;

ALTER TABLE documents_fine ATTACH PARTITION ID 'all' FROM documents;

RENAME TABLE documents TO documents_coarse, documents_fine TO documents;
