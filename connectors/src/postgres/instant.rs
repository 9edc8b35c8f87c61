//! Instants as PostgreSQL sends and takes them.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// 2000-01-01, where PostgreSQL's timestamps begin, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;
/// 4714 BC, the first that PostgreSQL's timestamps can hold, in microseconds since 2000. Its last, in 294276 AD, is beyond 64 bits
/// of microseconds since 1970.
const FIRST: i64 = -211_813_488_000_000_000;

/// A `timestamptz`, microseconds since 1970. Infinite ones are the first and the last number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant(pub i64);

impl Instant {
    /// From the binary form, microseconds since 2000.
    #[must_use]
    pub fn from_wire(timestamptz: i64) -> Self {
        match timestamptz {
            i64::MIN | i64::MAX => Self(timestamptz),
            since_2000 => Self(since_2000.saturating_add(EPOCH)),
        }
    }

    /// The binary form, microseconds since 2000; `-infinity` before PostgreSQL's first.
    #[must_use]
    pub fn to_wire(self) -> i64 {
        let since_2000 = self.0.saturating_sub(EPOCH);
        if since_2000 < FIRST { i64::MIN } else { since_2000 }
    }
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::from_wire(i64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.to_wire());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}
