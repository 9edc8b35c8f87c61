//! How the rows of a view are stored: everything is derived from the list of columns.

use crate::changes::{At, Differences, Latest};
use crate::copy_out::{self, CENTS, literal};
use crate::encoding::{Columns, Fields, micros};
use crate::keys::Dimensions;
use crate::output::Output;
use postgres::Transaction;
use postgres::types::Type;
use std::sync::OnceLock;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::views::Sales;
use streamflow_model::Id;
use streamflow_model::calendar::date_key;
use streamflow_model::timestamp::DAY;

/// A table with one row for each key: its columns in the order in which users see them.
pub struct Table<K: 'static, S: 'static> {
    /// The table that is written, with its schema.
    pub stored: &'static str,
    /// The table or view that users query, with its schema.
    pub shown: &'static str,
    /// The columns of the key.
    pub key: &'static [Column<K>],
    /// The other columns.
    pub values: &'static [Column<S>],
    /// The start of a row's window, where rows are dropped a day behind the watermark; microseconds since
    /// 1970.
    pub window: Option<fn(&K) -> i64>,
    statements: OnceLock<Statements>,
    additions: OnceLock<Additions>,
}

/// The table of a view over facts.
pub struct Aggregate<K: 'static, S: 'static> {
    /// The table.
    pub table: Table<K, S>,
    /// Length of a bucket, microseconds: so long after its start it is over, except for local days.
    pub bucket: i64,
    /// Reads a row's stored columns, in their order.
    pub(crate) read: fn(&mut copy_out::Fields<'_>) -> Result<(K, S), PostgresError>,
    /// What the rows must be, in SQL from `{transactions}`: those of `silver.transactions` that are not
    /// voided.
    pub expected: &'static str,
}

/// A column.
pub struct Column<T: 'static> {
    /// Its name.
    pub name: &'static str,
    /// Where its value comes from.
    pub value: Value<T>,
}

/// Where a column's value comes from, and its type.
pub enum Value<T: 'static> {
    /// The key of a customer.
    Customer(fn(&T) -> &Id),
    /// The key of a store.
    Store(fn(&T) -> &Id),
    /// `YYYYMMDD` of a local day, days since 1970-01-01.
    Day(fn(&T) -> i32),
    /// Microseconds since 1970.
    Instant(fn(&T) -> i64),
    /// Text.
    Text(fn(&T) -> &str),
    /// Text that can be absent.
    OptionalText(fn(&T) -> Option<&str>),
    /// Microseconds since 1970, or absent.
    OptionalInstant(fn(&T) -> Option<i64>),
    /// A float that can be absent.
    OptionalFloat(fn(&T) -> Option<f64>),
    /// Cents, or absent.
    OptionalMoney(fn(&T) -> Option<i64>),
    /// A count.
    Count(fn(&T) -> i64),
    /// The exact sum behind a derived column.
    Exact(fn(&T) -> i64),
    /// Cents.
    Money(fn(&T) -> i128),
    /// An integer that these rows do not have.
    Nothing,
    /// When the row last changed.
    ChangedAt,
    /// The committed frontier with which the row last changed, ms since 1970.
    ChangedFrontier,
    /// Derived by PostgreSQL: cents / count to 2 decimals.
    MeanMoney(fn(&T) -> (i128, i64)),
    /// Derived by PostgreSQL: part / whole to 4 decimals.
    Rate(fn(&T) -> (i64, i64)),
    /// Derived by PostgreSQL: thousandths / count to 3 decimals.
    MeanScore(fn(&T) -> (i64, i64)),
    /// Derived by PostgreSQL: the rule in most alerts of the row's day.
    TopRule,
}

impl<T> Value<T> {
    /// The type of a column that is written; `None` where PostgreSQL derives it.
    fn written_as(&self) -> Option<Type> {
        match self {
            Self::Customer(_) | Self::Store(_) | Self::Day(_) => Some(Type::INT4),
            Self::Instant(_) | Self::OptionalInstant(_) | Self::ChangedAt => Some(Type::TIMESTAMPTZ),
            Self::Text(_) | Self::OptionalText(_) => Some(Type::TEXT),
            Self::OptionalFloat(_) => Some(Type::FLOAT8),
            Self::Count(_) | Self::Exact(_) | Self::ChangedFrontier => Some(Type::INT8),
            Self::Money(_) | Self::OptionalMoney(_) => Some(Type::NUMERIC),
            Self::Nothing => Some(Type::INT4),
            Self::MeanMoney(_) | Self::Rate(_) | Self::MeanScore(_) | Self::TopRule => None,
        }
    }

