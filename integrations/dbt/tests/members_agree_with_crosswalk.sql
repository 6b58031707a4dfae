-- What golden records name as members and what the crosswalk says is the same, both ways.
select
    coalesce(members.domain, crosswalk.domain) as domain,
    coalesce(members.source, crosswalk.source) as source,
    coalesce(members.record_id, crosswalk.record_id) as record_id
from {{ ref("stg_mdm__members") }} as members
full outer join {{ ref("stg_mdm__crosswalk") }} as crosswalk
    on crosswalk.domain = members.domain and crosswalk.source = members.source
    and crosswalk.record_id = members.record_id and crosswalk.golden_id = members.golden_id
where members.golden_id is null or crosswalk.golden_id is null
