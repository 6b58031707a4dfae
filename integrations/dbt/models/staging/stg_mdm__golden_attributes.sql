-- One row for each attribute of a live golden record that has a value; a list stays JSON text.
select
    golden.domain,
    golden.golden_id,
    attribute.key as attribute,
    cast(attribute.value as {{ dbt.type_string() }}) as value_json,
    golden.committed_at
from {{ ref("stg_mdm__golden_records") }} as golden
{{ each_entry("golden.golden_values", "attribute") }}
