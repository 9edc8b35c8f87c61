//! `gold.rule_performance`.

use super::view::{Aggregate, Column, Table, Value};
use crate::copy_out::impossible;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::rules::SetName;
use streamflow_dataflow::views::rule_performance::{Hits, RuleDay};
use streamflow_model::RuleId;
use streamflow_model::calendar::day_of_key;
use streamflow_model::timestamp::DAY;

/// The table.
pub static TABLE: Aggregate<RuleDay, Hits> = Aggregate {
    table: Table::new(
        "gold.rule_performance",
        "gold.rule_performance",
        &[
            Column { name: "date_key", value: Value::Day(|key| key.day) },
            Column { name: "rule_set", value: Value::Text(|key| key.set.as_str()) },
            Column { name: "rule_id", value: Value::Text(|key| key.rule.as_str()) },
        ],
        &[
            Column { name: "hits", value: Value::Count(|row| row.hits) },
            Column { name: "alerts", value: Value::Count(|row| row.alerts) },
            Column { name: "alerts_alone", value: Value::Count(|row| row.alone) },
            Column { name: "avg_score", value: Value::MeanScore(|row| (row.score_thousandths, row.hits)) },
            Column { name: "score_thousandths", value: Value::Exact(|row| row.score_thousandths) },
        ],
    ),
    bucket: DAY,
    read: |row| {
        let day = day_of_key(row.get()?);
        let key = RuleDay { day, set: set(row.get()?)?, rule: rule(row.get()?)? };
        let (hits, alerts, alone, score_thousandths) = (row.get()?, row.get()?, row.get()?, row.get()?);
        Ok((key, Hits { hits, alerts, alone, score_thousandths }))
    },
    expected: "SELECT date_key, rule_set, rule, count(*), count(*) FILTER (WHERE is_fraud), \
             count(*) FILTER (WHERE is_fraud AND alone), round(avg(score) / 1000, 3), sum(score)::bigint \
         FROM (SELECT date_key, rule_set, is_fraud, hit.key AS rule, hit.value::bigint AS score, \
                   (SELECT count(*) FROM jsonb_object_keys(scores)) = 1 AS alone \
               FROM (SELECT date_key, 'live' AS rule_set, is_fraud, rule_scores AS scores FROM {transactions} \
                     UNION ALL SELECT date_key, of_set.key, true, of_set.value -> 'rules' \
                     FROM {transactions} CROSS JOIN LATERAL jsonb_each(shadow_alerts) AS of_set) AS verdicts \
               CROSS JOIN LATERAL jsonb_each(scores) AS hit) AS hits \
         GROUP BY 1, 2, 3",
};

fn set(name: &str) -> Result<SetName, PostgresError> {
    SetName::from_column(name).ok_or_else(|| impossible(format!("rule set `{name}`")))
}

fn rule(id: &str) -> Result<RuleId, PostgresError> {
    RuleId::new(id).ok_or_else(|| impossible(format!("rule `{id}`")))
}
