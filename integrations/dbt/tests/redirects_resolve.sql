-- A retired golden id leads to a live golden record, unless the record that its id is made from is in none.
select retired.domain, retired.golden_id
from {{ source("mdm", "golden_record") }} as retired
inner join {{ ref("stg_mdm__crosswalk") }} as anchor
    on anchor.domain = retired.domain and anchor.source = retired.anchor_source
    and anchor.record_id = retired.anchor_record_id
left join {{ ref("stg_mdm__redirects") }} as redirect
    on redirect.domain = retired.domain and redirect.golden_id = retired.golden_id
left join {{ ref("stg_mdm__golden_records") }} as live
    on live.domain = redirect.domain and live.golden_id = redirect.leads_to
where retired.status = 'retired' and live.golden_id is null
union all
select retired.domain, retired.golden_id
from {{ source("mdm", "golden_record") }} as retired
where retired.status = 'retired' and retired.anchor_record_id is null
