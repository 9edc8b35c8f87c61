"""What several dashboards say alike: stages, limits, words."""

from grafana import GREEN, ORANGE, RED, YELLOW, metric, says

UP = says(_0="away", _1="up")
YES = says(_0="no", _1="yes")

FRESHNESS = [(None, GREEN), (5, YELLOW), (10, RED)]
AGE = [(None, GREEN), (60, ORANGE), (600, RED)]
SHARE_USED = [(None, GREEN), (0.7, YELLOW), (0.9, RED)]
LATENCY = [(None, GREEN), (0.5, YELLOW), (1, RED)]

NOT_REFUSED = 'outcome!="dead_letter"'
NO_REFERENCE = 'reason!="reference"'


def lag(stage):
    """How far a stage is behind the clock, of the process that is furthest behind."""
    return f"max({metric('streamflow_frontier_lag_seconds', stage=stage)})"


STAGES = ["source", "admitted", "history", "aggregates", "committed", "published"]
LAG_BY_STAGE = [(lag(stage), stage) for stage in STAGES]
