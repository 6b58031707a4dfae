-- Reason: analysts work on all golden records without seeing the attributes that the rules call sensitive. Values are taken out of
--   the JSON of the tables that hold rows, so that every view over them, those with a typed column an attribute included, has NULL
--   there. No view needs a policy, so none is lost where a view is replaced.
-- Cost: Enterprise Edition. Nothing to keep; each query of a masked column computes it anew for roles that may not see all, and for
--   them a filter on JSON no longer prunes. An attribute that is sensitive in one domain is masked in all, since the JSON is one
--   column for all.
-- Rights: CREATE MASKING POLICY on the schema, APPLY MASKING POLICY on the account, OWNERSHIP of the tables.
-- Undone: the policies are taken off the columns and dropped; all roles with SELECT see all values again.

--! prepare
CREATE MASKING POLICY IF NOT EXISTS mdm_values AS (val VARIANT) RETURNS VARIANT -> NULL::VARIANT;
ALTER MASKING POLICY mdm_values SET BODY ->
    CASE WHEN $may_read THEN val WHEN IS_OBJECT(val) THEN OBJECT_DELETE(val::OBJECT, $attributes)::VARIANT END;
CREATE MASKING POLICY IF NOT EXISTS mdm_document AS (val VARIANT) RETURNS VARIANT -> NULL::VARIANT;
ALTER MASKING POLICY mdm_document SET BODY ->
    CASE
        WHEN $may_read THEN val
        WHEN IS_OBJECT(val['values']) THEN OBJECT_INSERT(
            OBJECT_INSERT(OBJECT_PICK(val::OBJECT, $members), 'values', OBJECT_DELETE(val['values']::OBJECT, $attributes)),
            'provenance', OBJECT_DELETE(val['provenance']::OBJECT, $attributes)
        )::VARIANT
        WHEN IS_OBJECT(val['attributes']) THEN OBJECT_INSERT(
            OBJECT_INSERT(
                OBJECT_PICK(val::OBJECT, $members), 'attributes', OBJECT_DELETE(val['attributes']::OBJECT, $attributes)
            ),
            'overrides', OBJECT_DELETE(val['overrides']::OBJECT, $attributes)
        )::VARIANT
        WHEN IS_OBJECT(val) THEN OBJECT_PICK(val::OBJECT, $members)::VARIANT
    END;
CREATE MASKING POLICY IF NOT EXISTS mdm_hidden AS (val VARIANT) RETURNS VARIANT -> NULL::VARIANT;
ALTER MASKING POLICY mdm_hidden SET BODY -> CASE WHEN $may_read THEN val END;

--! each
ALTER $alter $table MODIFY COLUMN $column SET MASKING POLICY $policy;

--! exchange
ALTER $alter $table MODIFY COLUMN $column SET MASKING POLICY $policy FORCE;

--! remove
ALTER $alter $table MODIFY COLUMN $column UNSET MASKING POLICY;

--! finish
DROP MASKING POLICY IF EXISTS mdm_values;
DROP MASKING POLICY IF EXISTS mdm_document;
DROP MASKING POLICY IF EXISTS mdm_hidden;

--! present each
SELECT LOWER(ref_entity_name), LOWER(ref_column_name)
FROM TABLE(information_schema.policy_references(policy_name => '$qualified'))
WHERE ref_schema_name = CURRENT_SCHEMA();
