//! A PostgreSQL of one's own, with the schema.

use postgres::Client;
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect, migrate};
use streamflow_medallion::migrations;

pub fn start() -> (PrivatePostgres, Client) {
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let mut client = connect(&server.settings()).unwrap();
    migrate(&mut client, migrations()).unwrap();
    (server, client)
}
