-- One row for each reason of each rejected event.
select
    report.quarantine_id,
    report.domain,
    report.source,
    report.record_id,
    {{ json_text("reason.value", "code") }} as reason_code,
    {{ json_text("reason.value", "path") }} as reason_path,
    report.location,
    report.quarantined_at
from {{ source("mdm", "quarantined_event") }} as report
{{ each_item("report.reasons", "reason") }}
