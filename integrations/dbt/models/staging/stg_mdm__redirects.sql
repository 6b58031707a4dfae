-- One row for each retired golden id that leads to a golden record.
select domain, golden_id, leads_to
from {{ source("mdm", "golden_redirect") }}
