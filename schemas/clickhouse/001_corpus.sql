-- Texts, to be shown and read. A document may be inserted any number of times.
CREATE TABLE IF NOT EXISTS documents (
  doc UInt64,
  text String CODEC(ZSTD(3)),
  meta String CODEC(ZSTD(3)),
  tokens UInt64
) ENGINE = ReplacingMergeTree ORDER BY doc;

-- One row per document: its cell. Each insert brings the document's own columns or one actor's, and rows of a document are merged:
-- repeats and any order of inserts give the same row. The columns of an actor are added when its labeler's version is first seen
-- (label_<actor>_<version> its subcategory, score_..., at_... the offset of its record); the lowest offset of repeats counts.
CREATE TABLE IF NOT EXISTS corpus (
  doc UInt64,
  part SimpleAggregateFunction(max, UInt32),
  tokens SimpleAggregateFunction(max, UInt64),
  at_document SimpleAggregateFunction(min, Nullable(UInt64))
) ENGINE = AggregatingMergeTree ORDER BY doc;

-- How far the label sink has inserted each partition: the offsets that "as of" views start from.
CREATE TABLE IF NOT EXISTS sink_offsets (
  topic String,
  partition UInt32,
  offsetNext UInt64
) ENGINE = ReplacingMergeTree(offsetNext) ORDER BY (topic, partition);

-- How often a run's trainer read each document of each round's selection.
CREATE TABLE IF NOT EXISTS reads (
  run String,
  round UInt32,
  doc UInt64,
  times UInt64
) ENGINE = ReplacingMergeTree ORDER BY (run, doc, round);
