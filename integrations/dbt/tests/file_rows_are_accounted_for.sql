-- Of a load that is done each row was accepted, rejected or skipped.
select load_id
from {{ ref("stg_mdm__file_loads") }}
where status = 'done' and accepted + rejected + skipped <> row_count