    /// A difference adds to the column; other columns that are written take its value.
    fn is_sum(&self) -> bool {
        matches!(self, Self::Count(_) | Self::Exact(_) | Self::Money(_))
    }

    /// The expression that reads the column back and the type that it then has; `None` where a restart needs
    /// no such column.
    fn read_as(&self, name: &str) -> Option<(String, Type)> {
        match self {
            Self::Customer(_) => Some(("customer_id".to_owned(), Type::TEXT)),
            Self::Store(_) => Some(("store_id".to_owned(), Type::TEXT)),
            Self::Day(_) => Some((name.to_owned(), Type::INT4)),
            Self::Instant(_) | Self::Count(_) | Self::Exact(_) => Some((name.to_owned(), Type::INT8)),
            Self::Text(_) => Some((name.to_owned(), Type::TEXT)),
            Self::Money(_) => Some((CENTS.replace("total_amount", name), Type::TEXT)),
            _ => None,
        }
    }
}

/// What the columns of a row depend on beside the row.
pub(super) struct RowContext<'a> {
    pub(super) dimensions: &'a mut Dimensions,
    /// Ingest time of the change, ms since 1970.
    pub(super) time: u64,
    /// The frontier of the commit, ms since 1970.
    pub(super) frontier: i64,
}

impl<T> Column<T> {
    /// Pushes the value of a row; nothing where PostgreSQL derives it.
    pub(super) fn push(&self, columns: &mut Columns, of: &T, context: &mut RowContext<'_>) {
        match self.value {
            Value::Customer(id) => columns.int4(context.dimensions.customers.of(id(of))),
            Value::Store(id) => columns.int4(context.dimensions.stores.of(id(of))),
            Value::Day(day) => columns.int4(date_key(day(of))),
            Value::Instant(instant) => columns.instant(instant(of)),
            Value::Text(text) => columns.text(text(of)),
            Value::OptionalText(text) => columns.text_or_null(text(of).as_ref()),
            Value::OptionalInstant(instant) => columns.nullable(instant(of), Fields::instant),
            Value::OptionalFloat(float) => columns.nullable(float(of), Fields::float8),
            Value::OptionalMoney(cents) => columns.nullable(cents(of).map(i128::from), Fields::money),
            Value::Count(count) | Value::Exact(count) => columns.int8(count(of)),
            Value::Money(cents) => columns.money(cents(of)),
            Value::Nothing => columns.null(),
            Value::ChangedAt => columns.instant(micros(context.time)),
            Value::ChangedFrontier => columns.int8(context.frontier),
            Value::MeanMoney(_) | Value::Rate(_) | Value::MeanScore(_) | Value::TopRule => {}
        }
    }
}

/// A table's statements, and the types of their arrays.
pub(crate) struct Statements {
    /// Types of the columns of an upsert.
    row: Vec<Type>,
    /// Types of the columns of a delete.
    key: Vec<Type>,
    upsert: String,
    delete: String,
    expire: String,
}

/// The statements over differences; their columns are those of [`Statements`].
struct Additions {
    add: String,
    delete_zero: String,
}

/// Which rows of windows are kept, and the frontier of the commit.
#[derive(Clone, Copy)]
pub(crate) struct Commit {
    /// Start of the first window that is kept, microseconds since 1970; `None` while all are.
    pub(crate) first_window: Option<i64>,
    /// Whether that has moved since the last commit.
    pub(crate) windows_expire: bool,
    /// Ms since 1970.
    pub(crate) frontier: i64,
}

impl<K, S> Table<K, S> {
    /// A table with these columns.
    pub(crate) const fn new(
        stored: &'static str,
        shown: &'static str,
        key: &'static [Column<K>],
        values: &'static [Column<S>],
    ) -> Self {
        Self {
            stored,
            shown,
            key,
            values,
            window: None,
            statements: OnceLock::new(),
            additions: OnceLock::new(),
        }
    }

    /// A table whose rows are dropped a day behind the watermark, by the start of their `window`.
    pub(crate) const fn of_windows(
        stored: &'static str,
        key: &'static [Column<K>],
        values: &'static [Column<S>],
        window: fn(&K) -> i64,
    ) -> Self {
        Self {
            stored,
            shown: stored,
            key,
            values,
            window: Some(window),
            statements: OnceLock::new(),
            additions: OnceLock::new(),
        }
    }

