-- What a local server cannot show, to be run on a real account: Time Travel, dynamic tables, locks, grants, query tags, cost.
--
-- It was not run on an account by those who wrote it: sqlglot's Snowflake dialect parses each statement (tests/warehouse/snowflake/
-- test_snowflake_sql.py), and that is all. Run it as the migration role, in a schema of its own that holds nothing else (a worksheet, or
-- `snow sql -f`). It makes objects whose names begin with MDM_CHECK, and drops them at the end. What each step should show stands before it.

USE SCHEMA mdm.golden_check;

-- 1. Retention is what was asked for: IS_TRANSIENT YES, RETENTION_TIME 1. The account's minimum, if it is greater, counts in its place.
CREATE OR REPLACE TRANSIENT TABLE mdm_check_event (domain VARCHAR, golden_id VARCHAR, epoch NUMBER(19, 0), sequence NUMBER(19, 0), payload VARIANT)
    DATA_RETENTION_TIME_IN_DAYS = 1 DEFAULT_DDL_COLLATION = '';
SELECT table_name, is_transient, retention_time FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA();
SHOW PARAMETERS LIKE 'MIN_DATA_RETENTION_TIME_IN_DAYS' IN ACCOUNT;

-- 2. Time Travel can be read: the last statement returns 'Jane', although the table holds her no more.
INSERT INTO mdm_check_event SELECT 'person', 'g1', 1, 1, PARSE_JSON('{"name": "Jane"}');
CALL SYSTEM$WAIT(5);
UPDATE mdm_check_event SET payload = PARSE_JSON('{"name": null}') WHERE sequence = 1;
SELECT payload['name'] FROM mdm_check_event;
SELECT payload['name'] FROM mdm_check_event BEFORE (STATEMENT => LAST_QUERY_ID(-2));

-- 3. The fold by a dynamic table is incremental (REFRESH_MODE INCREMENTAL), and its refreshes end within the lag. Wait three minutes before the last.
CREATE OR REPLACE DYNAMIC TABLE mdm_check_golden TARGET_LAG = '1 minute' WAREHOUSE = mdm_load REFRESH_MODE = INCREMENTAL AS
    SELECT domain, golden_id, epoch, sequence, payload FROM mdm_check_event
    QUALIFY ROW_NUMBER() OVER (PARTITION BY domain, golden_id ORDER BY epoch DESC, sequence DESC) = 1;
INSERT INTO mdm_check_event SELECT 'person', 'g1', 1, 2, PARSE_JSON('{"name": "Joan"}');
SHOW DYNAMIC TABLES LIKE 'MDM_CHECK_GOLDEN';
SELECT name, state, refresh_action, refresh_start_time, refresh_end_time, statistics
FROM TABLE(information_schema.dynamic_table_refresh_history(name => 'MDM_CHECK_GOLDEN'));

-- 4. A statement that waits for a lock ends with 000625 or its kind after LOCK_TIMEOUT. In a second session run meanwhile:
--      BEGIN; UPDATE mdm_check_event SET epoch = 1 WHERE sequence = 1;   -- and leave it open
ALTER SESSION SET LOCK_TIMEOUT = 10;
UPDATE mdm_check_event SET epoch = 1 WHERE sequence = 1;
SHOW LOCKS;

-- 5. A view that is replaced keeps its grants: both SHOW GRANTS list SELECT for MDM_READER.
CREATE OR REPLACE VIEW mdm_check_view COPY GRANTS AS SELECT domain, golden_id FROM mdm_check_event;
GRANT SELECT ON VIEW mdm_check_view TO ROLE mdm_reader;
SHOW GRANTS ON VIEW mdm_check_view;
CREATE OR REPLACE VIEW mdm_check_view COPY GRANTS AS SELECT domain, golden_id, epoch FROM mdm_check_event;
SHOW GRANTS ON VIEW mdm_check_view;

-- 6. The writer creates nothing but temporary tables: as MDM_WRITER the first succeeds, and the second fails with 003001.
--      CREATE TEMPORARY TABLE mdm_check_staged (line VARIANT) DATA_RETENTION_TIME_IN_DAYS = 0;
--      CREATE TABLE mdm_check_refused (line VARIANT);

-- 7. Statements of the consumer carry their batch, and no value: service, domain and batch in QUERY_TAG.
SELECT PARSE_JSON(query_tag)['batch']::VARCHAR AS batch, COUNT(*) AS statements, SUM(total_elapsed_time) / 1000 AS seconds
FROM TABLE(information_schema.query_history(result_limit => 10000))
WHERE query_tag LIKE '{"service":"mdm-warehouse"%'
GROUP BY batch ORDER BY statements DESC;

-- 8. What it costs: credits of the virtual warehouse a day, to be compared with `mdm-stream warehouse cost`.
SELECT TO_DATE(start_time) AS day, SUM(credits_used) AS credits
FROM TABLE(information_schema.warehouse_metering_history(DATEADD('day', -7, CURRENT_DATE()), CURRENT_DATE(), 'MDM_LOAD'))
GROUP BY day ORDER BY day;

-- 9. A mask takes the member out for roles that are not named, through a view and a dynamic table too, and the dynamic table stays incremental: as the
--    migration role the first SELECT shows the name; with mdm_reader in place of its role, which has SELECT on the view, there is none. Enterprise Edition.
CREATE MASKING POLICY IF NOT EXISTS mdm_check_mask AS (val VARIANT) RETURNS VARIANT ->
    CASE WHEN IS_ROLE_IN_SESSION('MDM_MIGRATION') THEN val WHEN IS_OBJECT(val) THEN OBJECT_DELETE(val::OBJECT, 'name')::VARIANT END;
ALTER TABLE mdm_check_event MODIFY COLUMN payload SET MASKING POLICY mdm_check_mask;
CREATE OR REPLACE VIEW mdm_check_view COPY GRANTS AS SELECT domain, golden_id, payload FROM mdm_check_event;
SELECT payload FROM mdm_check_view;
ALTER DYNAMIC TABLE mdm_check_golden REFRESH;
SELECT ref_entity_name, ref_column_name FROM TABLE(information_schema.policy_references(policy_name => 'mdm.golden_check.mdm_check_mask'));
ALTER TABLE mdm_check_event MODIFY COLUMN payload UNSET MASKING POLICY;
DROP MASKING POLICY IF EXISTS mdm_check_mask;

-- 10. Keys, a clustering key and a search path can be set twice or are found set, as `mdm-stream warehouse options --applied` asks for them.
ALTER TABLE mdm_check_event CLUSTER BY (domain, LEFT(golden_id, 4));
SELECT table_name, clustering_key FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA() AND clustering_key IS NOT NULL;
ALTER TABLE mdm_check_event ADD SEARCH OPTIMIZATION ON EQUALITY(golden_id);
SELECT SYSTEM$ESTIMATE_SEARCH_OPTIMIZATION_COSTS('mdm_check_event', 'EQUALITY(golden_id)');

DROP DYNAMIC TABLE IF EXISTS mdm_check_golden;
DROP VIEW IF EXISTS mdm_check_view;
DROP TABLE IF EXISTS mdm_check_event;
