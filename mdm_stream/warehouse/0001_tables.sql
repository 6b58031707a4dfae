-- Golden records, the crosswalk, the whole history and the rejected events, as the golden feed tells them.
--
-- No primary keys are declared: Snowflake does not enforce them, and in DuckDB an index would make every
-- MERGE slower for a promise that the guarded MERGE already keeps. All times are UTC, without an offset.

-- The newest change of each golden record. A retired one keeps the record that its id is made from (anchor_...).
CREATE $table IF NOT EXISTS golden_record (
    domain           $text      NOT NULL,
    golden_id        $text      NOT NULL,
    epoch            $integer   NOT NULL,
    sequence         $integer   NOT NULL,
    status           $text      NOT NULL,  -- live, retired
    merged_into      $text,
    anchor_source    $text,
    anchor_record_id $text,
    golden_values    $json,
    provenance       $json,
    member_count     $integer   NOT NULL,
    rules_version    $integer   NOT NULL,
    committed_at     $timestamp NOT NULL,
    applied_at       $timestamp NOT NULL
) $table_options;

-- The newest claim on each source record. golden_id is NULL for a record that belongs to no golden record.
CREATE $table IF NOT EXISTS crosswalk (
    domain        $text      NOT NULL,
    source        $text      NOT NULL,
    record_id     $text      NOT NULL,
    golden_id     $text,
    epoch         $integer   NOT NULL,
    sequence      $integer   NOT NULL,
    applied_at    $timestamp NOT NULL
) $table_options;

-- One row for each (domain, epoch, sequence). payload is the data of the feed message; nothing but an erasure changes
-- it. The row of an erasure itself has no rules_version.
CREATE $table IF NOT EXISTS golden_history (
    domain        $text      NOT NULL,
    epoch         $integer   NOT NULL,
    sequence      $integer   NOT NULL,
    golden_id     $text      NOT NULL,
    status        $text      NOT NULL,  -- live, retired, erased
    merged_into   $text,
    payload       $json      NOT NULL,
    rules_version $integer,
    committed_at  $timestamp NOT NULL,
    applied_at    $timestamp NOT NULL
) $table_options;

-- The first report of each rejected event. The rejected bytes themselves stay at location.
CREATE $table IF NOT EXISTS quarantined_event (
    quarantine_id  $text      NOT NULL,
    domain         $text,
    source         $text,
    record_id      $text,
    reasons        $json      NOT NULL,
    raw_bytes      $integer   NOT NULL,
    location       $text      NOT NULL,
    received_from  $text      NOT NULL,
    quarantined_at $timestamp NOT NULL,
    report_digest  $text      NOT NULL,
    applied_at     $timestamp NOT NULL
) $table_options;
