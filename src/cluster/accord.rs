//! Who can begin together where not all reach each other.

/// `first`, and of the others, in order, each that all before it reach and that reaches all of them. `others` come
/// with whom they are connected to, as they have told `first`, and are in order.
pub fn all_connected<'a>(
    first: usize,
    others: impl Iterator<Item = (usize, Option<&'a [usize]>)>,
) -> Vec<usize> {
    let mut list = vec![first];
    let mut known: Vec<&[usize]> = Vec::new();
    for (process, reaches) in others {
        let Some(reaches) = reaches else { continue };
        let is_reached = known.iter().all(|known| known.contains(&process));
        if is_reached && list.iter().all(|member| reaches.contains(member)) {
            list.push(process);
            known.push(reaches);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(others: &[(usize, &[usize])]) -> Vec<usize> {
        all_connected(0, others.iter().map(|(process, reaches)| (*process, Some(*reaches))))
    }

    #[test]
    fn all_begin_that_reach_each_other() {
        assert_eq!(chosen(&[]), [0]);
        assert_eq!(chosen(&[(1, &[0, 1, 2]), (2, &[0, 1, 2])]), [0, 1, 2]);
        assert_eq!(chosen(&[(2, &[0, 2, 5]), (5, &[0, 2, 5])]), [0, 2, 5]);
    }

    #[test]
    fn one_of_two_that_do_not_reach_each_other_is_left_out() {
        assert_eq!(chosen(&[(1, &[0, 1]), (2, &[0, 2])]), [0, 1]);
        assert_eq!(chosen(&[(1, &[0, 1, 3]), (2, &[0, 2, 3]), (3, &[0, 1, 2, 3])]), [0, 1, 3]);
        // One of both has not noticed yet.
        assert_eq!(chosen(&[(1, &[0, 1, 2]), (2, &[0, 2])]), [0, 1]);
    }

    #[test]
    fn whom_others_know_and_the_first_does_not_is_none_of_them() {
        assert_eq!(chosen(&[(1, &[0, 1, 2])]), [0, 1]);
    }
}
