//! Passwords, which settings name and never hold.

use std::path::Path;
use std::{env, fs};

/// The password in an environment variable or else in a file, read now, so that a rotated one is picked up;
/// `None` where neither is given. One newline at a file's end is not part of it.
///
/// # Errors
/// The key that names what cannot be read, and why.
pub fn read_password(
    variable: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<String>, (&'static str, String)> {
    if let Some(variable) = variable {
        let value = env::var(variable);
        return value.map(Some).map_err(|error| ("password_env", format!("variable `{variable}`: {error}")));
    }
    let Some(path) = file else { return Ok(None) };
    let text = fs::read_to_string(path)
        .map_err(|error| ("password_file", format!("`{}`: {error}", path.display())))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Some(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}
