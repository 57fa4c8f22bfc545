//! Dates and times as PostgreSQL counts them: from the beginning of 2000, in the Gregorian calendar also where
//! it was not in use yet.

/// Year, month, day; the year before 1 is 0, as in ISO 8601.
pub(crate) type Date = (i32, u8, u8);
/// Hour, minute, second, nanosecond.
pub(crate) type Time = (u8, u8, u8, u32);
/// Both.
pub(crate) type DateTime = (i32, u8, u8, u8, u8, u8, u32);

const DAY_MICROS: i64 = 86_400_000_000;
/// Seconds from 1970 to 2000.
const EPOCH_SECONDS: i64 = 946_684_800;
/// Days from 0000-03-01, where years of 400 begin, to 2000-01-01.
const EPOCH_DAYS: i64 = 730_425;
/// Days in 400 years.
const ERA_DAYS: i64 = 146_097;

/// What stands for infinity in place of days, and of microseconds.
const DAYS_INFINITE: [i32; 2] = [i32::MIN, i32::MAX];
const MICROS_INFINITE: [i64; 2] = [i64::MIN, i64::MAX];

fn days_in(year: i64, month: u8) -> u8 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 2000-01-01; `None` if there is no such day.
fn days((year, month, day): Date) -> Option<i64> {
    let year = i64::from(year);
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    // Years that begin in March end with the day that some do not have.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * i64::from(month) + 2) / 5 + i64::from(day) - 1;
    let in_era = year.rem_euclid(400);
    let of_era = in_era * 365 + in_era / 4 - in_era / 100 + of_year;
    Some(year.div_euclid(400) * ERA_DAYS + of_era - EPOCH_DAYS)
}

/// The day so many days after 2000-01-01; `None` if its year has too many digits.
fn date(days: i64) -> Option<Date> {
    let days = days + EPOCH_DAYS;
    let of_era = days.rem_euclid(ERA_DAYS);
    let in_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * in_era + in_era / 4 - in_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = days.div_euclid(ERA_DAYS) * 400 + in_era + i64::from(month <= 2);
    Some((i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
}

fn micros((hour, minute, second, nanosecond): Time) -> Option<i64> {
    if hour > 23 || minute > 59 || second > 59 || nanosecond > 999_999_999 {
        return None;
    }
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    Some(seconds * 1_000_000 + i64::from(nanosecond) / 1_000)
}

fn time(micros: i64) -> Option<Time> {
    let part = |part: i64| u8::try_from(part).ok();
    let seconds = micros / 1_000_000;
    let nanosecond = u32::try_from(micros % 1_000_000 * 1_000).ok()?;
    Some((part(seconds / 3_600)?, part(seconds / 60 % 60)?, part(seconds % 60)?, nanosecond))
}

/// As the server takes a date; `None` if there is no such day.
pub(crate) fn date_to_days(date: Date) -> Option<i32> {
    let days = i32::try_from(days(date)?).ok()?;
    (!DAYS_INFINITE.contains(&days)).then_some(days)
}

/// As the server gives a date; `None` if it is infinite.
pub(crate) fn date_from_days(days: i32) -> Option<Date> {
    if DAYS_INFINITE.contains(&days) { None } else { date(days.into()) }
}

/// As the server takes a time; `None` if there is no such time. 24:00 is one, to PostgreSQL.
pub(crate) fn time_to_micros(time: Time) -> Option<i64> {
    if time == (24, 0, 0, 0) { Some(DAY_MICROS) } else { micros(time) }
}

/// As the server gives a time.
pub(crate) fn time_from_micros(micros: i64) -> Option<Time> {
    (0..=DAY_MICROS).contains(&micros).then(|| time(micros)).flatten()
}

/// As the server takes a date with a time; `None` if there is none such.
pub(crate) fn datetime_to_micros(
    (year, month, day, hour, minute, second, nanosecond): DateTime,
) -> Option<i64> {
    let days = days((year, month, day))?;
    let micros = days.checked_mul(DAY_MICROS)?.checked_add(micros((hour, minute, second, nanosecond))?)?;
    (!MICROS_INFINITE.contains(&micros)).then_some(micros)
}

/// As the server gives a date with a time; `None` if it is infinite.
pub(crate) fn datetime_from_micros(micros: i64) -> Option<DateTime> {
    if MICROS_INFINITE.contains(&micros) {
        return None;
    }
    let (year, month, day) = date(micros.div_euclid(DAY_MICROS))?;
    let (hour, minute, second, nanosecond) = time(micros.rem_euclid(DAY_MICROS))?;
    Some((year, month, day, hour, minute, second, nanosecond))
}

/// As the server takes seconds since 1970; `None` if that is too far away.
pub(crate) fn timestamp_to_micros(seconds: i64) -> Option<i64> {
    let micros = seconds.checked_sub(EPOCH_SECONDS)?.checked_mul(1_000_000)?;
    (!MICROS_INFINITE.contains(&micros)).then_some(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days_are_where_they_belong() {
        let cases = [
            ((2000, 1, 1), 0),
            ((1999, 12, 31), -1),
            ((2000, 2, 29), 59),
            ((2000, 3, 1), 60),
            ((1970, 1, 1), -10_957),
            ((2001, 1, 1), 366),
            ((-4712, 1, 1), -2_451_507),
        ];
        for (date, days) in cases {
            assert_eq!((date_to_days(date), date_from_days(days)), (Some(days), Some(date)));
        }
    }

    #[test]
    fn what_is_no_day_or_no_time_is_refused() {
        for date in
            [(2001, 2, 29), (1900, 2, 29), (2000, 13, 1), (2000, 0, 1), (2000, 1, 0), (i32::MAX, 1, 1)]
        {
            assert_eq!(date_to_days(date), None, "{date:?}");
        }
        for time in [(24, 0, 0, 1), (25, 0, 0, 0), (1, 60, 0, 0), (1, 0, 60, 0), (1, 0, 0, 1_000_000_000)] {
            assert_eq!(time_to_micros(time), None, "{time:?}");
        }
        assert_eq!(datetime_to_micros((2000, 1, 1, 24, 0, 0, 0)), None);
        assert_eq!(timestamp_to_micros(i64::MAX), None);
        assert_eq!(timestamp_to_micros(946_684_801), Some(1_000_000));
        assert_eq!((date_from_days(i32::MAX), datetime_from_micros(i64::MIN)), (None, None));
        assert_eq!((time_from_micros(-1), time_from_micros(DAY_MICROS + 1)), (None, None));
        assert_eq!(time_from_micros(DAY_MICROS), Some((24, 0, 0, 0)));
    }

    proptest! {
        #[test]
        fn days_and_moments_go_there_and_back(days in any::<i32>(), micros in any::<i64>()) {
            if let Some(date) = date_from_days(days) {
                prop_assert_eq!(date_to_days(date), Some(days));
            }
            if let Some(moment) = datetime_from_micros(micros) {
                prop_assert_eq!(datetime_to_micros(moment), Some(micros));
            }
        }

        #[test]
        fn any_numbers_are_a_day_or_refused(date in any::<Date>(), time in any::<Time>()) {
            if let Some(days) = date_to_days(date) {
                prop_assert_eq!(date_from_days(days), Some(date));
            }
            if let Some(micros) = time_to_micros(time) {
                let (hour, minute, second, nanosecond) = time;
                let whole = (hour, minute, second, nanosecond / 1_000 * 1_000);
                prop_assert_eq!(time_from_micros(micros), Some(whole));
            }
        }
    }
}
