"""What is found, by what, how fast, and whether that is unusual."""

from grafana import (
    GREEN,
    ONLY_TOLD,
    Page,
    RED,
    YELLOW,
    gauges,
    graph,
    heatmap,
    increase,
    metric,
    rate,
    recorded,
    stat,
)
from terms import LATENCY, NOT_REFUSED, NO_REFERENCE

TITLE = "Fraud"


def page():
    """Its rows."""
    screen = Page()
    accepted = f"sum({rate('streamflow_events_total', NO_REFERENCE, outcome='accepted')})"
    raised = f"sum({rate('streamflow_alert_changes_total', change='raised')})"
    fraud_rate = recorded("streamflow:fraud_rate:ratio_rate15m")

    screen.row(4)
    screen.put(
        4,
        stat(
            "Alerts raised, 1 h",
            "Fraud alerts raised in the last hour.",
            f"sum({increase('streamflow_alert_changes_total', '1h', change='raised')})",
            decimals=0,
        ),
    )
    screen.put(
        4,
        stat(
            "Fraud rate, 15 min",
            "Alerts raised for each transaction accepted.",
            f"max({fraud_rate})",
            "percentunit",
            decimals=2,
        ),
    )
    screen.put(
        4,
        stat(
            "Against a day",
            "Fraud rate of now, as a multiple of the average of a day. The alert fires above 3.",
            f"max({fraud_rate}) / max(avg_over_time({fraud_rate}[1d]))",
            "short",
            [(None, GREEN), (2, YELLOW), (3, RED)],
            2,
        ),
    )
    screen.put(
        4,
        stat(
            "To the alert, p99",
            "From the record's time in Kafka to Kafka's acknowledgement of the alert.",
            f"histogram_quantile(0.99, sum by (le) (rate({metric('streamflow_event_to_alert_seconds_bucket')}[15m])))",
            "s",
            LATENCY,
        ),
    )
    screen.put(4, stat("Transactions", "Accepted a second.", accepted, "cps"))
    screen.put(
        4,
        stat(
            "Withdrawn, 1 h",
            "Alerts taken back: by corrections, voids, late events, changes of lists and rules.",
            f"sum({increase('streamflow_alert_changes_total', '1h', change='withdrawn')})",
            decimals=0,
        ),
    )

    screen.row(7)
    screen.put(
        12,
        graph(
            "Fraud rate",
            "Alerts raised for each transaction: now, and on the average of a day.",
            [(f"max({fraud_rate})", "15 min"), (f"max(avg_over_time({fraud_rate}[1d]))", "a day")],
            "percentunit",
        ),
    )
    screen.put(
        12,
        graph(
            "Alerts raised, by rule",
            "Once for each rule that the alert has. One rule alone grows: look there.",
            [(f"sum by (rule) ({rate('streamflow_alert_rule_changes_total', change='raised')})", "{{rule}}")],
            "cps",
        ),
    )

    screen.row(7)
    screen.put(
        8,
        graph(
            "Changes of alerts, by cause",
            "transaction: it came. late_event, correction, void: another one came. list_change, rule_change.",
            [(f"sum by (cause) ({rate('streamflow_alert_changes_total')})", "{{cause}}")],
            "cps",
            stack=True,
        ),
    )
    screen.put(
        8,
        graph(
            "Changes of alerts",
            "Raised, revised, withdrawn.",
            [(f"sum by (change) ({rate('streamflow_alert_changes_total')})", "{{change}}")],
            "cps",
            stack=True,
        ),
    )
    screen.put(
        8,
        heatmap(
            "Time to the alert",
            "From the record's time in Kafka to Kafka's acknowledgement.",
            f"sum by (le) ({increase('streamflow_event_to_alert_seconds_bucket', '$__rate_interval')})",
        ),
    )

    screen.row(6)
    screen.put(
        6,
        gauges(
            "Rules of the last hour's alerts",
            "Alerts raised in which the rule took part.",
            [
                (
                    f"sum by (rule) ({increase('streamflow_alert_rule_changes_total', '1h', change='raised')})",
                    "{{rule}}",
                )
            ],
            "short",
            ONLY_TOLD,
            most=None,
        ),
    )
    screen.put(
        9,
        graph(
            "Transactions and alerts",
            "Accepted and raised, a second.",
            [(accepted, "transactions"), (raised, "raised")],
            "cps",
        ),
    )
    screen.put(
        9,
        graph(
            "Transactions, by where they ended",
            "new, correcting, voiding, duplicate, superseded; dead letters are on the overview.",
            [
                (
                    f"sum by (reason) ({rate('streamflow_events_total', NOT_REFUSED, NO_REFERENCE)})",
                    "{{reason}}",
                )
            ],
            "cps",
        ),
    )
    return screen