    /// Writes the latest rows.
    pub(crate) fn write(
        &'static self,
        output: &mut Output<'_, '_>,
        latest: &Latest<K, S>,
        dimensions: &mut Dimensions,
        commit: Commit,
    ) -> Result<(), PostgresError> {
        let statements = self.statements.get_or_init(|| self.generate());
        if let Some(first) = commit.first_window.filter(|_| commit.windows_expire && self.window.is_some()) {
            output.execute(&statements.expire, &[&crate::encoding::Instant(first)])?;
        }
        if latest.is_empty() {
            return Ok(());
        }
        let mut kept = Columns::new(&statements.row);
        let mut removed = Columns::new(&statements.key);
        let mut context = RowContext { dimensions, time: 0, frontier: commit.frontier };
        for (key, change) in self.ordered(latest, context.dimensions) {
            if !self.is_kept(key, commit) {
                continue;
            }
            context.time = change.time;
            let columns = if change.value.is_some() { &mut kept } else { &mut removed };
            self.push_key(columns, key, &mut context);
            if let Some(sum) = &change.value {
                self.push_values(columns, sum, &mut context);
            }
        }
        output.write(self.shown, &statements.upsert, &kept)?;
        output.write(self.shown, &statements.delete, &removed)
    }

    /// Adds differences to stored rows; a row that becomes zero is deleted.
    pub(crate) fn add(
        &'static self,
        output: &mut Output<'_, '_>,
        differences: &Differences<K, S>,
        dimensions: &mut Dimensions,
        commit: Commit,
    ) -> Result<(), PostgresError> {
        let statements = self.statements.get_or_init(|| self.generate());
        let mut added = Columns::new(&statements.row);
        let mut keys = Columns::new(&statements.key);
        let mut context = RowContext { dimensions, time: 0, frontier: commit.frontier };
        for (key, At { time, value }) in differences.iter().filter(|(key, _)| self.is_kept(key, commit)) {
            context.time = *time;
            self.push_key(&mut added, key, &mut context);
            self.push_values(&mut added, value, &mut context);
            self.push_key(&mut keys, key, &mut context);
        }
        let additions = self.additions.get_or_init(|| self.generate_additions());
        output.write(self.shown, &additions.add, &added)?;
        output.write(self.shown, &additions.delete_zero, &keys)
    }

    /// Whether the window of a row, if it has one, is still kept.
    fn is_kept(&self, key: &K, commit: Commit) -> bool {
        match (self.window, commit.first_window) {
            (Some(window), Some(first)) => window(key) >= first,
            _ => true,
        }
    }

    /// Begins a row with its key.
    fn push_key(&self, columns: &mut Columns, key: &K, context: &mut RowContext<'_>) {
        columns.begin();
        self.key.iter().for_each(|column| column.push(columns, key, context));
    }

    fn push_values(&self, columns: &mut Columns, sum: &S, context: &mut RowContext<'_>) {
        self.values.iter().for_each(|column| column.push(columns, sum, context));
    }

    /// Rows in the order of a customer's key, where they have one, so that neighbours share pages of index
    /// and table.
    fn ordered<'a>(
        &self,
        latest: &'a Latest<K, S>,
        dimensions: &mut Dimensions,
    ) -> Vec<(&'a K, &'a At<Option<S>>)> {
        let mut rows: Vec<_> = latest.iter().collect();
        if let [Column { value: Value::Customer(id), .. }, ..] = self.key {
            rows.sort_by_cached_key(|(key, _)| dimensions.customers.of(id(key)));
        }
        rows
    }

    /// Upsert, delete and expire, over arrays of the columns.
    fn generate(&self) -> Statements {
        let key = written(self.key);
        let all: Vec<_> = key.iter().cloned().chain(written(self.values)).collect();
        let window = self.key.first().map_or("", |column| column.name);
        Statements {
            row: types(&all),
            key: types(&key),
            upsert: self.insert(&sets(&written(self.values))),
            delete: self.delete(),
            expire: format!("DELETE FROM {} WHERE {window} < $1", self.stored),
        }
    }

    /// Add, and delete what has become zero, over the same arrays.
    fn generate_additions(&self) -> Additions {
        let sums = self.values.iter().filter(|column| column.value.is_sum());
        let zero: String = sums.map(|column| format!(" AND t.{} = 0", column.name)).collect();
        Additions { add: self.insert(&additions(self.values)), delete_zero: self.delete() + &zero }
    }

    /// Inserts rows; `sets` says what happens to one that is there.
    fn insert(&self, sets: &str) -> String {
        let key = written(self.key);
        let all: Vec<_> = key.iter().cloned().chain(written(self.values)).collect();
        format!(
            "INSERT INTO {} AS t ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) DO UPDATE SET {sets}",
            self.stored,
            names(&all),
            arrays(&all),
            names(&key),
        )
    }

    /// Deletes the rows of keys.
    fn delete(&self) -> String {
        // Only equality is found by index.
        let same = self.key.iter().map(|Column { name, value }| match value {
            Value::Nothing => format!("t.{name} IS NULL"),
            _ => format!("t.{name} = k.{name}"),
        });
        let key = written(self.key);
        format!(
            "DELETE FROM {} AS t USING unnest({}) AS k ({}) WHERE {}",
            self.stored,
            arrays(&key),
            names(&key),
            same.collect::<Vec<_>>().join(" AND "),
        )
    }
}

