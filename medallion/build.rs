//! Lists the migrations: the files `NNN_name.sql` of `sql/`, numbered 001, 002, 003, ... without a gap.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../sql").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<String> = fs::read_dir(&folder)?
        .map(|file| Ok(file?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, std::io::Error>>()?;
    files.retain(|file| file.ends_with(".sql"));
    files.sort();
    let mut list = String::new();
    for (number, file) in (1..).zip(&files) {
        let name = file.strip_prefix(&format!("{number:03}_")).and_then(|rest| rest.strip_suffix(".sql"));
        let name = name.ok_or_else(|| format!("sql/{file} found where {number:03}_<name>.sql is due"))?;
        let path = folder.join(file);
        list += &format!("Migration {{ number: {number}, name: {name:?}, sql: include_str!({path:?}) }},\n");
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), format!("&[\n{list}]\n"))?;
    Ok(())
}
