-- The table from before 005 stays, empty: it says that 005 was done, to whoever does it at the same time.
TRUNCATE TABLE IF EXISTS documents_coarse SETTINGS max_table_size_to_drop = 0;

DROP TABLE IF EXISTS documents_fine SYNC SETTINGS max_table_size_to_drop = 0;
