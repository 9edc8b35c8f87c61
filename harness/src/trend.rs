//! Whether a backlog grows: by its trend over a window, not by one moment.

/// The largest growth that counts as none, as a fraction of the offered rate.
const TOLERANCE: f64 = 0.01;

/// The slope of the line through the points with the least squares, y by x; `None` where it has none.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let sum = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    let (x, y) = (sum(|point| point.0) / count, sum(|point| point.1) / count);
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (spread > 0.0).then(|| together / spread)
}

/// Whether a backlog that grows by `slope` events a second is worked off at `rate` events a second.
pub fn is_sustained(slope: f64, rate: f64) -> bool {
    slope <= TOLERANCE * rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_line() {
        assert_eq!(slope(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]), Some(2.0));
        assert_eq!(slope(&[(0.0, 5.0), (1.0, 5.0)]), Some(0.0));
    }

    #[test]
    fn without_two_times_there_is_no_slope() {
        assert_eq!([slope(&[]), slope(&[(1.0, 2.0)]), slope(&[(1.0, 2.0), (1.0, 9.0)])], [None; 3]);
    }

    #[test]
    fn a_backlog_that_comes_and_goes_does_not_grow() {
        let saw: Vec<(f64, f64)> =
            (0..600).map(|n| (f64::from(n) / 10.0, f64::from(n % 10) * 40.0)).collect();
        assert!(is_sustained(slope(&saw).unwrap(), 1000.0));
        let growing: Vec<(f64, f64)> = saw.iter().map(|(x, y)| (*x, y + 50.0 * x)).collect();
        assert!(!is_sustained(slope(&growing).unwrap(), 1000.0));
    }
}
