//! How many events were not accepted.

/// Dead letters by topic and reason, those included that maintenance has removed.
pub(crate) const REFUSED: &str = "SELECT source_topic, reason, sum(events)::bigint \
     FROM (SELECT source_topic, reason, count(*) AS events FROM bronze.dead_letters GROUP BY 1, 2 \
           UNION ALL \
           SELECT source_topic, reason, events FROM streamflow.removed_dead_letters) AS letters GROUP BY 1, 2";
