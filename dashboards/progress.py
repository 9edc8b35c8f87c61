"""How far it is, what is still to come, what holds it up."""

from grafana import GREEN, Page, RED, YELLOW, graph, heatmap, increase, metric, rate, stat, table
from terms import AGE, FRESHNESS, LAG_BY_STAGE, lag

TITLE = "Progress and lag"


def page():
    """Its rows."""
    screen = Page()
    publisher_behind = f"{lag('published')} - {lag('committed')}"

    screen.row(4)
    screen.put(
        4,
        stat(
            "Not committed",
            "Records in Kafka whose effects are not in the tables.",
            f"sum({metric('streamflow_kafka_lag_records')})",
            "short",
            [(None, GREEN), (10000, YELLOW), (1000000, RED)],
        ),
    )
    screen.put(
        4,
        stat(
            "Oldest not committed",
            "Their age, at most. It must stay within the retention of the topic.",
            f"max({metric('streamflow_kafka_lag_seconds')})",
            "s",
            AGE,
            1,
        ),
    )
    screen.put(
        4,
        stat(
            "Last commit",
            "One is made every second, also without events.",
            f"time() - max({metric('streamflow_commit_timestamp_seconds')})",
            "s",
            FRESHNESS,
            1,
        ),
    )
    screen.put(
        4,
        stat(
            "Committed frontier",
            "All that was read before it is in the tables.",
            f"1000 * max({metric('streamflow_frontier_timestamp_seconds', stage='committed')})",
            "dateTimeAsLocal",
        ),
    )
    screen.put(
        4,
        stat(
            "Publisher behind",
            "How far what Kafka was told is behind what is committed.",
            publisher_behind,
            "s",
            FRESHNESS,
            1,
        ),
    )
    screen.put(
        4,
        stat(
            "First commit after start",
            "From taking the lease, restoring the state included.",
            f"max({metric('streamflow_first_commit_seconds')})",
            "s",
            decimals=1,
        ),
    )

    screen.row(7)
    screen.put(
        8,
        graph(
            "Lag in seconds",
            "Age of the oldest record that is not committed, by partition.",
            [
                (
                    f"max by (topic, partition) ({metric('streamflow_kafka_lag_seconds')})",
                    "{{topic}} {{partition}}",
                )
            ],
            "s",
            limit=60,
        ),
    )
    screen.put(
        8,
        graph(
            "Lag in records",
            "End of the partition less the committed offset.",
            [
                (
                    f"max by (topic, partition) ({metric('streamflow_kafka_lag_records')})",
                    "{{topic}} {{partition}}",
                )
            ],
        ),
    )
    screen.put(
        8,
        graph(
            "In and out of Kafka",
            "Appended to the topics, given to the dataflow, committed. Out below in: the lag grows.",
            [
                (f"sum(deriv({metric('streamflow_kafka_end_offset')}[2m]))", "appended"),
                (f"sum({rate('streamflow_kafka_read_records_total')})", "read"),
                (f"sum(deriv({metric('streamflow_kafka_committed_offset')}[2m]))", "committed"),
            ],
            "cps",
            least=None,
        ),
    )

    screen.row(7)
    screen.put(
        8,
        graph(
            "Behind the clock, by stage",
            "The first stage whose lag is large is the one to look at. All at once: the process starves.",
            LAG_BY_STAGE,
            "s",
            limit=10,
        ),
    )
    screen.put(
        8,
        heatmap(
            "Duration of commits",
            "Retries and reconnects included.",
            f"sum by (le) ({increase('streamflow_commit_duration_seconds_bucket', '$__rate_interval')})",
        ),
    )
    screen.put(
        8,
        graph(
            "Commits",
            "A second: commits, and epochs with changes in them. Many epochs a commit: it gathers while it waits.",
            [
                (f"sum({rate('streamflow_commit_duration_seconds_count')})", "commits"),
                (f"sum({rate('streamflow_epochs_total')})", "epochs"),
            ],
            "cps",
        ),
    )

    screen.row(6)
    screen.put(
        4,
        graph(
            "Waiting to be committed",
            "Rows submitted to the committer. High for long: PostgreSQL is the bottleneck.",
            [(f"sum({metric('streamflow_commit_queued_rows')})", "rows")],
        ),
    )
    screen.put(
        3,
        graph(
            "Undecided",
            "Corrections and voids of transactions that memory does not hold. Above 0 for minutes: something holds finality back.",
            [(f"sum by (topic) ({metric('streamflow_pending_events')})", "{{topic}}")],
        ),
    )
    screen.put(
        4,
        graph(
            "Published",
            "Records in transactions that Kafka has acknowledged, by topic; transactions.",
            [
                (f"sum by (topic) ({rate('streamflow_publisher_records_total')})", "{{topic}}"),
                (f"sum({rate('streamflow_publisher_transactions_total')})", "transactions"),
            ],
            "cps",
        ),
    )
    screen.put(
        3,
        graph(
            "Bytes",
            "Values read from Kafka, rows copied into PostgreSQL.",
            [
                (f"sum({rate('streamflow_kafka_read_bytes_total')})", "read"),
                (f"sum({rate('streamflow_commit_copied_bytes_total')})", "copied"),
            ],
            "Bps",
        ),
    )
    screen.put(
        3,
        graph(
            "Troubles",
            "Connections to Kafka that broke, attempts of the publisher and of the committer that were repeated.",
            [
                (f"sum({rate('streamflow_kafka_interruptions_total')})", "Kafka"),
                (f"sum({rate('streamflow_publisher_retries_total')})", "publisher"),
                (f"sum({rate('streamflow_commit_retries_total')})", "commit"),
                (f"sum({rate('streamflow_postgres_connects_total')})", "connects"),
            ],
            "cps",
        ),
    )
    screen.put(
        7,
        table(
            "Partitions",
            "From where reading goes on after a restart, the end, what lies between, whether the broker answers, whether it waits for slower ones, and whether it stands still before records that cannot be read.",
            [
                (name, f"max by (topic, partition) ({metric(f'streamflow_kafka_{what}')})", unit)
                for name, what, unit in [
                    ("committed", "committed_offset", "none"),
                    ("end", "end_offset", "none"),
                    ("records", "lag_records", "none"),
                    ("seconds", "lag_seconds", "s"),
                    ("up", "up", "bool_yes_no"),
                    ("waits", "waiting", "bool_yes_no"),
                    ("unreadable", "unreadable", "bool_yes_no"),
                ]
            ],
            ["topic", "partition"],
        ),
    )
    return screen
