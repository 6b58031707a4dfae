-- One row for each change of a golden record, as it was published.
select
    domain,
    epoch,
    sequence,
    golden_id,
    status,
    merged_into,
    {{ json_text("payload", "op") }} as op,
    payload,
    rules_version,
    committed_at,
    applied_at
from {{ source("mdm", "golden_history") }}
where status <> 'erased'
