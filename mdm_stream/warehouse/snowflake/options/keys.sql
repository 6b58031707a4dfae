-- Reason: tools that read a schema (BI, data catalogues, ER diagrams) learn what a row is from its primary key, and with RELY
--   the optimiser leaves out joins and DISTINCT that a unique key makes needless.
-- Cost: none to keep; Snowflake checks nothing. RELY is a promise: where two rows had one key, queries would be answered
--   wrongly. It holds because every write is a guarded MERGE on this key, and applying counts the keys first and refuses a
--   table with a key twice.
-- Rights: OWNERSHIP of the tables, which the role that migrated them has.
-- Undone: the constraints are dropped; nothing else changes.
-- Not for append: golden_event has a row for each delivery of a message, so it has no key, and neither views nor dynamic
--   tables take a constraint of one.

--! merge
ALTER TABLE golden_record ADD CONSTRAINT golden_record_key PRIMARY KEY (domain, golden_id) RELY;
ALTER TABLE crosswalk ADD CONSTRAINT crosswalk_key PRIMARY KEY (domain, source, record_id) RELY;
ALTER TABLE golden_history ADD CONSTRAINT golden_history_key PRIMARY KEY (domain, epoch, sequence) RELY;
ALTER TABLE erased_record ADD CONSTRAINT erased_record_key PRIMARY KEY (domain, source, record_id) RELY;
ALTER TABLE quarantined_event ADD CONSTRAINT quarantined_event_key PRIMARY KEY (quarantine_id) RELY;
ALTER TABLE file_loads ADD CONSTRAINT file_loads_key PRIMARY KEY (load_id) RELY;

--! remove
ALTER TABLE $table DROP PRIMARY KEY;

--! present
SELECT LOWER(table_name), '' FROM information_schema.table_constraints
WHERE table_schema = CURRENT_SCHEMA() AND constraint_type = 'PRIMARY KEY';
