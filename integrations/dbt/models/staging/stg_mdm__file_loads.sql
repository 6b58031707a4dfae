-- One row for each load of a file.
select
    load_id,
    domain,
    source,
    status,
    load_kind,
    route,
    bucket,
    object_key,
    as_of,
    row_count,
    accepted,
    rejected,
    skipped,
    sent,
    deleted,
    received_at,
    ended_at
from {{ source("mdm", "file_loads") }}
