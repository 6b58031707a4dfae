-- Reason: a look-up of one golden id, or of one source record, reads only the micro-partitions that hold it: what an API or a
--   steward's question asks. Only keys are indexed, so no value of a record gets into a search access path.
-- Cost: Enterprise Edition. The path takes some quarter of the table's size, and is kept up to date without a warehouse, charged by
--   itself in proportion to what changes: a MERGE into golden_record rewrites most of it, so on a schema of the merge kind with
--   frequent batches it may cost more than the writer. SYSTEM$$ESTIMATE_SEARCH_OPTIMIZATION_COSTS says how much before you decide.
-- Rights: OWNERSHIP of the tables, ADD SEARCH OPTIMIZATION on the schema.
-- Undone: the search access paths are dropped.

--! merge
ALTER TABLE golden_record ADD SEARCH OPTIMIZATION ON EQUALITY(golden_id);
ALTER TABLE golden_history ADD SEARCH OPTIMIZATION ON EQUALITY(golden_id);
ALTER TABLE evidence_history ADD SEARCH OPTIMIZATION ON EQUALITY(record_id, other_record_id);
ALTER TABLE crosswalk ADD SEARCH OPTIMIZATION ON EQUALITY(record_id, golden_id);

--! views
ALTER TABLE golden_event ADD SEARCH OPTIMIZATION ON EQUALITY(golden_id, record_id);

--! dynamic
ALTER DYNAMIC TABLE golden_record ADD SEARCH OPTIMIZATION ON EQUALITY(golden_id);
ALTER DYNAMIC TABLE golden_history ADD SEARCH OPTIMIZATION ON EQUALITY(golden_id);
ALTER DYNAMIC TABLE evidence_history ADD SEARCH OPTIMIZATION ON EQUALITY(record_id, other_record_id);
ALTER DYNAMIC TABLE crosswalk ADD SEARCH OPTIMIZATION ON EQUALITY(record_id, golden_id);

--! remove
ALTER $alter $table DROP SEARCH OPTIMIZATION;

--! present each
DESCRIBE SEARCH OPTIMIZATION ON $table;
