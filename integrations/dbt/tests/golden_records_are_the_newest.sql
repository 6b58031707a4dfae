-- A golden record is as its newest change says.
select golden.domain, golden.golden_id
from {{ source("mdm", "golden_record") }} as golden
left join (
    select domain, golden_id, epoch, sequence
    from {{ ref("stg_mdm__golden_changes") }}
    qualify row_number() over (partition by domain, golden_id order by epoch desc, sequence desc) = 1
) as newest on newest.domain = golden.domain and newest.golden_id = golden.golden_id
where newest.golden_id is null or newest.epoch <> golden.epoch or newest.sequence <> golden.sequence
