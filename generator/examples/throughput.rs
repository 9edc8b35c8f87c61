//! Writes events to a file and prints the rate: `throughput [LINES] [FILE]`, by default 2,000,000 lines
//! to `/dev/null`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

use streamflow_generator::{GeneratedEvent, GeneratorSettings, Traffic};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let lines: u64 = arguments.next().map_or(Ok(2_000_000), |text| text.parse())?;
    let path = arguments.next().unwrap_or_else(|| "/dev/null".to_owned());

    let start = Instant::now();
    let mut traffic = Traffic::new(GeneratorSettings::default())?;
    println!("population in {:.2} s", start.elapsed().as_secs_f64());

    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut event = GeneratedEvent::default();
    let (mut bytes, mut labels) = (0, 0);
    let start = Instant::now();
    for _ in 0..lines {
        traffic.next_into(&mut event);
        file.write_all(&event.payload)?;
        file.write_all(b"\n")?;
        bytes += event.payload.len() as u64 + 1;
        labels += u64::from(event.label.is_some());
    }
    file.flush()?;
    let seconds = start.elapsed().as_secs_f64();

    println!("{lines} lines in {seconds:.2} s: {:.0} lines/s", lines as f64 / seconds);
    println!("mean line {:.1} bytes, {labels} labelled", bytes as f64 / lines as f64);
    Ok(())
}
