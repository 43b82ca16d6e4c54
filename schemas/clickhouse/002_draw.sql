-- States of the corpus, each as of label offsets, for one set of actors and labeler versions (`draw`). A state is what its parent holds and the
-- documents that came between the two; those stand in the table draw_<draw>, sorted by cell and place, marked by the state's number. Recorded
-- once all of that is there: what a kill leaves behind without a record is made again.
CREATE TABLE IF NOT EXISTS draw_states (
  draw String,
  state UInt32,
  parent UInt32,
  offsets String,
  documents UInt64
) ENGINE = ReplacingMergeTree ORDER BY (draw, state);

-- Documents and tokens of each cell that came with a state.
CREATE TABLE IF NOT EXISTS draw_counts (
  draw String,
  state UInt32,
  labels Array(UInt16),
  documents UInt64,
  tokens UInt64
) ENGINE = ReplacingMergeTree ORDER BY (draw, state, labels);
