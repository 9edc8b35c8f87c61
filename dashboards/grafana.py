"""Building blocks of Grafana dashboards: queries, panels, rows, a dashboard."""

SOURCE = {"type": "prometheus", "uid": "${source}"}
SCREEN_WIDTH = 24
# What a screen of 1920x1080 shows below the head of the page, in units of Grafana's grid.
SCREEN_HEIGHT = 24

GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = (
    "green",
    "yellow",
    "orange",
    "red",
    "blue",
    "purple",
    "text",
)

# One colour for one thing, on every dashboard: by the label that tells it, or by the name of a line. Rules are not among
# them: they come with the data, all of them and in order, so that Grafana's palette gives each the same colour every time.
COLOURS = {
    "outcome": {"accepted": GREEN, "ignored": GREY, "dead_letter": RED},
    "change": {"raised": RED, "revised": YELLOW, "withdrawn": GREY},
    "slo": {"availability": GREEN, "freshness": BLUE, "latency": PURPLE},
    "stage": {
        "source": "#8AB8FF",
        "admitted": "#5794F2",
        "history": "#B877D9",
        "aggregates": "#FADE2A",
        "committed": "#73BF69",
        "published": "#FF9830",
    },
}

OK_ABOVE_ZERO = [(None, RED), (1, GREEN)]
ONLY_TOLD = [(None, BLUE)]


def _selector(name, conditions):
    return f"{name}{{{', '.join(conditions)}}}"


def metric(name, *conditions, **labels):
    """A selector of the pipeline and the processes that are chosen above the panels."""
    told = [f'{label}="{value}"' for label, value in labels.items()]
    return _selector(name, ['job="$job"', 'instance=~"$instance"', *conditions, *told])


def recorded(name):
    """A selector of what a recording rule tells of a whole pipeline."""
    return _selector(name, ['job="$job"'])


def rate(name, *conditions, **labels):
    """Growth a second of a counter."""
    return f"rate({metric(name, *conditions, **labels)}[$__rate_interval])"


def increase(name, window, *conditions, **labels):
    """Growth of a counter within a window."""
    return f"increase({metric(name, *conditions, **labels)}[{window}])"


def quantile(share, name):
    """A quantile of a histogram, of all processes together."""
    return f"histogram_quantile({share}, sum by (le) ({rate(name + '_bucket')}))"


def _targets(queries, **more):
    letters = "ABCDEFGH"
    return [
        {
            "refId": letters[i],
            "datasource": SOURCE,
            "expr": expression,
            "legendFormat": legend or "__auto",
            **more,
        }
        for i, (expression, legend) in enumerate(queries)
    ]


def _thresholds(steps):
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def _colour(name, colour):
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
    }


def _colours(legends):
    """Of the lines of these legends: `{{label}}`, or a name as it stands."""
    named = {name: colour for group in COLOURS.values() for name, colour in group.items()}
    chosen = {}
    for legend in legends:
        chosen.update(
            COLOURS.get(legend.strip("{}"), {})
            if "{{" in legend
            else {legend: named[legend]} if legend in named else {}
        )
    return [_colour(name, colour) for name, colour in chosen.items()]


def _panel(kind, title, description, targets, defaults, options, overrides=()):
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options,
    }


def stat(title, description, expression, unit="short", steps=ONLY_TOLD, decimals=None, mappings=()):
    """One number, coloured by where it lies."""
    defaults = {
        "unit": unit,
        "color": {"mode": "thresholds"},
        "thresholds": _thresholds(steps),
        "mappings": list(mappings),
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "colorMode": "background_solid" if steps is not ONLY_TOLD else "value",
        "graphMode": "area",
        "textMode": "value",
        "justifyMode": "center",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return _panel("stat", title, description, _targets([(expression, "")]), defaults, options)


def graph(title, description, queries, unit="short", stack=False, limit=None, least=0):
    """Lines over time; `limit` is drawn as a dashed line."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stack else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stack else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if limit is not None else "off"},
    }
    steps = [(None, "transparent")] + ([(limit, RED)] if limit is not None else [])
    defaults = {
        "unit": unit,
        "color": {"mode": "palette-classic"},
        "custom": custom,
        "thresholds": _thresholds(steps),
    }
    if least is not None:
        defaults["min"] = least
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel(
        "timeseries",
        title,
        description,
        _targets(queries),
        defaults,
        options,
        _colours([legend for _, legend in queries]),
    )


def heatmap(title, description, expression, unit="s"):
    """How many values of a histogram lay where, over time."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 32, "exponent": 0.5},
        "yAxis": {"unit": unit},
        "legend": {"show": False},
        "tooltip": {"mode": "single", "yHistogram": False},
        "rowsFrame": {"layout": "auto"},
        "filterValues": {"le": 1e-9},
    }
    defaults = {"custom": {"hideFrom": {"legend": False, "tooltip": False, "viz": False}}}
    return _panel(
        "heatmap", title, description, _targets([(expression, "{{le}}")], format="heatmap"), defaults, options
    )


