//! `silver.customers`, `stores`, `products`, and the dimensions of gold.
//!
//! A dimension's member is never deleted: one without a record is an inferred member without attributes.

use super::view::{Column, Commit, RowContext, Table, Value, arrays, sets, types, written};
use crate::changes::{Changes, Latest};
use crate::encoding::{Columns, Fields};
use crate::keys::{Dimensions, Keys};
use crate::output::Output;
use postgres::types::Type;
use std::sync::OnceLock;
use streamflow_connectors::postgres::{CopyRows, PostgresError};
use streamflow_model::{Customer, Id, Product, Store};

/// Attributes of customers, in silver and gold.
const CUSTOMER: &[Column<Customer>] = &[
    Column { name: "name", value: Value::OptionalText(|customer| customer.name.as_deref()) },
    Column { name: "email", value: Value::OptionalText(|customer| customer.email.as_deref()) },
    Column { name: "city", value: Value::OptionalText(|customer| customer.city.as_deref()) },
    Column { name: "state", value: Value::OptionalText(|customer| customer.state.as_deref()) },
    Column { name: "risk_profile", value: Value::OptionalText(|customer| customer.risk_profile.as_deref()) },
    Column { name: "registered_at", value: Value::OptionalInstant(|customer| customer.registered_at) },
    Column { name: "updated_at", value: Value::ChangedAt },
];

/// Attributes of stores, in silver and gold.
const STORE: &[Column<Store>] = &[
    Column { name: "name", value: Value::OptionalText(|store| store.name.as_deref()) },
    Column { name: "city", value: Value::OptionalText(|store| store.city.as_deref()) },
    Column { name: "state", value: Value::OptionalText(|store| store.state.as_deref()) },
    Column { name: "category", value: Value::OptionalText(|store| store.category.as_deref()) },
    Column { name: "channel", value: Value::OptionalText(|store| store.channel.as_deref()) },
    Column {
        name: "latitude",
        value: Value::OptionalFloat(|store| store.place.map(|place| place.latitude_degrees())),
    },
    Column {
        name: "longitude",
        value: Value::OptionalFloat(|store| store.place.map(|place| place.longitude_degrees())),
    },
    Column { name: "updated_at", value: Value::ChangedAt },
];

/// Attributes of products, in silver and gold.
const PRODUCT: &[Column<Product>] = &[
    Column { name: "name", value: Value::OptionalText(|product| product.name.as_deref()) },
    Column { name: "category", value: Value::OptionalText(|product| product.category.as_deref()) },
    Column { name: "price", value: Value::OptionalMoney(|product| product.price) },
    Column { name: "updated_at", value: Value::ChangedAt },
];

const CUSTOMER_ID: &[Column<Id>] = &[Column { name: "customer_id", value: Value::Text(|id| id) }];
const STORE_ID: &[Column<Id>] = &[Column { name: "store_id", value: Value::Text(|id| id) }];
const PRODUCT_ID: &[Column<Id>] = &[Column { name: "product_id", value: Value::Text(|id| id) }];

static CUSTOMERS: Table<Id, Customer> =
    Table::new("silver.customers", "silver.customers", CUSTOMER_ID, CUSTOMER);
static STORES: Table<Id, Store> = Table::new("silver.stores", "silver.stores", STORE_ID, STORE);
static PRODUCTS: Table<Id, Product> = Table::new("silver.products", "silver.products", PRODUCT_ID, PRODUCT);

static DIM_CUSTOMER: Dimension<Customer> = Dimension::new("gold.dim_customer", "customer", CUSTOMER);
static DIM_STORE: Dimension<Store> = Dimension::new("gold.dim_store", "store", STORE);
static DIM_PRODUCT: Dimension<Product> = Dimension::new("gold.dim_product", "product", PRODUCT);

/// A dimension of gold: key, id, attributes, and whether the member is inferred.
struct Dimension<V: 'static> {
    table: &'static str,
    /// What its members are, as its key and id columns begin.
    member: &'static str,
    /// Silver's columns; the time of the change is not among the dimension's.
    attributes: &'static [Column<V>],
    statements: OnceLock<Statements>,
}

struct Statements {
    /// Key, id and `inferred` of members assigned by this commit.
    copy: String,
    /// Types of the columns of an upsert.
    types: Vec<Type>,
    upsert: String,
}

/// Writes the latest rows of silver and the dimensions, after everything that assigns keys.
pub(crate) fn write(
    output: &mut Output<'_, '_>,
    changes: &Changes,
    dimensions: &mut Dimensions,
    commit: Commit,
) -> Result<(), PostgresError> {
    CUSTOMERS.write(output, &changes.customers, dimensions, commit)?;
    STORES.write(output, &changes.stores, dimensions, commit)?;
    PRODUCTS.write(output, &changes.products, dimensions, commit)?;
    DIM_CUSTOMER.write(output, &changes.customers, dimensions, |dimensions| &mut dimensions.customers)?;
    DIM_STORE.write(output, &changes.stores, dimensions, |dimensions| &mut dimensions.stores)?;
    DIM_PRODUCT.write(output, &changes.products, dimensions, |dimensions| &mut dimensions.products)
}

impl<V> Dimension<V> {
    const fn new(table: &'static str, member: &'static str, attributes: &'static [Column<V>]) -> Self {
        Self { table, member, attributes, statements: OnceLock::new() }
    }

    fn attributes(&self) -> impl Iterator<Item = &'static Column<V>> + Clone {
        self.attributes.iter().filter(|column| !matches!(column.value, Value::ChangedAt))
    }

    fn write(
        &'static self,
        output: &mut Output<'_, '_>,
        entities: &Latest<Id, V>,
        dimensions: &mut Dimensions,
        keys: fn(&mut Dimensions) -> &mut Keys,
    ) -> Result<(), PostgresError> {
        let statements = self.statements.get_or_init(|| self.generate());
        let mut members = Columns::new(&statements.types);
        for (id, entity) in entities {
            // One that is deleted before any transaction named it needs no member.
            let key = match entity.value {
                Some(_) => keys(dimensions).of(id),
                None => match keys(dimensions).known(id) {
                    Some(key) => key,
                    None => continue,
                },
            };
            members.begin();
            members.int4(key);
            members.text(id);
            let mut context = RowContext { dimensions, time: entity.time, frontier: 0 };
            for column in self.attributes() {
                match &entity.value {
                    Some(entity) => column.push(&mut members, entity, &mut context),
                    None => members.null(),
                }
            }
            members.boolean(entity.value.is_none());
        }
        let mut inferred = CopyRows::new(3);
        for (key, id) in keys(dimensions).fresh() {
            inferred.begin();
            inferred.int4(key);
            inferred.text(id);
            inferred.boolean(true);
        }
        output.copy(self.table, &statements.copy, &inferred)?;
        output.write(self.table, &statements.upsert, &members)
    }

    fn generate(&self) -> Statements {
        let Self { table, member, .. } = self;
        let (key, id) = (format!("{member}_key"), format!("{member}_id"));
        let mut columns = vec![(key.as_str(), Type::INT4), (id.as_str(), Type::TEXT)];
        columns.extend(written(self.attributes()));
        columns.push(("inferred", Type::BOOL));
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        Statements {
            types: types(&columns),
            copy: format!("COPY {table} ({key}, {id}, inferred) FROM STDIN (FORMAT binary)"),
            upsert: format!(
                "INSERT INTO {table} ({}) SELECT * FROM unnest({}) ON CONFLICT ({key}) DO UPDATE SET {}",
                names.join(", "),
                arrays(&columns),
                sets(&columns[2..]),
            ),
        }
    }
}
