-- Within an epoch of a domain sequences run from 1 without a gap and without a second use. A gap that closes by itself
-- is a message that is still on its way.
select domain, epoch, max(sequence) as last_sequence, count(*) as rows_found
from {{ source("mdm", "golden_history") }}
group by domain, epoch
having min(sequence) <> 1 or max(sequence) <> count(*) or count(distinct sequence) <> count(*)
