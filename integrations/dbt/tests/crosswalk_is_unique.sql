-- A source record has one row in its domain.
select domain, source, record_id
from {{ source("mdm", "crosswalk") }}
group by domain, source, record_id
having count(*) > 1
