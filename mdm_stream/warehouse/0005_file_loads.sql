-- The newest manifest of each load of a file. It names reasons, columns and row numbers, and no value of any row.

CREATE $table IF NOT EXISTS file_loads (
    load_id        $text      NOT NULL,
    revision       $integer   NOT NULL,
    domain         $text,
    source         $text,
    status         $text      NOT NULL,  -- received, validating, held, running, done, failed
    load_kind      $text      NOT NULL,  -- incremental, full
    route          $text,                -- direct, chunks, spark
    bucket         $text      NOT NULL,
    object_key     $text      NOT NULL,
    as_of          $timestamp NOT NULL,
    row_count      $integer   NOT NULL,
    accepted       $integer   NOT NULL,
    rejected       $integer   NOT NULL,
    skipped        $integer   NOT NULL,
    sent           $integer   NOT NULL,
    deleted        $integer   NOT NULL,
    received_at    $timestamp NOT NULL,
    ended_at       $timestamp,
    manifest       $json      NOT NULL,
    report_digest  $text      NOT NULL,
    applied_at     $timestamp NOT NULL
) $table_options;
