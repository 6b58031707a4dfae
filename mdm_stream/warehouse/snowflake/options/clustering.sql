-- Reason: the history comes in the order of time, so the rows of one golden record lie in nearly every micro-partition. Clustered
--   by the beginning of its id, a question about one golden record (its states, its merges, as of a time) reads a few. The whole id
--   has as many values as there are records, which Snowflake advises against; four characters keep its order, so that it still
--   prunes. golden_record is left out: each MERGE rewrites most of it, and it would be clustered again after every batch.
-- Cost: Automatic Clustering runs without a warehouse and is charged by itself, in proportion to what is written: ids are hashes, so
--   each batch touches all of the key's range. Worth it from some hundreds of gigabytes, or many questions about single records.
--   SYSTEM$$ESTIMATE_AUTOMATIC_CLUSTERING_COSTS says how much before you decide; reclustered rows stay in Time Travel too.
-- Rights: OWNERSHIP of the table.
-- Undone: the key is dropped; rows stay where they are.

--! merge
ALTER TABLE golden_history CLUSTER BY (domain, LEFT(golden_id, 4));

--! views
ALTER TABLE golden_event CLUSTER BY (kind, domain, LEFT(golden_id, 4));

--! dynamic
ALTER DYNAMIC TABLE golden_history CLUSTER BY (domain, LEFT(golden_id, 4));

--! remove
ALTER $alter $table DROP CLUSTERING KEY;

--! present
SELECT LOWER(table_name), '' FROM information_schema.tables
WHERE table_schema = CURRENT_SCHEMA() AND clustering_key IS NOT NULL;
