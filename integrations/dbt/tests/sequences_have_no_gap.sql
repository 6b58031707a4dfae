-- Within an epoch of a domain sequences run from 1 without a gap and without a second use. A gap that closes by itself
-- is a message that is still on its way. Evidence, where the rules publish it, has sequences among those of changes.
with said as (
    select domain, epoch, sequence from {{ source("mdm", "golden_history") }}
    union all
    select domain, epoch, sequence from {{ source("mdm", "evidence_history") }}
)
select domain, epoch, max(sequence) as last_sequence, count(*) as rows_found
from said
group by domain, epoch
having min(sequence) <> 1 or max(sequence) <> count(*) or count(distinct sequence) <> count(*)
