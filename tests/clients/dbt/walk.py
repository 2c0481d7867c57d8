"""What a user of dbt does with a project, in one process: each command must succeed."""
import sys

from dbt.cli.main import dbtRunner

WALK = [
    ["debug"],
    ["build"],
    # a second time: what is incremental is merged, partitions are overwritten, snapshots compared
    ["build", "--vars", "{more: true}", "--exclude", "resource_type:seed"],
    ["build", "--full-refresh", "--select", "merged", "overwritten", "microbatches", "material", "customers"],
    ["run", "--empty", "--select", "words"],
    ["source", "freshness"],
    ["run-operation", "count_orders"],
    ["show", "--select", "customer_totals", "--limit", "2"],
    ["docs", "generate"],
]

for arguments in WALK:
    outcome = dbtRunner().invoke([*arguments, "--no-use-colors", "--no-version-check", "--no-send-anonymous-usage-stats"])
    if not outcome.success:
        sys.exit(f"dbt {' '.join(arguments)}: {outcome.exception or 'failed'}")
