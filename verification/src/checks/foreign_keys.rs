//! Checks that every foreign key has its row: declared constraints, and those that only the writer
//! guarantees.

use super::report::{Check, Outcome};
use crate::error::VerificationError;
use crate::snapshot::Snapshot;
use std::convert::Infallible;
use streamflow_dataflow::views::{View, Visit};
use streamflow_medallion::tables::view::{Aggregate, Value};
use streamflow_medallion::tables::{Tables, tables};

/// Columns that refer to columns of another table, quoted if necessary.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reference {
    table: String,
    columns: Vec<String>,
    target: String,
    target_columns: Vec<String>,
}

/// A declared foreign key.
struct Declared {
    reference: Reference,
    name: String,
    is_validated: bool,
}

/// Foreign keys that the writer guarantees without a declaration. Null refers to nothing.
const KEPT: [(&str, &str, &str); 13] = [
    ("silver.transactions", "customer_key", "gold.dim_customer"),
    ("silver.transactions", "store_key", "gold.dim_store"),
    ("silver.transactions", "product_key", "gold.dim_product"),
    ("silver.transactions", "date_key", "gold.dim_date"),
    ("silver.transactions", "topic_key", "streamflow.topics"),
    ("gold.fact_fraud_alerts", "transaction_id", "silver.transactions"),
    ("gold.fact_fraud_alerts", "customer_key", "gold.dim_customer"),
    ("gold.fact_fraud_alerts", "store_key", "gold.dim_store"),
    ("gold.fact_fraud_alerts", "date_key", "gold.dim_date"),
    ("gold.fraud_alert_history", "transaction_id", "silver.transactions"),
    ("gold.customer_totals", "customer_key", "gold.dim_customer"),
    ("streamflow.emptied_windows", "store_key", "gold.dim_store"),
    ("streamflow.removed_transactions", "customer_key", "gold.dim_customer"),
];

const DECLARED: &str = "SELECT quote_ident(s.nspname) || '.' || quote_ident(t.relname), \
         ARRAY(SELECT quote_ident(attname) FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place) \
               JOIN pg_attribute ON attrelid = c.conrelid AND attnum = number ORDER BY place), \
         quote_ident(fs.nspname) || '.' || quote_ident(f.relname), \
         ARRAY(SELECT quote_ident(attname) FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place) \
               JOIN pg_attribute ON attrelid = c.confrelid AND attnum = number ORDER BY place), \
         c.conname::text, c.convalidated \
     FROM pg_constraint AS c \
     JOIN pg_class AS t ON t.oid = c.conrelid JOIN pg_namespace AS s ON s.oid = t.relnamespace \
     JOIN pg_class AS f ON f.oid = c.confrelid JOIN pg_namespace AS fs ON fs.oid = f.relnamespace \
     WHERE c.contype = 'f' AND c.conparentid = 0 \
         AND s.nspname IN ('bronze', 'silver', 'gold', 'streamflow') ORDER BY 1, c.conname";

/// Checks all of them, with one outcome for each table.
pub fn check(snapshot: &mut Snapshot<'_>) -> Result<Vec<Check>, VerificationError> {
    let declared = declared(snapshot)?;
    let mut checks: Vec<Check> = declared.iter().filter_map(unvalidated).collect();
    let mut references: Vec<Reference> = KEPT.iter().map(kept).collect();
    let Ok(()) = tables().visit(&mut KeysOfViews(&mut references));
    for Declared { reference, .. } in declared {
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    let mut names: Vec<&str> = references.iter().map(|reference| reference.table.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for table in names {
        let of_table = references.iter().filter(|reference| reference.table == table);
        checks.push(hold(snapshot, of_table)?.of(format!("foreign keys of {table}")));
    }
    Ok(checks)
}

/// What the keys of views over facts refer to.
struct KeysOfViews<'a>(&'a mut Vec<Reference>);

impl Visit<Tables> for KeysOfViews<'_> {
    type Error = Infallible;

    fn visit<V: View>(&mut self, aggregate: &&'static Aggregate<V::Key, V::Sum>) -> Result<(), Infallible> {
        for column in aggregate.table.key {
            let target = match column.value {
                Value::Store(_) => "gold.dim_store",
                Value::Day(_) => "gold.dim_date",
                _ => continue,
            };
            self.0.push(kept(&(aggregate.table.stored, column.name, target)));
        }
        Ok(())
    }
}

fn kept(&(table, column, target): &(&str, &str, &str)) -> Reference {
    let columns = vec![column.to_owned()];
    let (table, target) = (table.to_owned(), target.to_owned());
    Reference { table, columns: columns.clone(), target, target_columns: columns }
}

fn declared(snapshot: &mut Snapshot<'_>) -> Result<Vec<Declared>, VerificationError> {
    snapshot.rows(DECLARED, &[], |row| {
        let reference = Reference {
            table: row.try_get(0)?,
            columns: row.try_get(1)?,
            target: row.try_get(2)?,
            target_columns: row.try_get(3)?,
        };
        Ok(Declared { reference, name: row.try_get(4)?, is_validated: row.try_get(5)? })
    })
}

fn unvalidated(declared: &Declared) -> Option<Check> {
    let Declared { reference: Reference { table, .. }, name, is_validated } = declared;
    (!is_validated).then(|| {
        let advice = format!("as the owner: ALTER TABLE {table} VALIDATE CONSTRAINT \"{name}\"");
        Outcome::fail("declared NOT VALID", advice).of(format!("foreign key {name} of {table}"))
    })
}

/// Counts rows whose key has no row.
fn hold<'a>(
    snapshot: &mut Snapshot<'_>,
    references: impl Iterator<Item = &'a Reference>,
) -> Result<Outcome, VerificationError> {
    let (mut keys, mut dangling, mut details) = (0, 0, Vec::new());
    for reference in references {
        let row = snapshot.row(&anti_join(reference), &[])?;
        let rows: i64 = row.try_get(0)?;
        keys += 1;
        if rows > 0 {
            dangling += rows;
            let values: Vec<String> = row.try_get(1)?;
            let Reference { columns, target, .. } = reference;
            let (columns, values) = (columns.join(", "), values.join(", "));
            details.push(format!("{columns} in {rows} rows, not in {target}: {values}"));
        }
    }
    Ok(match dangling {
        0 => Outcome::pass(format!("{keys} hold")),
        _ => Outcome::fail(
            format!("{dangling} keys refer to no row"),
            "somebody else wrote to these tables: undo it, or rebuild (runbook, \"Rebuild\")",
        )
        .with_details(details),
    })
}

/// The number of rows without a referred row, and a few of their keys.
fn anti_join(reference: &Reference) -> String {
    let Reference { table, columns, target, target_columns } = reference;
    let pairs = columns.iter().zip(target_columns);
    let equal: Vec<String> = pairs.map(|(column, key)| format!("f.{key} = t.{column}")).collect();
    let present: Vec<String> = columns.iter().map(|column| format!("t.{column} IS NOT NULL")).collect();
    let values: Vec<String> = columns.iter().map(|column| format!("t.{column}")).collect();
    format!(
        "WITH dangling AS (SELECT concat_ws('/', {}) AS key FROM {table} AS t \
             WHERE {} AND NOT EXISTS (SELECT FROM {target} AS f WHERE {})) \
         SELECT count(*), ARRAY(SELECT DISTINCT key FROM dangling ORDER BY key LIMIT 4) FROM dangling",
        values.join(", "),
        present.join(" AND "),
        equal.join(" AND ")
    )
}
