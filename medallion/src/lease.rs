//! Whether the holder of a lease is still there: its session has a lock with the number of the lease, which the
//! server gives up when the session ends or is no longer heard of.

use postgres::{Client, Transaction};
use streamflow_connectors::postgres::PostgresError;

/// First key of the advisory locks. Any constant that no other program uses on this database will do.
const LOCK: i32 = 0x4c45_4153;

/// Has the server notice within about ten seconds that the client's host is gone.
const NOTICE_A_DEAD_CLIENT: &str = "SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; \
     SET tcp_keepalives_count = 3; SET tcp_user_timeout = 10000";

/// Holds the lease `generation` with this session, beside others of the same holder.
///
/// # Errors
/// Those of the server and the connection.
pub fn hold(client: &mut Client, generation: i64) -> Result<(), PostgresError> {
    client.batch_execute(NOTICE_A_DEAD_CLIENT)?;
    client.execute("SELECT pg_advisory_lock_shared($1, $2)", &[&LOCK, &key(generation)])?;
    Ok(())
}

/// Whether a session holds the lease `generation`.
///
/// # Errors
/// As for [`hold`].
pub fn is_held(transaction: &mut Transaction<'_>, generation: i64) -> Result<bool, PostgresError> {
    let sql = "SELECT pg_try_advisory_xact_lock($1, $2)";
    let is_free: bool = transaction.query_one(sql, &[&LOCK, &key(generation)])?.try_get(0)?;
    Ok(!is_free)
}

/// Locks have keys of 32 bits: that two leases share one after four thousand million others harms nobody.
fn key(generation: i64) -> i32 {
    generation as i32
}
