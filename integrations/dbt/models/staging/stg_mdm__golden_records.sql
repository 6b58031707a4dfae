-- One row for each live golden record.
select
    domain,
    golden_id,
    epoch,
    sequence,
    golden_values,
    provenance,
    member_count,
    rules_version,
    committed_at,
    applied_at
from {{ source("mdm", "golden_record") }}
where status = 'live'
