-- Which source records were erased, and where values of a record may be found when it is.

-- The newest erasure of each source record. Whatever names such a record as its origin has no value in any table.
CREATE $table IF NOT EXISTS erased_record (
    domain        $text      NOT NULL,
    source        $text      NOT NULL,
    record_id     $text      NOT NULL,
    golden_id     $text      NOT NULL,
    epoch         $integer   NOT NULL,
    sequence      $integer   NOT NULL,
    committed_at  $timestamp NOT NULL,
    applied_at    $timestamp NOT NULL
) $table_options;

-- Every golden record that a source record was ever a member of, so that an erasure looks at their rows alone.
CREATE $table IF NOT EXISTS contribution (
    domain        $text      NOT NULL,
    source        $text      NOT NULL,
    record_id     $text      NOT NULL,
    golden_id     $text      NOT NULL,
    applied_at    $timestamp NOT NULL
) $table_options;
