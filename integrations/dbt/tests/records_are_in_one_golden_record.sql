-- No source record is a member of two live golden records.
select domain, source, record_id
from {{ ref("stg_mdm__members") }}
group by domain, source, record_id
having count(distinct golden_id) > 1
