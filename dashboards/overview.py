"""Does it work, does it keep up, what comes in, what goes out."""

from grafana import (
    GREEN,
    OK_ABOVE_ZERO,
    ORANGE,
    Page,
    RED,
    YELLOW,
    gauges,
    graph,
    increase,
    metric,
    quantile,
    rate,
    recorded,
    says,
    stat,
    timeline,
)
from terms import AGE, FRESHNESS, LAG_BY_STAGE, LATENCY, UP, lag

TITLE = "Overview"


def page():
    """Its rows."""
    screen = Page()
    firing = 'ALERTS{alertname=~"Streamflow.*", alertstate="firing"}'
    raised = f"sum({increase('streamflow_alert_changes_total', '1h', change='raised')})"
    letters = f"sum({increase('streamflow_events_total', '1h', outcome='dead_letter')})"

    screen.row(4)
    screen.put(
        3,
        stat(
            "Ready",
            "Processes that keep up, of those that are up: what /readyz says.",
            f"sum({metric('streamflow_ready')}) / count({metric('streamflow_ready')})",
            "percentunit",
            [(None, RED), (1, GREEN)],
        ),
    )
    screen.put(
        3,
        stat(
            "Rules that fire now",
            "Alerts of monitoring/rules. Each names its section of the runbook.",
            f"count({firing}) or vector(0)",
            "short",
            [(None, GREEN), (1, RED)],
        ),
    )
    screen.put(
        3,
        stat(
            "Behind the clock",
            "The committed frontier: all tables are exact up to it. The objective is below 10 s.",
            lag("committed"),
            "s",
            FRESHNESS,
            1,
        ),
    )
    screen.put(
        3,
        stat(
            "Oldest not committed",
            "Age of the oldest record in Kafka whose effects are not in the tables.",
            f"max({metric('streamflow_kafka_lag_seconds')})",
            "s",
            AGE,
            1,
        ),
    )
    screen.put(
        3,
        stat(
            "Events",
            "Events read a second, all topics.",
            f"sum({rate('streamflow_events_read_total')})",
            "cps",
        ),
    )
    screen.put(
        3,
        stat(
            "End to end, p99",
            "From the record's time in Kafka to the commit. The objective is below 1 s.",
            quantile(0.99, "streamflow_event_to_commit_seconds"),
            "s",
            LATENCY,
        ),
    )
    screen.put(
        3, stat("Alerts raised, 1 h", "Fraud alerts raised in the last hour.", raised, "short", decimals=0)
    )
    screen.put(
        3,
        stat(
            "Dead letters, 1 h",
            "Events of the last hour that could not be accepted.",
            letters,
            "short",
            [(None, GREEN), (1, YELLOW), (1000, RED)],
            0,
        ),
    )

    screen.row(7)
    screen.put(
        8,
        graph(
            "Events by outcome",
            "Where events ended: what is read ends in exactly one of them.",
            [(f"sum by (outcome) ({rate('streamflow_events_total')})", "{{outcome}}")],
            "cps",
            stack=True,
        ),
    )
    screen.put(
        8,
        graph(
            "End to end",
            "From the record's time in Kafka to the commit, and to Kafka's acknowledgement of the alert.",
            [
                (quantile(0.5, "streamflow_event_to_commit_seconds"), "commit p50"),
                (quantile(0.99, "streamflow_event_to_commit_seconds"), "commit p99"),
                (quantile(0.99, "streamflow_event_to_alert_seconds"), "alert p99"),
            ],
            "s",
            limit=1,
        ),
    )
    screen.put(
        8,
        graph(
            "Behind the clock, by stage",
            "The first stage whose lag is large is the one to look at.",
            LAG_BY_STAGE,
            "s",
            limit=10,
        ),
    )

    screen.row(7)
    screen.put(
        8,
        graph(
            "Alerts by change",
            "Changes of the alert set: each goes to Kafka once.",
            [(f"sum by (change) ({rate('streamflow_alert_changes_total')})", "{{change}}")],
            "cps",
            stack=True,
        ),
    )
    screen.put(
        8,
        graph(
            "Dead letters by reason",
            "The runbook says who can fix which.",
            [(f"sum by (reason) ({rate('streamflow_events_total', outcome='dead_letter')})", "{{reason}}")],
            "cps",
            stack=True,
        ),
    )
    screen.put(
        8,
        graph(
            "Rows written",
            "By table, a second.",
            [(f"sum by (table) ({rate('streamflow_commit_rows_total')})", "{{table}}")],
            "wps",
            stack=True,
        ),
    )

    screen.row(6)
    screen.put(
        6,
        gauges(
            "Error budget left, 30 days",
            "1 is all of it. Below 0 the objective is missed.",
            [(recorded("streamflow:slo_budget_remaining:ratio"), "{{slo}}")],
            "percentunit",
            [(None, RED), (0, ORANGE), (0.25, YELLOW), (0.5, GREEN)],
        ),
    )
    screen.put(
        6,
        graph(
            "Errors against the objectives",
            "Share of the last hour not available or not fresh, and of events that were late.",
            [(recorded("streamflow:slo_errors:ratio_rate1h"), "{{slo}}")],
            "percentunit",
            limit=0.01,
        ),
    )
    screen.put(
        6,
        timeline(
            "What it stands on",
            "The committer has a connection, brokers answer, the publisher need not repeat, /readyz says yes.",
            [
                (f"min({metric('streamflow_postgres_up')})", "PostgreSQL"),
                (f"min({metric('streamflow_kafka_up')})", "Kafka"),
                (f"min({metric('streamflow_publisher_up')})", "publisher"),
                (f"min({metric('streamflow_ready')})", "ready"),
            ],
            OK_ABOVE_ZERO,
            UP,
        ),
    )
    screen.put(
        6,
        timeline(
            "Rules that fired",
            "When which did.",
            [
                (
                    f'max by (alertname) ({firing}) or label_replace(vector(0), "alertname", "none", "", "")',
                    "{{alertname}}",
                )
            ],
            [(None, GREEN), (1, RED)],
            says(_0="quiet", _1="fires"),
        ),
    )
    return screen
