-- No value of a live or retired golden record names an erased source record as its origin.
select golden.domain, golden.golden_id
from {{ source("mdm", "golden_record") }} as golden
{{ each_entry("golden.provenance", "attribute") }}
{{ each_item("attribute.value", "origin") }}
inner join {{ source("mdm", "erased_record") }} as erased
    on erased.domain = golden.domain
    and erased.source = {{ json_text("origin.value", "source") }}
    and erased.record_id = {{ json_text("origin.value", "record_id") }}
