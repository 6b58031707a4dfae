"""A Splink model trained on records, by its own environment's Python (``make splink``): nothing of this project.

    build/splink/bin/python benchmarks/splink_parity_child.py RECORDS FOLDER PAIRS

RECORDS is a Parquet file. Into FOLDER go ``model.json``, ``tf_COLUMN.csv`` and ``pairs.csv``: so many pairs of records
with the match probability that Splink gives them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

TF_COLUMNS = ("given", "family", "city")


def settings() -> SettingsCreator:
    """Return the settings of a model with every kind of level that rules can express."""
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="ref",
        comparisons=[
            cl.JaroWinklerAtThresholds("given", [0.92, 0.8]).configure(term_frequency_adjustments=True),
            cl.LevenshteinAtThresholds("family", [1, 2]).configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("street", [1, 3]),
            cl.AbsoluteDateDifferenceAtThresholds(
                "born", input_is_string=True, metrics=["day", "month"], thresholds=[3, 1], invalid_dates_as_null=False
            ),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.ArrayIntersectAtSizes("phones", [1]),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("family"),
            block_on("born"),
            block_on("substr(given, 1, 2)", "city"),
        ],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )


def main(records: str, folder: str, pairs: str) -> None:
    """Train, save, predict."""
    out = Path(folder)
    connection = duckdb.connect(config={"threads": 2})
    connection.sql(f"CREATE TABLE records AS SELECT * FROM '{records}' ORDER BY ref")
    linker = Linker(DuckDBAPI(connection).register(connection.table("records")), settings())
    linker.training.estimate_u_using_random_sampling(max_pairs=200_000, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("born"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("family"))
    linker.misc.save_model_to_json(str(out / "model.json"), overwrite=True)
    for column in TF_COLUMNS:
        table = linker.table_management.compute_tf_table(column).physical_name
        connection.sql(f"COPY (SELECT * FROM {table} ORDER BY 1) TO '{out}/tf_{column}.csv' (HEADER)")
    found = linker.inference.predict(threshold_match_probability=0.0, warning_mode="never").physical_name
    picked = (
        f"SELECT ref_l, ref_r, match_probability FROM {found} ORDER BY hash(ref_l || ref_r), ref_l, ref_r LIMIT {pairs}"
    )
    connection.sql(f"COPY ({picked}) TO '{out}/pairs.csv' (HEADER)")


if __name__ == "__main__":
    main(*sys.argv[1:])
