-- Keys of documents whose texts are encrypted (docs/erasure.md), wrapped by the master key of an epoch, which is not here. Deleting a row destroys
-- a text, so they are nowhere in the log; losing one does as well, so an insert is on the disk before it is acknowledged.
CREATE TABLE IF NOT EXISTS text_keys (
  doc UInt64,
  name String,
  epoch UInt32,
  wrapped String
) ENGINE = ReplacingMergeTree ORDER BY (doc, name, epoch)
SETTINGS index_granularity = 256, fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 30;