/// Local days differ from UTC's by less than one, and a day is open as long as the dataflow may think so.
const OPEN_DAYS: i64 = 4;

impl<K, S> Aggregate<K, S> {
    /// Gives the rows that can still change to `give`; buckets before `settled`, microseconds since 1970, are
    /// final.
    pub(crate) fn restore(
        &self,
        snapshot: &mut Transaction<'_>,
        settled: i64,
        give: &mut dyn FnMut((K, S)),
    ) -> Result<(), PostgresError> {
        let (mut names, mut types, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
        let mut joins = String::new();
        for Column { name, value } in self.table.key {
            if let Some((expression, of)) = value.read_as(name) {
                names.push(expression);
                types.push(of);
            }
            match value {
                Value::Customer(_) => joins += " JOIN gold.dim_customer USING (customer_key)",
                Value::Store(_) => joins += " JOIN gold.dim_store USING (store_key)",
                Value::Nothing => conditions.push(format!("{name} IS NULL")),
                Value::Day(_) => {
                    let first = i32::try_from(settled.max(0) / DAY - OPEN_DAYS).unwrap_or_default();
                    conditions.push(format!("{name} >= {}", date_key(first)));
                }
                Value::Instant(_) => {
                    conditions.push(format!("{name} >= {}", literal(settled.saturating_sub(self.bucket))));
                }
                _ => {}
            }
        }
        for (expression, of) in
            self.table.values.iter().filter_map(|column| column.value.read_as(column.name))
        {
            names.push(expression);
            types.push(of);
        }
        let (names, conditions) = (names.join(", "), conditions.join(" AND "));
        let query = format!("SELECT {names} FROM {}{joins} WHERE {conditions}", self.table.stored);
        copy_out::rows(snapshot, &query, &types, self.read, give)
    }
}

/// Names and types of the columns that are written.
pub(super) fn written<T: 'static>(
    columns: impl IntoIterator<Item = &'static Column<T>>,
) -> Vec<(&'static str, Type)> {
    columns.into_iter().filter_map(|column| Some((column.name, column.value.written_as()?))).collect()
}

/// The sums of sales from their three columns: transactions, amount and alerts.
pub(super) fn sales(row: &mut copy_out::Fields<'_>) -> Result<Sales, PostgresError> {
    Ok(Sales { transactions: row.get()?, cents: row.wide()?, alerts: row.get()? })
}

/// The types of columns.
pub(super) fn types(columns: &[(&str, Type)]) -> Vec<Type> {
    columns.iter().map(|(_, of)| of.clone()).collect()
}

/// The columns, separated by commas.
fn names(columns: &[(&str, Type)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// An array parameter for each column.
pub(super) fn arrays(columns: &[(&str, Type)]) -> String {
    let array = |(index, (_, of)): (usize, &(&str, Type))| format!("${}::{}[]", index + 1, of.name());
    columns.iter().enumerate().map(array).collect::<Vec<_>>().join(", ")
}

/// Each sum grows by the value that could not be inserted; other columns take it.
fn additions<T: 'static>(columns: &'static [Column<T>]) -> String {
    let is_written = |column: &&Column<T>| column.value.written_as().is_some();
    let set = |Column { name, value }: &Column<T>| match value.is_sum() {
        true => format!("{name} = t.{name} + excluded.{name}"),
        false => format!("{name} = excluded.{name}"),
    };
    columns.iter().filter(is_written).map(set).collect::<Vec<_>>().join(", ")
}

/// Each column takes the value that could not be inserted.
pub(super) fn sets(columns: &[(&str, Type)]) -> String {
    let set = |(name, _): &(&str, Type)| format!("{name} = excluded.{name}");
    columns.iter().map(set).collect::<Vec<_>>().join(", ")
}
