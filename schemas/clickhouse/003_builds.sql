-- Steps of states that are still being built: each holds what its parent holds and the documents up to `through` by id (null: none yet). `done` and
-- `total` count rows of `corpus` that were and are to be looked at. A build that was cut off goes on after its last step.
CREATE TABLE IF NOT EXISTS draw_builds (
  draw String,
  state UInt32,
  parent UInt32,
  offsets String,
  documents UInt64,
  through Nullable(UInt64),
  done UInt64,
  total UInt64
) ENGINE = ReplacingMergeTree ORDER BY (draw, state);

-- Documents and tokens of each cell that came with a state or step, summed as they are inserted into draw_<draw>.
CREATE TABLE IF NOT EXISTS draw_cells (
  draw String,
  state UInt32,
  labels Array(UInt16),
  documents UInt64,
  tokens UInt64
) ENGINE = SummingMergeTree ORDER BY (draw, state, labels);

DROP TABLE IF EXISTS draw_counts;
