//! `streamflow demo`: everything embedded.

use crate::command;

#[test]
fn a_short_demonstration_ends_with_equal_tables() {
    let printed = command::succeed(&["demo", "--rate", "500", "--duration", "10s"]);
    assert!(printed.contains("equal"), "{printed}");
}
