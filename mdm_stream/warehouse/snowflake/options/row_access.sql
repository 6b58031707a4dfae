-- Reason: teams share one schema, and each sees the rows of its domains: table domain_reader says which role reads which domain,
--   '*' for all. A change of it counts from the next query on, without a statement of DDL. Rows without a domain (files and rejected
--   events that name none) are seen by readers of '*'.
-- Cost: Enterprise Edition. Each query looks the session's roles up in domain_reader, a small table; a view over several tables does
--   so once a table. A role that has no row there sees no row at all.
-- Rights: CREATE ROW ACCESS POLICY and CREATE TABLE on the schema, APPLY ROW ACCESS POLICY on the account, OWNERSHIP of the tables.
-- Undone: the policies are taken off the tables and dropped; domain_reader stays, with its rows.

--! prepare
CREATE TRANSIENT TABLE IF NOT EXISTS domain_reader (role VARCHAR NOT NULL, domain VARCHAR NOT NULL);
CREATE ROW ACCESS POLICY IF NOT EXISTS mdm_domain_rows AS (row_domain VARCHAR) RETURNS BOOLEAN -> FALSE;
ALTER ROW ACCESS POLICY mdm_domain_rows SET BODY ->
    $may_read OR EXISTS (
        SELECT 1 FROM $schema.domain_reader AS r WHERE IS_ROLE_IN_SESSION(r.role) AND r.domain IN (row_domain, '*')
    );
CREATE ROW ACCESS POLICY IF NOT EXISTS mdm_all_rows AS (row_domain VARCHAR) RETURNS BOOLEAN -> FALSE;
ALTER ROW ACCESS POLICY mdm_all_rows SET BODY -> $may_read;

--! each
ALTER $alter $table ADD ROW ACCESS POLICY $policy ON (domain);

--! exchange
ALTER $alter $table DROP ROW ACCESS POLICY $former, ADD ROW ACCESS POLICY $policy ON (domain);

--! remove
ALTER $alter $table DROP ROW ACCESS POLICY $policy;

--! finish
DROP ROW ACCESS POLICY IF EXISTS mdm_domain_rows;
DROP ROW ACCESS POLICY IF EXISTS mdm_all_rows;

--! present each
SELECT LOWER(ref_entity_name), '' FROM TABLE(information_schema.policy_references(policy_name => '$qualified'))
WHERE ref_schema_name = CURRENT_SCHEMA();
