-- What runs' trainers have read, filled from the selected-index streams for who asks (winnow trained): idx is the place in the round's selection,
-- labels are those that the round selected by, in the order of its actors.
CREATE TABLE IF NOT EXISTS exposures (
  run LowCardinality(String),
  round UInt32,
  idx UInt64,
  doc UInt64,
  tokens UInt64,
  labels Array(UInt16)
) ENGINE = ReplacingMergeTree ORDER BY (run, round, idx);

-- Ids on their way there, before tokens and labels are looked up. What is left of an interrupted filling goes after a day.
CREATE TABLE IF NOT EXISTS exposure_ids (
  run LowCardinality(String),
  round UInt32,
  idx UInt64,
  doc UInt64,
  added DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree ORDER BY (run, round, idx) TTL added + INTERVAL 1 DAY;
