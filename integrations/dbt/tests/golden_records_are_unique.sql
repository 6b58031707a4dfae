-- A golden id has one row in its domain.
select domain, golden_id
from {{ source("mdm", "golden_record") }}
group by domain, golden_id
having count(*) > 1
