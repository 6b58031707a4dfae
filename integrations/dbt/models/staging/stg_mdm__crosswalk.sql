-- One row for each source record that is a member of a golden record.
select
    domain,
    source,
    record_id,
    golden_id,
    epoch,
    sequence,
    applied_at
from {{ source("mdm", "crosswalk") }}
where golden_id is not null
