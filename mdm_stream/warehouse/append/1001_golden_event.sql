-- One row for each feed message that was delivered, as often as it was delivered. Rows are added; nothing but an
-- erasure changes one. kind is change, erasure, record, match, review, report, file, or batch: the ledger, one row a load.
--
-- No key is declared: a repetition is another row, which the fold passes over. All times are UTC, without an offset.
CREATE $table IF NOT EXISTS golden_event (
    ${event_columns},
    batch_id   $text      NOT NULL,
    applied_at $timestamp NOT NULL
) $table_options $event_options;
-- By which version and settings the folded tables and the readers' views were last made (see schema.py). Of several rows
-- the one with the greatest version counts. lag_s is 0 for views.
CREATE $table IF NOT EXISTS fold_version (
    version    $integer   NOT NULL,
    digest     $text      NOT NULL,
    lag_s      $integer   NOT NULL,
    warehouse  $text
) $table_options;
