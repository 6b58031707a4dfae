-- A golden record that the history knows is in the table of golden records.
select distinct changes.domain, changes.golden_id
from {{ ref("stg_mdm__golden_changes") }} as changes
left join {{ source("mdm", "golden_record") }} as golden
    on golden.domain = changes.domain and golden.golden_id = changes.golden_id
where golden.golden_id is null
