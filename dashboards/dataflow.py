"""What the workers do and hold."""

from grafana import OK_ABOVE_ZERO, Page, graph, metric, rate, stat, table
from terms import SHARE_USED, YES

TITLE = "Dataflow"


def page():
    """Its rows."""
    screen = Page()
    by_operator = "sum by (operator) ({})".format

    screen.row(4)
    screen.put(
        3,
        stat(
            "Processes",
            "That have found each other and work as one pipeline.",
            f"max({metric('streamflow_processes')})",
            decimals=0,
        ),
    )
    screen.put(
        3,
        stat(
            "Worker threads", "Of all processes.", f"sum({metric('streamflow_worker_threads')})", decimals=0
        ),
    )
    screen.put(
        3,
        stat(
            "Busiest worker",
            "Share of the time that it runs operators. At 100 % more workers are needed.",
            f"max(sum by (instance, worker) ({rate('streamflow_operator_busy_seconds_total')}))",
            "percentunit",
            SHARE_USED,
            0,
        ),
    )
    screen.put(
        3,
        stat(
            "Memory of the limit",
            "Resident memory against pipeline.memory_limit_mib, of the process nearest to it.",
            f"max({metric('streamflow_memory_resident_bytes')} / {metric('streamflow_memory_limit_bytes')})",
            "percentunit",
            SHARE_USED,
            0,
        ),
    )
    screen.put(
        3,
        stat(
            "In flight of the limit",
            "Records read and not committed, of what may be at the present rate. At 100 % there is more to read than is committed.",
            f"max({metric('streamflow_flow_in_flight_records')} / {metric('streamflow_flow_window_records')})",
            "percentunit",
            SHARE_USED,
            0,
        ),
    )
    screen.put(
        3,
        stat(
            "State restored",
            "Whether all workers have read back their state.",
            f"min({metric('streamflow_hydration_done')})",
            "short",
            OK_ABOVE_ZERO,
            mappings=YES,
        ),
    )
    screen.put(
        3,
        stat(
            "Youngest process",
            "Time since it was started.",
            f"time() - max({metric('streamflow_process_start_time_seconds')})",
            "s",
            decimals=0,
        ),
    )
    screen.put(
        3,
        stat(
            "Processor",
            "Processor time of all processes, seconds a second: cores in use.",
            f"sum({rate('streamflow_process_cpu_seconds_total')})",
            decimals=2,
        ),
    )

    screen.row(7)
    screen.put(
        8,
        graph(
            "Busy, by worker",
            "Share of the time that a worker thread runs operators.",
            [
                (
                    f"sum by (instance, worker) ({rate('streamflow_operator_busy_seconds_total')})",
                    "{{instance}} {{worker}}",
                )
            ],
            "percentunit",
            limit=0.9,
        ),
    )
    screen.put(
        8,
        graph(
            "Busy, by operator",
            "The ten that run longest, seconds a second, all workers.",
            [(f"topk(10, {by_operator(rate('streamflow_operator_busy_seconds_total'))})", "{{operator}}")],
            "percentunit",
            stack=True,
        ),
    )
    screen.put(
        8,
        graph(
            "Scheduled, by operator",
            "The ten most often, times a second.",
            [(f"topk(10, {by_operator(rate('streamflow_operator_invocations_total'))})", "{{operator}}")],
            "cps",
        ),
    )

    screen.row(7)
    screen.put(
        8,
        graph(
            "Held bytes, by operator",
            "Memory of what operators remember: bounded by the horizon and the number of customers.",
            [(f"topk(10, {by_operator(metric('streamflow_operator_held_bytes'))})", "{{operator}}")],
            "bytes",
            stack=True,
        ),
    )
    screen.put(
        8,
        graph(
            "Held entries, by operator",
            "identity: remembered ids. history: transactions within the horizon.",
            [(f"topk(10, {by_operator(metric('streamflow_operator_held_records'))})", "{{operator}}")],
        ),
    )
    screen.put(
        8,
        graph(
            "Memory",
            "Of all processes. Resident much above allocated for long: fragmentation.",
            [
                (f"sum({metric('streamflow_memory_' + what)})", legend)
                for what, legend in [
                    ("allocated_bytes", "allocated"),
                    ("allocator_resident_bytes", "allocator"),
                    ("resident_bytes", "resident"),
                    ("peak_resident_bytes", "peak"),
                    ("limit_bytes", "limit"),
                ]
            ],
            "bytes",
        ),
    )

    screen.row(6)
    screen.put(
        5,
        graph(
            "In flight",
            "Records read and not committed, by worker, as many as may be at the present rate, and at any rate.",
            [
                (metric("streamflow_flow_in_flight_records"), "{{instance}} {{worker}}"),
                (metric("streamflow_flow_window_records"), "may be {{instance}} {{worker}}"),
                (f"max({metric('streamflow_flow_limit_records')})", "at any rate"),
            ],
        ),
    )
    screen.put(
        5,
        graph(
            "Paused, and bytes in flight of the limit",
            "Share of the time in which something to read was held back.",
            [
                (
                    f"max by (instance, worker) ({rate('streamflow_flow_paused_seconds_total')})",
                    "paused {{instance}} {{worker}}",
                ),
                (
                    f"max by (instance, worker) ({metric('streamflow_flow_in_flight_bytes')} / on (job, instance) group_left "
                    f"{metric('streamflow_flow_limit_bytes')})",
                    "bytes {{instance}} {{worker}}",
                ),
            ],
            "percentunit",
        ),
    )
    screen.put(
        4,
        graph(
            "Processor, by process",
            "Processor time, seconds a second.",
            [(rate("streamflow_process_cpu_seconds_total"), "{{instance}}")],
            "percentunit",
        ),
    )
    screen.put(
        4,
        table(
            "Restored at the start",
            "Rows by table.",
            [("rows", f"sum by (table) ({metric('streamflow_hydration_rows')})", "none")],
            ["table"],
        ),
    )
    screen.put(
        6,
        table(
            "Builds, restores, settings",
            "What was built how, how long the restore took, and how long it remembers.",
            [
                (None, f"max by (instance, version, profile) ({metric('streamflow_build_info')})", "none"),
                ("restore", f"max by (instance) ({metric('streamflow_hydration_seconds')})", "s"),
                ("horizon", f"max by (instance) ({metric('streamflow_correction_horizon_seconds')})", "s"),
                ("ids", f"max by (instance) ({metric('streamflow_identity_retention_seconds')})", "s"),
            ],
            ["instance", "version", "profile"],
        ),
    )
    return screen
