-- One row for each member that a live golden record names in its newest change. A view of the history beside the
-- crosswalk: the two have to agree, which tests/members_agree_with_crosswalk.sql holds them to.
select
    golden.domain,
    golden.golden_id,
    {{ json_text("member.value", "source") }} as source,
    {{ json_text("member.value", "record_id") }} as record_id
from {{ ref("stg_mdm__golden_records") }} as golden
inner join {{ ref("stg_mdm__golden_changes") }} as newest
    on newest.domain = golden.domain and newest.epoch = golden.epoch and newest.sequence = golden.sequence
{{ each_item(json_member("newest.payload", "members"), "member") }}
