-- Documents that lists take out of selections, or back in (docs/SELECTION.md, "Exclusions"): all records, so that views as of any offsets can tell.
-- Within a document and list the last one before the offsets holds. `record` is the rest of it, as JSON.
CREATE TABLE IF NOT EXISTS exclusions (
  doc UInt64,
  list LowCardinality(String),
  part UInt32,
  at UInt64,
  excluded UInt8,
  record String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree ORDER BY (doc, list, part, at);
