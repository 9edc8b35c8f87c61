//! `silver.customers`, `stores`, `products`, and the dimensions of gold.
//!
//! A dimension's member never leaves: one without reference data is an inferred member without attributes.

use super::view::{Rows, View};
use crate::changes::{Changes, Latest};
use crate::encoding::{Columns, Fields, micros};
use crate::keys::{Dimensions, Keys};
use crate::output::Output;
use postgres::types::Type;
use streamflow_connectors::postgres::{CopyRows, PostgresError};
use streamflow_model::{Customer, Id, Product, Store};

/// A dimension of gold.
struct Dimension {
    table: &'static str,
    /// Between id and `inferred`.
    attributes: &'static [Type],
    /// Key, id and `inferred` of members assigned by this commit.
    copy: &'static str,
    /// Key, id, attributes, `inferred`.
    upsert: &'static str,
}

/// What an entity's attributes are, in the order of the tables' columns.
trait Attributes {
    fn push(&self, row: &mut Columns);
}

const CUSTOMER_ATTRIBUTES: &[Type] =
    &[Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ];
const STORE_ATTRIBUTES: &[Type] =
    &[Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT, Type::FLOAT8, Type::FLOAT8];
const PRODUCT_ATTRIBUTES: &[Type] = &[Type::TEXT, Type::TEXT, Type::NUMERIC];

const CUSTOMERS: View = View {
    table: "silver.customers",
    key: &[Type::TEXT],
    values: &[
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
    ],
    upsert: "INSERT INTO silver.customers (customer_id, name, email, city, state, risk_profile, registered_at, \
         updated_at) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::timestamptz[], $8::timestamptz[]) \
         ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name, email = excluded.email, \
             city = excluded.city, state = excluded.state, risk_profile = excluded.risk_profile, \
             registered_at = excluded.registered_at, updated_at = excluded.updated_at",
    delete: "DELETE FROM silver.customers WHERE customer_id = ANY ($1::text[])",
};

const STORES: View = View {
    table: "silver.stores",
    key: &[Type::TEXT],
    values: &[
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT8,
        Type::FLOAT8,
        Type::TIMESTAMPTZ,
    ],
    upsert: "INSERT INTO silver.stores (store_id, name, city, state, category, channel, latitude, longitude, \
         updated_at) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::float8[], $8::float8[], $9::timestamptz[]) \
         ON CONFLICT (store_id) DO UPDATE SET name = excluded.name, city = excluded.city, \
             state = excluded.state, category = excluded.category, channel = excluded.channel, \
             latitude = excluded.latitude, longitude = excluded.longitude, updated_at = excluded.updated_at",
    delete: "DELETE FROM silver.stores WHERE store_id = ANY ($1::text[])",
};

const PRODUCTS: View = View {
    table: "silver.products",
    key: &[Type::TEXT],
    values: &[Type::TEXT, Type::TEXT, Type::NUMERIC, Type::TIMESTAMPTZ],
    upsert: "INSERT INTO silver.products (product_id, name, category, price, updated_at) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::timestamptz[]) \
         ON CONFLICT (product_id) DO UPDATE SET name = excluded.name, category = excluded.category, \
             price = excluded.price, updated_at = excluded.updated_at",
    delete: "DELETE FROM silver.products WHERE product_id = ANY ($1::text[])",
};

const DIM_CUSTOMER: Dimension = Dimension {
    table: "gold.dim_customer",
    attributes: CUSTOMER_ATTRIBUTES,
    copy: "COPY gold.dim_customer (customer_key, customer_id, inferred) FROM STDIN (FORMAT binary)",
    upsert: "INSERT INTO gold.dim_customer (customer_key, customer_id, name, email, city, state, risk_profile, \
         registered_at, inferred) \
         SELECT * FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::text[], $8::timestamptz[], $9::bool[]) \
         ON CONFLICT (customer_key) DO UPDATE SET name = excluded.name, email = excluded.email, \
             city = excluded.city, state = excluded.state, risk_profile = excluded.risk_profile, \
             registered_at = excluded.registered_at, inferred = excluded.inferred",
};

