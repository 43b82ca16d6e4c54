-- Sketches of documents (docs/SELECTION.md, "Near duplicates"): all records, so that views as of any offsets can tell.
CREATE TABLE IF NOT EXISTS sketches (
  version LowCardinality(String),
  doc UInt64,
  part UInt32,
  at UInt64,
  keys Array(UInt64)
) ENGINE = ReplacingMergeTree ORDER BY (version, doc, part, at);

-- The same by key: documents that share one stand side by side.
CREATE TABLE IF NOT EXISTS sketch_keys (
  version LowCardinality(String),
  key UInt64,
  doc UInt64,
  part UInt32,
  at UInt64
) ENGINE = ReplacingMergeTree ORDER BY (version, key, doc, part, at);

CREATE MATERIALIZED VIEW IF NOT EXISTS sketch_keys_of TO sketch_keys AS
SELECT version, arrayJoin(keys) AS key, doc, part, at FROM sketches;

-- Of views: how many documents of smaller ids the fullest crowd of a document has, where that is not 0. `attempt` is a number of the attempt that
-- has looked: what a kill leaves behind is never read. A view uses those of the last day, and they are made again after that.
CREATE TABLE IF NOT EXISTS duplicate_ranks (
  attempt UInt64,
  doc UInt64,
  rank UInt32,
  made DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree ORDER BY (attempt, doc) TTL made + INTERVAL 3 DAY;

-- Attempts whose ranks are all there, by what they are of.
CREATE TABLE IF NOT EXISTS duplicate_states (
  state String,
  attempt UInt64,
  made DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree ORDER BY (state, attempt) TTL made + INTERVAL 3 DAY;
