-- What a run's trainer read of a round's selection, as a condition on documents (JSON). Recorded after the moves.
CREATE TABLE IF NOT EXISTS read_selections (
  run String,
  round UInt32,
  condition String
) ENGINE = ReplacingMergeTree ORDER BY (run, round);

-- How many documents of each cell that reading has moved from one number of reads to another: what the histogram is made of.
CREATE TABLE IF NOT EXISTS read_moves (
  run String,
  round UInt32,
  labels Array(UInt16),
  readsBefore UInt64,
  readsAfter UInt64,
  documents UInt64,
  tokens UInt64
) ENGINE = ReplacingMergeTree ORDER BY (run, round, labels, readsBefore, readsAfter);