const DIM_STORE: Dimension = Dimension {
    table: "gold.dim_store",
    attributes: STORE_ATTRIBUTES,
    copy: "COPY gold.dim_store (store_key, store_id, inferred) FROM STDIN (FORMAT binary)",
    upsert: "INSERT INTO gold.dim_store (store_key, store_id, name, city, state, category, channel, latitude, \
         longitude, inferred) \
         SELECT * FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::text[], $8::float8[], $9::float8[], $10::bool[]) \
         ON CONFLICT (store_key) DO UPDATE SET name = excluded.name, city = excluded.city, \
             state = excluded.state, category = excluded.category, channel = excluded.channel, \
             latitude = excluded.latitude, longitude = excluded.longitude, inferred = excluded.inferred",
};

const DIM_PRODUCT: Dimension = Dimension {
    table: "gold.dim_product",
    attributes: PRODUCT_ATTRIBUTES,
    copy: "COPY gold.dim_product (product_key, product_id, inferred) FROM STDIN (FORMAT binary)",
    upsert: "INSERT INTO gold.dim_product (product_key, product_id, name, category, price, inferred) \
         SELECT * FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::bool[]) \
         ON CONFLICT (product_key) DO UPDATE SET name = excluded.name, category = excluded.category, \
             price = excluded.price, inferred = excluded.inferred",
};

/// Brings reference rows and dimensions to their latest state. Comes after everything that assigns keys.
pub(crate) fn write(
    output: &mut Output<'_, '_>,
    changes: &Changes,
    dimensions: &mut Dimensions,
) -> Result<(), PostgresError> {
    let Dimensions { customers, stores, products } = dimensions;
    CUSTOMERS.write(output, &changes.customers, Entities)?;
    STORES.write(output, &changes.stores, Entities)?;
    PRODUCTS.write(output, &changes.products, Entities)?;
    DIM_CUSTOMER.write(output, &changes.customers, customers)?;
    DIM_STORE.write(output, &changes.stores, stores)?;
    DIM_PRODUCT.write(output, &changes.products, products)
}

impl Dimension {
    fn write<V: Attributes>(
        &self,
        output: &mut Output<'_, '_>,
        entities: &Latest<Id, V>,
        keys: &mut Keys,
    ) -> Result<(), PostgresError> {
        let types = [&[Type::INT4, Type::TEXT], self.attributes, &[Type::BOOL]].concat();
        let mut members = Columns::new(&types);
        for (id, entity) in entities {
            // One that is deleted before any transaction named it needs no member.
            let key = match entity.value {
                Some(_) => keys.of(id),
                None => match keys.known(id) {
                    Some(key) => key,
                    None => continue,
                },
            };
            members.begin();
            members.int4(key);
            members.text(id);
            match &entity.value {
                Some(entity) => entity.push(&mut members),
                None => self.attributes.iter().for_each(|_| members.null()),
            }
            members.boolean(entity.value.is_none());
        }
        let mut inferred = CopyRows::new(3);
        for (key, id) in keys.fresh() {
            inferred.begin();
            inferred.int4(key);
            inferred.text(id);
            inferred.boolean(true);
        }
        output.copy(self.table, self.copy, &inferred)?;
        output.write(self.table, self.upsert, &members)
    }
}

/// The rows of silver: id, attributes, time.
struct Entities;

impl<V: Attributes> Rows<Id, V> for Entities {
    fn key(&mut self, columns: &mut Columns, id: &Id) {
        columns.begin();
        columns.text(id);
    }

    fn values(&mut self, columns: &mut Columns, entity: &V, time: u64) {
        entity.push(columns);
        columns.instant(micros(time));
    }
}

impl Attributes for Customer {
    fn push(&self, row: &mut Columns) {
        let Self { customer_id: _, name, email, city, state, risk_profile, registered_at } = self;
        for text in [name, email, city, state, risk_profile] {
            row.text_or_null(text.as_ref());
        }
        row.nullable(*registered_at, Fields::instant);
    }
}

impl Attributes for Store {
    fn push(&self, row: &mut Columns) {
        let Self { store_id: _, name, city, state, category, channel, place } = self;
        for text in [name, city, state, category, channel] {
            row.text_or_null(text.as_ref());
        }
        row.nullable(place.map(|place| place.latitude_degrees()), Fields::float8);
        row.nullable(place.map(|place| place.longitude_degrees()), Fields::float8);
    }
}

impl Attributes for Product {
    fn push(&self, row: &mut Columns) {
        let Self { product_id: _, name, category, price } = self;
        row.text_or_null(name.as_ref());
        row.text_or_null(category.as_ref());
        row.nullable(price.map(i128::from), Fields::money);
    }
}
