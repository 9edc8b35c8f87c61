//! Local days, hours and minutes of the configured time zone.

use crate::timestamp::{DAY, HOUR, MINUTE, SECOND, civil_from_days, days_from_civil};
use chrono::{Offset, TimeZone};
use chrono_tz::Tz;
use std::cell::Cell;

/// Offsets of zones change at quarter hours, so one is looked up once a quarter and remembered.
const QUARTER: i64 = 15 * MINUTE;
const SLOTS: usize = 512;

/// Converts instants to local time. Not shared between threads: each worker has its own.
pub struct Calendar {
    zone: Tz,
    /// Direct-mapped by quarter: (quarter, offset in microseconds).
    slots: Box<[Cell<(i64, i64)>]>,
}

impl Calendar {
    /// A calendar of `zone`.
    pub fn new(zone: Tz) -> Self {
        Self { zone, slots: vec![Cell::new((i64::MIN, 0)); SLOTS].into() }
    }

    /// The zone's offset from UTC at `instant`, in microseconds.
    pub fn offset(&self, instant: i64) -> i64 {
        let quarter = instant.div_euclid(QUARTER);
        let slot = &self.slots[quarter.rem_euclid(SLOTS as i64) as usize];
        if slot.get().0 != quarter {
            slot.set((quarter, self.look_up(quarter * QUARTER)));
        }
        slot.get().1
    }

    fn look_up(&self, instant: i64) -> i64 {
        let seconds = instant.div_euclid(SECOND);
        // Out of chrono's range there is no zone data; such event times never pass admission.
        chrono::DateTime::from_timestamp(seconds, 0).map_or(0, |utc| {
            let offset = self.zone.offset_from_utc_datetime(&utc.naive_utc());
            i64::from(offset.fix().local_minus_utc()) * SECOND
        })
    }

    /// The minute of the local day, 0 to 1439.
    pub fn minute_of_day(&self, instant: i64) -> u16 {
        ((instant + self.offset(instant)).rem_euclid(DAY) / MINUTE) as u16
    }

    /// The local day, in days since 1970-01-01.
    pub fn day(&self, instant: i64) -> i32 {
        (instant + self.offset(instant)).div_euclid(DAY) as i32
    }

    /// The instant at which the local hour of `instant` began.
    pub fn hour_start(&self, instant: i64) -> i64 {
        instant - (instant + self.offset(instant)).rem_euclid(HOUR)
    }
}

/// A day as the number YYYYMMDD, the key of `gold.dim_date`; `day` in days since 1970-01-01.
pub fn date_key(day: i32) -> i32 {
    let (year, month, day) = civil_from_days(i64::from(day));
    (year * 10_000 + month * 100 + day) as i32
}

/// The day of a key: the inverse of [`date_key`].
pub fn day_of_key(key: i32) -> i32 {
    days_from_civil(i64::from(key / 10_000), i64::from(key / 100 % 100), i64::from(key % 100)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::parse;

    #[test]
    fn a_day_is_found_by_its_key() {
        assert!((-3000..40_000).all(|day| day_of_key(date_key(day)) == day));
    }

    #[test]
    fn local_time_of_sao_paulo() {
        let calendar = Calendar::new(chrono_tz::America::Sao_Paulo);
        let at = parse("2026-02-01T02:30:18.250-03:00").unwrap();
        assert_eq!(calendar.minute_of_day(at), 150);
        assert_eq!(date_key(calendar.day(at)), 20_260_201);
        assert_eq!(calendar.hour_start(at), parse("2026-02-01T05:00:00Z").unwrap());
        let eve = parse("2026-02-01T02:59:59.999999Z").unwrap();
        assert_eq!(date_key(calendar.day(eve)), 20_260_131);
    }

    #[test]
    fn remembered_offsets_follow_the_zone() {
        let calendar = Calendar::new(chrono_tz::America::Sao_Paulo);
        let summer = parse("2019-01-15T12:00:00Z").unwrap();
        let winter = parse("2019-07-15T12:00:00Z").unwrap();
        for _ in 0..2 {
            assert_eq!(calendar.offset(summer), -2 * HOUR);
            assert_eq!(calendar.offset(winter), -3 * HOUR);
        }
    }
}
