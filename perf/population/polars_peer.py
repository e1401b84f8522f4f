"""
The query written by hand, as Polars does it: run by an interpreter that has Polars.

    python polars_peer.py FILE...
"""

import json
import sys
import time

import polars as pl

begun = time.perf_counter()
category, modifier = pl.col("ct_exam_result_lung_rads"), pl.col("ct_exam_result_modifier_s")
abnormal = category.is_in(["3", "4A", "4B", "4X"])
counted = [
    (condition.fill_null(False)).cast(pl.Int64).sum().alias(f"c{place}")
    for place, condition in enumerate(
        [
            *(category == code for code in ("0", "1", "2", "3", "4A", "4B", "4X", "0")),
            abnormal,
            modifier == "Y",
        ]
    )
]
cases = pl.scan_parquet(sys.argv[1:]).select(
    "facility_id",
    "ct_exam_result_lung_rads",
    "ct_exam_result_modifier_s",
    pl.col("case_date").dt.truncate("1mo").alias("month"),
    pl.col("indication_of_exam")
    .replace_strict({"1": "baseline", "2": "annual"}, default=None)
    .alias("stratum"),
)
totals = cases.group_by("facility_id", "month").agg(counted)
split = (
    cases.filter(pl.col("stratum").is_not_null())
    .group_by("facility_id", "month", "stratum")
    .agg(counted)
)
first, second = pl.collect_all([totals, split], engine="streaming")
seconds = time.perf_counter() - begun
sums = [int(n) for n in (first.select(pl.exclude("facility_id", "month")).sum()).row(0)]
print(json.dumps({"seconds": seconds, "rows": first.height + second.height, "sums": sums}))