def timeline(title, description, queries, steps, mappings):
    """What was so when."""
    defaults = {
        "color": {"mode": "thresholds"},
        "thresholds": _thresholds(steps),
        "mappings": list(mappings),
        "custom": {"fillOpacity": 80, "lineWidth": 0},
    }
    options = {
        "mergeValues": True,
        "showValue": "never",
        "alignValue": "left",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return _panel("state-timeline", title, description, _targets(queries), defaults, options)


def gauges(title, description, queries, unit, steps, least=0, most=1):
    """A bar for each of some numbers."""
    defaults = {
        "unit": unit,
        "min": least,
        "max": most,
        "color": {"mode": "thresholds"},
        "thresholds": _thresholds(steps),
    }
    options = {
        "orientation": "horizontal",
        "displayMode": "lcd",
        "valueMode": "color",
        "showUnfilled": True,
        "namePlacement": "left",
        "sizing": "auto",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "maxVizHeight": 40,
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return _panel("bargauge", title, description, _targets(queries), defaults, options)


def table(title, description, columns, keys):
    """Rows by `keys`; each column is a name, a query and its unit. One without a name only brings keys."""
    targets = _targets([(expression, "") for _, expression, _ in columns], format="table", instant=True)
    values = ["Value" if len(columns) == 1 else f"Value #{target['refId']}" for target in targets]
    names = {value: name for value, (name, _, _) in zip(values, columns) if name}
    hidden = {"Time": True, **{value: True for value in values if value not in names}}
    order = {name: place for place, name in enumerate(list(keys) + list(names))}
    panel = _panel(
        "table",
        title,
        description,
        targets,
        {"custom": {"align": "auto", "cellOptions": {"type": "auto"}}},
        {"showHeader": True, "cellHeight": "sm"},
        [
            {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
            for name, _, unit in columns
            if name
        ],
    )
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": hidden, "indexByName": order, "renameByName": names}},
    ]
    return panel


def says(**words):
    """What values are shown as: `says(_0="no", _1="yes")`."""
    return [
        {
            "type": "value",
            "options": {
                value[1:]: {"text": text, "index": i} for i, (value, text) in enumerate(words.items())
            },
        }
    ]


class Page:
    """Panels in rows: numbered in the order of reading, on one screen."""

    def __init__(self):
        self.panels = []
        self._top, self._left, self._height = 0, SCREEN_WIDTH, 0

    def row(self, height):
        """Begins a row below the last one, which must be full."""
        assert self._left == SCREEN_WIDTH, f"a row is {self._left} wide"
        self._top, self._left, self._height = self._top + self._height, 0, height
        assert self._top + height <= SCREEN_HEIGHT, "more than a screen"

    def put(self, width, panel):
        """Puts a panel to the right of the last one."""
        position = {"x": self._left, "y": self._top, "w": width, "h": self._height}
        self.panels.append({"id": len(self.panels) + 1, "gridPos": position, **panel})
        self._left += width


def _variable(name, label, query, many):
    variable = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": many,
        "includeAll": many,
        "hide": 0,
        "regex": "",
        "current": {"text": ["All"], "value": ["$__all"]} if many else {},
    }
    if many:
        variable["allValue"] = ".*"
    return variable


def dashboard(uid, titles, description, panels):
    """A dashboard among those of `titles`, with links to the others that keep time and variables."""
    links = [
        {
            "type": "link",
            "title": name,
            "url": f"/d/{other}",
            "keepTime": True,
            "includeVars": True,
            "icon": "dashboard",
            "targetBlank": False,
            "asDropdown": False,
            "tags": [],
            "tooltip": "",
        }
        for other, name in titles.items()
        if other != uid
    ]
    source = {
        "type": "datasource",
        "name": "source",
        "label": "Prometheus",
        "query": "prometheus",
        "hide": 0,
        "refresh": 1,
        "regex": "",
        "multi": False,
        "includeAll": False,
        "current": {},
    }
    variables = [
        source,
        _variable("job", "Pipeline", "label_values(streamflow_build_info, job)", False),
        _variable("instance", "Process", 'label_values(streamflow_build_info{job="$job"}, instance)', True),
    ]
    return {
        "uid": uid,
        "title": f"StreamFlow: {titles[uid]}",
        "description": description,
        "tags": ["streamflow"],
        "schemaVersion": 41,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        "fiscalYearStartMonth": 0,
        "annotations": {"list": []},
        "links": links,
        "templating": {"list": variables},
        "panels": panels,
    }
